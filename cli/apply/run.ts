/** Carries out a prepared apply, with what makes it safe around it: `cli/target/safeguards.ts`. */
import { plannedBytesBefore, SECTOR_SIZE } from "../../core-as/host/mod.ts";
import type { Io } from "../io/mod.ts";
import { contentIdsOf } from "../target/content_id.ts";
import { fingerprintPlan } from "../target/journal.ts";
import type { PreparedTarget } from "../target/prepare.ts";
import { isGuarded, Safeguards, type SafetyOptions, Touched } from "../target/safeguards.ts";
import { requireInPlace, requireUnchanged } from "../target/undisturbed.ts";
import type { SparseMode } from "../target/sparse.ts";
import { type ApplyCounts, applyDisk, sumOfCounts } from "./engine.ts";
import { inBothLanes, type LaneForHire } from "./lanes.ts";
import type { PreparedDeltas } from "./prepare.ts";

/** `force` takes deltas, too, that changed while they were read. */
export interface RunOptions extends SafetyOptions {
  readonly sparse: SparseMode;
  /** Told what `force` has let pass. */
  readonly warn?: (sentence: string) => void;
  /** A second lane that was started, and what it must know; it is used where the order of writes is free. */
  readonly second?: LaneForHire | undefined;
  readonly onProgress: (counts: Readonly<ApplyCounts>) => void;
  /** Called before anything is written with what an earlier run wrote of the plan, in bytes. */
  readonly onResumed?: (doneBytes: number) => void;
  /** Called when everything is durable, before anything says that the target is done. What it throws ends the run. */
  readonly verify?: (() => Promise<void>) | undefined;
}

export interface RunResult {
  readonly counts: ApplyCounts;
  /** Bytes of the disk that an earlier run had done. */
  readonly resumedBytes: number;
  /** The content id that a VMDK target took. */
  readonly cid: number | undefined;
  /** What the undo file does not take back, one sentence each. */
  readonly undoWarnings: readonly string[];
}

/** What a run works on. */
export interface RunWork {
  readonly prepared: PreparedDeltas;
  readonly target: PreparedTarget;
  readonly io: Io;
}

/** @throws {RegrainError} what reading and writing may; `RESUME_REFUSED`; the target can always be completed. */
export async function runPrepared(work: RunWork, options: RunOptions): Promise<RunResult> {
  const { prepared: { disk }, target: { target, base }, io } = work;
  const guarded = isGuarded(options);
  // One walk over the tables tells both: they may be gigabytes.
  const touched = new Touched(target);
  const plan = guarded ? await fingerprintPlan(disk, io, (stretch) => touched.add(stretch)) : "";
  const of = { operation: "apply", core: disk.core, target, base, io, plan } as const;
  const guards = await Safeguards.find(options, of);
  const { resumedBytes } = guards;
  try {
    await guards.begin(touched);
    const fromSector = resumedBytes / SECTOR_SIZE;
    if (fromSector > 0) options.onResumed?.(await plannedBytesBefore(disk, fromSector));
    const counts = options.second && !guarded
      ? await applyInLanes(work, options, options.second)
      : await applyDisk(disk, target, {
        sparse: options.sparse,
        ranges: [{ fromSector, toSector: disk.capacitySectors }],
        onProgress: options.onProgress,
        ...(guarded
          ? {
            beforeWrite: (stretches) => guards.beforeWrite(stretches, disk.core.buffer),
            afterWrite: (doneBytes, passed) => guards.afterWrite(doneBytes, passed),
          }
          : {}),
      });
    await target.flush();
    requireUndisturbed(work, options);
    if (options.verify) {
      await options.verify();
      requireUndisturbed(work, options);
    }
    const cid = await guards.finish(contentIdsOf(disk.links[0]!));
    return { counts, resumedBytes, cid, undoWarnings: guards.undoWarnings };
  } catch (error) {
    await guards.stop(error);
    throw error;
  } finally {
    guards.close();
  }
}

/** That nobody wrote to the deltas or put the target away; else its content id must not say that all is well. */
function requireUndisturbed({ prepared: { disk }, target: { target } }: RunWork, options: RunOptions): void {
  const { force = false, warn = () => {} } = options;
  requireInPlace(target);
  requireUnchanged(disk.links.flatMap((link) => link.files), { force, warn });
}

/** Both lanes at once; the first error of either ends both. */
async function applyInLanes(work: RunWork, options: RunOptions, hire: LaneForHire): Promise<ApplyCounts> {
  const { prepared: { disk }, target: { target } } = work;
  const { sparse } = options;
  const { own, other } = await inBothLanes(hire, {
    task: "apply",
    sparse,
    own: (board) =>
      applyDisk(disk, target, {
        sparse,
        ranges: board.stripes(disk),
        lanes: 2,
        onProgress: (counts) => options.onProgress(board.addPublished(counts)),
      }),
  });
  if (own.status === "rejected") {
    // What the second lane wrote since the first one stopped is to be durable too.
    if (other.status === "fulfilled") await target.flush();
    throw own.reason;
  }
  if (other.status === "rejected") throw other.reason;
  return sumOfCounts(own.value, other.value);
}
