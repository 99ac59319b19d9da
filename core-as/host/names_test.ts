/** Where names in files may lead. */
import assert from "node:assert/strict";
import { check, fc } from "../../test/helpers/property.ts";
import {
  baseName,
  candidates,
  descriptorBeside,
  folderOf,
  isWithin,
  joinPath,
  looseNames,
  sharedFolders,
} from "./names.ts";

const INSIDE = { search: [], allowOutside: false };

Deno.test("names and holders give candidates in order, and where the name itself would lead", () => {
  const rows: [name: string, holder: string, paths: string[], outside?: string][] = [
    ["disk.vmdk", "vm/leaf.vmdk", ["vm/disk.vmdk"]],
    ["disk.vmdk", "leaf.vmdk", ["disk.vmdk"]],
    ["disk.vmdk", "/leaf.vmdk", ["/disk.vmdk"]],
    ["./disk.vmdk", "vm/leaf.vmdk", ["vm/disk.vmdk"]],
    ["sub/disk.vmdk", "vm/leaf.vmdk", ["vm/sub/disk.vmdk", "vm/disk.vmdk"]],
    ["sub/../disk.vmdk", "vm/leaf.vmdk", ["vm/disk.vmdk"]],
    ["../disk.vmdk", "vm/leaf.vmdk", ["vm/disk.vmdk"], "disk.vmdk"],
    ["../../etc/shadow", "/srv/vm/leaf.vmdk", ["/srv/vm/shadow"], "/etc/shadow"],
    ["/vmfs/volumes/5c9a/vm/disk.vmdk", "leaf.vmdk", ["disk.vmdk"], "/vmfs/volumes/5c9a/vm/disk.vmdk"],
    ["/srv/vm/disk.vmdk", "/srv/vm/leaf.vmdk", ["/srv/vm/disk.vmdk"], "/srv/vm/disk.vmdk"],
    ["C:\\vm\\disk.vmdk", "vm/leaf.vmdk", ["vm/disk.vmdk"]],
    ["c:/vm/disk.vmdk", "vm/leaf.vmdk", ["vm/disk.vmdk"]],
    ["\\\\host\\share\\disk.vmdk", "vm/leaf.vmdk", ["vm/disk.vmdk"]],
    ["..\\disk.vmdk", "vm/leaf.vmdk", ["vm/disk.vmdk"]],
    ["odd\\name.vmdk", "vm/leaf.vmdk", ["vm/odd\\name.vmdk"]],
    ["..", "vm/leaf.vmdk", [], "."],
    ["../..", "vm/leaf.vmdk", [], ".."],
    ["../disk.vmdk", "../leaf.vmdk", ["../disk.vmdk"], "../../disk.vmdk"],
  ];
  for (const [name, holder, paths, outside] of rows) {
    const found = candidates(name, holder, INSIDE);
    assert.deepEqual([found.paths, found.outside], [paths, outside], `${name} in ${holder}`);
  }
});

Deno.test("folders that the user names are searched for the last part of a name", () => {
  const options = { search: ["/mnt/bases", "other"], allowOutside: false };
  const searched = ["/mnt/bases/disk.vmdk", "other/disk.vmdk"];
  const elsewhere = candidates("/vmfs/x/disk.vmdk", "vm/leaf.vmdk", options);
  assert.deepEqual(elsewhere.paths, [...searched, "vm/disk.vmdk"], "a name that points elsewhere");
  assert.deepEqual(elsewhere.search, searched);
  const here = candidates("disk.vmdk", "vm/leaf.vmdk", options);
  assert.deepEqual(here.paths, ["vm/disk.vmdk", ...searched], "a name that points here");
  assert.equal(here.exact, "vm/disk.vmdk");
});

Deno.test("a name is followed outside only where the user says so, and then first", () => {
  const options = { search: [], allowOutside: true };
  assert.deepEqual(candidates("../base/disk.vmdk", "vm/leaf.vmdk", options), {
    paths: ["base/disk.vmdk", "vm/disk.vmdk"],
    exact: "base/disk.vmdk",
    search: [],
    outside: undefined,
  });
});

Deno.test("a path lies within a folder or it does not", () => {
  const within: [path: string, folder: string][] = [
    ["a", "."],
    ["a/b", "a"],
    ["a", "a"],
    ["/a/b", "/"],
    ["/a/b", "/a"],
    ["../a", ".."],
    ["../a/b", "../a"],
    ["a/../b", "."],
  ];
  const without: [path: string, folder: string][] = [
    ["..", "."],
    ["../a", "."],
    ["a/../../b", "."],
    ["/a", "."],
    ["ab", "a"],
    ["/ab", "/a"],
    ["a/../b", "a"],
    ["../..", ".."],
    ["../../a", ".."],
    ["a", "/"],
  ];
  for (const [path, folder] of within) assert.ok(isWithin(path, folder), `${path} in ${folder}`);
  for (const [path, folder] of without) assert.ok(!isWithin(path, folder), `${path} not in ${folder}`);
});

/** A path from a working folder deep enough for every `..` below, each part closed by a slash. */
function writtenOut(path: string): string {
  const parts = path.startsWith("/") ? [] : [..."123456789"];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.map((part) => `${part}/`).join("")}`;
}

Deno.test("no name leads out of the folder of the file that holds it", () => {
  const part = fc.constantFrom("..", ".", "a", "b.vmdk", "", "...", "..a", "C:", "~");
  const name = fc.tuple(fc.array(part, { maxLength: 6 }), fc.constantFrom("/", "\\")).map(([parts, slash]) =>
    parts.join(slash)
  );
  const holder = fc.constantFrom(
    "leaf",
    "vm/leaf",
    "/leaf",
    "/srv/vm/leaf",
    "../leaf",
    "../../x/leaf",
    "./leaf",
  );
  check(
    fc.property(name, holder, (name, holder) => {
      const folder = writtenOut(folderOf(holder));
      for (const path of candidates(name, holder, INSIDE).paths) {
        assert.ok(writtenOut(path).startsWith(folder), `${name} in ${holder} leads to ${path}`);
      }
    }),
    { runs: 3000 },
  );
});

Deno.test("paths are joined and tidied", () => {
  assert.equal(joinPath("a/b", "../c"), "a/c");
  assert.equal(joinPath("a", "/b/./c//d"), "/b/c/d");
  assert.equal(joinPath(".", "a/.."), ".");
  assert.equal(joinPath("..", "../a"), "../../a");
  assert.equal(joinPath("/", "../a"), "/a");
  assert.equal(joinPath("/a", ".."), "/");
});

Deno.test("folder and last part of a path", () => {
  const rows: [string, string, string][] = [
    ["a", ".", "a"],
    ["a/b", "a", "b"],
    ["/a", "/", "a"],
    ["C:\\a\\b", ".", "b"],
    ["a\\b", ".", "a\\b"],
  ];
  for (const [path, folder, last] of rows) assert.deepEqual([folderOf(path), baseName(path)], [folder, last]);
});

Deno.test("an extent file belongs to the descriptor whose name it carries", () => {
  const rows: [string, string | undefined][] = [
    ["d/vm-000001-delta.vmdk", "d/vm-000001.vmdk"],
    ["vm-000001-sesparse.vmdk", "vm-000001.vmdk"],
    ["vm-flat.vmdk", "vm.vmdk"],
    ["vm-s001.vmdk", "vm.vmdk"],
    ["vm-f0123.vmdk", "vm.vmdk"],
    ["VM-DELTA.VMDK", "VM.vmdk"],
    ["vm.vmdk", undefined],
    ["vm-s1.vmdk", undefined],
    ["vm-delta.vmdk.part", undefined],
  ];
  for (const [path, descriptor] of rows) assert.equal(descriptorBeside(path), descriptor, path);
});

Deno.test("names whose slashes lean either way have a last part, and a folder when they point below", () => {
  const rows: [name: string, last: string, below: string | undefined][] = [
    ["b.vmdk", "b.vmdk", undefined],
    ["base\\b.vmdk", "b.vmdk", "base"],
    ["base\\\\b.vmdk", "b.vmdk", "base"],
    [".\\base\\b.vmdk", "b.vmdk", "base"],
    ["a/b\\c.vmdk", "c.vmdk", "a/b"],
    ["..\\base\\b.vmdk", "b.vmdk", undefined],
    ["C:\\vm\\b.vmdk", "b.vmdk", undefined],
    ["\\\\host\\share\\b.vmdk", "b.vmdk", undefined],
    ["/vmfs/volumes/b.vmdk", "b.vmdk", undefined],
    ["base\\..", "", undefined],
  ];
  for (const [name, last, below] of rows) assert.deepEqual(looseNames(name), { last, below }, name);
});

Deno.test("the folders that a name shares with a path are counted from the last", () => {
  const rows: [name: string, path: string, shared: number][] = [
    ["/vmfs/volumes/ds1/vm/a.vmdk", "/mnt/ds1/vm/a.vmdk", 2],
    ["/vmfs/volumes/ds1/vm/a.vmdk", "/mnt/ds2/vm/a.vmdk", 1],
    ["C:\\ds1\\VM\\a.vmdk", "/mnt/ds1/vm/a.vmdk", 2],
    ["../template/a.vmdk", "clone/a.vmdk", 0],
    ["a.vmdk", "x/a.vmdk", 0],
  ];
  for (const [name, path, shared] of rows) {
    assert.equal(sharedFolders(name, path), shared, `${name}, ${path}`);
  }
});
