/**
 * One batch, read by as many calls at once as the medium wants.
 *
 * This module is browser compatible.
 */
import { Batch, ONE_AT_A_TIME, type Source } from "../source.ts";
import { KIB } from "../units.ts";

/** A smaller call costs more than it saves. */
const LEAST_CALL_BYTES = 64 * KIB;

/**
 * To be called where nothing else reads from the medium.
 *
 * @throws what the first call in the order of the batch that failed has thrown; none is under way then.
 */
export async function readAtOnce(source: Source, batch: Batch, buffer: Uint8Array): Promise<void> {
  const { inFlight } = source.medium ?? ONE_AT_A_TIME;
  if (inFlight === 1) return await source.read(batch, buffer);
  const parts = split(batch, Math.max(LEAST_CALL_BYTES, Math.ceil(batch.totalBytes / inFlight)));
  const results = await Promise.allSettled(parts.map(async (part) => await source.read(part, buffer)));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** The same transfers in batches of so many bytes each. */
function split(batch: Batch, partBytes: number): Batch[] {
  const parts: Batch[] = [];
  let part = new Batch();
  for (let i = 0; i < batch.count; i++) {
    for (let done = 0; done < batch.lengthBytes[i]!;) {
      const lengthBytes = Math.min(batch.lengthBytes[i]! - done, partBytes - part.totalBytes);
      if (part.count === 0) parts.push(part);
      part.add({ offsetBytes: batch.offsetBytes[i]! + done, lengthBytes, at: batch.at[i]! + done });
      done += lengthBytes;
      if (part.totalBytes === partBytes) part = new Batch();
    }
  }
  return parts;
}
