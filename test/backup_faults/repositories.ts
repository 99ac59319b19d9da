/** Repositories in folders for tests: small disks, what must hold of the folder, and what snapshots read as. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { zstdDecompressSync } from "node:zlib";
import { MIB, type Source } from "../../core-as/host/mod.ts";
import {
  contentKey,
  type ObjectStore,
  PAGE_ENTRIES,
  parseContentKey,
  type Snapshot,
} from "../../core-as/host/repo/mod.ts";
import { backUp, type BackupResult } from "../../cli/backup/make/backup.ts";
import { collectGarbage, type GcResult } from "../../cli/backup/collect/gc.ts";
import { InlineLanes } from "../../cli/backup/lanes.ts";
import { planFull } from "../../cli/backup/make/origins.ts";
import type { BackupPlan } from "../../cli/backup/make/plan.ts";
import { Repository, type World } from "../../cli/backup/repository.ts";
import { readInOrder } from "../../cli/backup/restore/restore.ts";
import { readSnapshots } from "../../cli/backup/snapshots/snapshots.ts";
import { FolderStore } from "../../cli/store/folder/store.ts";
import { Rng } from "../../fixtures/mod.ts";
import { sameBytes } from "../helpers/bytes.ts";
import { memorySource } from "../helpers/memory.ts";
import { MemoryStore } from "../helpers/memory_store.ts";

/** The smallest chunks there are. */
export const CHUNK_BYTES = MIB;
export const DAY_MS = 24 * 3600 * 1000;

/** The world some time from now. */
export function world(aheadMs = 0): World {
  return {
    nowMs: () => Date.now() + aheadMs,
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    tool: "test",
    host: "test",
  };
}

interface Choices {
  readonly chunkBytes?: number;
  /** Makes it an encrypted one. */
  readonly master?: Uint8Array<ArrayBuffer> | undefined;
}

/** Makes an empty repository in a folder. */
export async function makeRepository(folder: string, choices: Choices = {}): Promise<Repository> {
  return await makeIn(new FolderStore(folder), choices);
}

/** Makes an empty repository in memory. */
export async function memoryRepository(choices: Choices = {}): Promise<Repository> {
  return await makeIn(new MemoryStore(), choices);
}

/** Makes an empty repository in a store. */
export async function makeIn(store: ObjectStore, choices: Choices): Promise<Repository> {
  const { chunkBytes = CHUNK_BYTES, master } = choices;
  return await Repository.create(store, {
    chunkBytes,
    conditionalPut: "atomic",
    world: world(),
    master,
  });
}

/** Opens a repository, in a folder or in what is given for one; with its key, if it is encrypted. */
export async function openRepository(
  at: string | ObjectStore,
  { aheadMs = 0, master }: { aheadMs?: number; master?: Uint8Array<ArrayBuffer> | undefined } = {},
): Promise<Repository> {
  const store = typeof at === "string" ? new FolderStore(at) : at;
  return await Repository.open(store, {
    world: world(aheadMs),
    unlock: () =>
      master === undefined ? Promise.reject(new Error("it is encrypted")) : Promise.resolve(master),
  });
}

/**
 * A disk: a letter a chunk. `.` is zeros, a capital is random bytes at the beginning of zeros, so that chunks of the
 * same letter are the same and pack quickly; the last chunk may be cut short.
 */
export function diskOf(letters: string, cutBytes = 0): Uint8Array<ArrayBuffer> {
  const disk = new Uint8Array(letters.length * CHUNK_BYTES - cutBytes);
  [...letters].forEach((letter, i) => {
    if (letter !== ".") disk.set(new Rng(letter.codePointAt(0)!).bytes(5000), i * CHUNK_BYTES);
  });
  return disk;
}

interface BackUpOptions {
  readonly name?: string;
  /** Instead of reading the whole disk. */
  readonly plan?: (parent: Snapshot | undefined) => Promise<BackupPlan>;
}

/** Backs up a disk in memory. */
export async function backUpBytes(
  repository: Repository,
  disk: Uint8Array<ArrayBuffer>,
  options: BackUpOptions = {},
): Promise<BackupResult & { notices: string[] }> {
  return await backUpSource(repository, memorySource("disk", disk), options);
}

/** Backs up in this thread. */
export async function backUpSource(
  repository: Repository,
  source: Source,
  options: BackUpOptions = {},
): Promise<BackupResult & { notices: string[] }> {
  const { chunkBytes } = repository.description;
  const lanes = await InlineLanes.open(repository.laneSetup);
  const notices: string[] = [];
  const report = await backUp(repository, {
    name: options.name ?? "vm/disk",
    tags: [],
    lanes,
    plan: options.plan ?? (() => Promise.resolve(planFull({ source, chunkBytes, cid: undefined }))),
    onNotice: (sentence) => notices.push(sentence),
  });
  return { ...report, notices };
}

/** What a snapshot reads as. */
export async function bytesOf(repository: Repository, snapshot: Snapshot): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(snapshot.sizeBytes);
  let at = 0;
  for await (
    const plain of readInOrder(repository, snapshot, await InlineLanes.open(repository.laneSetup))
  ) {
    bytes.set(plain, at);
    at += plain.length;
  }
  assert.equal(at, snapshot.sizeBytes);
  return bytes;
}

/**
 * Every snapshot that is listed, with what it reads as; fails when one cannot be read.
 *
 * @param doubtful How many may be of a backup that failed.
 */
export async function readAll(
  repository: Repository,
  doubtful = 0,
): Promise<{ snapshot: Snapshot; bytes: Uint8Array }[]> {
  let doubts = 0;
  const all = [];
  for await (const { snapshot, damage, isDoubtful } of readSnapshots(repository)) {
    assert.ok(snapshot !== undefined && damage === undefined, damage?.message);
    if (isDoubtful) doubts++;
    all.push({ snapshot, bytes: await bytesOf(repository, snapshot) });
  }
  assert.equal(doubts, doubtful, "doubtful snapshots");
  return all;
}

/** Asserts that every snapshot reads as one of these disks, and says which, oldest first. */
export async function assertReadsAs(
  repository: Repository,
  disks: Readonly<Record<string, Uint8Array>>,
  at: string,
  doubtful = 0,
): Promise<string[]> {
  const found = [];
  for (const { snapshot, bytes } of await readAll(repository, doubtful)) {
    const name = Object.keys(disks).find((name) => sameBytes(disks[name]!, bytes));
    assert.ok(name !== undefined, `${at}: snapshot ${snapshot.id} reads as nothing that was backed up`);
    found.push(name);
  }
  return found;
}

/** Asserts that every chunk and page in the folder is whole: it unpacks to its id. @returns how many there are. */
export function assertWholeObjects(folder: string, at: string): number {
  let count = 0;
  for (const kind of ["chunks", "maps"]) {
    for (const path of filesBelow(`${folder}/${kind}`)) {
      const name = parseContentKey(path.slice(folder.length + 1));
      assert.ok(name !== undefined, `${at}: ${path} is no name of content`);
      const plain = zstdDecompressSync(Deno.readFileSync(path));
      assert.equal(createHash("sha256").update(plain).digest("hex"), name.id, `${at}: ${path}`);
      count++;
    }
  }
  return count;
}

/** Paths of the files below a folder, which need not be there. */
export function filesBelow(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
      isDirectory ? filesBelow(`${folder}/${name}`) : [`${folder}/${name}`]
    ).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Collects garbage as it would be days later, when whatever was killed is surely dead. */
export async function collectLater(folder: string): Promise<GcResult> {
  const later = await openRepository(folder, { aheadMs: 3 * DAY_MS });
  return await collectGarbage(later, { waitMs: 0, leaseMs: 0, onNotice: () => {} });
}

/**
 * Asserts that a folder holds what its snapshots need, and nothing else but the signs of backups that died: that one
 * was taken for dead is never forgotten.
 */
export async function assertTidy(folder: string, at: string): Promise<void> {
  const repository = await openRepository(folder);
  const due = new Set(["README.txt", "copies/repo.json", "repo.json"]);
  for (const name of await repository.listSnapshots()) {
    due.add(name.key);
    const snapshot = (await repository.readSnapshot(name))!;
    for (const [i, page] of snapshot.pages.entries()) {
      if (page === null) continue;
      due.add(contentKey({ kind: "maps", ...page }, "zst"));
      const entries = await repository.readPage(snapshot, i);
      for (let j = 0; j < Math.min(PAGE_ENTRIES, entries.entries); j++) {
        const entry = entries.get(j);
        if (entry !== undefined) due.add(contentKey({ kind: "chunks", ...entry }, "zst"));
      }
    }
  }
  const found = filesBelow(folder).map((path) => path.slice(folder.length + 1))
    .filter((key) => !/^active\/\w+\/(intent\.json|expired|failed)$/.test(key));
  assert.deepEqual(found.sort(), [...due].sort(), at);
}
