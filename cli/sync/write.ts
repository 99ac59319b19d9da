/** Makes a target equal to a source, load by load: only blocks that differ are written. */
import {
  Batch,
  type Core,
  cutStretch,
  type MaybePromise,
  SECTOR_SIZE,
  type Stretch,
  type Target,
} from "../../core-as/host/mod.ts";
import { findsZeros, type SparseMode, ZERO_BLOCK_SECTORS } from "../target/sparse.ts";
import { ChangeFinder } from "./changes.ts";
import type { Load } from "./side_by_side.ts";

/** What a sync counts, in bytes of the disk; the four add up to what it has passed. */
export interface SyncCounts {
  /** Data that differed, in whole blocks. */
  writtenBytes: number;
  /** What became zeros. */
  zeroedBytes: number;
  /** Compared and equal. */
  equalBytes: number;
  /** Where neither side has data: nothing was read. */
  skippedBytes: number;
}

export function noCounts(): SyncCounts {
  return { writtenBytes: 0, zeroedBytes: 0, equalBytes: 0, skippedBytes: 0 };
}

/** Bytes of the disk that the counts account for. */
export function passedBytes(counts: Readonly<SyncCounts>): number {
  return counts.writtenBytes + counts.zeroedBytes + counts.equalBytes + counts.skippedBytes;
}

/** What guards the writes. */
export interface LoadGuards {
  /** @param stretches What is about to be overwritten; `at`: where its new bytes are in `buffer`, negative of zeros. */
  beforeWrite(stretches: Batch, buffer: Uint8Array): MaybePromise<void>;
  afterWrite(
    doneBytes: number,
    passed: { totalBytes: number; last: Stretch | undefined },
  ): MaybePromise<void>;
}

export interface WriteOptions {
  readonly sparse: SparseMode;
  readonly blockBytes: number;
  /** Without it nothing is written: what would be is counted. */
  readonly target: Target | undefined;
  readonly guards?: LoadGuards | undefined;
  /** Told of every stretch that is written, or would be. */
  readonly onChange?: ((stretch: Stretch & { readonly isZero: boolean }) => void) | undefined;
  readonly onProgress?: ((counts: Readonly<SyncCounts>) => void) | undefined;
}

export class LoadWriter {
  readonly counts = noCounts();
  private readonly finder: ChangeFinder;
  private readonly changes = new Batch();
  private readonly writes = new Batch();

  constructor(
    private readonly core: Core,
    { medium }: Pick<Target, "medium">,
    private readonly options: WriteOptions,
  ) {
    const { blockBytes, sparse } = options;
    const zeroBytes = findsZeros(sparse, medium) ? ZERO_BLOCK_SECTORS[sparse] * SECTOR_SIZE : undefined;
    this.finder = new ChangeFinder(core, { blockBytes, zeroBytes });
  }

  /** @throws {RegrainError} what writing may; a second run completes the work. */
  async take({ items, scratch, skippedBytes, doneBytes }: Load): Promise<void> {
    const { options: { target, guards }, changes } = this;
    this.finder.find(items, scratch, changes);
    this.counts.skippedBytes += skippedBytes;
    this.counts.equalBytes += items.totalBytes - changes.totalBytes;
    if (target !== undefined && changes.count > 0) {
      await guards?.beforeWrite(changes, this.core.buffer);
      await this.write(target);
    }
    this.count();
    if (target !== undefined) await guards?.afterWrite(doneBytes, this.passed());
    this.options.onProgress?.(this.counts);
  }

  private async write(target: Target): Promise<void> {
    const { changes, writes } = this;
    writes.clear();
    for (let i = 0; i < changes.count; i++) {
      const stretch = { offsetBytes: changes.offsetBytes[i]!, lengthBytes: changes.lengthBytes[i]! };
      if (changes.at[i]! >= 0) writes.add({ ...stretch, at: changes.at[i]! });
      else {
        for (const piece of cutStretch(stretch)) {
          await target.zero({ ...piece, punch: this.options.sparse !== "never" });
        }
      }
    }
    if (writes.count > 0) await target.write(writes, this.core.buffer);
  }

  private count(): void {
    const { changes } = this;
    for (let i = 0; i < changes.count; i++) {
      const offsetBytes = changes.offsetBytes[i]!;
      const lengthBytes = changes.lengthBytes[i]!;
      const isZero = changes.at[i]! < 0;
      this.counts[isZero ? "zeroedBytes" : "writtenBytes"] += lengthBytes;
      this.options.onChange?.({ offsetBytes, lengthBytes, isZero });
    }
  }

  private passed(): { totalBytes: number; last: Stretch | undefined } {
    const last = this.changes.count - 1;
    if (last < 0) return { totalBytes: 0, last: undefined };
    return {
      totalBytes: this.changes.totalBytes,
      last: { offsetBytes: this.changes.offsetBytes[last]!, lengthBytes: this.changes.lengthBytes[last]! },
    };
  }
}
