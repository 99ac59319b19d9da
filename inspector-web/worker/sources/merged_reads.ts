/**
 * Batches over media of which every read costs about a millisecond however short it is: transfers are sorted by their
 * place, and neighbours become one read, with what lies between them thrown away.
 */
import { type Batch, KIB, MIB } from "../../../core-as/host/mod.ts";

/** Reading over a gap of this size costs less than a second read. */
const MAX_GAP_BYTES = 512 * KIB;
/** One read is not made longer than this by merging. */
const MAX_READ_BYTES = 8 * MIB;

/** A read, and the transfers of a batch that it serves. */
export interface MergedRead {
  readonly fromBytes: number;
  readonly toBytes: number;
  readonly transfers: readonly number[];
}

/** The reads for a batch, ascending. */
export function mergeReads(batch: Batch): MergedRead[] {
  const order = Array.from({ length: batch.count }, (_, i) => i);
  order.sort((a, b) => batch.offsetBytes[a]! - batch.offsetBytes[b]!);
  const reads: { fromBytes: number; toBytes: number; transfers: number[] }[] = [];
  for (const i of order) {
    const from = batch.offsetBytes[i]!;
    const to = from + batch.lengthBytes[i]!;
    const last = reads.at(-1);
    const merged = last && Math.max(last.toBytes, to);
    if (
      last && merged !== undefined && from - last.toBytes <= MAX_GAP_BYTES &&
      merged - last.fromBytes <= MAX_READ_BYTES
    ) {
      last.toBytes = merged;
      last.transfers.push(i);
    } else reads.push({ fromBytes: from, toBytes: to, transfers: [i] });
  }
  return reads;
}

/** Carries out a batch; `read` gives the bytes of a stretch, whole. */
export async function readMerged(
  batch: Batch,
  buffer: Uint8Array,
  read: (fromBytes: number, toBytes: number) => Promise<Uint8Array>,
): Promise<void> {
  for (const { fromBytes, toBytes, transfers } of mergeReads(batch)) {
    // A single long transfer is read piece by piece, so that it is not in memory twice.
    for (let from = fromBytes; from < toBytes; from += MAX_READ_BYTES) {
      const to = Math.min(toBytes, from + MAX_READ_BYTES);
      const bytes = await read(from, to);
      for (const i of transfers) {
        const start = Math.max(from, batch.offsetBytes[i]!);
        const end = Math.min(to, batch.offsetBytes[i]! + batch.lengthBytes[i]!);
        if (end <= start) continue;
        const at = batch.at[i]! + start - batch.offsetBytes[i]!;
        buffer.set(bytes.subarray(start - from, end - from), at);
      }
    }
  }
}
