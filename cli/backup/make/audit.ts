/**
 * A sample of what is said to be unchanged, looked at all the same: whoever lists changes may be wrong, and nobody
 * would ever find out, since what did not change is not read again.
 */
import { chunkCount, type MapPage, PAGE_ENTRIES, type Snapshot } from "../../../core-as/host/repo/mod.ts";
import type { ChunkSet } from "../../../core-as/host/chunk_set.ts";
import type { Lanes } from "../lanes.ts";
import type { BackupPlan } from "./plan.ts";
import type { Repository } from "../repository.ts";

export interface AuditReport {
  /** Chunks that were looked at. */
  readonly checked: number;
  /** The first of them that is not as the snapshot has it; the rest was not looked at then. */
  readonly differs: number | undefined;
}

export interface AuditMeans {
  readonly repository: Repository;
  readonly lanes: Lanes;
  /** Reads the disk as it is now. */
  readonly disk: Pick<BackupPlan, "read">;
  /** Part of the unchanged chunks to look at, 0 to 1. */
  readonly share: number;
  /** A number from 0 up to 1. */
  random(): number;
}

/** Compares a random sample of the chunks outside of `touched` with the snapshot, by their ids. */
export async function auditUnchanged(
  snapshot: Snapshot,
  touched: ChunkSet,
  means: AuditMeans,
): Promise<AuditReport> {
  const { repository, lanes, disk, share, random } = means;
  const { chunkBytes, sizeBytes } = snapshot;
  let buffer = new Uint8Array(chunkBytes);
  let page: { index: number; page: MapPage } | undefined;
  let checked = 0;
  for (const chunk of sampleOf(touched, { count: chunkCount(snapshot), share, random })) {
    const index = Math.floor(chunk / PAGE_ENTRIES);
    if (page?.index !== index) page = { index, page: await repository.readPage(snapshot, index) };
    const due = page.page.get(chunk % PAGE_ENTRIES)?.id;
    const plain = buffer.subarray(0, Math.min(chunkBytes, sizeBytes - chunk * chunkBytes));
    checked++;
    const isZero = await disk.read(chunk, plain) === 0 || plain.every((byte) => byte === 0);
    if (isZero) {
      if (due !== undefined) return { checked, differs: chunk };
      continue;
    }
    const found = await lanes.identify(plain);
    buffer = await found.release();
    if (found.id !== due) return { checked, differs: chunk };
  }
  return { checked, differs: undefined };
}

/** Picks so many of the chunks outside of a set that each has the same chance; ascending. */
export function* sampleOf(
  touched: ChunkSet,
  of: { count: number; share: number; random: () => number },
): Generator<number> {
  let left = of.count - touched.size;
  let wanted = Math.ceil(left * of.share);
  for (let chunk = 0; chunk < of.count && wanted > 0; chunk++) {
    if (touched.has(chunk)) continue;
    if (of.random() * left < wanted) {
      wanted--;
      yield chunk;
    }
    left--;
  }
}
