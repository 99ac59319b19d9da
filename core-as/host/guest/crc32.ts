/**
 * CRC-32 with the polynomial 0x04c11db7, reflected, as GPT and LVM use it.
 *
 * This module is browser compatible.
 */

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let register = byte;
  for (let bit = 0; bit < 8; bit++) register = (register >>> 1) ^ (register & 1 ? 0xedb88320 : 0);
  return register;
});

/** The register after `bytes`, begun with `register` and not inverted: what LVM stores. */
export function crc32Register(bytes: Uint8Array, register: number): number {
  for (let i = 0; i < bytes.length; i++) {
    register = TABLE[(register ^ bytes[i]!) & 0xff]! ^ (register >>> 8);
  }
  return register >>> 0;
}

/** The usual CRC-32: begun with ones, inverted at the end (UEFI 2.10, 4.2 "EFI Table Header", `CRC32`). */
export function crc32(bytes: Uint8Array): number {
  return ~crc32Register(bytes, 0xffffffff) >>> 0;
}
