/**
 * A repository as it is read: its snapshots, their maps, their chunks. Every piece is checked before it is believed.
 *
 * This module is browser compatible.
 */
import { type ErrorDetail, RegrainError } from "../errors.ts";
import type { RepositoryDescription } from "./description.ts";
import { type ChunkEntry, ENTRY_BYTES, MapPage, PAGE_ENTRIES } from "./map_page.ts";
import {
  contentKey,
  type ContentKind,
  type ContentName,
  type ContentSuffix,
  parseContentKey,
  parseSnapshotKey,
} from "./names.ts";
import type { ObjectReader } from "./objects.ts";
import { type Codec, ENVELOPE_BYTES, type RepositoryKeys, unseal } from "./sealing.ts";
import {
  entriesOfPage,
  MAX_MANIFEST_BYTES,
  pageCount,
  type PageReference,
  parseSnapshot,
  sha256Hex,
  type Snapshot,
} from "./snapshot.ts";

/** What zstd may add to bytes that it cannot make smaller, and encryption besides. */
const MAX_ADDED_BYTES = 64 * 1024;

/** A manifest in the store, by its key. */
export interface SnapshotName {
  readonly key: string;
  readonly source: string;
  readonly id: string;
}

/** Means to read what a repository holds. */
export interface ReaderMeans {
  readonly codec: Codec;
  readonly keys: RepositoryKeys | undefined;
}

export class RepositoryReader {
  constructor(
    readonly store: ObjectReader,
    readonly description: RepositoryDescription,
    readonly means: ReaderMeans,
  ) {}

  get suffix(): ContentSuffix {
    return this.means.keys === undefined ? "zst" : "enc";
  }

  /** How messages name an object. */
  pathOf(key: string): string {
    return `${this.store.label}/${key}`;
  }

  /** Every manifest in the store, oldest first; nothing is read. */
  async listSnapshots(source?: string): Promise<SnapshotName[]> {
    const names: SnapshotName[] = [];
    for await (const { key } of this.store.list(source === undefined ? "snaps/" : `snaps/${source}/`)) {
      const name = parseSnapshotKey(key);
      if (name !== undefined) names.push({ key, ...name });
    }
    return names.sort((a, b) => a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
  }

  /**
   * Reads a manifest.
   *
   * @returns `undefined` when it is gone, be it since it was listed.
   * @throws {RegrainError} `SNAPSHOT_DAMAGED`, `REPO_MIXED`, `REPO_UNSUPPORTED`.
   */
  async readSnapshot({ key, source, id }: SnapshotName): Promise<Snapshot | undefined> {
    const path = this.pathOf(key);
    const stored = await this.store.get(key, MAX_MANIFEST_BYTES);
    if (stored === undefined) return undefined;
    const { keys } = this.means;
    const plain = keys === undefined ? stored : await keys.decrypt(key, stored);
    if (plain === undefined) {
      throw new RegrainError("SNAPSHOT_DAMAGED", "was not encrypted for this place, or was changed since", {
        path,
      });
    }
    const snapshot = await parseSnapshot(plain, path);
    const { repository, chunkBytes } = snapshot;
    if (repository !== this.description.id || snapshot.id !== id || snapshot.source.key !== source) {
      const what = repository === this.description.id
        ? `snapshot ${snapshot.id} of ${snapshot.source.key}`
        : `repository ${repository}`;
      throw new RegrainError("REPO_MIXED", `belongs to ${what}, and not where it stands`, { path });
    }
    if (chunkBytes !== this.description.chunkBytes) {
      throw new RegrainError("SNAPSHOT_DAMAGED", `has chunks of ${chunkBytes} bytes, unlike its repository`, {
        path,
      });
    }
    return snapshot;
  }

  /** One page of a snapshot's map. */
  async readPage(
    snapshot: Pick<Snapshot, "sizeBytes" | "chunkBytes" | "pages">,
    index: number,
  ): Promise<MapPage> {
    const entries = entriesOfPage(snapshot, index);
    const reference = snapshot.pages[index];
    if (reference === null || reference === undefined) return MapPage.empty(entries);
    return await this.readPageOf(reference, entries);
  }

  /**
   * The page of a reference, which must have that many entries.
   *
   * @throws {RegrainError} `CHUNK_MISSING`, `SNAPSHOT_DAMAGED`.
   */
  async readPageOf(reference: PageReference, entries: number): Promise<MapPage> {
    const name = { kind: "maps", ...reference } as const;
    const stored = await this.fetch(name, entries * ENTRY_BYTES);
    try {
      const page = MapPage.parse(await this.open(stored, entries * ENTRY_BYTES), {
        path: stored.path,
        entries,
      });
      if (await sha256Hex(page.content()) === reference.content) return page;
    } catch (error) {
      if (error instanceof RegrainError && error.code === "CHUNK_DAMAGED") throw damagedPage(error);
      throw error;
    }
    throw new RegrainError("SNAPSHOT_DAMAGED", "the page does not list what the manifest says it lists", {
      path: stored.path,
    });
  }

  /** Every page of a map in order, with the index of its first chunk. */
  async *pages(snapshot: Snapshot): AsyncGenerator<{ page: MapPage; firstChunk: number }> {
    for (let i = 0; i < pageCount(snapshot); i++) {
      yield { page: await this.readPage(snapshot, i), firstChunk: i * PAGE_ENTRIES };
    }
  }

  /** The plain bytes of a chunk; `plainBytes` is what it must unpack to. */
  async readChunk(entry: ChunkEntry, plainBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    return await this.open(await this.fetch({ kind: "chunks", ...entry }, plainBytes), plainBytes);
  }

  /**
   * The stored bytes of content, as they are.
   *
   * The same content may stand under another generation of its name; where the one that is asked for is gone, any
   * other serves as well, since the id is the hash of what is in it.
   *
   * @throws {RegrainError} `CHUNK_MISSING`.
   */
  async fetch(name: ContentName, plainBytes: number): Promise<StoredContent> {
    const key = contentKey(name, this.suffix);
    const bytes = await this.store.get(key, plainBytes + MAX_ADDED_BYTES + ENVELOPE_BYTES);
    if (bytes !== undefined) return { name, key, path: this.pathOf(key), bytes };
    for (const other of await this.generationsOf(name)) {
      const found = await this.store.get(
        contentKey(other, this.suffix),
        plainBytes + MAX_ADDED_BYTES + ENVELOPE_BYTES,
      );
      if (found === undefined) continue;
      const otherKey = contentKey(other, this.suffix);
      return { name: other, key: otherKey, path: this.pathOf(otherKey), bytes: found };
    }
    throw new RegrainError("CHUNK_MISSING", "is not in the repository", { path: this.pathOf(key) });
  }

  /** Every generation of some content that the store lists. */
  async generationsOf({ kind, id }: { kind: ContentKind; id: string }): Promise<ContentName[]> {
    const names: ContentName[] = [];
    for await (const { key } of this.store.list(`${kind}/${id.slice(0, 2)}/${id}`)) {
      const name = parseContentKey(key);
      if (name !== undefined && name.id === id) names.push(name);
    }
    return names;
  }

  /** Unpacks stored content in this thread. */
  async open(stored: StoredContent, plainBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const { key, path, bytes, name } = stored;
    return await unseal(bytes, { key, path, id: name.id, plainBytes }, this.means);
  }
}

/** Content as it came from the store. */
export interface StoredContent {
  readonly name: ContentName;
  readonly key: string;
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

function damagedPage(error: RegrainError): RegrainError {
  const detail: ErrorDetail = error.path === undefined ? {} : { path: error.path };
  return new RegrainError("SNAPSHOT_DAMAGED", error.reason, { ...detail, cause: error });
}
