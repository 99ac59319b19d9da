/** Carries out a sync, with what makes it safe around it: `cli/target/safeguards.ts`. */
import {
  type Disk,
  SECTOR_SIZE,
  type SectorRange,
  type Stretch,
  type Target,
} from "../../core-as/host/mod.ts";
import type { Io } from "../io/mod.ts";
import { contentIdsOf } from "../target/content_id.ts";
import { fingerprintPlan } from "../target/journal.ts";
import type { PreparedTarget } from "../target/prepare.ts";
import { isGuarded, Safeguards, type SafetyOptions } from "../target/safeguards.ts";
import { requireInPlace, requireUnchanged } from "../target/undisturbed.ts";
import type { SparseMode } from "../target/sparse.ts";
import { Regions } from "./regions.ts";
import { gatherSideBySide } from "./side_by_side.ts";
import { LoadWriter, noCounts, passedBytes, type SyncCounts, type WriteOptions } from "./write.ts";

export interface SyncOptions extends SafetyOptions {
  readonly sparse: SparseMode;
  readonly blockBytes: number;
  /** Told what `force` has let pass. */
  readonly warn: (sentence: string) => void;
  /** @param comparedBytes What was looked through before anything is written, where something guards the writes. */
  readonly onProgress: (counts: Readonly<SyncCounts>, comparedBytes: number) => void;
  /** Told what is written at most, before anything is, where something guards the writes. */
  readonly onPlan: (bytes: number) => void;
  /** Called when everything is durable, before anything says that the target is done. What it throws ends the run. */
  readonly verify: () => Promise<void>;
}

export interface SyncResult {
  readonly counts: SyncCounts;
  /** Bytes of the disk that an earlier run had done. */
  readonly resumedBytes: number;
  /** The content id that a VMDK target took. */
  readonly cid: number | undefined;
  /** What the undo file does not take back, one sentence each. */
  readonly undoWarnings: readonly string[];
}

export interface SyncWork {
  readonly disk: Disk;
  readonly prepared: PreparedTarget;
  readonly io: Io;
}

/** @throws {RegrainError} what reading and writing may; `RESUME_REFUSED`; a second run completes the work. */
export async function runSync(work: SyncWork, options: SyncOptions): Promise<SyncResult> {
  const { disk, prepared: { target, base }, io } = work;
  const plan = isGuarded(options) ? await fingerprintPlan(disk, io) : "";
  const of = { operation: "sync", core: disk.core, target, base, io, plan } as const;
  const guards = await Safeguards.find(options, of);
  try {
    const counts = isGuarded(options)
      ? await syncGuarded(work, options, guards)
      : await syncFreely(work, options);
    await target.flush();
    requireUndisturbed(work, options);
    await options.verify();
    requireUndisturbed(work, options);
    const cid = await guards.finish(contentIdsOf(disk.links[0]!));
    return { counts, resumedBytes: guards.resumedBytes, cid, undoWarnings: guards.undoWarnings };
  } catch (error) {
    await guards.stop(error);
    throw error;
  } finally {
    guards.close();
  }
}

async function syncFreely(
  { disk, prepared: { target } }: SyncWork,
  options: SyncOptions,
): Promise<SyncCounts> {
  return await syncDisk(disk, target, {
    ...options,
    target,
    onProgress: (counts) => options.onProgress(counts, 0),
  });
}

/** What differs is found first: an undo file tells a target by what is not written. */
async function syncGuarded(work: SyncWork, options: SyncOptions, guards: Safeguards): Promise<SyncCounts> {
  const { disk, prepared: { target } } = work;
  const { sparse, blockBytes } = options;
  const fromBytes = guards.resumedBytes;
  const changed = new Regions(disk.sizeBytes);
  let comparedBytes = 0;
  const looked = await syncDisk(disk, target, {
    sparse,
    blockBytes,
    target: undefined,
    fromBytes,
    onChange: (stretch) => changed.add(stretch),
    onProgress: (counts) => options.onProgress(noCounts(), comparedBytes = passedBytes(counts)),
  });
  const saved = await savedBefore(disk, guards);
  const unsaved = changed.firstBeside(saved.regions, saved.reachedBytes);
  if (unsaved !== undefined) throw guards.passedUnsaved(unsaved);
  options.onPlan(changed.totalBytes);
  await guards.begin(() => touched([changed, saved.regions], fromBytes));
  const counts = await syncDisk(disk, target, {
    sparse,
    blockBytes,
    target,
    ranges: changed.ranges(fromBytes),
    guards,
    onProgress: (counts) => options.onProgress(counts, comparedBytes),
  });
  await guards.afterWrite(disk.sizeBytes, { totalBytes: 0, last: undefined });
  // What was found is more than what is written: regions are passed whole.
  const equalBytes = passedBytes(looked) - looked.skippedBytes - counts.writtenBytes - counts.zeroedBytes;
  return { ...counts, equalBytes, skippedBytes: looked.skippedBytes };
}

/** What an undo file holds that an earlier run made and this one continues. */
async function savedBefore(
  disk: Disk,
  guards: Safeguards,
): Promise<{ regions: Regions; reachedBytes: number }> {
  const regions = new Regions(disk.sizeBytes);
  let reachedBytes = 0;
  for await (const stretch of guards.savedBefore()) {
    regions.add(stretch);
    reachedBytes = Math.max(reachedBytes, stretch.offsetBytes + stretch.lengthBytes);
  }
  return { regions, reachedBytes };
}

async function* touched(sets: readonly Regions[], fromBytes: number): AsyncGenerator<Stretch> {
  if (fromBytes > 0) yield { offsetBytes: 0, lengthBytes: fromBytes };
  for (const { offsetBytes, lengthBytes } of Regions.union(sets).stretches()) {
    const from = Math.max(offsetBytes, fromBytes);
    const endBytes = offsetBytes + lengthBytes;
    if (from < endBytes) yield { offsetBytes: from, lengthBytes: endBytes - from };
  }
}

export interface SyncDiskOptions extends WriteOptions {
  readonly ranges?: Iterable<SectorRange>;
  /** Of the disk, where not all of it. */
  readonly fromBytes?: number;
}

/** One pass over source and target. Does not flush. */
export async function syncDisk(disk: Disk, target: Target, options: SyncDiskOptions): Promise<SyncCounts> {
  const writer = new LoadWriter(disk.core, target, options);
  const isBlind = options.sparse !== "never" && target.runs !== undefined && target.medium.holesAreFree;
  const fromSector = (options.fromBytes ?? 0) / SECTOR_SIZE;
  await gatherSideBySide(disk, target, {
    isBlind,
    ranges: options.ranges ?? [{ fromSector, toSector: disk.capacitySectors }],
    take: (load) => writer.take(load),
  });
  return writer.counts;
}

/** That nobody wrote to the source or put the target away; else nothing may say that all is well. */
function requireUndisturbed({ disk, prepared: { target } }: SyncWork, options: SyncOptions): void {
  const { force = false, warn } = options;
  requireInPlace(target);
  requireUnchanged(disk.links.flatMap((link) => link.files), { force, warn });
}
