/**
 * A snapshot as a source: whatever reads an image can read it.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import type { Batch, Medium, Run, Source } from "../source.ts";
import { type ChunkEntry, type MapPage, PAGE_ENTRIES } from "./map_page.ts";
import type { RepositoryReader } from "./reader.ts";
import { pageCount, type Snapshot } from "./snapshot.ts";

/** Unpacked chunks that are kept: reading in order with pieces of any size unpacks each once. */
const KEPT_CHUNKS = 4;
/** Chunks are fetched whole, from a store that may be far away. */
const FETCHES_AT_ONCE = 8;
/** 40 KB each. */
const KEPT_PAGES = 64;

export class SnapshotSource implements Source {
  readonly isDisk = true;
  readonly path: string;
  readonly sizeBytes: number;
  private readonly chunks = new Kept<Uint8Array<ArrayBuffer>>(KEPT_CHUNKS);
  private readonly pages = new Kept<MapPage>(KEPT_PAGES);

  /** @param onDamage Told of a chunk that cannot be read, before whoever reads it is. */
  constructor(
    private readonly repository: RepositoryReader,
    private readonly snapshot: Snapshot,
    private readonly onDamage?: (chunk: number, error: RegrainError) => void,
  ) {
    this.path = `repo:${snapshot.source.name}@${snapshot.id}`;
    this.sizeBytes = snapshot.sizeBytes;
  }

  get medium(): Medium {
    return { preferredBytes: this.snapshot.chunkBytes, inFlight: FETCHES_AT_ONCE };
  }

  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    for (let i = 0; i < batch.count; i++) {
      const offsetBytes = batch.offsetBytes[i]!;
      const lengthBytes = batch.lengthBytes[i]!;
      await this.readStretch({ offsetBytes, lengthBytes, at: batch.at[i]! }, buffer);
    }
  }

  async runs(fromBytes: number, toBytes: number): Promise<Run[]> {
    const { chunkBytes } = this.snapshot;
    const runs: Run[] = [];
    for (let at = fromBytes; at < toBytes;) {
      const chunk = Math.floor(at / chunkBytes);
      const end = Math.min(toBytes, (chunk + 1) * chunkBytes);
      const kind = (await this.pageOf(chunk))?.isZero(chunk % PAGE_ENTRIES) === false ? "data" : "zero";
      const last = runs.at(-1);
      if (last?.kind === kind) runs[runs.length - 1] = { ...last, length: end - last.start };
      else runs.push({ start: at, length: end - at, kind });
      at = end;
    }
    return runs;
  }

  close(): void {}

  private async readStretch(
    stretch: { offsetBytes: number; lengthBytes: number; at: number },
    buffer: Uint8Array,
  ): Promise<void> {
    const { chunkBytes } = this.snapshot;
    const end = stretch.offsetBytes + stretch.lengthBytes;
    if (end > this.sizeBytes) {
      throw new RegrainError("READ_SHORT", `the disk ends at byte ${this.sizeBytes}`, {
        path: this.path,
        offsetBytes: this.sizeBytes,
      });
    }
    for (let offset = stretch.offsetBytes; offset < end;) {
      const index = Math.floor(offset / chunkBytes);
      const within = offset - index * chunkBytes;
      const length = Math.min(end - offset, chunkBytes - within);
      const at = stretch.at + offset - stretch.offsetBytes;
      const plain = await this.chunkOf(index);
      if (plain === undefined) buffer.fill(0, at, at + length);
      else buffer.set(plain.subarray(within, within + length), at);
      offset += length;
    }
  }

  private async chunkOf(index: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const kept = this.chunks.get(index);
    if (kept !== undefined) return kept;
    const entry = await this.entryOf(index);
    if (entry === undefined) return undefined;
    const { chunkBytes } = this.snapshot;
    const plainBytes = Math.min(chunkBytes, this.sizeBytes - index * chunkBytes);
    return this.chunks.keep(index, await this.readChunk(index, entry, plainBytes));
  }

  private async readChunk(
    index: number,
    entry: ChunkEntry,
    plainBytes: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    try {
      return await this.repository.readChunk(entry, plainBytes);
    } catch (error) {
      if (error instanceof RegrainError && error.code.startsWith("CHUNK_")) this.onDamage?.(index, error);
      throw error;
    }
  }

  private async entryOf(chunk: number): Promise<ChunkEntry | undefined> {
    return (await this.pageOf(chunk))?.get(chunk % PAGE_ENTRIES);
  }

  /** The page of the map that lists a chunk; `undefined` behind the end of the disk. */
  private async pageOf(chunk: number): Promise<MapPage | undefined> {
    const index = Math.floor(chunk / PAGE_ENTRIES);
    if (index >= pageCount(this.snapshot)) return undefined;
    return this.pages.get(index) ??
      this.pages.keep(index, await this.repository.readPage(this.snapshot, index));
  }
}

/** The values that were used last. */
class Kept<T> {
  private readonly values = new Map<number, T>();

  constructor(private readonly most: number) {}

  get(key: number): T | undefined {
    const value = this.values.get(key);
    if (value === undefined) return undefined;
    this.values.delete(key);
    this.values.set(key, value);
    return value;
  }

  keep(key: number, value: T): T {
    this.values.set(key, value);
    if (this.values.size > this.most) this.values.delete(this.values.keys().next().value!);
    return value;
  }
}
