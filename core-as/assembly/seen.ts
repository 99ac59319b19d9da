/**
 * The seen map: one bit a sector of a file, to find two things that claim the same sector. It covers a window of
 * the file; a file larger than that is walked once a window.
 */
import { RECORD_BYTES, SEEN, SEEN_BYTES } from "./arena";
import { addDamage, SHARED } from "./damage";

let windowFrom: u64 = 0;
let windowTo: u64 = 0;

/** Sectors that the map covers at a time. */
export function seenSectors(): f64 {
  return <f64>(SEEN_BYTES * 8);
}

/** Empties the map for the file sectors `[from, to)`; `to - from` at most `seenSectors()`. */
export function seenOpen(from: f64, to: f64): void {
  windowFrom = <u64>from;
  windowTo = <u64>to;
  memory.fill(SEEN, 0, <usize>(((windowTo - windowFrom + 63) >> 6) << 3));
}

/**
 * Claims `length` sectors from `place`.
 * @returns the first of them that was claimed before, or -1.
 */
export function seenClaim(place: f64, length: f64): f64 {
  let from = <u64>place;
  let to = from + <u64>length;
  if (from < windowFrom) from = windowFrom;
  if (to > windowTo) to = windowTo;
  if (from >= to) return -1;
  return claim(from - windowFrom, to - windowFrom);
}

/**
 * Claims the data of a run list; each conflict goes to the damage list as (SHARED, virtual sector, file sector,
 * length).
 */
export function seenRuns(list: usize, count: u32): void {
  const end = list + <usize>count * RECORD_BYTES;
  for (; list < end; list += RECORD_BYTES) {
    const place = load<f64>(list, 16);
    if (place < 0) continue;
    const length = load<f64>(list, 8);
    const conflict = seenClaim(place, length);
    if (conflict >= 0) addDamage(SHARED, load<f64>(list) + (conflict - place), conflict, place + length - conflict);
  }
}

/** Sets bits `[from, to)`; the first file sector whose bit was set before, or -1. */
function claim(from: u64, to: u64): f64 {
  let conflict: i64 = -1;
  while (from < to) {
    const bit = from & 63;
    const take = min<u64>(64 - bit, to - from);
    const mask = (take == 64 ? ~<u64>0 : ((<u64>1 << take) - 1)) << bit;
    const at = SEEN + <usize>((from >> 6) << 3);
    const word = load<u64>(at);
    if ((word & mask) != 0 && conflict < 0) conflict = <i64>((from & ~<u64>63) + ctz<u64>(word & mask));
    store<u64>(at, word | mask);
    from += take;
  }
  return conflict < 0 ? -1 : <f64>(<u64>conflict + windowFrom);
}
