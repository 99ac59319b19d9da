/**
 * Where an overwrite changes something: sectors in which old and new bytes differ. By these it can be told later
 * whether a target was written; a sector that holds the same before and after tells nothing.
 */
import { Batch, KIB, SECTOR_SIZE, type Source } from "../../core-as/host/mod.ts";

/** A sector that is about to change. */
export interface Difference {
  readonly offsetBytes: number;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** What is about to be written; `at` is where its bytes are in `buffer`, negative of zeros. */
export interface Overwrite {
  readonly target: Source;
  readonly stretches: Batch;
  readonly buffer: Uint8Array;
}

/** Read at once; runs of one write mostly lie close together. */
const SPAN_BYTES = 64 * KIB;
const ZEROS = new Uint8Array(SPAN_BYTES);

/**
 * Looks at some places of an overwrite, spread over it.
 *
 * @param options `places`: how many are looked at, each of at most 64 KiB. `thorough`: where none of these differs, all
 * of it is looked through for one that does.
 * @returns at most one difference a place, in the order of the stretches.
 */
export async function findDifferences(
  overwrite: Overwrite,
  options: { places: number; thorough: boolean },
): Promise<Difference[]> {
  const search = new Search(overwrite);
  const found: Difference[] = [];
  const share = search.totalBytes / options.places;
  for (let i = 0; i < options.places; i++) {
    const fromBytes = Math.ceil(share * i / SECTOR_SIZE) * SECTOR_SIZE;
    const toBytes = Math.ceil(share * (i + 1) / SECTOR_SIZE) * SECTOR_SIZE;
    if (fromBytes >= toBytes) continue;
    const { difference } = await search.span(fromBytes, toBytes);
    if (difference) found.push(difference);
  }
  if (found.length > 0 || !options.thorough) return found;
  for (let atBytes = 0; atBytes < search.totalBytes;) {
    const { difference, nextBytes } = await search.span(atBytes, search.totalBytes);
    if (difference) return [difference];
    atBytes = nextBytes;
  }
  return [];
}

class Search {
  readonly totalBytes: number;
  /** Where each stretch starts when all are put one after the other. */
  private readonly starts: number[] = [];
  private readonly old = new Uint8Array(SPAN_BYTES);
  private readonly batch = new Batch();

  constructor(private readonly overwrite: Overwrite) {
    const { stretches } = overwrite;
    let sum = 0;
    for (let i = 0; i < stretches.count; i++) {
      this.starts.push(sum);
      sum += stretches.lengthBytes[i]!;
    }
    this.totalBytes = sum;
  }

  /**
   * Looks at one span of the disk, from byte `fromBytes` of the stretches on.
   *
   * @returns the first difference, and the byte of the stretches up to which was looked.
   */
  async span(fromBytes: number, toBytes: number): Promise<{ difference?: Difference; nextBytes: number }> {
    const { target, stretches } = this.overwrite;
    let index = this.stretchAt(fromBytes);
    let inside = fromBytes - this.starts[index]!;
    const spanStart = stretches.offsetBytes[index]! + inside;
    const lengthBytes = Math.min(SPAN_BYTES, target.sizeBytes - spanStart);
    this.batch.clear();
    this.batch.add({ offsetBytes: spanStart, lengthBytes, at: 0 });
    await target.read(this.batch, this.old);
    let nextBytes = fromBytes;
    for (; index < stretches.count && nextBytes < toBytes; index++, inside = 0) {
      const at = stretches.offsetBytes[index]! + inside - spanStart;
      // Through a pipe the stretches come in any order.
      if (at < 0 || at >= lengthBytes) break;
      const left = Math.min(stretches.lengthBytes[index]! - inside, lengthBytes - at, toBytes - nextBytes);
      const difference = this.compare(index, { inside, at, left, spanStart });
      if (difference) return { difference, nextBytes };
      nextBytes += left;
      if (inside + left < stretches.lengthBytes[index]!) break;
    }
    return { nextBytes };
  }

  private compare(
    index: number,
    piece: { inside: number; at: number; left: number; spanStart: number },
  ): Difference | undefined {
    const { stretches, buffer } = this.overwrite;
    const place = stretches.at[index]!;
    const newBytes = (from: number, lengthBytes: number) =>
      place < 0 ? ZEROS.subarray(0, lengthBytes) : buffer.subarray(place + from, place + from + lengthBytes);
    const whole = this.old.subarray(piece.at, piece.at + piece.left);
    if (isEqual(whole, newBytes(piece.inside, piece.left))) return undefined;
    for (let done = 0; done + SECTOR_SIZE <= piece.left; done += SECTOR_SIZE) {
      const before = this.old.subarray(piece.at + done, piece.at + done + SECTOR_SIZE);
      const after = newBytes(piece.inside + done, SECTOR_SIZE);
      if (isEqual(before, after)) continue;
      return { offsetBytes: piece.spanStart + piece.at + done, before: before.slice(), after: after.slice() };
    }
    return undefined;
  }

  /** The stretch that holds a byte. */
  private stretchAt(byte: number): number {
    let low = 0;
    for (let high = this.starts.length; high - low > 1;) {
      const middle = (low + high) >> 1;
      if (this.starts[middle]! <= byte) low = middle;
      else high = middle;
    }
    return low;
  }
}

/** True when both hold the same bytes. */
export function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  if (a.byteOffset % 4 !== 0 || b.byteOffset % 4 !== 0 || a.length % 4 !== 0) return isEqualBytewise(a, b);
  const words = a.length / 4;
  const left = new Uint32Array(a.buffer, a.byteOffset, words);
  const right = new Uint32Array(b.buffer, b.byteOffset, words);
  for (let i = 0; i < words; i++) if (left[i] !== right[i]) return false;
  return true;
}

function isEqualBytewise(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
