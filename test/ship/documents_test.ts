/** README and docs/: that they are true where a program can tell, and that nothing leads nowhere. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path/posix";
import { type CommandEntry, readTree } from "../../cli/manual/tree.ts";
import { createProgram } from "../../cli/program.ts";
import { blocksOf, fillBlocks } from "../../cli/ship/documents.ts";
import { parseChange, readChanges, withRelease, withVersion } from "../../cli/ship/release.ts";
import { ERRORS } from "../../core-as/host/errors.ts";
import { historyLine } from "../bench/history.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const MAX_README_BYTES = 9 * 1024;
/** Less than this is no advice. */
const MIN_PARAGRAPH_CHARACTERS = 100;
const tree = readTree(createProgram(() => {}));
const pages = new Map(
  [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    ...[...Deno.readDirSync(`${ROOT}docs`)].map(({ name }) => `docs/${name}`),
  ]
    .filter((path) => path.endsWith(".md"))
    .map((path) => [path, Deno.readTextFileSync(ROOT + path)]),
);

Deno.test("the README has at most 9 KB, and docs/ the rest", () => {
  assert.ok(new TextEncoder().encode(pages.get("README.md")!).length <= MAX_README_BYTES);
  assert.ok(pages.size > 10);
});

Deno.test("the parts of docs/ that come from the program are what deno task docs writes", () => {
  const blocks = blocksOf(tree);
  const all = [...pages.values()].join("\n");
  for (const name of blocks.keys()) assert.ok(all.includes(`<!-- made by deno task docs: ${name} -->`), name);
  for (const [path, text] of pages) {
    assert.equal(text, fillBlocks(text, blocks), `${path}: run deno task docs`);
  }
  assert.throws(
    () => fillBlocks("<!-- made by deno task docs: nothing -->\n\n<!-- end -->", blocks),
    /nothing/,
  );
});

Deno.test("every error code has one paragraph in docs/troubleshooting.md, and none is of a code that is not", () => {
  const sections = pages.get("docs/troubleshooting.md")!.split(/^### /m).slice(1);
  const codes = sections.map((section) => section.split("\n")[0]!);
  assert.deepEqual(codes, Object.keys(ERRORS), "in the order of the table");
  for (const section of sections) {
    const text = section.split("\n").slice(1).join("\n").split(/^## /m)[0]!.trim();
    assert.ok(text.length >= MIN_PARAGRAPH_CHARACTERS, section);
  }
});

Deno.test("every error code is one that the program can give", async () => {
  const sources = await Array.fromAsync(sourceTexts());
  const all = sources.join("\n");
  const dead = Object.keys(ERRORS).filter((code) => !all.includes(`"${code}"`));
  assert.deepEqual(dead, []);
});

/** Texts of the program, without its tests and without the table itself. */
async function* sourceTexts(folder = ROOT): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    const isWanted = folder !== ROOT || name === "cli" || name === "core-as";
    if (isDirectory && isWanted && name !== "node_modules") yield* sourceTexts(path);
    if (/\.ts$/.test(name) && !/_test\.ts$|^errors\.ts$/.test(name)) yield await Deno.readTextFile(path);
  }
}

Deno.test("every link of a page leads to a file, and to a heading that is there", () => {
  const wrong: string[] = [];
  for (const [path, text] of pages) {
    for (const [, to] of withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(to!)) continue;
      const [file, anchor] = to!.split("#");
      const target = file === "" ? path : join(dirname(path), file!);
      if (!exists(ROOT + target)) wrong.push(`${path}: ${to}`);
      else if (anchor !== undefined && !anchorsOf(Deno.readTextFileSync(ROOT + target)).has(anchor)) {
        wrong.push(`${path}: ${to}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("every page of docs/ is linked from the README", () => {
  const readme = pages.get("README.md")!;
  const lost = [...pages.keys()].filter((path) => path.startsWith("docs/") && !readme.includes(`](${path})`));
  assert.deepEqual(lost, []);
});

function withoutCode(text: string): string {
  return text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, "").replaceAll(
    /`[^`\n]*`/g,
    (code) => "x".repeat(code.length),
  );
}

/** What headings are called in links. */
function anchorsOf(text: string): Set<string> {
  const headings = text.matchAll(/^#+ (.*)$/gm);
  return new Set(
    [...headings].map(([, heading]) =>
      heading!.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
    ),
  );
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Command lines in the code of a page: what follows the name of the program, up to a pipe or the end. */
function commandsIn(text: string): string[] {
  const blocks = [...text.matchAll(/^ *```sh\n([\s\S]*?)^ *```$/gm)].map(([, block]) => block!);
  const spans = [...text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, "").matchAll(/`([^`]+)`/g)].map(([, span]) =>
    span!.replaceAll("\n", " ")
  );
  return [...blocks, ...spans].flatMap((code) => {
    // What stands in quotes is for other programs, and a line may go on in the next one.
    const joined = code.replaceAll(/\\\n/g, " ").replaceAll(/'[^'\n]*'|"[^"\n]*"/g, "WORDS");
    return [...joined.matchAll(/(?<![\w/.-]|VMID )regrain +([^|#;&\n)]*)/g)].map(([, rest]) => rest!.trim());
  });
}

/** What is wrong with a command line; undefined when nothing is. */
function wrongIn(line: string): string | undefined {
  const words = line.split(/\s+/);
  if (words[0] === "COMMAND") return undefined;
  if (words[0]!.startsWith("-")) return /^--(help|version)$|^-[hV]$/.test(words[0]!) ? undefined : line;
  let command: CommandEntry | undefined;
  while (words.length > 0) {
    const below = (command?.commands ?? tree.commands).find(({ name }) => name === words[0]);
    if (below === undefined) break;
    command = below;
    words.shift();
  }
  if (command === undefined) return `${line}: no such command`;
  const known = new Set(["--help", ...flagsBelow(command)]);
  const flag = words.map((word) => word.split("=")[0]!).find((word) =>
    /^--[a-z]/.test(word) && !known.has(word)
  );
  return flag === undefined ? undefined : `${line}: no flag ${flag}`;
}

function flagsBelow(command: CommandEntry): string[] {
  return [...command.flags.map(({ long }) => long), ...command.commands.flatMap(flagsBelow)];
}

Deno.test("every command that a page shows is one that there is, with flags that it has", () => {
  let shown = 0;
  for (const [path, text] of pages) {
    for (const line of commandsIn(text)) {
      shown++;
      assert.equal(wrongIn(line), undefined, path);
    }
  }
  assert.ok(shown > 80, String(shown));
  assert.match(wrongIn("aply x y") ?? "", /no such command/);
  assert.match(wrongIn("apply --dryrun x y") ?? "", /no flag --dryrun/);
});

Deno.test("every file of changes/ is a change that the changelog can take", () => {
  for (const [name, { text }] of readChanges()) assert.ok(text.length > 20, name);
  const wrong: readonly [string, RegExp][] = [
    ["added: x.", /its first line is/],
    ["kind: new\n\nX.\n", /its first line is/],
    ["kind: added\nX.\n", /its first line is/],
    ["kind: added\n\nno full stop\n", /a sentence or two/],
    [`kind: fixed\n\n${"x".repeat(600)}.\n`, /a sentence or two/],
  ];
  for (const [text, message] of wrong) assert.throws(() => parseChange("x.md", text), message);
});

Deno.test("a release puts its changes on top of the changelog, by kind", () => {
  const changes = [
    parseChange("b.md", "kind: fixed\n\nB is\nright.\n"),
    parseChange("a.md", `kind: added\n\n${"word ".repeat(30)}end.\n`),
  ];
  const before = "# Changelog\n\nWhat is next.\n\n## 0.1.0 (2026-11-21)\n\n### Added\n\n- Old.\n";
  const after = withRelease(before, { version: "0.2.0", date: "2026-12-24", changes });
  assert.equal(
    after,
    "# Changelog\n\nWhat is next.\n\n## 0.2.0 (2026-12-24)\n\n### Added\n\n" +
      `-${" word".repeat(23)}\n ${" word".repeat(7)} end.\n\n### Fixed\n\n- B is right.\n\n` +
      "## 0.1.0 (2026-11-21)\n\n### Added\n\n- Old.\n",
  );
});

Deno.test("the version is written in one place", () => {
  const text = Deno.readTextFileSync(`${ROOT}cli/version.ts`);
  const next = withVersion(text, { version: "9.8.7", date: "2031-02-03" });
  assert.match(next, /^export const VERSION = "9\.8\.7";$/m);
  assert.match(next, /^export const VERSION_DATE = "2031-02-03";$/m);
  assert.match(next, /^export const LEAST_DENO = "\d/m);
  for (const member of ["cli", "core-as", "fixtures", "inspector-web", "test"]) {
    const config = JSON.parse(Deno.readTextFileSync(`${ROOT}${member}/deno.json`));
    assert.equal(config.version, undefined, member);
  }
});

Deno.test("the history of the benchmark has one line a run", () => {
  const lines = Deno.readTextFileSync(`${ROOT}test/bench/history.jsonl`).trimEnd().split("\n");
  for (const line of lines) {
    const { date, commit, machine, figures } = JSON.parse(line);
    assert.match(date, /^\d{4}-\d\d-\d\d$/);
    assert.match(commit, /^[0-9a-f]{12}$|^unknown$/);
    assert.ok(machine.endsWith(date) && Object.keys(figures).length > 0, line);
  }
  const times = (medianMs: number) => ({ medianMs, minMs: 1, maxMs: 9, runs: 3 });
  const row = {
    name: "COWD big",
    dataBytes: 1,
    ours: times(3.6),
    loop: times(2.4),
    qemuMs: undefined,
    memoryBytes: 1,
  };
  const line = historyLine({ machine: "a machine, 2026-12-24", applies: [row], commit: "0123456789ab" });
  assert.deepEqual(JSON.parse(line).figures, { "COWD big": { ms: 4, loopMs: 2 } });
  assert.ok(line.endsWith("}\n"));
});
