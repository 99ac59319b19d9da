/**
 * Names and numbers of a guest as text. The guest chooses them, so nothing in them may move a cursor or turn a line.
 *
 * This module is browser compatible.
 */

/** Bytes as two lower-case digits each. */
export function hexText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Groups of a text, by their lengths, with dashes between. */
export function dashed(text: string, lengths: readonly number[]): string {
  let at = 0;
  return lengths.map((length) => text.slice(at, at += length)).join("-");
}

/** 16 bytes as a UUID in the order they stand in (RFC 9562); undefined when all are zero, which means unset. */
export function uuidText(bytes: Uint8Array): string | undefined {
  if (bytes.every((byte) => byte === 0)) return undefined;
  return dashed(hexText(bytes), [8, 4, 4, 4, 12]);
}

/** 16 bytes as a GUID, whose first three fields are little-endian (UEFI 2.10, appendix A). */
export function guidText(bytes: Uint8Array): string {
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  const swapped = Uint8Array.from(order, (from) => bytes[from]!);
  return dashed(hexText(swapped), [8, 4, 4, 4, 12]).toUpperCase();
}

/** A serial number of FAT and exFAT, as DOS prints it. */
export function serialText(serial: number): string {
  return dashed(serial.toString(16).padStart(8, "0").toUpperCase(), [4, 4]);
}

/**
 * A name that a guest chose: up to the first NUL, without blanks behind it, and with every character that controls
 * a terminal or the direction of writing replaced.
 *
 * @returns undefined when nothing is left.
 */
export function nameText(
  bytes: Uint8Array,
  encoding: "utf-8" | "utf-16le" | "utf-16be" = "utf-8",
): string | undefined {
  const [text] = new TextDecoder(encoding).decode(bytes).split("\0");
  const plain = text!.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\ufffd").trimEnd();
  return plain === "" ? undefined : plain;
}

/** Bytes as characters of the same number: for comparing with a magic. */
export function latinText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
