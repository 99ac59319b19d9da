/**
 * Two lanes: while one reads and looks for zeros, the other writes.
 *
 * The second lane is a worker (`commands/lane.ts`) with its own descriptors and its own kernels. Both take stripes
 * of the disk from one counter in shared memory, so that neither waits for the other. What must be done in the order
 * of the disk (undo files, journals) has one lane.
 */
import {
  type Disk,
  type ErrorCode,
  ERRORS,
  MIB,
  RegrainError,
  type SearchOptions,
  SECTOR_SIZE,
} from "../../core-as/host/mod.ts";
import type { ApplyCounts, SectorRange, SparseMode } from "./engine.ts";
import type { ApplyRequest } from "./prepare.ts";

/** Span of a COWD disk whose tables one step decodes; other formats are as well off with it. */
const STRIPE_SECTORS = 32 * MIB / SECTOR_SIZE;
/** Below this a second lane costs more to start than it saves. */
const WORTHWHILE_BYTES = 64 * MIB;

const COUNTS = [
  "writtenBytes",
  "sparedBytes",
  "zeroedBytes",
  "skippedBytes",
] as const satisfies (keyof ApplyCounts)[];

/** What a lane must know to do its part; it opens everything anew. */
export interface LaneJob {
  readonly request: ApplyRequest;
  readonly names: SearchOptions;
  readonly ignoreJournal: boolean;
  readonly sparse: SparseMode;
  readonly shared: SharedArrayBuffer;
}

/** What a lane answers. */
export type LaneAnswer =
  | { readonly type: "done"; readonly counts: ApplyCounts }
  | { readonly type: "failed"; readonly error: LaneError }
  | { readonly type: "bug"; readonly trace: string };

/** An error of ours, in a form that can be sent. */
interface LaneError {
  readonly code: string;
  readonly reason: string;
  readonly path: string | undefined;
  readonly offsetBytes: number | undefined;
  readonly hint: string | undefined;
}

/** State that the lanes share: the next stripe, whether to stop, and the second lane's counts. */
export class LaneBoard {
  private readonly words: Int32Array;
  private readonly sums: Float64Array;

  constructor(readonly shared: SharedArrayBuffer = new SharedArrayBuffer(8 + COUNTS.length * 8)) {
    this.words = new Int32Array(shared, 0, 2);
    this.sums = new Float64Array(shared, 8, COUNTS.length);
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
  publish(counts: Readonly<ApplyCounts>): void {
    COUNTS.forEach((name, i) => this.sums[i] = counts[name]);
  }

  /** What both lanes did so far. */
  addPublished(counts: Readonly<ApplyCounts>): ApplyCounts {
    const sum = { ...counts };
    COUNTS.forEach((name, i) => sum[name] += this.sums[i]!);
    return sum;
  }
}

/** True when a second lane would pay: enough to move, and a processor to move it with. */
export function isWorthwhile(movedBytes: number): boolean {
  return movedBytes >= WORTHWHILE_BYTES && navigator.hardwareConcurrency > 1;
}

/** The second lane, seen from the first. */
export class SecondLane {
  private readonly worker: Worker;
  private answer: Promise<LaneAnswer> | undefined;

  /** Starts the worker; it loads while the first lane looks at the deltas. */
  constructor() {
    this.worker = new Worker(laneModule(), { type: "module" });
  }

  run(job: LaneJob): void {
    this.answer = new Promise((resolve) => {
      this.worker.onmessage = ({ data }) => resolve(data as LaneAnswer);
      this.worker.onerror = (event) => {
        event.preventDefault();
        resolve({ type: "bug", trace: event.message });
      };
    });
    this.worker.postMessage(job);
  }

  /** @throws {RegrainError} what ended the lane. */
  async finish(): Promise<ApplyCounts> {
    const answer = await this.answer!;
    if (answer.type === "done") return answer.counts;
    if (answer.type === "failed") throw received(answer.error);
    throw new Error(`in the second lane: ${answer.trace}`);
  }

  close(): void {
    this.worker.terminate();
  }
}

/** Bundled into one file, that file serves as the worker too. */
function laneModule(): string {
  return import.meta.url.endsWith(".ts")
    ? new URL("../commands/lane.ts", import.meta.url).href
    : import.meta.url;
}

/** An error as it is sent from one lane to the other. */
export function sendable({ code, reason, path, offsetBytes, hint }: RegrainError): LaneError {
  return { code, reason, path, offsetBytes, hint };
}

function received({ code, reason, path, offsetBytes, hint }: LaneError): RegrainError {
  if (!(code in ERRORS)) throw new Error(`a lane ended with the unknown code ${code}`);
  return new RegrainError(code as ErrorCode, reason, {
    ...(path === undefined ? {} : { path }),
    ...(offsetBytes === undefined ? {} : { offsetBytes }),
    ...(hint === undefined ? {} : { hint }),
  });
}
