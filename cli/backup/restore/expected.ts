/** What a target is to hold once a snapshot, with a delta over it if need be, is restored onto it. */
import type { RegrainError, Stretch } from "../../../core-as/host/mod.ts";
import type { ChunkEntry, Snapshot } from "../../../core-as/host/repo/mod.ts";
import { Gate } from "../../lanes/gate.ts";
import type { Lanes } from "../lanes.ts";
import { isDamage } from "../places.ts";
import type { Repository } from "../repository.ts";
import type { Overlay } from "./restore.ts";
import { fromOtherGeneration, salvagedPages } from "./salvage.ts";

export interface ExpectedChunk extends Stretch {
  readonly chunk: number;
  /** The object that has it; `undefined` of zeros, of what the overlay has, and of what the damaged map hides. */
  readonly entry: ChunkEntry | undefined;
  readonly isOverlaid: boolean;
  /** Why nobody knows what it should be. */
  readonly damage: RegrainError | undefined;
}

/** What is read, and how. */
export interface ExpectedDisk {
  readonly repository: Repository;
  readonly snapshot: Snapshot;
  readonly lanes: Lanes;
  readonly overlay: Overlay | undefined;
  /** Whether what cannot be read is given as zeros; else it is an error. */
  readonly isTolerant: boolean;
}

/** Reads the content of chunks. */
export class Expectation {
  /** The overlay's reader has the kernels to itself. */
  private readonly overlaying = new Gate(1);
  /** Bytes of objects that were fetched. */
  fetchedBytes = 0;

  constructor(readonly disk: ExpectedDisk) {}

  /** Every chunk in order, from the one on that a byte of the disk is in. */
  async *chunks(fromBytes = 0): AsyncGenerator<ExpectedChunk> {
    const { repository, snapshot, overlay, isTolerant } = this.disk;
    const { sizeBytes, chunkBytes } = snapshot;
    const pages = salvagedPages(repository, snapshot, isTolerant ? () => {} : undefined);
    for await (const { page, firstChunk, damage } of pages) {
      for (let i = 0; i < page.entries; i++) {
        const chunk = firstChunk + i;
        const offsetBytes = chunk * chunkBytes;
        const lengthBytes = Math.min(chunkBytes, sizeBytes - offsetBytes);
        if (offsetBytes + lengthBytes <= fromBytes) continue;
        const isOverlaid = overlay?.touched.has(chunk) ?? false;
        yield {
          chunk,
          offsetBytes,
          lengthBytes,
          isOverlaid,
          entry: isOverlaid ? undefined : page.get(i),
          damage: isOverlaid ? undefined : damage,
        };
      }
    }
  }

  /**
   * The bytes of a chunk; `undefined` of zeros.
   *
   * @returns with `damage` where nobody knows them: it is zeros then.
   */
  async read(chunk: ExpectedChunk): Promise<{ plain?: Uint8Array<ArrayBuffer>; damage?: RegrainError }> {
    if (chunk.damage !== undefined) return { damage: chunk.damage };
    try {
      if (chunk.isOverlaid) return await this.readOverlaid(chunk);
      return chunk.entry === undefined ? {} : { plain: await this.fetch(chunk.entry, chunk.lengthBytes) };
    } catch (error) {
      if (!this.disk.isTolerant || !isDamage(error)) throw error;
      const other = chunk.entry && await this.fetchOther(chunk.entry, chunk.lengthBytes);
      return other === undefined ? { damage: error } : { plain: other };
    }
  }

  private async readOverlaid(
    { chunk, lengthBytes }: ExpectedChunk,
  ): Promise<{ plain?: Uint8Array<ArrayBuffer> }> {
    const plain = new Uint8Array(lengthBytes);
    const count = await this.overlaying.run(() => this.disk.overlay!.read(chunk, plain));
    return count === 0 ? {} : { plain };
  }

  private async fetch(entry: ChunkEntry, plainBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const stored = await this.disk.repository.fetch({ kind: "chunks", ...entry }, plainBytes);
    this.fetchedBytes += stored.bytes.length;
    const { key, path, name: { id } } = stored;
    return await this.disk.lanes.unseal(stored.bytes, { key, path, id, plainBytes });
  }

  private async fetchOther(
    entry: ChunkEntry,
    plainBytes: number,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return await fromOtherGeneration({ kind: "chunks", ...entry }, plainBytes, this.disk);
  }
}
