/**
 * Two lanes: while one reads and looks for zeros, the other writes.
 *
 * The second lane is a thread (`workers/apply_lane.ts`) with its own descriptors and its own kernels. Both take stripes
 * of the disk from one counter in shared memory, so that neither waits for the other. Reading back goes the same way.
 * What must be done in the order of the disk (undo files, journals, sums) has one lane.
 */
import {
  type Disk,
  type FirstDifference,
  type ImageFormat,
  MIB,
  type SearchOptions,
  SECTOR_SIZE,
  type SectorRange,
} from "../../core-as/host/mod.ts";
import { Lane } from "../lanes/lane.ts";
import { startWorker, workersMayStart } from "../lanes/start.ts";
import type { SparseMode } from "../target/sparse.ts";
import type { ApplyCounts } from "./engine.ts";
import type { ApplyRequest } from "./prepare.ts";

/** Span of a COWD disk whose tables one step decodes; other formats are as well off with it. */
const STRIPE_SECTORS = 32 * MIB / SECTOR_SIZE;
/** Below this a second lane costs more to start than it saves. */
const WORTHWHILE_BYTES = 64 * MIB;

/** What a part of the target was found to be when it was read back. */
export interface VerifiedPart {
  /** Bytes of data and zeros that were compared. */
  readonly verifiedBytes: number;
  /** What was not written; with a sum it is read all the same. */
  readonly otherBytes: number;
  /** Bytes and blocks of 4 KiB that differ. */
  readonly differingBytes: number;
  readonly differingBlocks: number;
  readonly first: FirstDifference | undefined;
}

/** What a lane can be told to do, and what comes of it. */
export interface LaneTasks {
  apply: ApplyCounts;
  verify: VerifiedPart;
}

/** What each task counts on its way. */
const COUNTS = {
  apply: ["writtenBytes", "sparedBytes", "zeroedBytes", "skippedBytes"],
  verify: ["verifiedBytes", "otherBytes"],
} as const;
const MOST_COUNTS = 4;

/** Counts of a task by their names. */
type Counts<T extends keyof LaneTasks> = Record<typeof COUNTS[T][number], number>;

/** What a lane must know to do its part; it opens everything anew. */
export interface LaneJob {
  readonly task: keyof LaneTasks;
  readonly request: ApplyRequest;
  readonly names: SearchOptions;
  readonly ignoreJournal: boolean;
  readonly format: ImageFormat | undefined;
  readonly sparse: SparseMode;
  readonly shared: SharedArrayBuffer;
}

/** The same as what the two threads say to each other. */
export type ApplyJobs = {
  [T in keyof LaneTasks]: { readonly request: LaneJob & { readonly task: T }; readonly result: LaneTasks[T] };
};

/** State that the lanes share: the next stripe, whether to stop, and the second lane's counts. */
export class LaneBoard<T extends keyof LaneTasks> {
  private readonly words: Int32Array;
  private readonly sums: Float64Array;

  constructor(
    private readonly task: T,
    readonly shared: SharedArrayBuffer = new SharedArrayBuffer(8 + MOST_COUNTS * 8),
  ) {
    this.words = new Int32Array(shared, 0, 2);
    this.sums = new Float64Array(shared, 8, MOST_COUNTS);
  }

  /** Stripes that this lane gets, until there are none or the work is to stop. */
  *stripes(disk: Disk): Generator<SectorRange> {
    for (;;) {
      const fromSector = Atomics.add(this.words, 0, 1) * STRIPE_SECTORS;
      if (fromSector >= disk.capacitySectors || Atomics.load(this.words, 1) !== 0) return;
      yield { fromSector, toSector: Math.min(disk.capacitySectors, fromSector + STRIPE_SECTORS) };
    }
  }

  /** Lets every lane end after its stripe. */
  stop(): void {
    Atomics.store(this.words, 1, 1);
  }

  /** Shows the second lane's counts to the first, for progress. */
  publish(counts: Readonly<Counts<T>>): void {
    this.names.forEach((name, i) => this.sums[i] = counts[name]);
  }

  /** What both lanes did so far. */
  addPublished(counts: Readonly<Counts<T>>): Counts<T> {
    const sum: Counts<T> = { ...counts };
    this.names.forEach((name, i) => sum[name] += this.sums[i]!);
    return sum;
  }

  private get names(): readonly (keyof Counts<T>)[] {
    return COUNTS[this.task];
  }
}

/** True when a second lane would pay, and may be had: enough to move, and a processor to move it with. */
export function isWorthwhile(movedBytes: number): boolean {
  return movedBytes >= WORTHWHILE_BYTES && navigator.hardwareConcurrency > 1 && workersMayStart();
}

/** The second lane, seen from the first. */
export class SecondLane {
  private readonly lane = new Lane<ApplyJobs>("apply", () => startWorker("apply"));

  /** It loads while the first lane looks at the deltas. */
  constructor() {
    this.lane.start();
  }

  /**
   * Does a job and returns what came of it.
   *
   * @throws {RegrainError} what ended the work. @throws {Error} when the lane has ended.
   */
  run<T extends keyof LaneTasks>(job: LaneJob & { readonly task: T }): Promise<LaneTasks[T]> {
    return this.lane.ask(job.task, job) as Promise<LaneTasks[T]>;
  }

  close(): void {
    this.lane.close();
  }
}

/** A second lane and what it must know of the work. */
export interface LaneForHire {
  readonly lane: SecondLane;
  readonly job: Omit<LaneJob, "task" | "sparse" | "shared">;
}

/**
 * Does a task in both lanes at once. When one of them fails the other ends after its stripe.
 *
 * @param own Does the stripes of this lane.
 * @returns how each of the two ended.
 */
export async function inBothLanes<T extends keyof LaneTasks>(
  hire: LaneForHire,
  work: { task: T; sparse: SparseMode; own: (board: LaneBoard<T>) => Promise<LaneTasks[T]> },
): Promise<{ own: PromiseSettledResult<LaneTasks[T]>; other: PromiseSettledResult<LaneTasks[T]> }> {
  const { task, sparse } = work;
  const board = new LaneBoard(task);
  // A lane that died stopped nothing itself.
  const orStop = async <R>(share: Promise<R>) => {
    try {
      return await share;
    } catch (error) {
      board.stop();
      throw error;
    }
  };
  const [other, own] = await Promise.allSettled([
    orStop(hire.lane.run({ ...hire.job, task, sparse, shared: board.shared })),
    orStop(work.own(board)),
  ]);
  return { own, other };
}
