/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import type { StructureNode } from "../../shared/protocol.ts";
import { pathTo, pathWords } from "./structure_path.ts";

function node(
  label: string,
  [offsetBytes, lengthBytes]: [number, number],
  children: readonly StructureNode[] = [],
): StructureNode {
  return { label, value: "7", file: "a.vmdk", offsetBytes, lengthBytes, children };
}

const TREE = node("a.vmdk", [0, 10_000], [
  node("header", [0, 512], [node("magic", [0, 4]), node("version", [4, 4])]),
  node("directory", [512, 512], [
    node("entry 3", [524, 4], [node("table 3", [4096, 2048], [node("entry 0", [4096, 4])])]),
    node("…9 more", [512, 512]),
  ]),
]);

Deno.test("pathTo() leads to the least part that holds a byte, also where it stands below another part", () => {
  const words = (offset: number) => pathWords(pathTo(TREE, offset));
  assert.equal(words(5), "header › version = 7");
  assert.equal(words(100), "header");
  assert.equal(words(525), "directory › entry 3");
  assert.equal(words(4097), "directory › entry 3 › table 3 › entry 0 = 7");
  assert.equal(words(4100), "directory › entry 3 › table 3");
  assert.equal(words(600), "directory", "what is not shown has no name of its own");
  assert.equal(words(9000), "");
  assert.deepEqual(pathTo(TREE, 10_000), []);
});
