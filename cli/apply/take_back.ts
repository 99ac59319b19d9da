/** Applying an rbd-diff file: an undo file of ours, or what `rbd export-diff` wrote. */
import {
  Batch,
  type Core,
  cutStretch,
  RegrainError,
  type Source,
  type Target,
} from "../../core-as/host/mod.ts";
import { RbdDiff } from "../stream/rbd_diff.ts";
import type { ApplyCounts } from "./engine.ts";
import { parseUndoName, type UndoIds } from "./undo.ts";
import { hashBlocks, UNTOUCHED_BLOCK_BYTES } from "./untouched.ts";

/** An rbd-diff file, read to its end and found sound. */
export interface PreparedDiff {
  readonly source: Source;
  readonly diff: RbdDiff;
  readonly writeBytes: number;
  readonly zeroBytes: number;
  readonly recordCount: number;
  /** Set when it is an undo file. */
  readonly undo: UndoIds | undefined;
}

/** @throws {RegrainError} `TRUNCATED`, `DAMAGED`: nothing of a stream that was cut short is applied. */
export async function prepareDiff(source: Source): Promise<PreparedDiff> {
  const diff = await RbdDiff.open(source);
  const totals = { writeBytes: 0, zeroBytes: 0, recordCount: 0 };
  for await (const record of diff.records()) {
    totals[record.kind === "write" ? "writeBytes" : "zeroBytes"] += record.lengthBytes;
    totals.recordCount++;
  }
  return { source, diff, ...totals, undo: parseUndoName(diff.meta.toSnapshot) };
}

/**
 * Makes sure that an undo file was made for this target.
 *
 * @throws {RegrainError} `WRONG_BASE` when what the apply left alone is not what it was.
 */
export async function requireOwnTarget(
  prepared: PreparedDiff,
  at: { target: Target; force: boolean },
): Promise<void> {
  if (!prepared.undo || at.force) return;
  const { blocks, blocksHash } = prepared.undo;
  const inside = blocks.every((block) => (block + 1) * UNTOUCHED_BLOCK_BYTES <= at.target.sizeBytes);
  if (inside && await hashBlocks(at.target, blocks) === blocksHash) return;
  throw new RegrainError(
    "WRONG_BASE",
    "the undo file was made for another target, or this one was written to since",
    {
      path: prepared.source.path,
      hint:
        "--force takes it back all the same: only what the apply overwrote is restored, not what came after",
    },
  );
}

/** Writes every record to the target. Does not flush. */
export async function takeBack(
  core: Core,
  prepared: PreparedDiff,
  target: Target,
  onProgress: (counts: Readonly<ApplyCounts>) => void,
): Promise<ApplyCounts> {
  const counts: ApplyCounts = { writtenBytes: 0, sparedBytes: 0, zeroedBytes: 0, skippedBytes: 0 };
  const reads = new Batch();
  const writes = new Batch();
  const move = async () => {
    await prepared.source.read(reads, core.buffer);
    await target.write(writes, core.buffer);
    counts.writtenBytes += writes.totalBytes;
    reads.clear();
    writes.clear();
    onProgress(counts);
  };
  for await (const record of prepared.diff.records()) {
    if (record.kind === "zero") {
      // Records may overlap in a stream of another program: the order of the file holds.
      await move();
      for (const piece of cutStretch(record)) {
        await target.zero({ ...piece, punch: true });
        counts.zeroedBytes += piece.lengthBytes;
        onProgress(counts);
      }
      continue;
    }
    for (let done = 0; done < record.lengthBytes;) {
      if (reads.totalBytes === core.buffer.length) await move();
      const at = reads.totalBytes;
      const lengthBytes = Math.min(record.lengthBytes - done, core.buffer.length - at);
      reads.add({ offsetBytes: record.dataAt + done, lengthBytes, at });
      writes.add({ offsetBytes: record.offsetBytes + done, lengthBytes, at });
      done += lengthBytes;
    }
  }
  await move();
  counts.skippedBytes = prepared.diff.meta.sizeBytes - counts.writtenBytes - counts.zeroedBytes;
  return counts;
}
