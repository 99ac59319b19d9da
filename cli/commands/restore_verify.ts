/** `regrain restore --verify`: reads back what was restored, with progress. */
import { plural, type Target } from "../../core-as/host/mod.ts";
import { chunkCount } from "../../core-as/host/repo/mod.ts";
import { ChunkSet } from "../backup/chunk_set.ts";
import { verifyRestored } from "../backup/restore/verify_restored.ts";
import { dropCaches, readBackOtherwise } from "../target/read_back.ts";
import { Progress } from "../ui/mod.ts";
import type { Verified } from "../report/verified.ts";
import { lanesOf } from "../session/open_repository.ts";
import type { RestoreWork } from "./restore_work.ts";

/**
 * To be called between the flush and whatever says that the target is done.
 *
 * @throws {RegrainError} `VERIFY_FAILED`.
 */
export async function verifyWritten(target: Target, work: RestoreWork): Promise<Verified> {
  const { repository, snapshot, overlay, damaged, session: { console }, flags } = work;
  const { sizeBytes, chunkBytes } = snapshot;
  const progress = new Progress(console, flags.progress ?? "auto", sizeBytes);
  console.detail(`${target.path}: reading back what was written`);
  const zeroed = new ChunkSet(chunkCount(snapshot));
  for (const { offsetBytes, lengthBytes } of damaged) {
    zeroed.addBytes({ start: offsetBytes, length: lengthBytes }, chunkBytes);
  }
  const obstacles = dropCaches(target);
  using lanes = lanesOf(repository);
  try {
    const disk = { repository, snapshot, lanes, overlay, isTolerant: flags.damaged !== undefined };
    const difference = await verifyRestored(disk, {
      target,
      zeroed,
      onProgress: (doneBytes) => progress.update({ doneBytes, parts: { verified: doneBytes } }),
    });
    if (difference?.first) throw readBackOtherwise(target, { ...difference, first: difference.first });
    // It differed when it was compared, and no longer when it was looked at again.
    if (difference) console.warn(`${target.path}: ${plural(1, "chunk")} read back in two ways`);
    return { verifiedBytes: sizeBytes, obstacles, sums: undefined, elapsedMs: progress.elapsedMs };
  } finally {
    progress.end();
  }
}
