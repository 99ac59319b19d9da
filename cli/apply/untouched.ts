/**
 * Tells by content whether a target is the one that something was made for.
 *
 * Names and inodes change when a disk is moved. What does not change is the part that the apply leaves alone:
 * a few blocks of it, chosen by the stretches that are written, are hashed. Before and after the apply the
 * answer is the same.
 */
import { createHash } from "node:crypto";
import { Batch, roundUp, type Source } from "../../core-as/host/mod.ts";

const BLOCK_BYTES = 4096;
const BLOCKS = 64;

/** Picks blocks that no stretch touches. Stretches come in ascending order. */
export class UntouchedBlocks {
  private readonly offsets: number[] = [];
  /** Everything below is dealt with. */
  private passedBytes = 0;

  constructor(private readonly diskBytes: number) {}

  /** Takes the next stretch that is written. */
  touch(stretch: { offsetBytes: number; lengthBytes: number }): void {
    this.pick(stretch.offsetBytes);
    this.passedBytes = Math.max(this.passedBytes, stretch.offsetBytes + stretch.lengthBytes);
  }

  /**
   * Hashes the blocks; call after the last stretch.
   *
   * @returns 16 hexadecimal digits.
   */
  async hash(target: Source): Promise<string> {
    this.pick(this.diskBytes);
    const buffer = new Uint8Array(this.offsets.length * BLOCK_BYTES);
    const batch = new Batch();
    this.offsets.forEach((offsetBytes, i) => {
      batch.add({ offsetBytes, lengthBytes: BLOCK_BYTES, at: i * BLOCK_BYTES });
    });
    await target.read(batch, buffer);
    const hash = createHash("sha256").update(`${this.diskBytes} ${this.offsets.join(" ")}\n`).update(buffer);
    return hash.digest("hex").slice(0, 16);
  }

  /** Picks from the gap that ends at `endBytes`: the first block at or behind each of evenly spread places. */
  private pick(endBytes: number): void {
    for (let next = this.offsets.length; next < BLOCKS; next++) {
      const wanted = Math.floor(this.diskBytes / BLOCKS) * next;
      const last = this.offsets.at(-1);
      const from = Math.max(this.passedBytes, wanted, last === undefined ? 0 : last + BLOCK_BYTES);
      const offsetBytes = roundUp(from, BLOCK_BYTES);
      if (offsetBytes + BLOCK_BYTES > endBytes) return;
      this.offsets.push(offsetBytes);
    }
  }
}
