/** What Deno's permissions keep a program to, and what they do not, as docs/permissions.md says. */
import assert from "node:assert/strict";
import { caseNamed, writeCase } from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { tryRun, withTempDir } from "../helpers/peers.ts";

const CHAPTER = Deno.readTextFileSync(new URL("../../docs/permissions.md", import.meta.url));
const ROWS = [...CHAPTER.matchAll(/^\| (?!command|-)(.*?) \| (.*) \|$/gm)].map(([, command, flags]) => ({
  command: command!,
  flags: flags!,
}));
const FIXTURE = caseNamed("sesparse-all-four-kinds");

/** Flags of a row, with its words in capitals replaced. */
function flagsOf(command: string, words: Readonly<Record<string, string>>): string[] {
  const row = ROWS.find((each) => each.command.includes(command)) ?? assert.fail(command);
  const text = /^`([^`]*)`/.exec(row.flags)![1]!.replaceAll(
    /[A-Z_]{3,}/g,
    (word) => words[word] ?? assert.fail(word),
  );
  return text.split(" ");
}

Deno.test("E10: docs/permissions.md says --allow-ffi confines nothing, and puts the line without it first", () => {
  assert.ok(ROWS.length >= 10, "the table is not where it was");
  const said = CHAPTER.indexOf("**`--allow-ffi` confines nothing**");
  assert.ok(said > 0 && said < CHAPTER.indexOf("| command |"), "it is said before the table");
  assert.ok(!ROWS[0]!.flags.includes("--allow-ffi"));
  for (const kind of ["`apply` onto a file", "`inspect`"]) {
    const lines = ROWS.filter(({ command }) => command.startsWith(kind));
    assert.doesNotMatch(lines[0]!.flags, /^`[^`]*--allow-ffi/, kind);
  }
});

Deno.test("E10: the lines without --allow-ffi suffice for files, and keep regrain to the paths they name", () =>
  withTempDir(async (folder) => {
    const [disks, target] = [`${folder}/disks`, `${folder}/vm.img`];
    await writeCase(FIXTURE, disks);
    Deno.copyFileSync(`${disks}/${FIXTURE.base!.flat}`, target);
    const words = { FOLDER: disks, TARGET: target };
    for (const command of ["info", "map", "check"]) {
      regrainExits(0, [command, `${disks}/${FIXTURE.leaf}`], { permissions: flagsOf("`info`", words) });
    }
    const permissions = flagsOf("`apply` onto a file", words);
    regrainExits(0, ["apply", "--chain", `${disks}/${FIXTURE.leaf}`, target], { permissions });
    assertFileHolds(target, FIXTURE.expected!());
    for (const more of [[], ["--allow-ffi"]]) {
      const outside = [...flagsOf("`info`", words), ...more];
      regrainRefuses({ code: "PERMISSION", exit: 6 }, ["info", target], { permissions: outside });
    }
  }));

Deno.test({
  name: "E10: with --allow-ffi a program reads what --allow-read does not name, and without it cannot",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withTempDir((folder) => {
      Deno.writeTextFileSync(`${folder}/secret`, "what nobody may read");
      Deno.writeTextFileSync(
        `${folder}/main.ts`,
        `const name = new TextEncoder().encode("${folder}/secret\\0");
const libc = Deno["dlopen"]("libc.so.6", {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "i64" },
});
const bytes = new Uint8Array(20);
libc.symbols.read(libc.symbols.open(name, 0), bytes, 20n);
console.log(new TextDecoder().decode(bytes));
`,
      );
      const run = (...flags: string[]) =>
        tryRun(Deno.execPath(), ["run", "--no-prompt", "--no-config", ...flags, `${folder}/main.ts`]);
      assert.equal(run("--allow-ffi").stdout, "what nobody may read\n");
      assert.match(run("--allow-read=/nowhere").stderr, /NotCapable/);
    }),
});

Deno.test("E10: Deno has workers with fewer rights behind an unstable flag only, as docs/permissions.md says", () =>
  withTempDir((folder) => {
    Deno.writeTextFileSync(`${folder}/worker.ts`, "console.log('it runs'); self.close();\n");
    const options = "{ type: 'module', deno: { permissions: { ffi: false } } } as WorkerOptions";
    const text = `new Worker(new URL("./worker.ts", import.meta.url), ${options});\n`;
    Deno.writeTextFileSync(`${folder}/main.ts`, text);
    const run = (...flags: string[]) =>
      tryRun(Deno.execPath(), ["run", "--no-config", "--no-check", ...flags, "-A", `${folder}/main.ts`]);
    const { code, stderr } = run();
    assert.notEqual(code, 0);
    assert.match(stderr, /--unstable-worker-options/);
    assert.match(run("--unstable-worker-options").stdout, /it runs/);
  }));
