/**
 * Bytes as text: rows of sixteen, and what the bytes at a place mean as numbers.
 *
 * This module is browser compatible.
 */

export const ROW_BYTES = 16;

/** `7f` and so on; two spaces for a byte that is not there. */
export function hexByte(byte: number | undefined): string {
  return byte === undefined ? "  " : byte.toString(16).padStart(2, "0");
}

/** Printable ASCII, `·` for the rest. */
export function asciiByte(byte: number | undefined): string {
  if (byte === undefined) return " ";
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·";
}

/** A number read in several ways: name, little-endian, big-endian. */
export type Reading = readonly [name: string, little: string, big: string];

/** What the bytes at `at` mean; readings that need more bytes than there are are left out. */
export function inspect(bytes: Uint8Array, at: number): readonly Reading[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const left = bytes.length - at;
  const readings: Reading[] = [];
  const add = (name: string, size: number, read: (little: boolean) => number | bigint) => {
    if (left >= size) readings.push([name, String(read(true)), String(read(false))]);
  };
  add("u8", 1, () => view.getUint8(at));
  add("i8", 1, () => view.getInt8(at));
  add("u16", 2, (little) => view.getUint16(at, little));
  add("u32", 4, (little) => view.getUint32(at, little));
  add("i32", 4, (little) => view.getInt32(at, little));
  add("u64", 8, (little) => view.getBigUint64(at, little));
  return readings;
}
