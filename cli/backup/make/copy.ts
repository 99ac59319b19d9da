/**
 * Copying snapshots into another repository, which may be encrypted otherwise, or have other chunks. Every chunk is
 * unpacked, checked, and named anew by the rules of the other one; a copy is as old as what it is a copy of.
 */
import { Batch, buffersInFlight } from "../../../core-as/host/mod.ts";
import {
  chunkCount,
  diffSnapshots,
  type Snapshot,
  snapshotKey,
  SnapshotSource,
  ulidTimeMs,
} from "../../../core-as/host/repo/mod.ts";
import { backUp, type BackupProgress, type BackupResult } from "./backup.ts";
import { ChunkSet } from "../../../core-as/host/chunk_set.ts";
import type { Lanes } from "../lanes.ts";
import { isDamage } from "../places.ts";
import type { BackupPlan } from "./plan.ts";
import type { Repository, World } from "../repository.ts";
import { readSnapshots } from "../snapshots/snapshots.ts";
import { putVm, readVms } from "../snapshots/vms.ts";

/** The clock of a copy goes in such steps: enough for signs of life, and a short copy has the time it should. */
const STEP_MS = 10 * 60 * 1000;

/** A world whose clock can be put back, so that a copy gets the time of what it is a copy of. */
export class CopyWorld implements World {
  readonly tool: string;
  host: string;
  private startedMs: number;
  private startMs: number;

  constructor(private readonly real: World) {
    this.tool = real.tool;
    this.host = real.host;
    this.startMs = this.startedMs = real.nowMs();
  }

  /** From now on it is the time at which the snapshot was begun, on the host where it was made. */
  become(snapshot: Snapshot): void {
    this.startedMs = this.real.nowMs();
    this.startMs = ulidTimeMs(snapshot.id);
    this.host = snapshot.host;
  }

  nowMs(): number {
    return this.startMs + Math.floor((this.real.nowMs() - this.startedMs) / STEP_MS) * STEP_MS;
  }

  random(bytes: number): Uint8Array<ArrayBuffer> {
    return this.real.random(bytes);
  }

  sleep(ms: number): Promise<void> {
    return this.real.sleep(ms);
  }
}

export interface CopyOptions {
  readonly lanes: Lanes;
  /** Of the repository that is written. */
  readonly world: CopyWorld;
  onProgress?(progress: BackupProgress): void;
  onNotice(sentence: string): void;
}

/** The words by which a copy names what it is a copy of; they stand in the manifest as the reason. */
function originOf(from: Repository, { id }: { readonly id: string }): string {
  return `copy of ${id} of repository ${from.description.id}`;
}

/** What was copied already: by the words that name the original, the copy. */
export type Copies = ReadonlyMap<string, Snapshot>;

/** Every copy in a repository. One that is doubtful does not count. */
export async function readCopies(to: Repository): Promise<Map<string, Snapshot>> {
  const copies = new Map<string, Snapshot>();
  for await (const { snapshot, isDoubtful } of readSnapshots(to)) {
    const { method, reason } = snapshot?.change ?? {};
    if (method === "copy" && reason !== undefined && !isDoubtful) copies.set(reason, snapshot!);
  }
  return copies;
}

/**
 * Copies one snapshot.
 *
 * @param known Snapshots of the same disk in `from`, and what was copied of them; the new one is added.
 * @returns `undefined` when it was copied already.
 */
export async function copySnapshot(
  { from, to }: { from: Repository; to: Repository },
  snapshot: Snapshot,
  known: { originals: readonly Snapshot[]; copies: Map<string, Snapshot> },
  options: CopyOptions,
): Promise<BackupResult | undefined> {
  const reason = originOf(from, snapshot);
  const there = known.copies.get(reason);
  if (there !== undefined && there.source.name === snapshot.source.name) return undefined;
  options.world.become(snapshot);
  const report = await backUp(to, {
    name: snapshot.source.name,
    tags: snapshot.tags,
    copyOf: snapshot,
    changeId: snapshot.changeId,
    beforeCommit: () => snapshot.consistency,
    damaged: () => snapshot.damaged,
    vm: snapshot.vm,
    lanes: options.lanes,
    plan: async (parent) => {
      const original = known.originals.find((each) =>
        isCopyOf(known.copies.get(originOf(from, each)), parent)
      );
      return await planCopy({ from, to }, snapshot, { original, reason });
    },
    ...options.onProgress === undefined ? {} : { onProgress: options.onProgress },
    onNotice: options.onNotice,
  });
  await refuseUnequal({ from, to }, snapshot, report.snapshot);
  known.copies.set(reason, report.snapshot);
  return report;
}

/**
 * Copies the manifests of VMs all of whose disks are copied.
 *
 * @returns how many were not there.
 */
export async function copyVms(
  { from, to }: { from: Repository; to: Repository },
  copies: ReadonlyMap<string, Snapshot>,
): Promise<number> {
  const there = new Set((await readVms(to)).map(({ vm }) => vm?.copyOf));
  let copied = 0;
  for (const { vm, damage } of await readVms(from)) {
    if (vm === undefined || damage !== undefined || there.has(originOf(from, vm))) continue;
    const disks = vm.disks.map(({ label, id }) => [label, copies.get(originOf(from, { id }))] as const);
    const whole = disks.filter((disk): disk is [string, Snapshot] => disk[1] !== undefined);
    if (whole.length < disks.length) continue;
    await putVm(to, {
      name: vm.source.name,
      disks: new Map(whole),
      configs: vm.configs,
      copyOf: { words: originOf(from, vm), original: vm },
    });
    copied++;
  }
  return copied;
}

function isCopyOf(copy: Snapshot | undefined, parent: Snapshot | undefined): boolean {
  return copy !== undefined && copy.id === parent?.id;
}

/** Where both repositories name content alike, the sums of the two disks must be the same. */
async function refuseUnequal(
  { from, to }: { from: Repository; to: Repository },
  original: Snapshot,
  copy: Snapshot,
): Promise<void> {
  const isComparable = from.means.keys === undefined && to.means.keys === undefined &&
    original.chunkBytes === copy.chunkBytes;
  if (!isComparable || original.root === copy.root) return;
  await to.store.remove([snapshotKey(copy.source.key, copy.id, to.suffix)]);
  throw new Error(`the copy ${copy.id} of ${original.id} was not what it is a copy of, and is removed`);
}

/** Reads what differs from the original of the snapshot before; without one, everything. */
async function planCopy(
  { from, to }: { from: Repository; to: Repository },
  snapshot: Snapshot,
  about: { original: Snapshot | undefined; reason: string },
): Promise<BackupPlan> {
  const source = new SnapshotSource(from, snapshot);
  const { chunkBytes } = to.description;
  return {
    sizeBytes: snapshot.sizeBytes,
    method: "copy",
    reason: about.reason,
    cid: snapshot.cid,
    touched: await touchedSince(about.original, { snapshot, from, chunkBytes }),
    rereadable: true,
    inFlight: buffersInFlight(source.medium, chunkBytes),
    async read(chunk, plain) {
      const start = chunk * chunkBytes;
      const runs = await source.runs(start, start + plain.length);
      if (runs.every(({ kind }) => kind !== "data")) return 0;
      const batch = new Batch();
      batch.add({ offsetBytes: start, lengthBytes: plain.length, at: 0 });
      await source.read(batch, plain);
      return plain.length;
    },
  };
}

async function touchedSince(
  original: Snapshot | undefined,
  of: { snapshot: Snapshot; from: Repository; chunkBytes: number },
): Promise<ChunkSet | "all"> {
  const { snapshot, from, chunkBytes } = of;
  if (original === undefined || original.sizeBytes !== snapshot.sizeBytes) return "all";
  const touched = new ChunkSet(chunkCount({ sizeBytes: snapshot.sizeBytes, chunkBytes }));
  try {
    for await (const run of diffSnapshots(from, original, snapshot)) {
      if (run.kind !== "hole") touched.addBytes(run, chunkBytes);
    }
  } catch (error) {
    // A page of either map: what is read of the snapshot itself tells whether it is hit.
    if (!isDamage(error)) throw error;
    return "all";
  }
  return touched;
}
