import assert from "node:assert/strict";
import { RegrainError } from "../../core-as/host/mod.ts";
import { withTempDir } from "../../test/helpers/peers.ts";
import { pickIo } from "../io/mod.ts";
import { ServedFiles } from "./served_files.ts";

/** Files of a folder, all named by the user; the folder is removed afterwards. */
async function withFiles(
  names: readonly string[],
  fn: (files: ServedFiles, folder: string) => void | Promise<void>,
): Promise<void> {
  await withTempDir(async (place) => {
    const folder = Deno.realPathSync(place);
    const found = names.map((path) => {
      const realPath = `${folder}/${path}`;
      Deno.mkdirSync(realPath.replace(/[^/]*$/, ""), { recursive: true });
      Deno.writeTextFileSync(realPath, path);
      return { name: path.replace(/.*\//, ""), realPath, named: true };
    });
    await fn(new ServedFiles(pickIo("portable"), found), folder);
  });
}

function codeOf(act: () => unknown): string {
  try {
    act();
    return "ok";
  } catch (error) {
    if (error instanceof RegrainError) return error.code;
    throw error;
  }
}

Deno.test("each folder has a number, and each name stands in letters that an address takes as they are", async () => {
  const names = ["a/vm-1.vmdk", "a/vm 1.vmdk", "b/vm~201.vmdk", "b/ü#?%.vmdk"];
  await withFiles(names, (files) => {
    const { images, open } = files.list();
    assert.deepEqual(images.map(({ path }) => path), [
      ...["0/vm-1.vmdk", "0/vm~201.vmdk", "1/vm~7e201.vmdk", "1/~c3~bc~23~3f~25.vmdk"],
    ]);
    assert.deepEqual(open, ["vm-1.vmdk", "vm 1.vmdk", "vm~201.vmdk", "ü#?%.vmdk"]);
    for (const { name, path, sizeBytes, modifiedMs } of images) {
      assert.equal(files.find(path)?.name, name);
      assert.equal(new URL(path, "http://x/").pathname, `/${path}`);
      assert.ok(sizeBytes > 0 && Math.abs(modifiedMs! - Date.now()) < 60_000);
    }
  });
});

Deno.test("of two files with one name each is opened by its path", () =>
  withFiles(["a/vm.vmdk", "b/vm.vmdk", "b/x.vmdk"], (files) => {
    const { images, open } = files.list();
    assert.deepEqual(images.map(({ name }) => name), ["vm.vmdk", "vm.vmdk", "x.vmdk"]);
    assert.deepEqual(open, ["0/vm.vmdk", "1/vm.vmdk", "x.vmdk"]);
  }));

Deno.test("nothing but what is listed is found", () =>
  withFiles(["a/vm.vmdk"], (files, folder) => {
    Deno.writeTextFileSync(`${folder}/a/other`, "");
    const paths = [
      "",
      "0",
      "0/",
      "0/other",
      "/0/vm.vmdk",
      "0//vm.vmdk",
      "0/vm.vmdk/",
      "1/vm.vmdk",
      "0/../0/vm.vmdk",
    ];
    for (
      const path of [...paths, "0/%76m.vmdk", "0%2fvm.vmdk", "0/VM.vmdk", `${folder}/a/vm.vmdk`, "__proto__"]
    ) {
      assert.equal(files.find(path), undefined, path);
    }
  }));

Deno.test("a change, another file in its place, and another size are other states", () =>
  withFiles(["vm.vmdk"], (files, folder) => {
    const file = files.find("0/vm.vmdk")!;
    const path = `${folder}/vm.vmdk`;
    const read = () => {
      const { source, state } = files.open(file);
      source.close();
      return state;
    };
    const first = read();
    assert.ok(files.isUnchanged(file, first));
    assert.equal(first.etag, read().etag);
    assert.match(first.etag, /^"[\x21\x23-\x7e]+"$/);
    const info = Deno.statSync(path);
    const changes = {
      time: () => Deno.utimeSync(path, info.atime!, new Date(info.mtime!.getTime() + 5)),
      size: () => {
        Deno.writeTextFileSync(path, "longer than it was");
        Deno.utimeSync(path, info.atime!, info.mtime!);
      },
      file: () => {
        Deno.copyFileSync(path, `${path}.new`);
        Deno.utimeSync(`${path}.new`, info.atime!, info.mtime!);
        Deno.renameSync(`${path}.new`, path);
      },
    };
    for (const [what, change] of Object.entries(changes)) {
      const before = read();
      change();
      assert.ok(!files.isUnchanged(file, before), what);
    }
  }));

Deno.test("what has vanished, or became a link to something else, is not opened; the list tells what it was", () =>
  withFiles(["vm.vmdk"], (files, folder) => {
    const file = files.find("0/vm.vmdk")!;
    const { images } = files.list();
    Deno.writeTextFileSync(`${folder}/secret`, "secret");
    Deno.removeSync(`${folder}/vm.vmdk`);
    assert.equal(codeOf(() => files.open(file)), "NOT_FOUND");
    assert.deepEqual(files.list().images, images);
    Deno.symlinkSync(`${folder}/secret`, `${folder}/vm.vmdk`);
    assert.equal(codeOf(() => files.open(file)), "NOT_FOUND");
    Deno.removeSync(`${folder}/vm.vmdk`);
    Deno.mkdirSync(`${folder}/vm.vmdk`);
    assert.equal(codeOf(() => files.open(file)), "NOT_A_DISK");
  }));
