/** Where content stands on disks: every page of a map is read once, however many snapshots share it. */
import { RegrainError } from "../../core-as/host/errors.ts";
import {
  contentStem,
  entriesOfPage,
  ENTRY_BYTES,
  type MapPage,
  PAGE_ENTRIES,
  type PageReference,
  parseContentStem,
  type Snapshot,
} from "../../core-as/host/repo/mod.ts";
import { IdTable } from "./id_table.ts";
import type { Repository } from "./repository.ts";

/** A stretch of a snapshot's disk. */
export interface Place {
  readonly snapshot: Snapshot;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** A page, and where it stands in the first snapshot that has it. */
export interface SharedPage {
  readonly reference: PageReference;
  readonly entries: number;
  readonly snapshot: Snapshot;
  readonly index: number;
}

/** Pages that differ, and in which snapshots each stands. */
export function distinctPages(snapshots: readonly Snapshot[]): Map<string, SharedPage[]> {
  const pages = new Map<string, SharedPage[]>();
  for (const snapshot of snapshots) {
    for (const [index, reference] of snapshot.pages.entries()) {
      if (reference === null) continue;
      const entries = entriesOfPage(snapshot, index);
      const key = `${contentStem(reference)}/${entries}/${reference.content}`;
      const page = { reference, entries, snapshot, index };
      const there = pages.get(key);
      if (there === undefined) pages.set(key, [page]);
      else there.push(page);
    }
  }
  return pages;
}

/** Bytes of the disk that one chunk holds; those at the end may be fewer. */
export function plainBytesOf({ sizeBytes, chunkBytes }: Snapshot, chunk: number): number {
  return Math.min(chunkBytes, sizeBytes - chunk * chunkBytes);
}

/** The stretch that a page stands for. */
export function placeOfPage({ snapshot, index, entries }: SharedPage): Place {
  const offsetBytes = index * PAGE_ENTRIES * snapshot.chunkBytes;
  const lengthBytes = Math.min(entries * snapshot.chunkBytes, snapshot.sizeBytes - offsetBytes);
  return { snapshot, offsetBytes, lengthBytes };
}

/** A chunk of a page, as bytes: a disk has millions of them, and text of every id would take most of the time. */
export interface RawChunk {
  /** Of the page, not to be kept. */
  readonly id: Uint8Array<ArrayBuffer>;
  readonly generation: number;
  readonly storedBytes: number;
  /** Its place in the page. */
  readonly at: number;
}

const GENERATION_AT = 1;
const STORED_AT = 4;

/** Entries of a page that are chunks. */
export function* chunksOf(page: MapPage): Generator<RawChunk> {
  const { buffer, byteOffset, byteLength } = page.bytes;
  const view = new DataView(buffer, byteOffset, byteLength);
  for (let at = 0; at < page.entries; at++) {
    if (page.isZero(at)) continue;
    const start = at * ENTRY_BYTES;
    const generation = view.getUint8(start + GENERATION_AT);
    yield { id: page.idBytes(at), generation, storedBytes: view.getUint32(start + STORED_AT, true), at };
  }
}

/** True when the content is at fault, and not the way to it. */
export function isDamage(error: unknown): error is RegrainError {
  return error instanceof RegrainError &&
    ["CHUNK_DAMAGED", "CHUNK_MISSING", "SNAPSHOT_DAMAGED", "LIMIT_EXCEEDED"].includes(error.code);
}

/**
 * Which places of which snapshots need the chunks with these stems. Pages that cannot be read are passed over.
 *
 * @returns places by stem, snapshots in their order, ascending.
 */
export async function findHits(
  repository: Repository,
  snapshots: readonly Snapshot[],
  stems: ReadonlySet<string>,
): Promise<Map<string, Place[]>> {
  const hits = new Map<string, Place[]>();
  if (stems.size === 0) return hits;
  const asked = new IdTable();
  for (const stem of stems) asked.setNamed(parseContentStem(stem)!, 0);
  for (const users of distinctPages(snapshots).values()) {
    const page = await readIfSound(repository, users[0]!);
    if (page === undefined) continue;
    for (const { id, generation, at } of chunksOf(page)) {
      if (!asked.has(id, generation)) continue;
      const stem = contentStem(page.get(at)!);
      const places = hits.get(stem) ?? [];
      places.push(...users.map((user) => placeOfChunk(user, at)));
      hits.set(stem, places);
    }
  }
  for (const places of hits.values()) places.sort(byPlace);
  return hits;
}

function placeOfChunk({ snapshot, index }: SharedPage, at: number): Place {
  const chunk = index * PAGE_ENTRIES + at;
  const lengthBytes = plainBytesOf(snapshot, chunk);
  return { snapshot, offsetBytes: chunk * snapshot.chunkBytes, lengthBytes };
}

function byPlace(a: Place, b: Place): number {
  if (a.snapshot.id !== b.snapshot.id) return a.snapshot.id < b.snapshot.id ? -1 : 1;
  return a.offsetBytes - b.offsetBytes;
}

async function readIfSound(
  repository: Repository,
  { reference, entries }: SharedPage,
): Promise<MapPage | undefined> {
  try {
    return await repository.readPageOf(reference, entries);
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  }
}
