/** Reads back what was restored, and compares it with the snapshot it came from. */
import { Batch, type Target } from "../../../core-as/host/mod.ts";
import type { ChunkSet } from "../../../core-as/host/chunk_set.ts";
import { Expectation, type ExpectedChunk, type ExpectedDisk } from "./expected.ts";
import { findChanged } from "./find_changed.ts";

/** Bytes that read back otherwise than they were written. */
export interface RestoredDifference {
  bytes: number;
  /** Blocks of 4 KiB that have one. */
  blocks: number;
  first: { readonly offsetBytes: number; readonly expected: number; readonly found: number } | undefined;
}

const BLOCK_BYTES = 4096;

/**
 * @param work `zeroed`: chunks that could not be read when they were restored.
 * @returns `undefined` when all of the disk is as it should be.
 */
export async function verifyRestored(
  disk: ExpectedDisk,
  work: { target: Target; zeroed: ChunkSet; onProgress: (comparedBytes: number) => void },
): Promise<RestoredDifference | undefined> {
  const expectation = new Expectation(disk);
  const changed = await findChanged(expectation, work);
  if (changed.size === 0) return undefined;
  const difference: RestoredDifference = { bytes: 0, blocks: 0, first: undefined };
  for await (const chunk of expectation.chunks()) {
    if (!changed.has(chunk.chunk)) continue;
    const { plain } = work.zeroed.has(chunk.chunk) ? { plain: undefined } : await expectation.read(chunk);
    const found = new Uint8Array(chunk.lengthBytes);
    const batch = new Batch();
    batch.add({ offsetBytes: chunk.offsetBytes, lengthBytes: chunk.lengthBytes, at: 0 });
    await work.target.read(batch, found);
    count(difference, chunk, { found, expected: plain ?? new Uint8Array(chunk.lengthBytes) });
  }
  return difference;
}

function count(
  difference: RestoredDifference,
  { offsetBytes }: ExpectedChunk,
  { found, expected }: { found: Uint8Array; expected: Uint8Array },
): void {
  let lastBlock = -1;
  for (let at = 0; at < found.length; at++) {
    if (found[at] === expected[at]) continue;
    difference.bytes++;
    difference.first ??= { offsetBytes: offsetBytes + at, expected: expected[at]!, found: found[at]! };
    const block = Math.floor(at / BLOCK_BYTES);
    if (block !== lastBlock) difference.blocks++;
    lastBlock = block;
  }
}
