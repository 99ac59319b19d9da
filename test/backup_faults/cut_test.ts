/**
 * Objects that lost their end behind regrain's back: a full disk of a file server, a power loss, a copy of the
 * repository that was cut. A backup of the same content must not count on them.
 */
import assert from "node:assert/strict";
import { backUp } from "../../cli/backup/make/backup.ts";
import { InlineLanes } from "../../cli/backup/lanes.ts";
import { planChanged } from "../../cli/backup/make/origins.ts";
import type { Repository } from "../../cli/backup/repository.ts";
import { type Snapshot, SnapshotSource } from "../../core-as/host/repo/mod.ts";
import { backUpLetters, CHUNK, fillChunk, memoryRepository } from "../backup_cli/memory_repository.ts";
import { sameBytes } from "../helpers/bytes.ts";
import { memorySource, readWhole } from "../helpers/memory.ts";
import { MemoryStore } from "../helpers/memory_store.ts";

function diskOf(letters: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(letters.length * CHUNK);
  [...letters].forEach((letter, i) => fillChunk(letter, bytes.subarray(i * CHUNK, (i + 1) * CHUNK)));
  return bytes;
}

async function assertHolds(repository: Repository, snapshot: Snapshot, letters: string): Promise<void> {
  const bytes = await readWhole(new SnapshotSource(repository, snapshot));
  assert.ok(sameBytes(bytes, diskOf(letters)), snapshot.id);
}

/** Cuts every object below a prefix; how many there are. */
function cut(store: MemoryStore, prefix: string, bytesOf: (length: number) => number): number {
  const keys = [...store.objects.keys()].filter((key) => key.startsWith(prefix));
  for (const key of keys) {
    const { bytes, modifiedMs } = store.objects.get(key)!;
    store.objects.set(key, { bytes: bytes.slice(0, bytesOf(bytes.length)), modifiedMs });
  }
  return keys.length;
}

async function withBackup(
  letters: string,
  fn: (means: { store: MemoryStore; repository: Repository; first: Snapshot }) => Promise<void>,
): Promise<void> {
  const store = new MemoryStore();
  const repository = await memoryRepository(store);
  await fn({ store, repository, first: await backUpLetters(repository, letters) });
}

Deno.test("a chunk that was cut to nothing is stored anew by the backup of another disk with the same content", () =>
  withBackup("aabc", async ({ store, repository, first }) => {
    assert.equal(cut(store, "chunks/", () => 0), 3);
    const notices: string[] = [];
    const onNotice = (sentence: string) => notices.push(sentence);
    const other = await backUpLetters(repository, "aabc", "web02/disk-0", { onNotice });
    assert.equal(other.stats.newChunks, 3);
    await assertHolds(repository, other, "aabc");
    await assertHolds(repository, first, "aabc");
    assert.match(notices.join("\n"), /^3 objects of the repository had lost what was stored.*verify --deep/);
  }));

Deno.test("a chunk of the snapshot before that was cut to half is stored anew, and heals that one as well", () =>
  withBackup("abca", async ({ store, repository, first }) => {
    cut(store, "chunks/", (length) => Math.floor(length / 2));
    const next = await backUpLetters(repository, "abcd");
    await assertHolds(repository, next, "abcd");
    await assertHolds(repository, first, "abca");
    const notices: string[] = [];
    const onNotice = (sentence: string) => notices.push(sentence);
    const third = await backUpLetters(repository, "abcd", undefined, { onNotice });
    assert.doesNotMatch(notices.join("\n"), /stored anew/);
    assert.equal(third.stats.newChunks, 0);
  }));

Deno.test("a page of a map that was cut to nothing is stored anew where it is made again", () =>
  withBackup("ab", async ({ store, repository, first }) => {
    assert.equal(cut(store, "maps/", () => 0), 1);
    const other = await backUpLetters(repository, "ab", "web02/disk-0");
    await assertHolds(repository, other, "ab");
    await assertHolds(repository, first, "ab");
  }));

Deno.test("a cut chunk is stored anew also where the store is asked chunk by chunk, and by --heal", () =>
  withBackup("abcdefgh", async ({ store, repository, first }) => {
    const backUpChange = async (letters: string, changed: number, heal = false) => {
      const bytes = diskOf(letters);
      const { snapshot } = await backUp(repository, {
        name: first.source.name,
        tags: [],
        heal,
        lanes: await InlineLanes.open(repository.laneSetup),
        onNotice: () => undefined,
        plan: (parent) =>
          Promise.resolve(
            planChanged(
              { source: memorySource("disk", bytes), chunkBytes: CHUNK, cid: undefined },
              parent,
              {
                list: [{ start: changed * CHUNK, length: CHUNK }],
                sizeBytes: bytes.length,
              },
            ),
          ),
      });
      return snapshot;
    };
    const [whole] = [new Map(store.objects)];
    cut(store, "chunks/", () => 0);
    // The content of the first chunk once more, in the place of the second.
    await backUpChange("aacdefgh", 1);
    const intact = [...store.objects].filter(([key, { bytes }]) =>
      key.startsWith("chunks/") && bytes.length > 0
    );
    assert.equal(intact.length, 1);
    for (const [key, object] of whole) if (!store.objects.has(key)) store.objects.set(key, object);
    cut(store, "chunks/", (length) => Math.min(length, 20));
    const healed = await backUpChange("aacdefgh", 1, true);
    await assertHolds(repository, healed, "aacdefgh");
  }));
