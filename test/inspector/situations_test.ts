/** One table of situations, by the command's dry run and by the page: the same sentence, and a command that works. */
import assert from "node:assert/strict";
import { regrain } from "../helpers/cli.ts";
import { Page, TroubleError } from "../helpers/inspector_session.ts";
import { withTempDir } from "../helpers/peers.ts";
import { type Situation, SITUATIONS } from "../helpers/situations.ts";
import { firstSentence } from "../../inspector-web/shared/judgement_words.ts";
import type { Files } from "../../fixtures/mod.ts";
import type { JudgementFacts, Trouble } from "../../inspector-web/shared/protocol.ts";

const page = new Page();

for (const situation of SITUATIONS) {
  Deno.test(`C2: dry run and page say the same of ${situation.name}`, async () => {
    const files = situation.make();
    await withTempDir(async (folder) => {
      for (const [name, bytes] of Object.entries(files)) Deno.writeFileSync(`${folder}/${name}`, bytes);
      await requireSame(situation, files, folder);
    });
  });
}

async function requireSame({ typed, expect }: Situation, files: Files, folder: string): Promise<void> {
  const judged = await judgementOf(files);
  if ("code" in expect) {
    const refused = dryRun(typed, folder).at(-1)!;
    assert.deepEqual([refused["code"], refused["exit"] !== 0], [expect.code, true], JSON.stringify(refused));
    assert.match(String(refused["message"]), expect.says);
    const [refusal] = "refusals" in judged ? judged.refusals : [judged];
    if ("page" in expect) {
      assert.ok("refusals" in judged);
      assert.deepEqual([judged.state, judged.command, judged.plan === undefined], [
        "unknown",
        undefined,
        false,
      ]);
      assert.match(firstSentence(judged), expect.says);
    } else {
      assert.deepEqual([refusal?.code, refusal?.message], [expect.code, refused["message"]]);
      if ("refusals" in judged) assert.deepEqual([judged.command, judged.plan], [undefined, undefined]);
    }
    return;
  }
  assert.ok("refusals" in judged, JSON.stringify(judged));
  assert.deepEqual([judged.state, judged.command], [expect.page, expect.command], JSON.stringify(judged));
  assert.match(firstSentence(judged), expect.says);
  // The very command is run; what stands for a copy of the base is made first.
  const words = judged.command!.split(" ").slice(2);
  if (words.at(-1) === "TARGET") Deno.writeFileSync(`${folder}/TARGET`, await rawCopy());
  const plan = dryRun(words, folder).find(({ type }) => type === "plan")!;
  const { writeBytes, zeroBytes, skipBytes } = judged.plan!;
  assert.deepEqual([plan["writeBytes"], plan["zeroBytes"], plan["skipBytes"]], [
    writeBytes,
    zeroBytes,
    skipBytes,
  ]);
  assert.deepEqual(words, typed);

  async function rawCopy(): Promise<Uint8Array> {
    const { capacitySectors } = await page.open(files);
    return new Uint8Array(capacitySectors * 512);
  }
}

/** What the page says when all tables are read; or why it does not open the files. */
async function judgementOf(files: Files): Promise<JudgementFacts | Trouble> {
  try {
    await page.open(files);
  } catch (error) {
    if (error instanceof TroubleError) return error.trouble;
    throw error;
  }
  return await page.ask({ type: "judgement" });
}

/** Lines of JSON that the dry run writes: its plan, or its error. */
function dryRun(words: readonly string[], cwd: string): Record<string, unknown>[] {
  const { stdout, stderr } = regrain(["apply", "--dry-run", "--json", ...words], { cwd });
  const lines = `${stdout}\n${stderr}`.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line));
}
