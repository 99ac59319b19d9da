/**
 * Carries out a plan: moves the data of a disk onto a target.
 *
 * Runs are cut into pieces that fill one buffer in the kernels' memory; the buffer is read in one batch a medium,
 * looked through for zeros, and written in one batch. A target that wants many calls under way gets a copy of each
 * buffer, and the next is filled meanwhile; the copies together have at most {@link MOST_BYTES_IN_FLIGHT}. So memory
 * does not depend on the disk.
 */
import {
  Batch,
  buffersInFlight,
  cutStretch,
  damagedRun,
  type Disk,
  type DiskWindow,
  GIB,
  KIB,
  type MaybePromise,
  MOST_BYTES_A_CALL,
  SECTOR_SIZE,
  type SectorRange,
  type Stretch,
  STRICT,
  type Target,
} from "../../core-as/host/mod.ts";
import { type Call, CallsInFlight } from "../lanes/calls_in_flight.ts";
import { StepsInFlight } from "../lanes/steps_in_flight.ts";
import type { ApplyCounts } from "../target/counts.ts";
import { findsZeros, type SparseMode, ZERO_BLOCK_SECTORS } from "../target/sparse.ts";

export type { ApplyCounts };

/** What two parts of one apply come to. */
export function sumOfCounts(a: Readonly<ApplyCounts>, b: Readonly<ApplyCounts>): ApplyCounts {
  return {
    writtenBytes: a.writtenBytes + b.writtenBytes,
    sparedBytes: a.sparedBytes + b.sparedBytes,
    zeroedBytes: a.zeroedBytes + b.zeroedBytes,
    skippedBytes: a.skippedBytes + b.skippedBytes,
  };
}

/** Bytes that are moved at once at least, however little the target asks for. */
const LEAST_MOVE_BYTES = 64 * KIB;

/**
 * Zeros that are made between two calls of `afterWrite`. With an undo file each such step costs two syncs, which is
 * why it is not as small as a piece; without a limit, a disk that is one long run of zeros would be one step.
 */
const ZERO_STEP_BYTES = GIB;

/** What was handed to the target in one go. */
export interface Passed {
  readonly totalBytes: number;
  /** The last stretch of it; `undefined` when there was none. */
  readonly last: Stretch | undefined;
}

export interface ApplyOptions {
  readonly sparse: SparseMode;
  /** Stretches of the disk to apply, in ascending order; the whole disk unless given. */
  readonly ranges?: Iterable<SectorRange>;
  /** How many lanes share what the target wants under way; 1 unless given. */
  readonly lanes?: number;
  /** Called after every buffer, and after every piece of zeros. */
  readonly onProgress?: (counts: Readonly<ApplyCounts>) => void;
  /**
   * Called with the stretches, in ascending order, that are about to be overwritten; `at` is where their new bytes
   * are in the kernels' buffer, negative of zeros.
   */
  readonly beforeWrite?: (stretches: Batch) => MaybePromise<void>;
  /**
   * Called when the target has taken everything below a byte of the disk, in ascending order. `passed` is what came to
   * it since the last call: the stretches that `beforeWrite` was called with. More may be under way above that byte.
   */
  readonly afterWrite?: (doneBytes: number, passed: Passed) => MaybePromise<void>;
}

/**
 * Writes every data and zero run of `disk` to `target`, in ascending order. Does not flush.
 *
 * @throws {RegrainError} what reading the links and writing the target may; running again completes the work.
 */
export async function applyDisk(disk: Disk, target: Target, options: ApplyOptions): Promise<ApplyCounts> {
  const engine = new Engine(disk, target, options);
  const whole = { fromSector: 0, toSector: disk.capacitySectors };
  try {
    for (const range of options.ranges ?? [whole]) {
      for await (const window of disk.walk(STRICT, range)) await engine.take(window);
    }
  } finally {
    // What is under way comes before whatever ended the walk, and so does its error.
    await engine.settle();
  }
  return engine.counts;
}

/** What one filling of the buffer asks of the target. */
interface Load {
  readonly writes: Batch;
  readonly zeros: Batch;
  /** Data that is zero. */
  readonly spared: Batch;
  /** What it all comes to, for `afterWrite`. */
  passed: Passed;
  doneBytes: number;
}

function newLoad(): Load {
  return {
    writes: new Batch(),
    zeros: new Batch(),
    spared: new Batch(),
    passed: NOTHING_PASSED,
    doneBytes: 0,
  };
}

const NOTHING_PASSED: Passed = { totalBytes: 0, last: undefined };

class Engine {
  readonly counts: ApplyCounts;
  private readonly bufferSectors: number;
  /** What is being filled. */
  private load = newLoad();
  /** Data and zeros in the order of the disk, for `beforeWrite`. */
  private readonly stretches = new Batch();
  private readonly punch: boolean;
  private readonly findZeros: boolean;
  /** Sectors of the buffer that are spoken for. */
  private filled = 0;
  /** Buffers that may be under way; with 1 the kernels' own is written, and waited for. */
  private readonly most: number;
  private readonly steps: StepsInFlight;
  private readonly calls: CallsInFlight;
  private readonly freeLoads: Load[] = [];
  private readonly freeBuffers: Uint8Array[] = [];

  constructor(
    private readonly disk: Disk,
    private readonly target: Target,
    private readonly options: ApplyOptions,
  ) {
    this.counts = { writtenBytes: 0, sparedBytes: 0, zeroedBytes: 0, skippedBytes: 0 };
    const { length } = disk.core.buffer;
    const { preferredBytes, inFlight } = target.medium;
    // With an undo file the whole buffer is filled, since every filling costs a sync. So it is where the links want
    // many reads under way: those that fill it are what there is to read at once.
    const fillsAll = options.beforeWrite !== undefined || disk.medium.inFlight > 1;
    const wanted = Math.max(LEAST_MOVE_BYTES, fillsAll ? length : preferredBytes);
    this.bufferSectors = Math.floor(Math.min(length, wanted) / SECTOR_SIZE);
    // What looks at the target before it is written has a call under way as well.
    const share = Math.floor(inFlight / (options.lanes ?? 1)) - (options.beforeWrite ? 1 : 0);
    this.most = buffersInFlight({ preferredBytes, inFlight: share }, this.bufferSectors * SECTOR_SIZE);
    this.steps = new StepsInFlight(this.most);
    this.calls = new CallsInFlight(this.most);
    this.punch = options.sparse !== "never";
    this.findZeros = findsZeros(options.sparse, target.medium);
  }

  /** Waits for what is under way. @throws what writing it may. */
  async settle(): Promise<void> {
    await this.steps.drain();
  }

  async take(window: DiskWindow): Promise<void> {
    const { list } = window;
    const [pieces] = window.scratch;
    pieces.count = 0;
    for (let i = 0; i < list.count; i++) {
      const kind = this.disk.kindOf(list.place(i));
      if (kind === "data") await this.addData(window, i);
      else if (kind === "damaged") throw damagedRun(this.disk, list.start(i));
      else if (kind === "hole") this.counts.skippedBytes += list.length(i) * SECTOR_SIZE;
      else {
        const full = this.addZeros(window, i);
        if (full) await full;
      }
    }
    await this.move(window, window.toSector);
  }

  private addZeros(window: DiskWindow, index: number): MaybePromise<void> {
    const { list } = window;
    const run = {
      offsetBytes: list.start(index) * SECTOR_SIZE,
      lengthBytes: list.length(index) * SECTOR_SIZE,
    };
    if (this.load.zeros.totalBytes + run.lengthBytes > ZERO_STEP_BYTES) return this.addInSteps(window, run);
    this.queueZeros(run);
  }

  private async addInSteps(window: DiskWindow, run: Stretch): Promise<void> {
    for (const piece of cutStretch(run, ZERO_STEP_BYTES)) {
      if (this.load.zeros.totalBytes > 0) await this.move(window, piece.offsetBytes / SECTOR_SIZE);
      this.queueZeros(piece);
    }
  }

  private queueZeros({ offsetBytes, lengthBytes }: Stretch): void {
    this.load.zeros.add({ offsetBytes, lengthBytes, at: 0 });
    this.note({ offsetBytes, lengthBytes, at: -1 });
  }

  private note(stretch: { offsetBytes: number; lengthBytes: number; at: number }): void {
    if (this.options.beforeWrite) this.stretches.add(stretch);
  }

  /** Cuts a run into pieces of the buffer's free room. */
  private async addData(window: DiskWindow, index: number): Promise<void> {
    const { list } = window;
    const [pieces] = window.scratch;
    let start = list.start(index);
    let left = list.length(index);
    let place = list.place(index);
    const owner = list.owner(index);
    while (left > 0) {
      if (this.filled === this.bufferSectors || pieces.count === this.disk.core.listCapacity) {
        await this.move(window, start);
      }
      const length = Math.min(left, this.bufferSectors - this.filled);
      pieces.set(pieces.count++, { start, length, place: this.filled, owner: 0 });
      this.note({
        offsetBytes: start * SECTOR_SIZE,
        lengthBytes: length * SECTOR_SIZE,
        at: this.filled * SECTOR_SIZE,
      });
      this.disk.queue(owner, {
        offsetBytes: place * SECTOR_SIZE,
        lengthBytes: length * SECTOR_SIZE,
        at: this.filled * SECTOR_SIZE,
      });
      this.filled += length;
      start += length;
      place += length;
      left -= length;
    }
  }

  /** Reads what is queued, and hands it to the target; everything below `doneSector` is under way then. */
  private async move(window: DiskWindow, doneSector: number): Promise<void> {
    const { core } = this.disk;
    const { load, stretches } = this;
    await this.disk.readQueued(core.buffer);
    this.sortOut(window);
    if (this.options.beforeWrite && stretches.count > 0) await this.options.beforeWrite(stretches);
    load.doneBytes = doneSector * SECTOR_SIZE;
    load.passed = passedOf(stretches);
    const filledBytes = this.filled * SECTOR_SIZE;
    this.filled = 0;
    window.scratch[0].count = 0;
    stretches.clear();
    if (this.most > 1) return await this.moveBeside(load, core.buffer.subarray(0, filledBytes));
    await this.makeZeros(load.zeros, "zeroedBytes");
    await this.makeZeros(load.spared, "sparedBytes");
    await this.target.write(load.writes, core.buffer);
    this.counts.writtenBytes += load.writes.totalBytes;
    await this.finish(load);
  }

  /** Starts to move a copy of the buffer. */
  private async moveBeside(load: Load, filled: Uint8Array): Promise<void> {
    await this.steps.room();
    const buffer = load.writes.count === 0 ? undefined : this.freeBuffers.pop() ?? this.newBuffer();
    buffer?.set(filled);
    this.load = this.freeLoads.pop() ?? newLoad();
    this.steps.start({
      run: () => this.calls.all(this.callsFor(load, buffer)),
      done: async () => {
        if (buffer) this.freeBuffers.push(buffer);
        this.counts.zeroedBytes += load.zeros.totalBytes;
        this.counts.sparedBytes += load.spared.totalBytes;
        this.counts.writtenBytes += load.writes.totalBytes;
        await this.finish(load);
        this.freeLoads.push(load);
      },
    });
  }

  private newBuffer(): Uint8Array {
    return new Uint8Array(this.bufferSectors * SECTOR_SIZE);
  }

  private *callsFor({ zeros, spared, writes }: Load, buffer: Uint8Array | undefined): Generator<Call> {
    const { target, punch } = this;
    if (buffer) yield { offsetBytes: writes.offsetBytes[0]!, run: () => target.write(writes, buffer) };
    for (const stretches of [zeros, spared]) {
      for (let i = 0; i < stretches.count; i++) {
        const stretch = { offsetBytes: stretches.offsetBytes[i]!, lengthBytes: stretches.lengthBytes[i]! };
        for (const piece of cutStretch(stretch)) {
          yield { offsetBytes: piece.offsetBytes, run: () => target.zero({ ...piece, punch }) };
        }
      }
    }
  }

  /** The target has taken a load, and all before it. */
  private async finish(load: Load): Promise<void> {
    const { doneBytes, passed } = load;
    load.zeros.clear();
    load.spared.clear();
    load.writes.clear();
    await this.options.afterWrite?.(doneBytes, passed);
    this.options.onProgress?.(this.counts);
  }

  private async makeZeros(stretches: Batch, counted: "zeroedBytes" | "sparedBytes"): Promise<void> {
    for (let i = 0; i < stretches.count; i++) {
      const stretch = { offsetBytes: stretches.offsetBytes[i]!, lengthBytes: stretches.lengthBytes[i]! };
      for (const piece of cutStretch(stretch)) {
        await this.target.zero({ ...piece, punch: this.punch });
        this.counts[counted] += piece.lengthBytes;
        if (stretches.totalBytes > MOST_BYTES_A_CALL) this.options.onProgress?.(this.counts);
      }
    }
  }

  /** Fills the batch of writes from the pieces; what is zero in them is spared. */
  private sortOut(window: DiskWindow): void {
    const [pieces, split] = window.scratch;
    const out = this.findZeros ? split : pieces;
    if (this.findZeros) this.disk.core.splitZeros(pieces, split, ZERO_BLOCK_SECTORS[this.options.sparse]);
    const { writes, spared } = this.load;
    for (let i = 0; i < out.count; i++) {
      const offsetBytes = out.start(i) * SECTOR_SIZE;
      const lengthBytes = out.length(i) * SECTOR_SIZE;
      if (out.place(i) >= 0) writes.add({ offsetBytes, lengthBytes, at: out.place(i) * SECTOR_SIZE });
      else spared.add({ offsetBytes, lengthBytes, at: 0 });
    }
  }
}

function passedOf(stretches: Batch): Passed {
  const last = stretches.count - 1;
  if (last < 0) return NOTHING_PASSED;
  const offsetBytes = stretches.offsetBytes[last]!;
  return {
    totalBytes: stretches.totalBytes,
    last: { offsetBytes, lengthBytes: stretches.lengthBytes[last]! },
  };
}
