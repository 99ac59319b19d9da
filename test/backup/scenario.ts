/**
 * Backups, collections, a prune and an expiry, as scripts for actors: the code of the program with a small disk, a
 * world without time, and hashes and packed chunks made once.
 *
 * A disk is written as letters, one a chunk that is filled with it; `.` is a chunk of zeros. What a snapshot should
 * hold stands in its first tag.
 */
import { createHash } from "node:crypto";
import { DESCRIPTION_KEY, type ObjectStore, snapshotKey } from "../../core-as/host/repo/mod.ts";
import { backUp } from "../../cli/backup/make/backup.ts";
import { ChunkSet } from "../../core-as/host/chunk_set.ts";
import { nativeCodec } from "../../cli/backup/codec.ts";
import { collectGarbage } from "../../cli/backup/collect/gc.ts";
import { expire } from "../../cli/backup/signs/intents.ts";
import type { IdentifiedChunk, Lanes } from "../../cli/backup/lanes.ts";
import type { BackupPlan } from "../../cli/backup/make/plan.ts";
import { Repository, type World } from "../../cli/backup/repository.ts";
import { MemoryStore, type StoredObject } from "../helpers/memory_store.ts";
import type { Outcome, Script } from "./steps.ts";
import { NOW_MS } from "./store_states.ts";

export const CHUNK_BYTES = 1024 * 1024;
export const DISK_NAME = "vm/disk";
const ZEROS = ".";
/** Long enough for a collection to wait as long as the schedule likes. */
const FOR_EVER_MS = 1e15;

const codec = nativeCodec(1);
const idsByLetter = new Map<string, string>();
const sealedByLetter = new Map<string, Uint8Array<ArrayBuffer>>();

function chunkOf(letter: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(CHUNK_BYTES).fill(letter.charCodeAt(0));
}

/** The id of a chunk that is filled with a letter. */
export function idOfLetter(letter: string): string {
  let id = idsByLetter.get(letter);
  if (id === undefined) {
    idsByLetter.set(letter, id = createHash("sha256").update(chunkOf(letter)).digest("hex"));
  }
  return id;
}

function sealedLetter(letter: string): Uint8Array<ArrayBuffer> {
  let sealed = sealedByLetter.get(letter);
  if (sealed === undefined) sealedByLetter.set(letter, sealed = codec.compress(chunkOf(letter)));
  return sealed;
}

/** Lanes for chunks that are filled with one letter. */
const letterLanes: Lanes = {
  count: 1,
  identify(plain): Promise<IdentifiedChunk> {
    const letter = String.fromCharCode(plain[0]!);
    const buffer = new Uint8Array(plain.buffer);
    return Promise.resolve({
      id: idOfLetter(letter),
      seal: () => Promise.resolve({ sealed: sealedLetter(letter), buffer }),
      release: () => Promise.resolve(buffer),
    });
  },
  unseal: () => Promise.reject(new Error("nothing is restored here")),
  close() {},
};

/** Ids are made of the actor's number, so they are the same in every run. */
function worldOf(actor: number, sleep: () => Promise<void>, nowMs = NOW_MS): World {
  let made = 0;
  return {
    nowMs: () => nowMs,
    random: (bytes) => {
      const random = new Uint8Array(bytes);
      random[0] = actor;
      random[bytes - 1] = made++;
      return random;
    },
    sleep,
    tool: "test",
    host: `host-${actor}`,
  };
}

/** What never changes need not be asked for. */
function withDescription(store: ObjectStore, description: Uint8Array<ArrayBuffer>): ObjectStore {
  return {
    label: store.label,
    get: (key, most) => key === DESCRIPTION_KEY ? Promise.resolve(description.slice()) : store.get(key, most),
    head: (key) => store.head(key),
    list: (prefix) => store.list(prefix),
    put: (key, bytes, options) => store.put(key, bytes, options),
    remove: (keys) => store.remove(keys),
    close() {},
  };
}

/** A backup to be made. */
export interface BackupSpec {
  /** The whole disk, as a backup that has no parent reads it. */
  readonly disk: string;
  /** Chunks that are known to have changed since the parent, whichever it is. */
  readonly touched: readonly number[];
}

export class Scenario {
  private constructor(
    readonly start: ReadonlyMap<string, StoredObject>,
    /** Key of the manifest that stands at the beginning. */
    readonly oldKey: string,
    private readonly description: Uint8Array<ArrayBuffer>,
  ) {}

  /**
   * A repository with one snapshot, and with what a pruned one left.
   *
   * @param disks.old The disk of the snapshot.
   * @param disks.garbage Disks whose snapshots were pruned.
   */
  static async create(disks: { old: string; garbage: readonly string[] }): Promise<Scenario> {
    const store = new MemoryStore({ nowMs: () => NOW_MS });
    const world = worldOf(0, () => Promise.reject(new Error("nobody is to be waited for")));
    await Repository.create(store, { chunkBytes: CHUNK_BYTES, conditionalPut: "atomic", world });
    const description = store.objects.get(DESCRIPTION_KEY)!.bytes;
    const unlock = () => Promise.reject(new Error("it is not encrypted"));
    const repository = await Repository.open(store, { world, unlock });
    const oldKey = await makeSnapshot(repository, { disk: disks.old, touched: [] });
    for (const disk of disks.garbage) {
      await store.remove([await makeSnapshot(repository, { disk, touched: [...disk].map((_, i) => i) })]);
    }
    const kept = [...store.objects].filter(([key]) => /^(chunks|maps|snaps)\//.test(key));
    return new Scenario(new Map(kept), oldKey, description);
  }

  /** A repository as it was found in a state. */
  async open(
    store: ObjectStore,
    actor: number,
    { sleep = () => Promise.resolve(), nowMs = NOW_MS } = {},
  ): Promise<Repository> {
    return await Repository.open(withDescription(store, this.description), {
      world: worldOf(actor, sleep, nowMs),
      unlock: () => Promise.reject(new Error("it is not encrypted")),
    });
  }

  backup(actor: number, spec: BackupSpec): Script {
    return async ({ store, sleep }) => {
      const repository = await this.open(store, actor, { sleep });
      return await backUpLetters(repository, spec);
    };
  }

  /** @param options.nowMs Its clock: one that is ahead tidies more signs away. */
  collector(actor: number, options: { waitMs?: number; leaseMs?: number; nowMs?: number } = {}): Script {
    return async ({ store, sleep }) => {
      const repository = await this.open(store, actor, { sleep, nowMs: options.nowMs ?? NOW_MS });
      await collectGarbage(repository, { waitMs: FOR_EVER_MS, onNotice() {}, ...options });
      return { kind: "ended" };
    };
  }

  /** Takes some backup for dead, whatever it is doing. */
  expirer(actor: number): Script {
    return async ({ store, choose }) => {
      const repository = await this.open(store, actor);
      await expire(repository, await choose());
      return { kind: "ended" };
    };
  }

  /** Prunes the snapshot that was there at the beginning. */
  pruner(): Script {
    return async ({ store }) => {
      await store.remove([this.oldKey]);
      return { kind: "ended" };
    };
  }
}

async function makeSnapshot(repository: Repository, spec: BackupSpec): Promise<string> {
  const outcome = await backUpLetters(repository, spec);
  if (outcome.kind !== "backed up") throw new Error("the scenario cannot be set up");
  return outcome.key;
}

async function backUpLetters(repository: Repository, { disk, touched }: BackupSpec): Promise<Outcome> {
  let letters = disk;
  const { snapshot, restarts } = await backUp(repository, {
    name: DISK_NAME,
    get tags() {
      return [letters];
    },
    lanes: letterLanes,
    plan(parent): Promise<BackupPlan> {
      const before = parent?.tags[0];
      letters = before === undefined ? disk : overlay(before, disk, touched);
      const set = new ChunkSet(disk.length);
      for (const chunk of touched) set.add(chunk);
      return Promise.resolve({
        sizeBytes: disk.length * CHUNK_BYTES,
        method: before === undefined ? "full" : "changed-areas",
        reason: undefined,
        cid: undefined,
        touched: before === undefined ? "all" : set,
        rereadable: true,
        read: (chunk, plain) => {
          if (letters[chunk] === ZEROS) return Promise.resolve(0);
          plain.fill(letters.charCodeAt(chunk));
          return Promise.resolve(plain.length);
        },
      });
    },
    onNotice() {},
  });
  return { kind: "backed up", key: snapshotKey(snapshot.source.key, snapshot.id, "zst"), restarts };
}

function overlay(before: string, after: string, touched: readonly number[]): string {
  return [...before].map((letter, i) => touched.includes(i) ? after[i] : letter).join("");
}
