/**
 * Carries out a plan: moves the data of a disk onto a target.
 *
 * Runs are cut into pieces that fill one buffer in the kernels' memory; the buffer is read in one batch a medium,
 * looked through for zeros, and written in one batch. Nothing is kept beside it, so memory does not depend on the disk.
 */
import {
  Batch,
  cutStretch,
  damagedRun,
  type Disk,
  type DiskWindow,
  GIB,
  type MaybePromise,
  MIB,
  MOST_BYTES_A_CALL,
  SECTOR_SIZE,
  type Stretch,
  STRICT,
  type Target,
} from "../../core-as/host/mod.ts";
import type { ApplyCounts } from "../target/counts.ts";

export type { ApplyCounts };

/**
 * What to do with zeros. `auto`: zero runs, and zero data from 64 KiB on, become holes in files; devices have their
 * zero runs zeroed out. `always`: zero data from 4 KiB on, and on devices too. `never`: every zero is written.
 */
export type SparseMode = "auto" | "always" | "never";

/** What two parts of one apply come to. */
export function sumOfCounts(a: Readonly<ApplyCounts>, b: Readonly<ApplyCounts>): ApplyCounts {
  return {
    writtenBytes: a.writtenBytes + b.writtenBytes,
    sparedBytes: a.sparedBytes + b.sparedBytes,
    zeroedBytes: a.zeroedBytes + b.zeroedBytes,
    skippedBytes: a.skippedBytes + b.skippedBytes,
  };
}

/**
 * Smallest stretch of zero data that becomes a hole, in sectors. 4 KiB is the block of the file systems that matter;
 * but punching so little into ext4 costs twenty times what writing it does (74 against 3 microseconds), so it is
 * done only on demand.
 */
export const ZERO_BLOCK_SECTORS = { auto: 128, always: 8, never: 8 } as const satisfies Record<
  SparseMode,
  number
>;

/**
 * Bytes that are moved at once where nothing has to be synced in between: what is read is still in the processor's
 * own cache when it is written. With an undo file the whole buffer is filled, since every filling costs a sync.
 */
const FREE_MOVE_BYTES = MIB;

/**
 * Zeros that are made between two calls of `afterWrite`. With an undo file each such step costs two syncs, which is
 * why it is not as small as a piece; without a limit, a disk that is one long run of zeros would be one step.
 */
const ZERO_STEP_BYTES = GIB;

/** A stretch of the disk, in sectors. */
export interface SectorRange {
  readonly fromSector: number;
  readonly toSector: number;
}

export interface ApplyOptions {
  readonly sparse: SparseMode;
  /** Stretches of the disk to apply, in ascending order; the whole disk unless given. */
  readonly ranges?: Iterable<SectorRange>;
  /** Called after every buffer, and after every piece of zeros. */
  readonly onProgress?: (counts: Readonly<ApplyCounts>) => void;
  /**
   * Called with the stretches, in ascending order, that are about to be overwritten; `at` is where their new bytes
   * are in the kernels' buffer, negative of zeros.
   */
  readonly beforeWrite?: (stretches: Batch) => MaybePromise<void>;
  /** Called when everything below a byte of the disk was handed to the target. */
  readonly afterWrite?: (doneBytes: number) => MaybePromise<void>;
}

/**
 * Writes every data and zero run of `disk` to `target`, in ascending order. Does not flush.
 *
 * @throws {RegrainError} what reading the links and writing the target may; running again completes the work.
 */
export async function applyDisk(disk: Disk, target: Target, options: ApplyOptions): Promise<ApplyCounts> {
  const engine = new Engine(disk, target, options);
  const whole = { fromSector: 0, toSector: disk.capacitySectors };
  for (const range of options.ranges ?? [whole]) {
    for await (const window of disk.walk(STRICT, range)) await engine.take(window);
  }
  return engine.counts;
}

class Engine {
  readonly counts: ApplyCounts;
  private readonly bufferSectors: number;
  private readonly writes = new Batch();
  private readonly zeros = new Batch();
  /** Data that is zero. */
  private readonly spared = new Batch();
  /** Data and zeros in the order of the disk, for `beforeWrite`. */
  private readonly stretches = new Batch();
  private readonly punch: boolean;
  private readonly findZeros: boolean;
  /** Sectors of the buffer that are spoken for. */
  private filled = 0;

  constructor(
    private readonly disk: Disk,
    private readonly target: Target,
    private readonly options: ApplyOptions,
  ) {
    this.counts = { writtenBytes: 0, sparedBytes: 0, zeroedBytes: 0, skippedBytes: 0 };
    const { length } = disk.core.buffer;
    this.bufferSectors = (options.beforeWrite ? length : Math.min(length, FREE_MOVE_BYTES)) / SECTOR_SIZE;
    this.punch = options.sparse !== "never";
    this.findZeros = options.sparse === "always" || (options.sparse === "auto" && target.kind === "file");
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
    if (this.zeros.totalBytes + run.lengthBytes > ZERO_STEP_BYTES) return this.addInSteps(window, run);
    this.queueZeros(run);
  }

  private async addInSteps(window: DiskWindow, run: Stretch): Promise<void> {
    for (const piece of cutStretch(run, ZERO_STEP_BYTES)) {
      if (this.zeros.totalBytes > 0) await this.move(window, piece.offsetBytes / SECTOR_SIZE);
      this.queueZeros(piece);
    }
  }

  private queueZeros({ offsetBytes, lengthBytes }: Stretch): void {
    this.zeros.add({ offsetBytes, lengthBytes, at: 0 });
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

  /** Reads what is queued, and writes it; everything below `doneSector` is done then. */
  private async move(window: DiskWindow, doneSector: number): Promise<void> {
    const { core } = this.disk;
    await this.disk.readQueued(core.buffer);
    this.sortOut(window);
    if (this.options.beforeWrite && this.stretches.count > 0) await this.options.beforeWrite(this.stretches);
    await this.makeZeros(this.zeros, "zeroedBytes");
    await this.makeZeros(this.spared, "sparedBytes");
    await this.target.write(this.writes, core.buffer);
    this.counts.writtenBytes += this.writes.totalBytes;
    this.filled = 0;
    window.scratch[0].count = 0;
    this.zeros.clear();
    this.spared.clear();
    this.stretches.clear();
    await this.options.afterWrite?.(doneSector * SECTOR_SIZE);
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
    this.writes.clear();
    for (let i = 0; i < out.count; i++) {
      const offsetBytes = out.start(i) * SECTOR_SIZE;
      const lengthBytes = out.length(i) * SECTOR_SIZE;
      if (out.place(i) >= 0) this.writes.add({ offsetBytes, lengthBytes, at: out.place(i) * SECTOR_SIZE });
      else this.spared.add({ offsetBytes, lengthBytes, at: 0 });
    }
  }
}
