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

/** Bytes looked at at once: enough that the loop around them costs little. */
const STRIDE: usize = 64;

/** Bytes that differ between two buffers. Most are equal, so only strides that are not are counted. */
export function diffCount(a: usize, b: usize, length: u32): f64 {
  const end = a + length;
  let differing: u64 = 0;
  while (a + STRIDE <= end) {
    if (strideDiffers(a, b)) {
      for (let i: usize = 0; i < STRIDE; i += 16) {
        const same = i8x16.eq(v128.load(a + i), v128.load(b + i));
        differing += 16 - popcnt<i32>(i8x16.bitmask(same));
      }
    }
    a += STRIDE;
    b += STRIDE;
  }
  while (a < end) {
    if (load<u8>(a) != load<u8>(b)) differing++;
    a++;
    b++;
  }
  return <f64>differing;
}

function equal(a: usize, b: usize, length: u32): bool {
  const end = a + length;
  while (a + STRIDE <= end) {
    if (strideDiffers(a, b)) return false;
    a += STRIDE;
    b += STRIDE;
  }
  while (a < end) {
    if (load<u8>(a) != load<u8>(b)) return false;
    a++;
    b++;
  }
  return true;
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function strideDiffers(a: usize, b: usize): bool {
  const low = v128.or(
    v128.xor(v128.load(a), v128.load(b)),
    v128.xor(v128.load(a, 16), v128.load(b, 16)),
  );
  const high = v128.or(
    v128.xor(v128.load(a, 32), v128.load(b, 32)),
    v128.xor(v128.load(a, 48), v128.load(b, 48)),
  );
  return v128.any_true(v128.or(low, high));
}
