import assert from "node:assert/strict";
import { FolderStore } from "./store.ts";

async function withFolder(action: (store: FolderStore, root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    await action(new FolderStore(`${root}/repo/`), `${root}/repo`);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

async function keysOf(store: FolderStore, prefix: string): Promise<string[]> {
  return (await Array.fromAsync(store.list(prefix), ({ key }) => key)).sort();
}

Deno.test("a folder that is not there is an empty store", async () => {
  await withFolder(async (store) => {
    assert.equal(await store.get("repo.json", 100), undefined);
    assert.equal(await store.head("a/b/c"), undefined);
    assert.deepEqual(await keysOf(store, ""), []);
    assert.deepEqual(await keysOf(store, "chunks/"), []);
    await store.remove(["chunks/none"]);
  });
});

Deno.test("what was put is there, in a file of its own that nobody else may read", async () => {
  await withFolder(async (store, root) => {
    const before = Date.now() - 2000;
    assert.equal(await store.put("chunks/ab/x.zst", bytesOf("12345")), "created");
    assert.deepEqual(await store.get("chunks/ab/x.zst", 5), bytesOf("12345"));
    const { key, sizeBytes, modifiedMs } = (await store.head("chunks/ab/x.zst"))!;
    assert.deepEqual({ key, sizeBytes }, { key: "chunks/ab/x.zst", sizeBytes: 5 });
    assert.ok(modifiedMs >= before && modifiedMs <= Date.now() + 2000);
    const { mode } = await Deno.stat(`${root}/chunks/ab/x.zst`);
    if (mode !== null) assert.equal(mode & 0o077, 0);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(`${root}/tmp`)), []);
  });
});

Deno.test("an object is replaced as a whole, or left alone when it was to be made", async () => {
  await withFolder(async (store) => {
    await store.put("a", bytesOf("first"));
    assert.equal(await store.put("a", bytesOf("2nd"), { ifAbsent: true }), "exists");
    assert.deepEqual(await store.get("a", 100), bytesOf("first"));
    assert.equal(await store.put("a", bytesOf("2nd")), "created");
    assert.deepEqual(await store.get("a", 100), bytesOf("2nd"));
  });
});

Deno.test("of many who make the same object at once, one makes it", async () => {
  await withFolder(async (store, root) => {
    const stores = Array.from({ length: 8 }, () => new FolderStore(root));
    const outcomes = await Promise.all(
      stores.map((each, i) => each.put("x/y", bytesOf(`${i}`), { ifAbsent: true })),
    );
    assert.equal(outcomes.filter((outcome) => outcome === "created").length, 1);
    assert.deepEqual(await store.get("x/y", 100), bytesOf(`${outcomes.indexOf("created")}`));
    assert.deepEqual(await Array.fromAsync(Deno.readDir(`${root}/tmp`)), []);
  });
});

Deno.test("a reader sees an old object or a new one, never a part", async () => {
  await withFolder(async (store) => {
    const values = [new Uint8Array(300_000).fill(1), new Uint8Array(200_000).fill(2)] as const;
    await store.put("a", values[0]);
    let writing = true;
    const write = async () => {
      for (let i = 0; i < 20; i++) await store.put("a", values[i % 2]!);
      writing = false;
    };
    const read = async () => {
      while (writing) {
        const bytes = (await store.get("a", 1_000_000))!;
        assert.equal(bytes.length, values[bytes[0]! - 1]!.length);
        assert.ok(bytes.every((byte) => byte === bytes[0]));
      }
    };
    await Promise.all([write(), read()]);
  });
});

Deno.test("a listing goes by the beginning of keys, not by folders, and shows nothing half written", async () => {
  await withFolder(async (store, root) => {
    for (const key of ["repo.json", "snaps/web-1/a", "snaps/web-12/b", "snaps/x/c", "snapshot"]) {
      await store.put(key, bytesOf(key));
    }
    await Deno.writeTextFile(`${root}/tmp/half`, "x");
    assert.deepEqual(await keysOf(store, "snaps/web-1"), ["snaps/web-1/a", "snaps/web-12/b"]);
    assert.deepEqual(await keysOf(store, "snaps/web-1/"), ["snaps/web-1/a"]);
    assert.deepEqual(await keysOf(store, "snap"), [
      "snaps/web-1/a",
      "snaps/web-12/b",
      "snaps/x/c",
      "snapshot",
    ]);
    assert.equal((await keysOf(store, "")).length, 5);
  });
});

Deno.test("what was removed is gone, and removing it again is fine", async () => {
  await withFolder(async (store) => {
    for (const key of ["a/1", "a/2", "a/3"]) await store.put(key, bytesOf(key));
    await store.remove(["a/1", "a/3", "a/1", "b/none"]);
    assert.deepEqual(await keysOf(store, ""), ["a/2"]);
  });
});

Deno.test("a key never leads out of the folder, and a listing has what a link leads to, as a read has", async () => {
  await withFolder(async (store, root) => {
    for (const key of ["../x", "a/../x", "/etc/passwd", "", ".", "a//b", "a/.b", "a/", "a\\b", "a\0", "ä"]) {
      await assert.rejects(store.put(key, bytesOf("x")), /is no key/, key);
      await assert.rejects(store.get(key, 10), /is no key/, key);
      await assert.rejects(store.head(key), /is no key/, key);
      await assert.rejects(store.remove([key]), /is no key/, key);
    }
    await store.put("a/b", bytesOf("x"));
    await store.put("c/d", bytesOf("y"));
    await Deno.symlink("../c", `${root}/a/c`);
    assert.deepEqual(await keysOf(store, "a/"), ["a/b", "a/c/d"]);
    assert.deepEqual(await store.get("a/c/d", 10), bytesOf("y"));
  });
});

Deno.test("an object that is larger than believed is an error, and is not read", async () => {
  await withFolder(async (store) => {
    await store.put("a", bytesOf("12345"));
    await assert.rejects(store.get("a", 4), { code: "LIMIT_EXCEEDED" });
  });
});

Deno.test("a file in the place of the folder is no store, and is told so", async () => {
  const file = await Deno.makeTempFile();
  try {
    await assert.rejects(new FolderStore(file).put("a/b", bytesOf("x")), { code: "USAGE" });
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("what an ended process left half written is removed when it is a day old", async () => {
  await withFolder(async (store, root) => {
    await store.put("a", bytesOf("x"));
    await Deno.writeTextFile(`${root}/tmp/old`, "half");
    await Deno.writeTextFile(`${root}/tmp/new`, "half");
    const now = Date.now();
    await Deno.utime(`${root}/tmp/old`, new Date(now - 25 * 3600_000), new Date(now - 25 * 3600_000));
    assert.equal(await store.tidy(now), 1);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(`${root}/tmp`), ({ name }) => name), ["new"]);
    assert.deepEqual(await keysOf(store, ""), ["a"]);
  });
});
