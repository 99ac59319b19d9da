/**
 * Grain tables of SESparse: 64-bit entries, the kind in the top nibble.
 *
 * 0 hole, 1 unmapped by the guest (reads as zeros, though the entry still names a grain), 2 zero grain, 3 data. The
 * grain's index is turned: its low 12 bits stand in bits 48 to 59. Source: the black-box research behind qemu's
 * reader (commit 98eb9733f); VMware has published nothing.
 */
import { addDamage, PAST_END, RESERVED } from "./damage";
import { DAMAGED, HOLE, push, ZERO } from "./runs";

const KIND_SHIFT: u64 = 60;
const DATA: u64 = 3;

/**
 * Decodes one table into the open run list; bad entries go to the damage list and are damaged runs.
 *
 * @param table       Address of `entries` little-endian u64.
 * @param first       Virtual sector of entry 0.
 * @param grain       Sectors in a grain.
 * @param capacity    Sectors in the extent; the last grain may overhang it.
 * @param grains      File sector of grain 0.
 * @param grainCount  Grains that the grain region can hold.
 * @param fileSectors Sectors in the file.
 */
export function decodeTableSe(
  table: usize,
  entries: u32,
  first: f64,
  grain: u32,
  capacity: f64,
  grains: f64,
  grainCount: f64,
  fileSectors: f64,
): void {
  const start = <u64>first;
  const end = <u64>capacity;
  const slots = <u64>grainCount;
  const last = <u64>fileSectors;
  let i: u32 = 0;
  while (i < entries) {
    const sector = start + <u64>i * grain;
    if (sector >= end) return;
    const entry = load<u64>(table + (<usize>i << 3));
    if (entry == 0) {
      const next = zeroUntil(table, i, entries);
      push(sector, <u64>(next - i) * grain < end - sector ? <u64>(next - i) * grain : end - sector, HOLE);
      i = next;
      continue;
    }
    const length = min<u64>(grain, end - sector);
    const kind = entry >> KIND_SHIFT;
    if (kind == 1 || kind == 2) push(sector, length, ZERO);
    else if (kind != DATA) bad(RESERVED, i, <f64>entry, sector, length);
    else {
      const index = grainIndex(entry);
      const place = <u64>grains + index * grain;
      if (index >= slots || place + length > last) bad(PAST_END, i, <f64>place, sector, length);
      else push(sector, length, <i64>place);
    }
    i++;
  }
}

// @ts-ignore: decorator
@inline
function grainIndex(entry: u64): u64 {
  return ((entry >> 48) & 0xFFF) | ((entry & 0xFFFF_FFFF_FFFF) << 12);
}

function bad(kind: i32, entry: u32, value: f64, sector: u64, length: u64): void {
  addDamage(kind, <f64>entry, value, <f64>length);
  push(sector, length, DAMAGED);
}

/** First index from `i` whose entry is not 0. */
function zeroUntil(table: usize, i: u32, entries: u32): u32 {
  i++;
  while (i + 2 <= entries && !v128.any_true(v128.load(table + (<usize>i << 3)))) i += 2;
  while (i < entries && load<u64>(table + (<usize>i << 3)) == 0) i++;
  return i;
}
