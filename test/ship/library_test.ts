/** The examples of docs/library.md, each run as a program of its own would run it. */
import assert from "node:assert/strict";
import { caseNamed, writeCase } from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrainExits } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";

const ROOT = new URL("../..", import.meta.url);
const FIXTURE = caseNamed("chain-two-cowd-links");
const DISK_BYTES = FIXTURE.capacitySectors * 512;

/** What each example must write, by its heading, in the order of the page. */
const EXPECTED: Readonly<Record<string, RegExp>> = {
  "Open a chain, and list its runs": new RegExp(
    `^${DISK_BYTES} bytes in 3 files\n0 \\d+ \\w+\n(\\d+ \\d+ \\w+\n)*$`,
  ),
  "Read bytes": /^512\n$/,
  "What would an apply do?": /^[1-9]\d* bytes to write, \d+ to zero, \d+ stay\n((write|zero) \d+ \d+\n)+$/,
  "Apply deltas": /^[1-9]\d* bytes written\n$/,
  "Compare two disks": /^the same\n$/,
  "Read a snapshot": new RegExp(`^[0-9A-Z]{26}: ${DISK_BYTES} bytes\n512\n$`),
};

/** Examples by their headings. */
function examplesOf(page: string): Map<string, string> {
  const parts = page.split(/^## /m).slice(1);
  return new Map(parts.flatMap((part) => {
    const [, code] = /^```ts\n([\s\S]*?)^```$/m.exec(part) ?? [];
    return code === undefined ? [] : [[part.split("\n")[0]!, code] as const];
  }));
}

/** The disk of the examples: a base, two deltas on it, a copy of the base, and a repository. */
async function writeFiles(folder: string): Promise<void> {
  await writeCase(FIXTURE, folder);
  const renamed = (name: string) => name.replace(/^disk(-\d{6})/, "vm$1");
  for (const { name } of [...Deno.readDirSync(folder)]) {
    const path = `${folder}/${renamed(name)}`;
    Deno.renameSync(`${folder}/${name}`, path);
    if (/-(delta|flat)\.vmdk$/.test(name)) continue;
    const text = Deno.readTextFileSync(path);
    Deno.writeTextFileSync(path, text.replace(/"(disk[^"]*\.vmdk)"/g, (_, file) => `"${renamed(file)}"`));
  }
  Deno.copyFileSync(`${folder}/disk-flat.vmdk`, `${folder}/vm.img`);
  const repo = ["--repo", "backups"];
  regrainExits(0, ["repo", "init", ...repo], { cwd: folder });
  regrainExits(0, ["backup", "vm.img", "--name", "web01/disk-0", ...repo], { cwd: folder });
}

Deno.test("every example of docs/library.md does what it says", () =>
  withTempDir(async (folder) => {
    const examples = examplesOf(Deno.readTextFileSync(new URL("docs/library.md", ROOT)));
    assert.deepEqual([...examples.keys()], Object.keys(EXPECTED));
    await writeFiles(folder);
    const files = [...examples].map(([heading, code], i) => {
      const path = `${folder}/example${i}.ts`;
      Deno.writeTextFileSync(path, code.replaceAll('"./regrain/', `"${ROOT.href}`));
      return { heading, path };
    });
    const config = ["--quiet", "--config", new URL("deno.json", ROOT).pathname];
    const checked = deno(folder, "check", ...config, ...files.map(({ path }) => path));
    assert.equal(checked.code, 0, checked.err);
    for (const { heading, path } of files) {
      const { code, out, err } = deno(folder, "run", "-A", "--no-prompt", ...config, path);
      assert.equal(code, 0, `${heading}: ${err}`);
      assert.match(out, EXPECTED[heading]!, heading);
    }
    assertFileHolds(`${folder}/vm.img`, FIXTURE.expected!());
  }));

function deno(cwd: string, ...args: string[]): { code: number; out: string; err: string } {
  const { code, stdout, stderr } = new Deno.Command(Deno.execPath(), { args, cwd, env: { NO_COLOR: "1" } })
    .outputSync();
  const [out, err] = [stdout, stderr].map((each) => new TextDecoder().decode(each)) as [string, string];
  return { code, out, err };
}
