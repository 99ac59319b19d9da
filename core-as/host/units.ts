/**
 * Sizes, and the one place where 64-bit integers become numbers.
 *
 * Byte offsets are plain `number`s, proven safe here: 2^53 bytes are 8 PiB, and no VMDK exceeds 62 TiB.
 * Never use `|`, `>>` or `~` on one: those are 32-bit.
 *
 * This module is browser compatible.
 */

/** Bytes in a sector, the unit of every address in a VMDK. */
export const SECTOR_SIZE = 512;
export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;
export const TIB = 1024 * GIB;

/** Largest virtual disk that vSphere knows, in bytes (vSphere configuration maximums: 62 TiB). */
export const MAX_DISK_BYTES = 62 * TIB;
/** Same, in sectors. */
export const MAX_DISK_SECTORS = MAX_DISK_BYTES / SECTOR_SIZE;

/** Rounds `value / divisor` up; both non-negative integers. */
export function ceilDiv(value: number, divisor: number): number {
  return Math.ceil(value / divisor);
}

/** Rounds `value` up to a multiple of `unit`. */
export function roundUp(value: number, unit: number): number {
  return ceilDiv(value, unit) * unit;
}

/** An unsigned 64-bit value as a number, or `undefined` when it is too large to be exact. */
export function toSafe(value: bigint): number | undefined {
  return value <= 9007199254740991n && value >= 0n ? Number(value) : undefined;
}

const SIZE_PATTERN = /^(\d+(?:\.\d+)?)\s*(?:([KMGTP])(?:i?B)?|B)?$/i;

/** Bytes meant by `4096`, `64K`, `1.5G` or `2TiB` (powers of 1024), or `undefined` when it is not a size. */
export function parseSize(text: string): number | undefined {
  const match = SIZE_PATTERN.exec(text.trim());
  if (!match) return undefined;
  const power = match[2] ? "KMGTP".indexOf(match[2].toUpperCase()) + 1 : 0;
  const bytes = Number(match[1]) * 1024 ** power;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Bytes for a person: `0 B`, `1.4 GiB`, `62.0 TiB`. */
export function formatSize(bytes: number): string {
  if (bytes < KIB) return `${bytes} B`;
  let power = Math.min(5, Math.floor(Math.log2(bytes) / 10));
  if (bytes / 1024 ** power >= 1023.95 && power < 5) power++;
  return `${(bytes / 1024 ** power).toFixed(1)} ${" KMGTP"[power]}iB`;
}

/** A count with thousands apart: `1,048,576`. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** A noun with its count: `1 run`, `2,048 runs`. */
export function plural(count: number, noun: string, nouns = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : nouns}`;
}
