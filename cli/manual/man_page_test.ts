import assert from "node:assert/strict";
import { ERRORS } from "../../core-as/host/errors.ts";
import { testWithPeers } from "../../test/helpers/peers.ts";
import { createProgram } from "../program.ts";
import { manPage, type ManualFacts } from "./man_page.ts";
import { leavesOf, type ProgramEntry, readTree } from "./tree.ts";

const FACTS: ManualFacts = { date: "2026-01-31", exitStatus: [[0, "done"], [130, "stopped by SIGINT"]] };
const program = readTree(createProgram(() => {}));
const page = manPage(program, FACTS);

/** Runs a formatter over the page. */
async function format(
  command: string,
  args: readonly string[],
  input = page,
): Promise<{ code: number; plain: string; stderr: string }> {
  const child = new Deno.Command(command, {
    args: [...args],
    env: { LC_ALL: "C.UTF-8", MANWIDTH: "200", MAN_KEEP_FORMATTING: "", PAGER: "cat" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  // deno-lint-ignore no-control-regex -- a terminal of old: bold is a letter over itself
  return { code, plain: decoder.decode(stdout).replace(/.\x08/g, ""), stderr: decoder.decode(stderr) };
}

Deno.test("the manual page has every section, in the order that man pages have them", () => {
  const sections = [...page.matchAll(/^\.SH (.+)$/gm)].map((match) => match[1]);
  assert.deepEqual(sections, [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "OPTIONS",
    "COMMANDS",
    "EXIT STATUS",
    "ERRORS",
    "SIGNALS",
    "ENVIRONMENT",
    "FILES",
    "EXAMPLES",
    "SEE ALSO",
  ]);
});

Deno.test("nothing of a text becomes a request or an escape", () => {
  const odd: ProgramEntry = {
    ...program,
    commands: [{
      name: "odd",
      words: "odd",
      summary: "odd",
      description: ".TH not a title: a\\b `c` ~d^ it's 1…2",
      usage: "[options]",
      arguments: [],
      flags: [],
      examples: ["'quoted' line"],
      commands: [],
    }],
  };
  const lines = manPage(odd, FACTS).split("\n");
  assert.ok(lines.includes("\\&.TH not a title: a\\eb \\(gac\\(ga \\(tid\\(ha it\\(aqs 1\\[u2026]2"));
  assert.ok(lines.includes("\\(aqquoted\\(aq line"));
});

testWithPeers("groff renders the manual page without a warning, with all there is", ["groff"], async () => {
  const { code, plain, stderr } = await format("groff", ["-man", "-Tutf8", "-ww", "-rLL=200n"]);
  assert.equal(code, 0);
  assert.equal(stderr, "");
  assert.match(plain, /^ +regrain repo init$/m);
  for (const command of leavesOf(program)) {
    assert.ok(plain.includes(`regrain ${command.words}`), command.words);
    for (const { long } of command.flags) assert.ok(plain.includes(long), `${command.words} ${long}`);
    for (const example of command.examples) assert.ok(plain.includes(example), example);
  }
  for (const [code, { exit }] of Object.entries(ERRORS)) {
    assert.match(plain, new RegExp(`${code}\\s[^(]*(\\([^(]*)*\\(exit ${exit}\\)`), code);
  }
  assert.match(plain, /130 +stopped by SIGINT/);
  assert.match(plain, /NO_COLOR/);
});

testWithPeers("man shows the manual page as it comes out of a pipe", ["man", "groff"], async () => {
  const { code, plain, stderr } = await format("man", ["--warnings=w", "-l", "-"]);
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "");
  assert.match(plain, /^REGRAIN\(1\)/);
});

testWithPeers("mandoc finds nothing to warn of in the manual page", ["mandoc"], async () => {
  const { code, plain } = await format("mandoc", ["-Tlint", "-Wwarning"]);
  assert.equal(plain, "");
  assert.equal(code, 0);
});
