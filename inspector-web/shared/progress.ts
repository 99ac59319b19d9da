/** How far work is that takes long, and what it has found so far; told again and again while it runs. */
import type { ByteRange, View } from "./disk_facts.ts";

/** Totals as `regrain map --json` has them. */
export interface Totals {
  readonly dataBytes: number;
  readonly zeroBytes: number;
  readonly holeBytes: number;
  readonly damagedBytes: number;
  /** Runs of data and zeros, neighbours of one kind and place merged as `regrain map` does. */
  readonly runCount: number;
}

/** How the lengths of data and zero runs spread: `counts[i]` runs of 2^i to 2^(i+1) - 1 sectors. */
export interface Histogram {
  readonly counts: readonly number[];
  readonly bytes: readonly number[];
}

/** How far the scan of a view is. */
export interface ScanState {
  readonly view: View;
  readonly doneSectors: number;
  readonly totalSectors: number;
  readonly finished: boolean;
  readonly totals: Totals;
  readonly histogram: Histogram;
}

/** How allocated sectors compare with what lies below; one may be zero and something else, too. */
export type Comparisons = "changed" | "identical" | "zero";

/** How a delta compares with the base below it, in bytes. */
export interface Compared {
  readonly comparedBytes: number;
  /** Allocated in the delta and equal to what lies below. */
  readonly identicalBytes: number;
  /** Allocated in the delta and all zero. */
  readonly zeroBytes: number;
  readonly changedBytes: number;
  /** The first stretches of each kind, in the order of the disk; a changed one begins at the byte that differs. */
  readonly first: Readonly<Record<Comparisons, readonly ByteRange[]>>;
  readonly finished: boolean;
}

/** How far a search is. */
export interface Searched {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** How far the search for damage is. */
export interface Surveyed {
  readonly doneSectors: number;
  readonly totalSectors: number;
}

/** How far the check of all chunks is. */
export interface Checked {
  readonly doneChunks: number;
  readonly totalChunks: number;
  readonly damagedChunks: number;
  readonly finished: boolean;
}
