/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { fromList, fromServer } from "./given_files.ts";

Deno.test("fromServer() finds files beside the page, and none when it is not served", () => {
  const image = { name: "a.vmdk", path: "0/a.vmdk", sizeBytes: 5, modifiedMs: null };
  assert.deepEqual(
    fromServer(JSON.stringify({ images: [image], open: ["a.vmdk"] }), "http://[::1]:9/token/"),
    [
      { name: "a.vmdk", url: "http://[::1]:9/token/files/0/a.vmdk", sizeBytes: 5, modifiedMs: null },
    ],
  );
  assert.deepEqual(fromServer("null", "file:///x.html"), []);
});

Deno.test("fromList() keeps name and date", () => {
  const file = new File(["x"], "d.vmdk", { lastModified: 7 });
  assert.deepEqual(fromList([file]), { files: [{ name: "d.vmdk", file, modifiedMs: 7 }], refused: [] });
});
