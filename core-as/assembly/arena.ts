/**
 * One fixed arena. Nothing is ever allocated: every region has its place when the module starts, the memory never
 * grows (so views of it never detach), and pages that a command does not touch cost nothing.
 */

/** Bytes of one run record: start, length, place, owner, each an f64. */
export const RECORD_BYTES: usize = 32;
/** Records that a list can hold; a window of the walk never yields more. */
export const LIST_RECORDS: usize = 70_000;
/** Damages that one table can yield: one an entry, at most 4096 entries a table. */
export const DAMAGE_RECORDS: usize = 4096;

const LIST_BYTES: usize = LIST_RECORDS * RECORD_BYTES;

export const TABLES: usize = 0x1_0000;
export const TABLES_BYTES: usize = 0x10_0000;
export const LIST_A: usize = TABLES + TABLES_BYTES;
export const LIST_B: usize = LIST_A + LIST_BYTES;
export const LIST_C: usize = LIST_B + LIST_BYTES;
export const DAMAGE: usize = LIST_C + LIST_BYTES;
export const BUFFER: usize = (DAMAGE + DAMAGE_RECORDS * RECORD_BYTES + 0xFFFF) & ~0xFFFF;
export const BUFFER_BYTES: usize = 0x40_0000;
export const SEEN: usize = BUFFER + BUFFER_BYTES;
export const SEEN_BYTES: usize = 0x200_0000;
export const END: usize = SEEN + SEEN_BYTES;

/** Place of a region: 0 tables, 1 to 3 run lists, 4 damage list, 5 transfer buffer, 6 seen map, 7 end of all. */
export function region(which: i32): usize {
  if (which == 0) return TABLES;
  if (which == 1) return LIST_A;
  if (which == 2) return LIST_B;
  if (which == 3) return LIST_C;
  if (which == 4) return DAMAGE;
  if (which == 5) return BUFFER;
  if (which == 6) return SEEN;
  return END;
}
