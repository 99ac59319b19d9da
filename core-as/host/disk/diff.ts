/**
 * Comparing two buffers of equal length.
 *
 * This module is browser compatible.
 */
import type { Core } from "../wasm.ts";

/** A stretch of a buffer, in bytes. */
export interface Span {
  readonly start: number;
  readonly length: number;
}

/**
 * The blocks that differ between the two halves of `core.buffer`, neighbours merged.
 *
 * @param lengthBytes Bytes to compare, at most half of the buffer: `[0, n)` against `[half, half + n)`.
 * @param blockBytes  Granularity of the answer; the last block may be shorter.
 */
export function diffHalves(core: Core, lengthBytes: number, blockBytes: number): Span[] {
  const half = core.buffer.length / 2;
  if (lengthBytes > half || blockBytes < 1) throw new Error("a comparison beyond half of the buffer");
  if (lengthBytes / blockBytes > core.listCapacity) throw new Error("more blocks than a list has room for");
  const list = core.lists[0];
  list.count = core.kernels.diffSpans(
    core.bufferAddress,
    core.bufferAddress + half,
    lengthBytes,
    blockBytes,
    list.address,
  );
  const spans: Span[] = [];
  for (let i = 0; i < list.count; i++) spans.push({ start: list.start(i), length: list.length(i) });
  return spans;
}
