/** Putting a disk together as a restore does, to see whether it is the disk that its manifest names. */
import { Buffer } from "node:buffer";
import {
  contentRoot,
  entriesOfPage,
  fromHex,
  ID_BYTES,
  type PageReference,
  sha256Hex,
  type Snapshot,
} from "../../../core-as/host/repo/mod.ts";
import type { Lanes } from "../lanes.ts";
import { isDamage } from "../places.ts";
import type { Repository } from "../repository.ts";
import { readInOrder } from "../restore/restore.ts";

/**
 * Reads the whole disk in order, and names every piece of it anew.
 *
 * @param means.onPiece Told of the bytes of each piece.
 * @returns what is wrong with the disk; `undefined` when nothing is.
 */
export async function assembleDisk(
  repository: Repository,
  snapshot: Snapshot,
  means: { lanes: Lanes; onPiece: (bytes: number) => void },
): Promise<string | undefined> {
  const { lanes, onPiece } = means;
  const zeros = new Uint8Array(snapshot.chunkBytes);
  const sums = new PageSums(snapshot);
  let sizeBytes = 0;
  try {
    for await (const plain of readInOrder(repository, snapshot, lanes)) {
      const { length } = plain;
      sizeBytes += length;
      const isZero = Buffer.compare(plain, zeros.subarray(0, length)) === 0;
      await sums.add(isZero ? undefined : await identify(plain, lanes));
      onPiece(length);
    }
  } catch (error) {
    if (isDamage(error)) return error.message;
    throw error;
  }
  if (sizeBytes !== snapshot.sizeBytes) return `has ${sizeBytes} bytes, and ${snapshot.sizeBytes} are due`;
  if (await sums.root() === snapshot.root) return undefined;
  return "put together, it is not the disk that the manifest names";
}

async function identify(plain: Uint8Array<ArrayBuffer>, lanes: Lanes): Promise<string> {
  const chunk = await lanes.identify(plain);
  await chunk.release();
  return chunk.id;
}

/** Computes a snapshot's content root from the ids of its chunks, as they come. */
class PageSums {
  private readonly pages: (PageReference | null)[] = [];
  private content: Uint8Array<ArrayBuffer>;
  private at = 0;
  private isZero = true;

  constructor(private readonly snapshot: Snapshot) {
    this.content = this.nextPage();
  }

  /** @param id `undefined` for zeros. */
  async add(id: string | undefined): Promise<void> {
    if (id !== undefined) {
      this.content.set(fromHex(id), this.at);
      this.isZero = false;
    }
    this.at += ID_BYTES;
    if (this.at < this.content.length) return;
    const content = await sha256Hex(this.content);
    this.pages.push(this.isZero ? null : { id: content, generation: 0, content });
    this.content = this.nextPage();
    this.at = 0;
    this.isZero = true;
  }

  root(): Promise<string> {
    return contentRoot(this.pages);
  }

  private nextPage(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(Math.max(0, entriesOfPage(this.snapshot, this.pages.length)) * ID_BYTES);
  }
}
