/**
 * Which pieces of equal size of one disk are meant.
 *
 * This module is browser compatible.
 */

/** A set of chunks, or of other pieces, of one disk: a bit each. */
export class ChunkSet implements Iterable<number> {
  private readonly bits: Uint8Array;
  /** Chunks in the set. */
  size = 0;

  /** @param count Chunks of the disk. */
  constructor(readonly count: number) {
    this.bits = new Uint8Array(Math.ceil(count / 8));
  }

  /** All chunks. */
  static full(count: number): ChunkSet {
    const set = new ChunkSet(count);
    set.addRange(0, count);
    return set;
  }

  add(index: number): void {
    const bit = 1 << (index & 7);
    if ((this.bits[index >>> 3]! & bit) !== 0) return;
    this.bits[index >>> 3]! |= bit;
    this.size++;
  }

  addRange(from: number, to: number): void {
    for (let i = from; i < to; i++) this.add(i);
  }

  /** Adds every chunk that a stretch of the disk touches. */
  addBytes(stretch: { start: number; length: number }, chunkBytes: number): void {
    if (stretch.length === 0) return;
    const last = Math.floor((stretch.start + stretch.length - 1) / chunkBytes);
    this.addRange(Math.floor(stretch.start / chunkBytes), Math.min(this.count, last + 1));
  }

  has(index: number): boolean {
    return (this.bits[index >>> 3]! & 1 << (index & 7)) !== 0;
  }

  *[Symbol.iterator](): Generator<number> {
    for (let byte = 0; byte < this.bits.length; byte++) {
      const bits = this.bits[byte]!;
      for (let bit = 0; bits >>> bit !== 0; bit++) if ((bits >>> bit & 1) !== 0) yield byte * 8 + bit;
    }
  }
}
