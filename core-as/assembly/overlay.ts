/** Merges two links of a chain: what the upper one has wins, its holes show the lower one; what is damaged masks it. */
import { LIST_RECORDS, RECORD_BYTES } from "./arena";
import { writeRecord } from "./runs";

const HOLE_PLACE: f64 = -2;

/**
 * Both lists are sorted, gap-free and start at the same sector; the result ends where the shorter one does, or
 * where the room of `out` did: edges that do not coincide can make it twice as long. `out` must be neither of them.
 *
 * @returns records in `out`.
 */
export function overlay(upper: usize, upperCount: u32, lower: usize, lowerCount: u32, out: usize): i32 {
  if (upperCount == 0 || lowerCount == 0) return 0;
  const limit = min(lastSector(upper, upperCount), lastSector(lower, lowerCount));
  const outStart = out;
  const outEnd = out + LIST_RECORDS * RECORD_BYTES;
  for (let at = load<f64>(upper); at < limit;) {
    const upperStop = load<f64>(upper) + load<f64>(upper, 8);
    if (upperStop <= at) {
      upper += RECORD_BYTES;
      continue;
    }
    const covered = load<f64>(upper, 16) != HOLE_PLACE;
    if (!covered) while (load<f64>(lower) + load<f64>(lower, 8) <= at) lower += RECORD_BYTES;
    const from = covered ? upper : lower;
    const stop = min(limit, covered ? upperStop : min(upperStop, load<f64>(lower) + load<f64>(lower, 8)));
    if (out >= outEnd) break;
    const place = load<f64>(from, 16);
    writeRecord(out, at, stop - at, place < 0 ? place : place + (at - load<f64>(from)), load<f64>(from, 24));
    out += RECORD_BYTES;
    at = stop;
  }
  return <i32>((out - outStart) / RECORD_BYTES);
}

/** The sector behind the last record. */
function lastSector(list: usize, count: u32): f64 {
  const last = list + <usize>(count - 1) * RECORD_BYTES;
  return load<f64>(last) + load<f64>(last, 8);
}
