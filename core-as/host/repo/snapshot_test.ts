import assert from "node:assert/strict";
import {
  chunkCount,
  contentRoot,
  entriesOfPage,
  pageCount,
  parseSnapshot,
  serializeSnapshot,
  sha256Hex,
  type Snapshot,
} from "./snapshot.ts";

const ID = "0123456789abcdef".repeat(4);
const ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const CHUNK_BYTES = 1024 * 1024;
const PAGES = [{ id: ID, generation: 0, content: "a".repeat(64) }, null];

const SNAPSHOT: Snapshot = {
  format: "regrain-snapshot",
  version: 1,
  features: [],
  repository: ULID,
  id: ULID,
  source: { name: "vm/disk", key: "vm-disk-01234567" },
  created: "2026-11-21T00:58:03.123Z",
  tool: "regrain 1",
  host: "host",
  parent: ULID,
  sizeBytes: 1025 * CHUNK_BYTES - 512,
  chunkBytes: CHUNK_BYTES,
  pages: PAGES,
  root: await contentRoot(PAGES),
  change: { method: "delta", reason: "it was asked for" },
  cid: "0123abcd",
  tags: ["daily"],
  stats: { chunks: 3, newChunks: 2, readBytes: 4, storedBytes: 5, elapsedMs: 6 },
};

/** The document of a snapshot in which fields were changed after the fact, with a sum that fits. */
async function forged(changes: Readonly<Record<string, unknown>>): Promise<Uint8Array<ArrayBuffer>> {
  return await serializeSnapshot({ ...SNAPSHOT, ...changes } as Snapshot);
}

Deno.test("a manifest is read as it was written, with and without what may be absent", async () => {
  assert.deepEqual(await parseSnapshot(await serializeSnapshot(SNAPSHOT), "m"), SNAPSHOT);
  const bare = {
    ...SNAPSHOT,
    parent: undefined,
    cid: undefined,
    change: { method: "full" as const, reason: undefined },
  };
  assert.deepEqual(await parseSnapshot(await serializeSnapshot(bare), "m"), bare);
  const empty = { ...SNAPSHOT, sizeBytes: 0, pages: [], root: await contentRoot([]) };
  assert.deepEqual(await parseSnapshot(await serializeSnapshot(empty), "m"), empty);
});

Deno.test("a manifest in which any byte was changed is refused", async () => {
  const bytes = await serializeSnapshot(SNAPSHOT);
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at]! ^= 1;
    await assert.rejects(parseSnapshot(changed, "m"), { code: "SNAPSHOT_DAMAGED", path: "m" }, `byte ${at}`);
  }
  for (const end of [0, 1, bytes.length - 1]) {
    await assert.rejects(parseSnapshot(bytes.slice(0, end), "m"), { code: "SNAPSHOT_DAMAGED" });
  }
});

Deno.test("a manifest is refused for every field that is not what it must be", async () => {
  const page = PAGES[0]!;
  const wrong: Record<string, readonly unknown[]> = {
    format: ["regrain-repository", 1, null],
    version: ["1", -1, 1.5],
    features: ["map", [1], null],
    repository: ["x", `${ULID}0`, ULID.toLowerCase(), 7],
    id: ["../../etc", "", null],
    source: [null, "vm", { name: "vm/disk" }, { name: "vm/disk", key: "../up" }, { name: 5, key: "a" }],
    created: ["yesterday", 0, "2026-11-21"],
    tool: [1, null],
    host: [[], null],
    parent: ["x", 5],
    sizeBytes: [-1, 0.5, "1", 2 ** 53, 0, 5000 * CHUNK_BYTES],
    chunkBytes: [0, 1, 512 * 1024, 3 * CHUNK_BYTES, 128 * CHUNK_BYTES, null],
    pages: [null, [], [page], [page, null, null], [null, page], [7, null], ["", null], [{}, null]],
    root: ["", ID, ID.toUpperCase()],
    change: [null, { method: "guess" }, { method: "full", reason: 5 }, {}],
    cid: ["123", "0123ABCD", 5],
    tags: ["daily", [5], null],
    stats: [null, {}, { ...SNAPSHOT.stats, chunks: -1 }, { ...SNAPSHOT.stats, elapsedMs: 0.5 }],
  };
  assert.deepEqual(Object.keys(wrong).sort(), Object.keys(SNAPSHOT).sort());
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const bytes = await forged({ [name]: value });
      await assert.rejects(
        parseSnapshot(bytes, "m"),
        { code: "SNAPSHOT_DAMAGED", path: "m" },
        `${name}: ${JSON.stringify(value)}`,
      );
    }
  }
});

Deno.test("a manifest is refused for a page that is not named as pages are, though the root fits", async () => {
  const page = PAGES[0]!;
  const bad = [
    { ...page, id: ID.slice(1) },
    { ...page, id: `${ID}.1` },
    { ...page, id: `../${ID.slice(3)}` },
    { ...page, generation: 256 },
    { ...page, generation: -1 },
    { ...page, generation: 0.5 },
    { ...page, generation: "0" },
    { ...page, content: "x".repeat(64) },
  ];
  for (const each of bad) {
    const pages = [each as typeof page, null];
    const bytes = await forged({ pages, root: await contentRoot(pages) });
    await assert.rejects(parseSnapshot(bytes, "m"), { code: "SNAPSHOT_DAMAGED" }, JSON.stringify(each));
  }
});

Deno.test("the date until which a snapshot is locked is read where there is one, and is a date", async () => {
  const retainUntil = "2026-12-30T00:00:00.000Z";
  assert.equal((await parseSnapshot(await forged({ retainUntil }), "m")).retainUntil, retainUntil);
  assert.ok(!("retainUntil" in await parseSnapshot(await serializeSnapshot(SNAPSHOT), "m")));
  for (const bad of ["soon", 1, ""]) {
    await assert.rejects(parseSnapshot(await forged({ retainUntil: bad }), "m"), {
      code: "SNAPSHOT_DAMAGED",
    });
  }
});

Deno.test("B2: a change id is read where there is one, and is what one can be", async () => {
  const changeId = "52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/81";
  assert.equal((await parseSnapshot(await forged({ changeId }), "m")).changeId, changeId);
  assert.ok(!("changeId" in await parseSnapshot(await serializeSnapshot(SNAPSHOT), "m")));
  for (const bad of ["", " x", "x ", "a\u001b[0m", 1, "x".repeat(257)]) {
    await assert.rejects(parseSnapshot(await forged({ changeId: bad }), "m"), { code: "SNAPSHOT_DAMAGED" });
  }
});

Deno.test("a manifest of a newer version is told from a damaged one", async () => {
  for (
    const change of [{ version: 2 }, { features: ["compressed-pages"] }, { version: 2, root: "whatever" }]
  ) {
    await assert.rejects(parseSnapshot(await forged(change), "m"), { code: "REPO_UNSUPPORTED", path: "m" });
  }
});

Deno.test("the root is that of the content: generations do not matter, order does", async () => {
  const [page] = PAGES;
  assert.equal(await contentRoot([{ ...page!, generation: 3, id: "b".repeat(64) }, null]), SNAPSHOT.root);
  assert.notEqual(await contentRoot([null, page!]), SNAPSHOT.root);
  assert.notEqual(await contentRoot([page!]), SNAPSHOT.root);
});

Deno.test("chunks, pages and entries are counted up to the last, short one", () => {
  assert.equal(chunkCount(SNAPSHOT), 1025);
  assert.equal(pageCount(SNAPSHOT), 2);
  assert.deepEqual([0, 1].map((page) => entriesOfPage(SNAPSHOT, page)), [1024, 1]);
  assert.equal(pageCount({ sizeBytes: 0, chunkBytes: CHUNK_BYTES }), 0);
});

Deno.test("sha256Hex() is SHA-256", async () => {
  const abc = new TextEncoder().encode("abc");
  assert.equal(await sha256Hex(abc), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});
