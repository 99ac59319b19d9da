/** `deno task docs`: writes the parts of the documents that come from the program itself. */
import { readTree } from "../manual/tree.ts";
import { createProgram } from "../program.ts";
import { blocksOf, fillBlocks } from "./documents.ts";

const DOCS = new URL("../../docs/", import.meta.url);
const blocks = blocksOf(readTree(createProgram(() => {})));
for (const { name } of Deno.readDirSync(DOCS)) {
  if (!name.endsWith(".md")) continue;
  const url = new URL(name, DOCS);
  const before = Deno.readTextFileSync(url);
  const after = fillBlocks(before, blocks);
  if (after === before) continue;
  Deno.writeTextFileSync(url, after);
  console.log(`docs/${name}`);
}
