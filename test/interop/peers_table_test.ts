/** The table in `PEERS.md` and the tests it names. */
import assert from "node:assert/strict";

const REPOSITORY = new URL("../../", import.meta.url).pathname;
const TABLE = Deno.readTextFileSync(`${REPOSITORY}/test/interop/PEERS.md`);

/** Names of the last column. */
function namedTests(): string[] {
  const rows = TABLE.split("\n").filter((line) => line.startsWith("|")).slice(2);
  return rows.map((row) => {
    const name = /\| `([^`]+)` \|$/.exec(row)?.[1];
    assert.ok(name, `no test in: ${row}`);
    return name;
  });
}

/** Names of the tests in a file, as far as they are written out, or of the transcripts. */
function testNames(path: string): string[] {
  const text = Deno.readTextFileSync(path);
  const written = /(?:Deno\.test|testWithPeers)\(\s*"((?:[^"\\]|\\.)+)"/g;
  const pattern = path.endsWith(".txt") ? /^=== (.+)$/gm : written;
  return [...text.matchAll(pattern)].map((match) => match[1]!);
}

function* testFiles(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (name === "node_modules" || name.startsWith(".")) continue;
    if (isDirectory) yield* testFiles(`${folder}/${name}`);
    else if (name.endsWith("_test.ts") || folder.endsWith("/transcripts")) yield `${folder}/${name}`;
  }
}

Deno.test("every test that the table of peers names exists", () => {
  const existing = new Set([...testFiles(REPOSITORY)].flatMap(testNames));
  assert.deepEqual(namedTests().filter((name) => !existing.has(name)), []);
});

Deno.test("every test about peers is named in the table", () => {
  const named = new Set(namedTests());
  const tests = testNames(`${REPOSITORY}/test/interop/peers_test.ts`);
  assert.ok(tests.length > 30);
  assert.deepEqual(tests.filter((name) => !named.has(name)), []);
});
