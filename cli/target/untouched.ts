/**
 * Blocks that an apply leaves alone: they are the same before, during and after it, and so tell the target from others
 * and show whether something else wrote to it. Blocks of zeros tell nothing, as every disk has them.
 */
import { readBytes, roundUp, type Source } from "../../core-as/host/mod.ts";
import { sha256Hex } from "./content_hash.ts";
import { UNTOUCHED_BLOCK_BYTES } from "./undo_name.ts";

/** Places spread over the disk, and as many right behind what is written, where the file system is alive. */
const SPREAD = 128;
const NEAR = 128;

/** Picks blocks that no stretch touches. Stretches come in ascending order. */
export class UntouchedBlocks {
  private readonly spread: number[] = [];
  private readonly near = new Thinned<number>(NEAR);
  /** Everything below is dealt with. */
  private passedBytes = 0;

  constructor(private readonly diskBytes: number) {}

  /** Takes the next stretch that is written. */
  touch(stretch: { offsetBytes: number; lengthBytes: number }): void {
    this.pick(stretch.offsetBytes);
    this.passedBytes = Math.max(this.passedBytes, stretch.offsetBytes + stretch.lengthBytes);
  }

  /** The numbers of the blocks, ascending; call after the last stretch. */
  finish(): readonly number[] {
    this.pick(this.diskBytes);
    return [...new Set([...this.spread, ...this.near.items])].sort((a, b) => a - b);
  }

  /** Picks from the gap that ends at `endBytes`: the first block at or behind each of evenly spread places. */
  private pick(endBytes: number): void {
    const first = roundUp(this.passedBytes, UNTOUCHED_BLOCK_BYTES);
    if (this.passedBytes > 0 && first + UNTOUCHED_BLOCK_BYTES <= endBytes) {
      this.near.add(first / UNTOUCHED_BLOCK_BYTES);
    }
    for (let next = this.spread.length; next < SPREAD; next++) {
      const wanted = Math.floor(this.diskBytes / SPREAD) * next;
      const last = this.spread.at(-1);
      const pastLast = last === undefined ? 0 : (last + 1) * UNTOUCHED_BLOCK_BYTES;
      const offsetBytes = roundUp(Math.max(this.passedBytes, wanted, pastLast), UNTOUCHED_BLOCK_BYTES);
      if (offsetBytes + UNTOUCHED_BLOCK_BYTES > endBytes) return;
      this.spread.push(offsetBytes / UNTOUCHED_BLOCK_BYTES);
    }
  }
}

/** The same for stretches that come in any order: blocks spread over the disk, less those that were touched. */
export class SurvivingBlocks {
  private readonly blocks: number[];
  private readonly isTouched: boolean[] = [];

  constructor(diskBytes: number) {
    const count = Math.floor(diskBytes / UNTOUCHED_BLOCK_BYTES);
    const all = Array.from({ length: SPREAD + NEAR }, (_, i) => Math.floor(count / (SPREAD + NEAR) * i));
    this.blocks = [...new Set(all)].filter((block) => block < count);
  }

  touch(stretch: { offsetBytes: number; lengthBytes: number }): void {
    const first = Math.floor(stretch.offsetBytes / UNTOUCHED_BLOCK_BYTES);
    const end = Math.ceil((stretch.offsetBytes + stretch.lengthBytes) / UNTOUCHED_BLOCK_BYTES);
    for (let i = this.indexOf(first); i < this.blocks.length && this.blocks[i]! < end; i++) {
      this.isTouched[i] = true;
    }
  }

  finish(): readonly number[] {
    return this.blocks.filter((_, i) => !this.isTouched[i]);
  }

  /** Index of the first block at or behind `block`. */
  private indexOf(block: number): number {
    let low = 0;
    for (let high = this.blocks.length; low < high;) {
      const middle = (low + high) >> 1;
      if (this.blocks[middle]! < block) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** At most `limit` of all items that are added, evenly thinned out. */
export class Thinned<T> {
  readonly items: T[] = [];
  private seen = 0;
  private step = 1;

  constructor(private readonly limit: number) {}

  add(item: T): void {
    if (this.seen++ % this.step !== 0) return;
    this.items.push(item);
    if (this.items.length <= this.limit) return;
    this.step *= 2;
    const kept = this.items.filter((_, i) => i % 2 === 0);
    this.items.splice(0, this.items.length, ...kept);
    // The item that made it too many may itself have been dropped: counting goes on from the last that was kept.
    this.seen = (kept.length - 1) * this.step + 1;
  }
}

/** The golden section: steps of it visit a list evenly, wherever the visit ends. */
const GOLDEN = 0.6180339887498949;

/** Of the blocks some that are not all zeros, at most `limit`, spread over them; no more are read than that takes. */
export async function nonZeroBlocks(
  source: Source,
  { blocks, limit }: { blocks: readonly number[]; limit: number },
): Promise<number[]> {
  const order = blocks.map((block, i) => ({ block, turn: (i * GOLDEN) % 1 })).sort((a, b) => a.turn - b.turn);
  const found: number[] = [];
  for (const { block } of order) {
    if (found.length === limit) break;
    const bytes = await readBytes(source, block * UNTOUCHED_BLOCK_BYTES, UNTOUCHED_BLOCK_BYTES);
    if (bytes.some((byte) => byte !== 0)) found.push(block);
  }
  return found.sort((a, b) => a - b);
}

/**
 * Hashes blocks of a target, all together.
 *
 * @returns 16 hexadecimal digits.
 */
export async function hashBlocks(target: Source, blocks: readonly number[]): Promise<string> {
  const bytes = new Uint8Array(blocks.length * UNTOUCHED_BLOCK_BYTES);
  for (const [i, block] of blocks.entries()) {
    const offsetBytes = block * UNTOUCHED_BLOCK_BYTES;
    bytes.set(await readBytes(target, offsetBytes, UNTOUCHED_BLOCK_BYTES), i * UNTOUCHED_BLOCK_BYTES);
  }
  return (await sha256Hex(bytes)).slice(0, 16);
}
