import assert from "node:assert/strict";
import { testWithPeers, withMount, withTempDir } from "../../test/helpers/peers.ts";
import { later, removeIfThere, renameDurably, replaceFile, writeNewFile } from "./durable.ts";

const NEW = new TextEncoder().encode("new");

function namesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
}

/** What is done to names and to the medium, in its order; names are those in the folder. */
async function recorded(folder: string, work: () => unknown): Promise<string[]> {
  const steps: string[] = [];
  const real = { ...Deno };
  const opened = new WeakMap<Deno.FsFile, string>();
  const { syncSync, sync } = Deno.FsFile.prototype;
  const nameOf = (path: string | URL) => {
    assert.ok(`${path}/`.startsWith(`${folder}/`), `${path} is not in the folder`);
    const name = String(path).slice(folder.length + 1);
    return name === "" ? "folder" : name.replace(/\.[0-9a-f]{8}\.tmp$/, ".tmp");
  };
  Deno.openSync = (path, options) => {
    const file = real.openSync(path, options);
    opened.set(file, nameOf(path));
    return file;
  };
  Deno.open = async (path, options) => {
    const file = await real.open(path, options);
    opened.set(file, nameOf(path));
    return file;
  };
  Deno.FsFile.prototype.syncSync = function () {
    steps.push(`sync ${opened.get(this)}`);
    syncSync.call(this);
  };
  Deno.FsFile.prototype.sync = async function () {
    steps.push(`sync ${opened.get(this)}`);
    await sync.call(this);
  };
  Deno.renameSync = (from, to) => {
    steps.push(`rename ${nameOf(from)} ${nameOf(to)}`);
    real.renameSync(from, to);
  };
  Deno.rename = async (from, to) => {
    steps.push(`rename ${nameOf(from)} ${nameOf(to)}`);
    await real.rename(from, to);
  };
  Deno.linkSync = (from, to) => {
    steps.push(`link ${nameOf(from)} ${nameOf(to)}`);
    real.linkSync(from, to);
  };
  Deno.link = async (from, to) => {
    steps.push(`link ${nameOf(from)} ${nameOf(to)}`);
    await real.link(from, to);
  };
  try {
    await work();
  } finally {
    const { openSync, open, renameSync, rename, linkSync, link } = real;
    Object.assign(Deno, { openSync, open, renameSync, rename, linkSync, link });
    Object.assign(Deno.FsFile.prototype, { syncSync, sync });
  }
  return steps;
}

Deno.test("a file is durable before it has its name, and the name before the call returns", () =>
  withTempDir(async (folder) => {
    const path = `${folder}/a`;
    assert.deepEqual(await recorded(folder, () => writeNewFile(path, NEW)), [
      "sync a.tmp",
      "link a.tmp a",
      "sync folder",
    ]);
    assert.deepEqual(await recorded(folder, () => replaceFile(path, NEW)), [
      "sync a.tmp",
      "rename a.tmp a",
      "sync folder",
    ]);
    assert.deepEqual(await recorded(folder, () => renameDurably(path, `${folder}/b`)), [
      "rename a b",
      "sync folder",
    ]);
    const asStores = async (ifAbsent: boolean) => {
      await later.write(`${folder}/t`, NEW, 0o600);
      if (ifAbsent) await later.linkOnce(`${folder}/t`, `${folder}/c`);
      else await later.rename(`${folder}/t`, `${folder}/d`);
      await later.syncFolderOf(`${folder}/c`);
    };
    assert.deepEqual(await recorded(folder, () => asStores(true)), ["sync t", "link t c", "sync folder"]);
    Deno.removeSync(`${folder}/t`);
    assert.deepEqual(await recorded(folder, () => asStores(false)), ["sync t", "rename t d", "sync folder"]);
    assert.deepEqual(namesIn(folder), ["b", "c", "d"]);
  }));

Deno.test("replaceFile() keeps the rights that are there, or takes those it is given", () =>
  withTempDir((folder) => {
    const path = `${folder}/a`;
    const mode = () => Deno.statSync(path).mode! & 0o777;
    Deno.writeTextFileSync(path, "old");
    Deno.chmodSync(path, 0o640);
    replaceFile(path, NEW);
    assert.equal(mode(), 0o640);
    replaceFile(path, NEW, 0o600);
    assert.equal(mode(), 0o600);
    const before = Deno.umask(0o077);
    try {
      replaceFile(path, NEW, 0o644);
      assert.equal(mode(), 0o644, "the umask is for new files");
      replaceFile(path, NEW);
      assert.equal(mode(), 0o644);
      replaceFile(`${folder}/b`, NEW);
      assert.equal(Deno.statSync(`${folder}/b`).mode! & 0o777, 0o600);
    } finally {
      Deno.umask(before);
    }
    assert.equal(Deno.readTextFileSync(path), "new");
  }));

Deno.test("a file that cannot be replaced leaves what was there, and nothing beside it", () =>
  withTempDir((folder) => {
    Deno.mkdirSync(`${folder}/a`);
    assert.throws(() => replaceFile(`${folder}/a`, NEW), { code: "WRITE_FAILED", path: `${folder}/a` });
    assert.throws(() => replaceFile(`${folder}/none/a`, NEW), { code: "TARGET_MISSING" });
    assert.deepEqual(namesIn(folder), ["a"]);
  }));

testWithPeers(
  "a full file system is NO_SPACE, and the old file stands, alone",
  ["root-mount"],
  () =>
    withTempDir((folder) =>
      withMount(folder, ["-t", "tmpfs", "-o", "size=64k", "tmpfs"], () => {
        Deno.writeTextFileSync(`${folder}/a`, "old");
        for (const write of [replaceFile, writeNewFile]) {
          const path = `${folder}/${write === replaceFile ? "a" : "b"}`;
          assert.throws(() => write(path, new Uint8Array(1 << 20)), { code: "NO_SPACE" });
        }
        assert.equal(Deno.readTextFileSync(`${folder}/a`), "old");
        assert.deepEqual(namesIn(folder), ["a"]);
      })
    ),
);

Deno.test("writeNewFile() overwrites nothing: no file, no link that leads nowhere, none that came meanwhile", () =>
  withTempDir((folder) => {
    const refused = { code: "TARGET_UNSUITABLE", hint: "give another name" };
    Deno.writeTextFileSync(`${folder}/file`, "old");
    Deno.symlinkSync("nowhere", `${folder}/link`);
    for (const name of ["file", "link"]) assert.throws(() => writeNewFile(`${folder}/${name}`, NEW), refused);
    const { linkSync } = Deno;
    Deno.linkSync = (from, to) => {
      Deno.writeTextFileSync(to, "theirs");
      linkSync(from, to);
    };
    try {
      assert.throws(() => writeNewFile(`${folder}/raced`, NEW), refused);
    } finally {
      Deno.linkSync = linkSync;
    }
    assert.equal(Deno.readTextFileSync(`${folder}/raced`), "theirs");
    assert.deepEqual(namesIn(folder), ["file", "link", "raced"]);
  }));

Deno.test("where a file system has no second names a new file is renamed; any other failure is one", () =>
  withTempDir(async (folder) => {
    const { linkSync, link } = Deno;
    let failure: Error = new Deno.errors.PermissionDenied("Operation not permitted");
    Deno.linkSync = () => {
      throw failure;
    };
    Deno.link = () => Promise.reject(failure);
    try {
      writeNewFile(`${folder}/a`, NEW);
      await later.write(`${folder}/t`, NEW, 0o600);
      assert.equal(await later.linkOnce(`${folder}/t`, `${folder}/b`), true);
      assert.deepEqual(namesIn(folder), ["a", "b"]);
      failure = Object.assign(new Error("it broke"), { code: "EIO" });
      assert.throws(() => writeNewFile(`${folder}/c`, NEW), { code: "WRITE_FAILED" });
      await later.write(`${folder}/t`, NEW, 0o600);
      await assert.rejects(later.linkOnce(`${folder}/t`, `${folder}/d`), { code: "EIO" });
      assert.deepEqual(namesIn(folder), ["a", "b", "t"]);
    } finally {
      Object.assign(Deno, { linkSync, link });
    }
  }));

Deno.test("removeIfThere() is content with nothing, and not with a folder that holds something", () =>
  withTempDir((folder) => {
    removeIfThere(`${folder}/none`);
    Deno.mkdirSync(`${folder}/a/b`, { recursive: true });
    assert.throws(() => removeIfThere(`${folder}/a`), { code: "WRITE_FAILED" });
  }));
