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

/** Bytes of the disk that the counts account for. */
export function doneBytesOf(counts: ApplyCounts): number {
  return counts.writtenBytes + counts.sparedBytes + counts.zeroedBytes + counts.skippedBytes;
}

/** Bytes of the plan that are done: what is left alone costs nothing, and says nothing of how long the rest takes. */
export function workBytesOf(counts: ApplyCounts): number {
  return counts.writtenBytes + counts.sparedBytes + counts.zeroedBytes;
}

/** Bytes that a plan moves or zeroes. */
export function plannedBytesOf(plan: { readonly writeBytes: number; readonly zeroBytes: number }): number {
  return plan.writeBytes + plan.zeroBytes;
}
