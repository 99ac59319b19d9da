/** The names of all tests of the repository, for tables that bind what is promised to the test that shows it. */

/** Root of the repository, with a slash at its end. */
export const REPOSITORY = new URL("../../", import.meta.url).pathname;

/** Names of the tests in a file, as far as they are written out, or of the transcripts. */
export function testNames(path: string): string[] {
  const text = Deno.readTextFileSync(path);
  const written = /(?:Deno\.test|testWithPeers)\(\s*(?:\{\s*name:\s*)?(["`])((?:\\.|(?!\1)[^\\])+)\1/g;
  if (path.endsWith(".txt")) return [...text.matchAll(/^=== (.+)$/gm)].map((match) => match[1]!);
  return [...text.matchAll(written)].map((match) => match[2]!);
}

/** Names of all tests. */
export function allTestNames(): string[] {
  return [...testFiles(REPOSITORY)].flatMap(testNames);
}

function* testFiles(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (name === "node_modules" || name.startsWith(".")) continue;
    if (isDirectory) yield* testFiles(`${folder.replace(/\/$/, "")}/${name}`);
    else if (name.endsWith("_test.ts") || folder.endsWith("/transcripts")) yield `${folder}/${name}`;
  }
}

/** The cells of the rows of the first table of a page, without head and rule. */
export function tableRows(path: string): string[][] {
  const lines = Deno.readTextFileSync(path).split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}
