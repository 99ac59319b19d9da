import assert from "node:assert/strict";
import { backUpLetters, memoryRepository, steppedWorld } from "../../../test/backup_cli/memory_repository.ts";
import { MemoryStore } from "../../../test/helpers/memory_store.ts";
import { outlineOf, sha256Hex } from "../../../core-as/host/repo/mod.ts";
import { prune } from "../keep/prune.ts";
import { Repository } from "../repository.ts";
import { type IndexFile, readOutlines } from "./snapshot_index.ts";
import { readSnapshots } from "./snapshots.ts";

/** An index in memory. */
class MemoryFile implements IndexFile {
  readonly path = "index";
  writes = 0;
  constructor(public bytes?: Uint8Array<ArrayBuffer>) {}

  read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return Promise.resolve(this.bytes);
  }

  write(bytes: Uint8Array): Promise<void> {
    this.bytes = new Uint8Array(bytes);
    this.writes++;
    return Promise.resolve();
  }
}

/** Counts which manifests are read; its clock goes on with each object. */
class CountingStore extends MemoryStore {
  manifests = 0;

  constructor() {
    let nowMs = 0;
    super({ nowMs: () => nowMs += 10 });
  }

  override get(key: string, maxBytes: number) {
    if (key.startsWith("snaps/")) this.manifests++;
    return super.get(key, maxBytes);
  }
}

const SNAPSHOTS = 20;

async function fill(repository: Repository): Promise<void> {
  for (let i = 0; i < SNAPSHOTS; i++) await backUpLetters(repository, "ab", `vm/disk-${i % 3}`);
}

async function filled(): Promise<{ repository: Repository; store: CountingStore; file: MemoryFile }> {
  const store = new CountingStore();
  const repository = await memoryRepository(store);
  await fill(repository);
  const file = new MemoryFile();
  await assertTrue(repository, file);
  return { repository, store, file };
}

/** Asserts that a list by the index is that of the manifests; what was said, and how many were read. */
async function assertTrue(
  repository: Repository,
  file: IndexFile,
): Promise<{ said: string[]; read: number }> {
  const store = repository.store as CountingStore;
  const said: string[] = [];
  store.manifests = 0;
  const options = { file, leastCount: 0, onNotice: (sentence: string) => said.push(sentence) };
  const found = await readOutlines(repository, undefined, options);
  const read = store.manifests;
  const due = (await Array.fromAsync(readSnapshots(repository)))
    .map((each) => ({ ...each, snapshot: each.snapshot && outlineOf(each.snapshot) }));
  const comparable = (list: typeof found) =>
    list.map(({ damage, ...each }) => ({ ...each, damage: damage?.code }));
  assert.deepEqual(comparable(found), comparable(due));
  return { said, read };
}

/** An index as somebody would make it who knows how. */
async function forge(file: MemoryFile, change: (entries: Record<string, unknown>[]) => void): Promise<void> {
  const text = new TextDecoder().decode(file.bytes);
  const index = JSON.parse(text).index;
  change(index.entries);
  const body = JSON.stringify(index);
  const sum = await sha256Hex(new TextEncoder().encode(body));
  file.bytes = new TextEncoder().encode(`{"index":${body},"sha256":"${sum}"}\n`);
}

Deno.test("B18: a list by the index reads a few manifests, the same list without it reads all", async () => {
  const { repository, file } = await filled();
  assert.equal(file.writes, 1);
  assert.deepEqual(await assertTrue(repository, file), { said: [], read: 8 });
  assert.equal(file.writes, 1, "nothing was new");
  assert.equal((await assertTrue(repository, new MemoryFile())).read, SNAPSHOTS);
  const store = repository.store as CountingStore;
  store.manifests = 0;
  const few = await readOutlines(repository, undefined, { file, onNotice: assert.fail });
  assert.deepEqual([few.length, store.manifests], [SNAPSHOTS, SNAPSHOTS], "so few are read without an index");
});

Deno.test("B18: an index that is cut, damaged, none at all, or another repository's is built again", async () => {
  const { repository, file } = await filled();
  const good = file.bytes!;
  for (const length of [0, 1, 40, good.length >> 1, good.length - 1]) {
    const { read } = await assertTrue(repository, new MemoryFile(good.slice(0, length)));
    assert.equal(read, SNAPSHOTS, `${length} bytes`);
  }
  for (let at = 0; at < good.length; at += 997) {
    const flipped = good.slice();
    flipped[at]! ^= 1;
    assert.equal((await assertTrue(repository, new MemoryFile(flipped))).read, SNAPSHOTS, `at ${at}`);
  }
  const other = await filled();
  assert.equal((await assertTrue(repository, new MemoryFile(other.file.bytes))).read, SNAPSHOTS);
  for (const text of ["", "null", "[]", '{"index":{},"sha256":""}\n', "\u0000".repeat(1000)]) {
    assert.equal(
      (await assertTrue(repository, new MemoryFile(new TextEncoder().encode(text)))).read,
      SNAPSHOTS,
    );
  }
  const forgeries: ((entries: Record<string, unknown>[]) => void)[] = [
    (entries) => entries[3] = null as unknown as Record<string, unknown>,
    (entries) => entries[3]!.outline = "nothing",
    (entries) => entries[3]!.outline = entries[4]!.outline,
    (entries) => entries[3]!.key = "repo.json",
    (entries) => (entries[3]!.outline as Record<string, unknown>).created = "9999-99-99",
    (entries) => (entries[3]!.outline as Record<string, unknown>).tags = [1],
    (entries) => entries[3]!.sizeBytes = -1,
  ];
  for (const change of forgeries) {
    const forged = new MemoryFile(good);
    await forge(forged, change);
    assert.equal((await assertTrue(repository, forged)).read, SNAPSHOTS, String(change));
  }
});

Deno.test("B18: a stale index is brought up to date: snapshots that came, went, or were damaged since", async () => {
  const { repository, store, file } = await filled();
  const names = await repository.listSnapshots();
  await backUpLetters(repository, "abc", "vm/new");
  await store.remove([names[0]!.key, names[7]!.key]);
  const bytes = (await store.get(names[5]!.key, 1e6))!;
  bytes[bytes.length >> 1]! ^= 1;
  await store.put(names[5]!.key, bytes);
  const { said, read } = await assertTrue(repository, file);
  assert.deepEqual([said, read], [[], 8 + 2], "the new one and the damaged one");
  assert.equal(file.writes, 2);
  assert.equal((await assertTrue(repository, file)).read, 8 + 1, "what is damaged is read every time");
  // A list of one disk leaves what the index has of the others.
  await backUpLetters(repository, "abcd", "vm/new");
  const source = await repository.sourceKey("vm/new");
  await readOutlines(repository, source, { file, leastCount: 0, onNotice: assert.fail });
  assert.equal((await assertTrue(repository, file)).read, 8 + 1);
});

Deno.test("B18: an index that says something else than the manifests is found out, said, and built again", async () => {
  const { repository, file } = await filled();
  await forge(file, (entries) => {
    for (const { outline } of entries) {
      (outline as Record<string, unknown>).created = "2020-01-01T00:00:00.000Z";
    }
  });
  const { said, read } = await assertTrue(repository, file);
  assert.match(said.join(), /^index does not say what the snapshots say: all of them are read$/);
  assert.ok(read > SNAPSHOTS);
  assert.deepEqual((await assertTrue(repository, file)).said, []);
});

Deno.test("B18: what prune removes it decides by the manifests, whatever the index says", async () => {
  const { repository, file } = await filled();
  const due = await prune(repository, { policy: { daily: 1 }, dryRun: true, onNotice: () => {} });
  // The one entry that lies is mostly not among those that are compared.
  await forge(file, (entries) => {
    (entries.at(-1)!.outline as Record<string, unknown>).created = "2001-01-01T00:00:00.000Z";
    (entries[0]!.outline as Record<string, unknown>).tags = ["kept"];
  });
  const policy = { daily: 1 };
  const { removed } = await prune(repository, { policy, index: file, onNotice: () => {} });
  assert.deepEqual(removed.toSorted(), due.removed.toSorted());
});

Deno.test("B18: the index of an encrypted repository tells no names of disks, and opens for it alone", async () => {
  const open = (master: Uint8Array<ArrayBuffer>) =>
    Repository.create(new CountingStore(), {
      chunkBytes: 1024 * 1024,
      conditionalPut: "atomic",
      world: steppedWorld(),
      master,
    });
  const repository = await open(new Uint8Array(32).fill(1));
  await fill(repository);
  const file = new MemoryFile();
  await assertTrue(repository, file);
  assert.equal((await assertTrue(repository, file)).read, 8);
  assert.doesNotMatch(new TextDecoder("latin1").decode(file.bytes), /disk-|"index"/);
  const flipped = file.bytes!.slice();
  flipped[flipped.length >> 1]! ^= 1;
  assert.equal((await assertTrue(repository, new MemoryFile(flipped))).read, SNAPSHOTS);
  const plain = await filled();
  assert.equal((await assertTrue(repository, new MemoryFile(plain.file.bytes))).read, SNAPSHOTS);
});
