/** A repository in memory, and disks that are made of letters, a chunk each: no file, no worker, no second process. */
import { backUp } from "../../cli/backup/make/backup.ts";
import { InlineLanes } from "../../cli/backup/lanes.ts";
import { Repository, type World } from "../../cli/backup/repository.ts";
import type { ObjectStore, Snapshot } from "../../core-as/host/repo/mod.ts";
import { MemoryStore } from "../helpers/memory_store.ts";

export const CHUNK = 1024 * 1024;
/** Zeros; every other character is a content of its own. */
const ZEROS = ".";

/** A world whose clock goes on a second whenever it is looked at. */
export function steppedWorld(): World {
  let nowMs = Date.UTC(2026, 10, 21);
  return {
    nowMs: () => nowMs += 1000,
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
    sleep: () => Promise.resolve(),
    tool: "regrain of a test",
    host: "host",
  };
}

/** @param options.master The key of an encrypted one. */
export async function memoryRepository(
  store: ObjectStore = new MemoryStore(),
  { master }: { master?: Uint8Array<ArrayBuffer> | undefined } = {},
): Promise<Repository> {
  const choices = {
    chunkBytes: CHUNK,
    conditionalPut: "atomic",
    world: steppedWorld(),
    ...master === undefined ? {} : { master },
  } as const;
  return await Repository.create(store, choices);
}

/** The content of a chunk. Short of it where the disk ends. */
export function fillChunk(letter: string, plain: Uint8Array): void {
  plain.fill(letter.codePointAt(0)! % 251 + 1);
}

/** Makes a snapshot of a disk whose chunks are the letters. */
export async function backUpLetters(
  repository: Repository,
  letters: string,
  name = "web01/disk-0",
  { retainMs, onNotice = () => undefined }: { retainMs?: number; onNotice?: (sentence: string) => void } = {},
): Promise<Snapshot> {
  const report = await backUp(repository, {
    name,
    retainMs,
    tags: [],
    lanes: await InlineLanes.open(repository.laneSetup),
    onNotice,
    plan: () =>
      Promise.resolve({
        sizeBytes: letters.length * CHUNK,
        method: "full",
        reason: undefined,
        cid: undefined,
        touched: "all",
        rereadable: true,
        read(chunk, plain) {
          const letter = letters[chunk]!;
          if (letter === ZEROS) return Promise.resolve(0);
          fillChunk(letter, plain);
          return Promise.resolve(plain.length);
        },
      }),
  });
  return report.snapshot;
}
