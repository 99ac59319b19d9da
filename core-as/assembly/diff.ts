/** Compares two buffers into changed spans. */
import { closeList, openList, push } from "./runs";

/**
 * Lists the blocks that differ, neighbours merged; records are in bytes here, place is the same as start.
 *
 * @param block Bytes in a block; the last one may be shorter.
 * @returns records in `out`, or -1 when they did not fit.
 */
export function diffSpans(a: usize, b: usize, length: u32, block: u32, out: usize): i32 {
  openList(out, 0, <f64>length, 0, 0);
  let at: u32 = 0;
  while (at < length) {
    const size = min<u32>(block, length - at);
    if (!equal(a + at, b + at, size)) push(at, size, at);
    at += size;
  }
  return closeList();
}

/** Bytes that differ between two buffers. */
export function diffCount(a: usize, b: usize, length: u32): f64 {
  const end = a + length;
  let same: u64 = 0;
  while (a + 16 <= end) {
    same += popcnt<i32>(i8x16.bitmask(i8x16.eq(v128.load(a), v128.load(b))));
    a += 16;
    b += 16;
  }
  while (a < end) {
    if (load<u8>(a) == load<u8>(b)) same++;
    a++;
    b++;
  }
  return <f64>(length - same);
}

function equal(a: usize, b: usize, length: u32): bool {
  const end = a + length;
  while (a + 32 <= end) {
    const differs = v128.or(
      v128.xor(v128.load(a), v128.load(b)),
      v128.xor(v128.load(a, 16), v128.load(b, 16)),
    );
    if (v128.any_true(differs)) return false;
    a += 32;
    b += 32;
  }
  while (a < end) {
    if (load<u8>(a) != load<u8>(b)) return false;
    a++;
    b++;
  }
  return true;
}
