/** The program from outside: transcripts, and what a transcript cannot say. */
import assert from "node:assert/strict";
import { caseNamed, writeCase } from "../fixtures/mod.ts";
import { assertFileHolds } from "./helpers/bytes.ts";
import { regrainCommand, regrainExits } from "./helpers/cli.ts";
import { testTranscripts } from "./helpers/transcript.ts";
import { testWithPeers, withTempDir } from "./helpers/peers.ts";

const TRANSCRIPTS = new URL("./transcripts/", import.meta.url).pathname;

for (const { name } of [...Deno.readDirSync(TRANSCRIPTS)].sort((a, b) => a.name < b.name ? -1 : 1)) {
  testTranscripts(`${TRANSCRIPTS}/${name}`);
}

/** Commands as the help lists them. */
function commands(): string[] {
  const { stdout } = regrainExits(0, ["--help"]);
  const list = /^Commands:\n((?: .*\n)+)/m.exec(stdout)![1]!;
  const names = [...list.matchAll(/^ {2}(\S+)/gm)].map((match) => match[1]!);
  return names.filter((name) => name !== "help");
}

/** The names of the examples, over a chain of two links that apply onto a raw image and onto the base itself. */
async function writeExampleFiles(folder: string): Promise<void> {
  await writeCase(caseNamed("chain-two-cowd-links"), folder);
  const renamed = (name: string) => name.replace(/^disk(-\d{6})/, "vm$1").replace(/^disk/, "base");
  for (const { name } of [...Deno.readDirSync(folder)]) {
    const path = `${folder}/${renamed(name)}`;
    Deno.renameSync(`${folder}/${name}`, path);
    if (/-(delta|flat)\.vmdk$/.test(name)) continue;
    const text = Deno.readTextFileSync(path);
    Deno.writeTextFileSync(path, text.replace(/"(disk[^"]*\.vmdk)"/g, (_, file) => `"${renamed(file)}"`));
  }
  Deno.copyFileSync(`${folder}/base-flat.vmdk`, `${folder}/vm.img`);
}

/** Programs that the examples use: this one, an ssh that runs its command here, and a browser that shows nothing. */
function writePrograms(folder: string): void {
  const main = new URL("../cli/main.ts", import.meta.url).pathname;
  const scripts = {
    regrain: `exec '${Deno.execPath()}' run --quiet -A '${main}' "$@"`,
    ssh: 'shift; exec "$@"',
    "xdg-open": "exit 0",
    open: "exit 0",
  };
  Deno.mkdirSync(`${folder}/bin`);
  for (const [name, script] of Object.entries(scripts)) {
    Deno.writeTextFileSync(`${folder}/bin/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  Deno.mkdirSync(`${folder}/.config/fish/completions`, { recursive: true });
}

testWithPeers("every example of every command's help runs", ["bash", "man"], async () => {
  const all = commands();
  assert.ok(all.length >= 4);
  for (const command of all) {
    const { stdout } = regrainExits(0, [command, "--help"]);
    const [, section = ""] = /^Examples:\n((?: {2}.+\n?)+)/m.exec(stdout) ?? [];
    const examples = [...section.matchAll(/^ {2}(.*\bregrain .+)$/gm)].map((match) => match[1]!);
    assert.ok(examples.length > 0, `${command} has no example`);
    await withTempDir(async (folder) => {
      await writeExampleFiles(folder);
      writePrograms(folder);
      const env = {
        PATH: `${folder}/bin:${Deno.env.get("PATH")}`,
        HOME: folder,
        NO_COLOR: "1",
        DENO_DIR: denoDir(),
      };
      for (const line of examples) {
        const bash = new Deno.Command("bash", {
          args: ["-o", "pipefail", "-c", line],
          cwd: folder,
          env,
          stdin: "null",
          stdout: "piped",
          stderr: "piped",
        });
        const { code, stderr } = await (command === "inspect" ? untilItListens(bash) : bash.output());
        // Examples of comparing may well find a difference.
        const fine = code === 0 || command === "compare" && code === 1;
        assert.ok(fine, `${line}: ${code} ${new TextDecoder().decode(stderr)}`);
      }
    });
  }
});

/** A server does not end by itself: when it says where it listens, Ctrl-C ends it. */
async function untilItListens(bash: Deno.Command): Promise<{ code: number; stderr: Uint8Array }> {
  const child = bash.spawn();
  const stderr = new Response(child.stderr).bytes();
  let isTold = false;
  for await (const _ of child.stdout) {
    if (!isTold) child.kill("SIGINT");
    isTold = true;
  }
  return { code: (await child.status).code, stderr: await stderr };
}

/** Where Deno keeps its packages: another home must not make it fetch them again. */
function denoDir(): string {
  const { stdout } = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

Deno.test("a reader that goes away ends the listing, quietly and with success", () =>
  withTempDir(async (folder) => {
    const fixture = caseNamed("cowd-interleaved-first-touch");
    await writeCase(fixture, folder);
    // More than a pipe holds, so that the writer is still writing when the reader goes.
    const child = regrainCommand(["map", "--json", ...Array(12).fill(`${folder}/${fixture.leaf}`)], {
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    assert.ok((await reader.read()).value!.length > 0);
    await reader.cancel();
    const stderr = await new Response(child.stderr).text();
    assert.deepEqual([(await child.status).code, stderr], [0, ""]);
  }));

Deno.test("apply --json is NDJSON: the plan, then a summary whose sums make up the disk", () =>
  withTempDir(async (folder) => {
    for (const name of ["sesparse-all-four-kinds", "cowd-data-grains-full-of-zeros", "chain-disk-grown"]) {
      const fixture = caseNamed(name);
      await writeCase(fixture, folder);
      const target = `${folder}/vm.img`;
      Deno.copyFileSync(`${folder}/${fixture.base!.flat}`, target);
      Deno.truncateSync(target, fixture.capacitySectors * 512);
      const { stdout } = regrainExits(0, ["apply", "--json", "--chain", `${folder}/${fixture.leaf}`, target]);
      const events = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
      const [plan, summary] = [events[0], events.at(-1)];
      const diskBytes = fixture.capacitySectors * 512;
      assert.equal(plan.type, "plan");
      assert.equal(plan.diskBytes, diskBytes);
      assert.equal(plan.writeBytes + plan.zeroBytes + plan.skipBytes, diskBytes);
      assert.equal(summary.type, "summary");
      assert.equal(summary.status, "done");
      assert.equal(summary.diskBytes, diskBytes);
      const { writtenBytes, sparedBytes, zeroedBytes, skippedBytes } = summary;
      assert.equal(writtenBytes + sparedBytes + zeroedBytes + skippedBytes, diskBytes);
      assert.equal(writtenBytes + sparedBytes, plan.writeBytes);
      assert.equal(zeroedBytes, plan.zeroBytes);
      assertFileHolds(target, fixture.expected!());
    }
  }));

Deno.test("apply --json --dry-run lists operations in order, and writes nothing", () =>
  withTempDir(async (folder) => {
    const fixture = caseNamed("sesparse-all-four-kinds");
    await writeCase(fixture, folder);
    const target = `${folder}/disk-flat.vmdk`;
    const before = Deno.readFileSync(target);
    const args = ["apply", "--json", "--dry-run", `${folder}/${fixture.leaf}`, target];
    const events = regrainExits(0, args).stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    const operations = events.filter(({ type }) => type === "operation");
    assert.equal(operations.length, events[0].operationCount);
    operations.slice(1).forEach((each, i) =>
      assert.ok(operations[i].start + operations[i].length <= each.start)
    );
    assert.deepEqual(events.at(-1), { type: "summary", status: "dry-run" });
    assertFileHolds(target, before);
  }));
