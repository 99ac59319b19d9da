/**
 * Grain tables of 32-bit entries: COWD and hosted sparse. The two differ in sizes only.
 *
 * Entry 0 is a hole, 1 a zero grain, anything else the file sector of a grain. Source: VMware Virtual Disk Format
 * 5.0; that COWD has the zero grain too is what xen-orchestra and dissect read out of files of ESXi.
 *
 * Neighbours that continue each other are found four at a time, so that a table costs its runs and not its entries.
 */
import { addDamage, IN_METADATA, PAST_END } from "./damage";
import { DAMAGED, HOLE, push, ZERO } from "./runs";

/**
 * Decodes one table into the open run list; bad entries go to the damage list and are damaged runs.
 *
 * @param table       Address of `entries` little-endian u32.
 * @param first       Virtual sector of entry 0.
 * @param grain       Sectors in a grain.
 * @param capacity    Sectors in the extent; the last grain may overhang it.
 * @param floor       First file sector that can be a grain.
 * @param fileSectors Whole sectors in the file, a part at the end counted as one only if the caller says so.
 * @param logical     1 when places are virtual sectors (compressed grains), 0 when they are file sectors.
 */
export function decodeTable32(
  table: usize,
  entries: u32,
  first: f64,
  grain: u32,
  capacity: f64,
  floor: f64,
  fileSectors: f64,
  logical: i32,
): void {
  const start = <u64>first;
  const end = <u64>capacity;
  if (start >= end) return;
  // Entries behind the end of the disk mean nothing: what stands there is not damage.
  entries = <u32>min<u64>(entries, (end - start + grain - 1) / grain);
  let i: u32 = 0;
  while (i < entries) {
    const sector = start + <u64>i * grain;
    const entry = load<u32>(table + (<usize>i << 2));
    const next = entry < 2 ? equalUntil(table, i, entries, entry) : consecutiveUntil(table, i, entries, entry, grain);
    let length = <u64>(next - i) * grain;
    if (length > end - sector) length = end - sector;
    if (entry == 0) push(sector, length, HOLE);
    else if (entry == 1) push(sector, length, ZERO);
    else if (inside(entry, logical ? <u64>(next - i - 1) * grain + 1 : length, <u64>floor, <u64>fileSectors)) {
      push(sector, length, logical ? <i64>sector : <i64>entry);
    } else oneByOne(table, i, next, start, grain, end, <u64>floor, <u64>fileSectors, logical);
    i = next;
  }
}

// @ts-ignore: decorator
@inline
function inside(place: u64, length: u64, floor: u64, fileSectors: u64): bool {
  return place >= floor && place + length <= fileSectors;
}

/** The same for a stretch in which something is wrong: each entry is judged alone. */
function oneByOne(
  table: usize,
  from: u32,
  to: u32,
  start: u64,
  grain: u32,
  end: u64,
  floor: u64,
  fileSectors: u64,
  logical: i32,
): void {
  for (let i = from; i < to; i++) {
    const entry = <u64>load<u32>(table + (<usize>i << 2));
    const sector = start + <u64>i * grain;
    const length = min<u64>(grain, end - sector);
    if (inside(entry, logical ? 1 : length, floor, fileSectors)) {
      push(sector, length, logical ? <i64>sector : <i64>entry);
      continue;
    }
    addDamage(entry < floor ? IN_METADATA : PAST_END, <f64>i, <f64>entry, <f64>length);
    push(sector, length, DAMAGED);
  }
}

/** First index from `i` whose entry is not `value`. */
function equalUntil(table: usize, i: u32, entries: u32, value: u32): u32 {
  const wanted = i32x4.splat(value);
  i++;
  while (i + 4 <= entries && i32x4.all_true(i32x4.eq(v128.load(table + (<usize>i << 2)), wanted))) i += 4;
  while (i < entries && load<u32>(table + (<usize>i << 2)) == value) i++;
  return i;
}

/** First index from `i` whose entry does not continue the one before it by a grain. */
function consecutiveUntil(table: usize, i: u32, entries: u32, value: u32, grain: u32): u32 {
  // Beyond this index the place would not fit its 32 bits, and a sum that wraps must not look like a neighbour.
  const limit = <u32>min<u64>(entries, <u64>i + (<u64>0xFFFF_FFFF - value) / grain + 1);
  let expected = value + grain;
  i++;
  const step = i32x4.splat(grain << 2);
  let wanted = i32x4(expected, expected + grain, expected + 2 * grain, expected + 3 * grain);
  while (i + 4 <= limit && i32x4.all_true(i32x4.eq(v128.load(table + (<usize>i << 2)), wanted))) {
    i += 4;
    wanted = i32x4.add(wanted, step);
  }
  expected = <u32>i32x4.extract_lane(wanted, 0);
  while (i < limit && load<u32>(table + (<usize>i << 2)) == expected) {
    i++;
    expected += grain;
  }
  return i;
}
