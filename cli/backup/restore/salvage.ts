/** What is restored of a damaged snapshot: all that is whole, and a list of what is not. */
import type { RegrainError } from "../../../core-as/host/errors.ts";
import {
  entriesOfPage,
  MapPage,
  PAGE_ENTRIES,
  pageCount,
  type Snapshot,
} from "../../../core-as/host/repo/mod.ts";
import type { ChunkEntry } from "../../../core-as/host/repo/mod.ts";
import type { Lanes } from "../lanes.ts";
import { isDamage } from "../places.ts";
import type { Repository } from "../repository.ts";

/** A stretch of the disk that cannot be read, and why. */
export interface DamagedStretch {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly reason: string;
}

/** Told of each stretch that is given as zeros; without it damage is an error. */
export type OnDamaged = (stretch: DamagedStretch) => void;

/** A page of a map; of one that is damaged every entry is `undefined`, which is no statement about the disk then. */
export interface SalvagedPage {
  readonly page: MapPage;
  readonly firstChunk: number;
  readonly damage: RegrainError | undefined;
}

/** Every page of a map in order. */
export async function* salvagedPages(
  repository: Repository,
  snapshot: Snapshot,
  onDamaged: OnDamaged | undefined,
): AsyncGenerator<SalvagedPage> {
  for (let i = 0; i < pageCount(snapshot); i++) {
    const firstChunk = i * PAGE_ENTRIES;
    try {
      yield { page: await repository.readPage(snapshot, i), firstChunk, damage: undefined };
    } catch (error) {
      if (onDamaged === undefined || !isDamage(error)) throw error;
      yield { page: MapPage.empty(entriesOfPage(snapshot, i)), firstChunk, damage: error };
    }
  }
}

/**
 * The content of a chunk whose own object is damaged, from another generation of it: a backup may have stored it anew.
 *
 * @returns `undefined` when there is no sound one.
 */
export async function fromOtherGeneration(
  { kind, id, generation }: { kind: "chunks" } & ChunkEntry,
  plainBytes: number,
  means: { repository: Repository; lanes: Lanes },
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { repository, lanes } = means;
  for (const other of await repository.generationsOf({ kind, id })) {
    if (other.generation === generation) continue;
    try {
      const { bytes, key, path } = await repository.fetch(other, plainBytes);
      return await lanes.unseal(bytes, { key, path, id, plainBytes });
    } catch (error) {
      if (!isDamage(error)) throw error;
    }
  }
  return undefined;
}

/** The stretches in the order of the disk; those that touch are one, with the reason of the first. */
export function inOrder(stretches: readonly DamagedStretch[]): DamagedStretch[] {
  const merged: DamagedStretch[] = [];
  for (const next of stretches.toSorted((a, b) => a.offsetBytes - b.offsetBytes)) {
    const last = merged.at(-1);
    if (last === undefined || last.offsetBytes + last.lengthBytes < next.offsetBytes) merged.push(next);
    else merged[merged.length - 1] = { ...last, lengthBytes: last.lengthBytes + next.lengthBytes };
  }
  return merged;
}
