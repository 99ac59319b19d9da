/**
 * Tells by content whether a target is the one that something was made for.
 *
 * Names and inodes change when a disk is moved. What does not change is the part that the apply leaves alone: a few
 * blocks of it are hashed. Before and after the apply, and in the middle of it, the answer is the same.
 */
import { Batch, roundUp, type Source } from "../../core-as/host/mod.ts";

/** Bytes of a block. */
export const UNTOUCHED_BLOCK_BYTES = 4096;
/** Few enough for their places to fit into a snapshot name. */
const BLOCKS = 12;

/** Picks blocks that no stretch touches, spread over the disk. Stretches come in ascending order. */
export class UntouchedBlocks {
  private readonly blocks: number[] = [];
  /** Everything below is dealt with. */
  private passedBytes = 0;

  constructor(private readonly diskBytes: number) {}

  /** Takes the next stretch that is written. */
  touch(stretch: { offsetBytes: number; lengthBytes: number }): void {
    this.pick(stretch.offsetBytes);
    this.passedBytes = Math.max(this.passedBytes, stretch.offsetBytes + stretch.lengthBytes);
  }

  /** The numbers of the blocks; call after the last stretch. */
  finish(): readonly number[] {
    this.pick(this.diskBytes);
    return this.blocks;
  }

  /** Picks from the gap that ends at `endBytes`: the first block at or behind each of evenly spread places. */
  private pick(endBytes: number): void {
    for (let next = this.blocks.length; next < BLOCKS; next++) {
      const wanted = Math.floor(this.diskBytes / BLOCKS) * next;
      const last = this.blocks.at(-1);
      const behindLast = last === undefined ? 0 : (last + 1) * UNTOUCHED_BLOCK_BYTES;
      const offsetBytes = roundUp(Math.max(this.passedBytes, wanted, behindLast), UNTOUCHED_BLOCK_BYTES);
      if (offsetBytes + UNTOUCHED_BLOCK_BYTES > endBytes) return;
      this.blocks.push(offsetBytes / UNTOUCHED_BLOCK_BYTES);
    }
  }
}

/**
 * Hashes blocks of a target.
 *
 * @returns 16 hexadecimal digits.
 */
export async function hashBlocks(target: Source, blocks: readonly number[]): Promise<string> {
  const buffer = new Uint8Array(blocks.length * UNTOUCHED_BLOCK_BYTES);
  const batch = new Batch();
  blocks.forEach((block, i) => {
    const offsetBytes = block * UNTOUCHED_BLOCK_BYTES;
    batch.add({ offsetBytes, lengthBytes: UNTOUCHED_BLOCK_BYTES, at: i * UNTOUCHED_BLOCK_BYTES });
  });
  await target.read(batch, buffer);
  // Loading it costs every other run its time.
  const { createHash } = await import("node:crypto");
  return createHash("sha256").update(buffer).digest("hex").slice(0, 16);
}
