/**
 * What differs between two snapshots. Pages that are equal are not even read.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import type { Run } from "../source.ts";
import { type MapPage, PAGE_ENTRIES } from "./map_page.ts";
import type { RepositoryReader } from "./reader.ts";
import { chunkCount, pageCount, type Snapshot } from "./snapshot.ts";

/**
 * The newer disk as runs that cover it without a gap: `hole` where it is as in the older one, `data` and `zero` where
 * it is not. What lies behind the end of the older disk has changed. In whole chunks, but for the end.
 */
export async function* diffSnapshots(
  repository: RepositoryReader,
  older: Snapshot,
  newer: Snapshot,
): AsyncGenerator<Run> {
  if (older.chunkBytes !== newer.chunkBytes) {
    throw new RegrainError("SIZE_MISMATCH", "the two snapshots have chunks of different size", {
      path: repository.store.label,
    });
  }
  let last: Run | undefined;
  for await (const run of rawRuns(repository, older, newer)) {
    if (last?.kind === run.kind) last = { ...last, length: last.length + run.length };
    else {
      if (last !== undefined) yield last;
      last = run;
    }
  }
  if (last !== undefined) yield last;
}

/** Runs in order; neighbours may be of one kind. */
async function* rawRuns(
  repository: RepositoryReader,
  older: Snapshot,
  newer: Snapshot,
): AsyncGenerator<Run> {
  const { chunkBytes, sizeBytes } = newer;
  for (let index = 0; index < pageCount(newer); index++) {
    const first = index * PAGE_ENTRIES;
    const start = first * chunkBytes;
    if (samePage(older, newer, index)) {
      yield { start, length: Math.min(PAGE_ENTRIES * chunkBytes, sizeBytes - start), kind: "hole" };
      continue;
    }
    const before = index < pageCount(older) ? await repository.readPage(older, index) : undefined;
    const after = await repository.readPage(newer, index);
    for (let i = 0; i < after.entries; i++) {
      const at = start + i * chunkBytes;
      const length = Math.min(chunkBytes, sizeBytes - at);
      yield { start: at, length, kind: kindOf(before, after, i) };
    }
  }
}

/** Pages are compared by what they say of the disk; their last chunk is as long in both, or named otherwise. */
function samePage(older: Snapshot, newer: Snapshot, index: number): boolean {
  const [before, after] = [older.pages[index], newer.pages[index]];
  if (before === undefined || before?.content !== after?.content) return false;
  if (before !== null) return true;
  // Two pages of zeros are equal as far as both reach.
  return chunkCount(older) >= Math.min((index + 1) * PAGE_ENTRIES, chunkCount(newer)) &&
    older.sizeBytes >= Math.min((index + 1) * PAGE_ENTRIES * newer.chunkBytes, newer.sizeBytes);
}

function kindOf(before: MapPage | undefined, after: MapPage, i: number): Run["kind"] {
  const isKnown = before !== undefined && i < before.entries;
  if (after.isZero(i)) return isKnown && before.isZero(i) ? "hole" : "zero";
  return isKnown && before.get(i)?.id === after.get(i)!.id ? "hole" : "data";
}
