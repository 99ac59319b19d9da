/** Finds zeros: in a buffer, and in pieces that are about to be written. */
import { RECORD_BYTES } from "./arena";
import { openList, closeList, push, ZERO } from "./runs";

const SECTOR_SHIFT: usize = 9;

/** 1 when all `length` bytes at `at` are zero. `at` may stand anywhere. */
export function isZero(at: usize, length: usize): i32 {
  const end = at + length;
  while (at + 64 <= end) {
    const folded = v128.or(
      v128.or(v128.load(at), v128.load(at, 16)),
      v128.or(v128.load(at, 32), v128.load(at, 48)),
    );
    if (v128.any_true(folded)) return 0;
    at += 64;
  }
  while (at < end) {
    if (load<u8>(at) != 0) return 0;
    at++;
  }
  return 1;
}

/**
 * Splits pieces into data and zeros. A piece is a run record whose start is the target's sector and whose place is
 * the sector in `buffer`. Only whole blocks of the target count as zeros: less could not give its space back.
 *
 * @param block Sectors in a block, a power of two.
 * @returns records in `out`, neighbours merged, or -1 when they did not fit.
 */
export function splitZeros(pieces: usize, count: u32, buffer: usize, block: u32, out: usize): i32 {
  openList(out, 0, 9007199254740991, 0, 0);
  const mask = <u64>block - 1;
  const end = pieces + <usize>count * RECORD_BYTES;
  while (pieces < end) {
    let start = <u64>load<f64>(pieces);
    let place = <u64>load<f64>(pieces, 16);
    const ahead = <i64>(place - start);
    let stop = start;
    // Grains that lie apart in the file may be neighbours here: together they can make a block.
    while (pieces < end && <u64>load<f64>(pieces) == stop && <i64>load<f64>(pieces, 16) == <i64>stop + ahead) {
      stop += <u64>load<f64>(pieces, 8);
      pieces += RECORD_BYTES;
    }
    while (start < stop) {
      const edge = min<u64>(stop, (start + block) & ~mask);
      const length = edge - start;
      const whole = length == block;
      const zeros = whole && isZero(buffer + (<usize>place << SECTOR_SHIFT), <usize>length << SECTOR_SHIFT) == 1;
      push(start, length, zeros ? ZERO : <i64>place);
      start = edge;
      place += length;
    }
  }
  return closeList();
}
