/** The damage list: what a table holds that cannot be. A record is four f64: kind, entry, value, length. */
import { DAMAGE, DAMAGE_RECORDS, RECORD_BYTES } from "./arena";
import { writeRecord } from "./runs";

/** An entry points past the end of the file. */
export const PAST_END: i32 = 1;
/** An entry points into the header or another part that is never data. */
export const IN_METADATA: i32 = 2;
/** An entry is of a kind that the format does not have. */
export const RESERVED: i32 = 3;
/** Two places of the disk share a piece of the file. */
export const SHARED: i32 = 4;

let count: usize = 0;

/** Empties the list. */
export function clearDamage(): void {
  count = 0;
}

/** Records in the list; those past its room are counted by `damageCount` too, but not kept. */
export function damageCount(): i32 {
  return <i32>count;
}

export function addDamage(kind: i32, entry: f64, value: f64, length: f64): void {
  if (count < DAMAGE_RECORDS) writeRecord(DAMAGE + count * RECORD_BYTES, <f64>kind, entry, value, length);
  count++;
}
