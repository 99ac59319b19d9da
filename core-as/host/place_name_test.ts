import assert from "node:assert/strict";
import { datastorePath, isPlaceName, schemeOf } from "./place_name.ts";

Deno.test("a colon before the first slash makes a name that of something else than a file", () => {
  for (
    const name of [
      "repo:web01/disk-0@latest",
      "null:",
      "nbd://host/disk",
      "host:/srv/vm.img",
      "a:b",
      "u@h:x",
      "x: y",
    ]
  ) {
    assert.ok(isPlaceName(name), name);
  }
  for (const name of ["./a:b", "/srv/a:b", "a/b:c", "vm.img", "-", "", "../x:y", ":x", ".\\a:b", "C:\\vms"]) {
    assert.ok(!isPlaceName(name), name);
  }
  for (
    const name of [
      "C:/vms",
      "C:\\vms",
      "c:vms",
      "[ds] vm.vmdk",
      "[ds]vm.vmdk",
      "[a/b] c",
      "[a:b] c",
      "a\nb:c",
    ]
  ) {
    const isPlace = schemeOf(name) !== undefined || datastorePath(name) !== undefined;
    assert.equal(isPlaceName(name), isPlace, name);
  }
  assert.deepEqual(schemeOf("nbd+unix:///disk?socket=/s"), { scheme: "nbd+unix", rest: "///disk?socket=/s" });
  assert.deepEqual(schemeOf("a:b\nc"), { scheme: "a", rest: "b\nc" });
});

Deno.test("a letter and a colon are a drive on Windows, and a host elsewhere", () => {
  assert.equal(schemeOf("C:/vms", { drives: true }), undefined);
  assert.deepEqual(schemeOf("C:/vms"), { scheme: "C", rest: "/vms" });
  assert.deepEqual(schemeOf("C:vms", { drives: true }), { scheme: "C", rest: "vms" });
});

Deno.test("a path in a datastore has brackets and a blank", () => {
  assert.deepEqual(datastorePath("[ds 1] vm/vm.vmdk"), { datastore: "ds 1", path: "vm/vm.vmdk" });
  for (const name of ["[1].img", "./[ds] vm.vmdk", "[a/b] c", "[] x", "x [ds] y"]) {
    assert.equal(datastorePath(name), undefined, name);
  }
});
