/** What an apply counts, and taking one back: bytes moved so far. The four sums make up what the walk has passed. */
export interface ApplyCounts {
  /** Data written as data. */
  writtenBytes: number;
  /** Data that was all zero and became a hole. */
  sparedBytes: number;
  /** Zero runs of the delta. */
  zeroedBytes: number;
  /** Holes of the delta: the target keeps what it has. */
  skippedBytes: number;
}
