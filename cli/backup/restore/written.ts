/** Reads back what was restored. */
import { plural, type Target } from "../../../core-as/host/mod.ts";
import { chunkCount } from "../../../core-as/host/repo/mod.ts";
import { dropCaches, readBackOtherwise } from "../../target/read_back.ts";
import { ChunkSet } from "../../../core-as/host/chunk_set.ts";
import type { RestoreJob } from "./job.ts";
import { verifyRestored } from "./verify_restored.ts";

/** A target that reads back as it was written. */
export interface ReadBack {
  readonly verifiedBytes: number;
  /** Why it may have been read from memory. */
  readonly obstacles: readonly string[];
  readonly sums: undefined;
  readonly elapsedMs: number;
}

/**
 * To be called between the flush and whatever says that the target is done.
 *
 * @throws {RegrainError} `VERIFY_FAILED`.
 */
export async function verifyWritten(target: Target, job: RestoreJob): Promise<ReadBack> {
  const { repository, snapshot, overlay, damaged, isTolerant, events } = job;
  const { sizeBytes, chunkBytes } = snapshot;
  return await events.readBack({ target, totalBytes: sizeBytes }, async (update) => {
    const zeroed = new ChunkSet(chunkCount(snapshot));
    for (const { offsetBytes, lengthBytes } of damaged) {
      zeroed.addBytes({ start: offsetBytes, length: lengthBytes }, chunkBytes);
    }
    const obstacles = dropCaches(target);
    using lanes = job.openLanes();
    const disk = { repository, snapshot, lanes, overlay, isTolerant };
    const difference = await verifyRestored(disk, {
      target,
      zeroed,
      onProgress: (doneBytes) => update({ doneBytes, parts: { verified: doneBytes } }),
    });
    if (difference?.first) throw readBackOtherwise(target, { ...difference, first: difference.first });
    // It differed when it was compared, and no longer when it was looked at again.
    if (difference) events.warn(`${target.path}: ${plural(1, "chunk")} read back in two ways`);
    return { verifiedBytes: sizeBytes, obstacles, sums: undefined };
  });
}
