/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { fromList, fromServer } from "./given_files.ts";

Deno.test("fromServer() finds files beside the page, and none when it is not served", () => {
  const image = { name: "a.vmdk", path: "0/a.vmdk", sizeBytes: 5, modifiedMs: null };
  assert.deepEqual(
    fromServer(JSON.stringify({ images: [image], open: ["a.vmdk"] }), "http://[::1]:9/token/"),
    {
      files: [{ name: "a.vmdk", url: "http://[::1]:9/token/files/0/a.vmdk", sizeBytes: 5, modifiedMs: null }],
      leaf: 0,
    },
  );
  assert.deepEqual(fromServer("null", "file:///x.html"), { files: [], leaf: undefined });
});

Deno.test("fromServer() knows the image that was named first, by path where two have one name", () => {
  const image = (path: string) => ({ name: path.slice(2), path, sizeBytes: 5, modifiedMs: null });
  const images = [image("0/a.vmdk"), image("1/b.vmdk"), image("2/b.vmdk")];
  const leafOf = (open: string[]) => fromServer(JSON.stringify({ images, open }), "http://[::1]:9/t/").leaf;
  assert.deepEqual([["b.vmdk", "a.vmdk"], ["2/b.vmdk"], ["c"], []].map(leafOf), [1, 2, undefined, undefined]);
});

Deno.test("fromList() keeps name and date", () => {
  const file = new File(["x"], "d.vmdk", { lastModified: 7 });
  assert.deepEqual(fromList([file]), { files: [{ name: "d.vmdk", file, modifiedMs: 7 }], refused: [] });
});
