/**
 * Writes what comes out of a file that passes by to a target.
 *
 * Data stands in the buffer of the kernels already, wherever the pipe put it: it is looked through for zeros and
 * written from there, in one batch a window.
 */
import {
  Batch,
  type Core,
  cutStretch,
  type MaybePromise,
  type RunList,
  SECTOR_SIZE,
  type Stretch,
  type Target,
} from "../../core-as/host/mod.ts";
import { findsZeros, type SparseMode, ZERO_BLOCK_SECTORS } from "../target/sparse.ts";
import type { ApplyCounts } from "./engine.ts";

/** What is done with a stretch of the target; bytes of the disk. */
export interface PipeOperation {
  readonly kind: "write" | "zero";
  readonly start: number;
  readonly length: number;
}

export interface PipeSinkOptions {
  readonly sparse: SparseMode;
  /** Called after every window. */
  readonly onProgress?: (counts: Readonly<ApplyCounts>) => void;
  /** Called for everything that is written, in the order of the file. */
  readonly onOperation?: (operation: PipeOperation) => void;
}

export class PipeSink {
  readonly counts: ApplyCounts = { writtenBytes: 0, sparedBytes: 0, zeroedBytes: 0, skippedBytes: 0 };
  /** Stretches written or zeroed. */
  operationCount = 0;
  private target: Target | undefined;
  /** Below a base there is nothing: its holes are zeros. */
  private holesAreZeros = false;
  private findZeros = false;
  private readonly pieces: RunList;
  private readonly split: RunList;
  private readonly writes = new Batch();
  /** Zeros that may go on. */
  private zeroStart = 0;
  private zeroLength = 0;

  constructor(private readonly core: Core, private readonly options: PipeSinkOptions) {
    // The first list is where the tables of the file are decoded.
    [, this.pieces, this.split] = core.lists;
    this.pieces.count = 0;
  }

  /** @param target Where to write; without one everything is counted and nothing written. */
  attach(target: Target | undefined, disk: { isBase: boolean; holesAreFree: boolean }): void {
    const { sparse } = this.options;
    this.target = target;
    this.holesAreZeros = disk.isBase;
    this.findZeros = findsZeros(sparse, disk);
  }

  data(startSector: number, lengthSectors: number, bufferSector: number): void {
    this.pieces.set(this.pieces.count++, {
      start: startSector,
      length: lengthSectors,
      place: bufferSector,
      owner: 0,
    });
  }

  zero(startSector: number, lengthSectors: number): MaybePromise<void> {
    if (this.zeroLength > 0 && startSector === this.zeroStart + this.zeroLength) {
      this.zeroLength += lengthSectors;
      return;
    }
    const before = { start: this.zeroStart, length: this.zeroLength };
    this.zeroStart = startSector;
    this.zeroLength = lengthSectors;
    return this.writeZeros(before);
  }

  hole(startSector: number, lengthSectors: number): MaybePromise<void> {
    if (this.holesAreZeros) return this.zero(startSector, lengthSectors);
    this.counts.skippedBytes += lengthSectors * SECTOR_SIZE;
  }

  async flush(): Promise<void> {
    const { core, pieces } = this;
    if (pieces.count > 0) {
      const out = this.findZeros ? this.split : pieces;
      if (this.findZeros) core.splitZeros(pieces, out, ZERO_BLOCK_SECTORS[this.options.sparse]);
      const sparedBytes = await this.sortOut(out);
      pieces.count = 0;
      await this.target?.write(this.writes, core.buffer);
      this.counts.writtenBytes += this.writes.totalBytes;
      this.counts.sparedBytes += sparedBytes;
    }
    this.options.onProgress?.(this.counts);
  }

  /** Writes what is still held back; the target is not flushed. */
  async finish(): Promise<void> {
    await this.flush();
    const last = { start: this.zeroStart, length: this.zeroLength };
    this.zeroLength = 0;
    await this.writeZeros(last);
  }

  private writeZeros(run: { start: number; length: number }): MaybePromise<void> {
    if (run.length === 0) return;
    const stretch = { offsetBytes: run.start * SECTOR_SIZE, lengthBytes: run.length * SECTOR_SIZE };
    this.tell({ kind: "zero", start: stretch.offsetBytes, length: stretch.lengthBytes });
    if (this.target) return this.zeroTarget(this.target, stretch);
    this.counts.zeroedBytes += stretch.lengthBytes;
  }

  private async zeroTarget(target: Target, stretch: Stretch): Promise<void> {
    const punch = this.options.sparse !== "never";
    for (const piece of cutStretch(stretch)) {
      await target.zero({ ...piece, punch });
      this.counts.zeroedBytes += piece.lengthBytes;
      if (stretch.lengthBytes > piece.lengthBytes) this.options.onProgress?.(this.counts);
    }
  }

  private tell(operation: PipeOperation): void {
    this.operationCount++;
    this.options.onOperation?.(operation);
  }

  /** Fills the batch of writes; data that is zero becomes a hole. Returns the bytes of that. */
  private async sortOut(out: RunList): Promise<number> {
    let sparedBytes = 0;
    this.writes.clear();
    for (let i = 0; i < out.count; i++) {
      const offsetBytes = out.start(i) * SECTOR_SIZE;
      const lengthBytes = out.length(i) * SECTOR_SIZE;
      const isData = out.place(i) >= 0;
      this.tell({ kind: isData ? "write" : "zero", start: offsetBytes, length: lengthBytes });
      if (isData) {
        this.writes.add({ offsetBytes, lengthBytes, at: out.place(i) * SECTOR_SIZE });
        continue;
      }
      await this.target?.zero({ offsetBytes, lengthBytes, punch: true });
      sparedBytes += lengthBytes;
    }
    return sparedBytes;
  }
}
