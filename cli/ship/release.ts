/**
 * `deno task release VERSION [DATE]`: makes one part of the changelog of all that is in `changes/`, and writes the
 * version into the one place that has it. To commit, tag and publish is left to the person.
 */

const ROOT = new URL("../../", import.meta.url);
const KINDS = ["added", "changed", "fixed", "removed"] as const;
const MAX_TEXT_CHARACTERS = 600;
const COLUMNS = 120;

/** One change that a user can see. */
export interface Change {
  readonly kind: typeof KINDS[number];
  readonly text: string;
}

/**
 * Reads a file of `changes/`.
 *
 * @throws {Error} that says what is wrong with it.
 */
export function parseChange(name: string, text: string): Change {
  const [, kind, body] = /^kind: (\w+)\n\n([\s\S]+)$/.exec(text) ?? [];
  const known = KINDS.find((each) => each === kind);
  if (known === undefined) {
    throw new Error(`changes/${name}: its first line is "kind: ${KINDS.join("|")}", its second empty`);
  }
  const words = body!.trim().replaceAll(/\s+/g, " ");
  if (!/[.]$/.test(words) || words.length > MAX_TEXT_CHARACTERS) {
    throw new Error(`changes/${name}: a sentence or two, ${MAX_TEXT_CHARACTERS} characters at most`);
  }
  return { kind: known, text: words };
}

/** The changelog with a part for a version on top of the older ones. */
export function withRelease(
  changelog: string,
  release: { version: string; date: string; changes: readonly Change[] },
): string {
  const { version, date, changes } = release;
  const parts = KINDS.flatMap((kind) => {
    const of = changes.filter((each) => each.kind === kind);
    const title = kind[0]!.toUpperCase() + kind.slice(1);
    return of.length === 0 ? [] : [`### ${title}\n\n${of.map(({ text }) => listItem(text)).join("\n")}`];
  });
  const [head, ...older] = changelog.split(/^(?=## )/m);
  return `${
    [head!.trimEnd(), `## ${version} (${date})`, ...parts, ...older.map((each) => each.trimEnd())].join(
      "\n\n",
    )
  }\n`;
}

function listItem(text: string): string {
  const lines = ["-"];
  for (const word of text.split(" ")) {
    if (lines.at(-1)!.length + 1 + word.length > COLUMNS) lines.push(" ");
    lines[lines.length - 1] += ` ${word}`;
  }
  return lines.join("\n");
}

/** Every change that is not released, in the order of the names. */
export function readChanges(): Map<string, Change> {
  const names = [...Deno.readDirSync(new URL("changes/", ROOT))].map(({ name }) => name).filter((name) =>
    name !== "README.md"
  ).sort();
  return new Map(
    names.map((name) => [name, parseChange(name, Deno.readTextFileSync(new URL(`changes/${name}`, ROOT)))]),
  );
}

/** The text of `cli/version.ts` with another version. */
export function withVersion(text: string, { version, date }: { version: string; date: string }): string {
  return text.replace(/(VERSION = )"[^"]*"/, `$1"${version}"`).replace(
    /(VERSION_DATE = )"[^"]*"/,
    `$1"${date}"`,
  );
}

function release(version: string, date: string): void {
  const changes = readChanges();
  const rewrite = (path: string, change: (text: string) => string) => {
    const url = new URL(path, ROOT);
    Deno.writeTextFileSync(url, change(Deno.readTextFileSync(url)));
  };
  rewrite("CHANGELOG.md", (text) => withRelease(text, { version, date, changes: [...changes.values()] }));
  rewrite("cli/version.ts", (text) => withVersion(text, { version, date }));
  for (const name of changes.keys()) Deno.removeSync(new URL(`changes/${name}`, ROOT));
  console.log(
    `CHANGELOG.md has ${version} with ${changes.size} changes. Then: deno task ok, commit, git tag v${version}`,
  );
}

if (import.meta.main) {
  const [version = "", date = new Date().toISOString().slice(0, 10)] = Deno.args;
  if (!/^\d+\.\d+\.\d+$/.test(version) || !/^\d{4}-\d\d-\d\d$/.test(date)) {
    console.error("usage: deno task release VERSION [DATE], such as 0.2.0 2026-12-24");
    Deno.exit(2);
  }
  release(version, date);
}
