/** The parts of HTTP that say which bytes are wanted, and of which state of a file (RFC 9110, chapters 13 and 14). */

/** What a `Range` header asks for; `toBytes` is not part of it. */
export type Wanted =
  | { readonly kind: "whole" }
  | { readonly kind: "part"; readonly fromBytes: number; readonly toBytes: number }
  | { readonly kind: "beyond" }
  | { readonly kind: "refused"; readonly reason: string };

const BEYOND: Wanted = { kind: "beyond" };

/**
 * Reads a `Range` header: `bytes=a-b`, `bytes=a-`, `bytes=-n`.
 *
 * A unit that is not known counts as no header, as the standard wants it. Many ranges at once are refused: the page
 * never asks so, and answering would let one small request cost a lot.
 */
export function parseRange(header: string | null, sizeBytes: number): Wanted {
  const spec = header === null ? undefined : /^\s*bytes\s*=(.*)$/is.exec(header)?.[1];
  if (spec === undefined) return { kind: "whole" };
  if (spec.includes(",")) return { kind: "refused", reason: "one range at a time" };
  const match = /^\s*(\d*)-(\d*)\s*$/.exec(spec);
  if (!match || match[1] === "" && match[2] === "") {
    return { kind: "refused", reason: "the range cannot be understood" };
  }
  if (match[1] === "") return lastBytes(Number(match[2]), sizeBytes);
  // Numbers too large to be exact are beyond any file, so they need not be.
  const fromBytes = Number(match[1]);
  const lastByte = match[2] === "" ? Infinity : Number(match[2]);
  if (lastByte < fromBytes) return { kind: "refused", reason: "the range ends before it begins" };
  if (fromBytes >= sizeBytes) return BEYOND;
  return { kind: "part", fromBytes, toBytes: Math.min(lastByte + 1, sizeBytes) };
}

function lastBytes(countBytes: number, sizeBytes: number): Wanted {
  if (countBytes === 0 || sizeBytes === 0) return BEYOND;
  return { kind: "part", fromBytes: Math.max(0, sizeBytes - countBytes), toBytes: sizeBytes };
}

/** Whether an `If-Match` header lets the request pass: without one, with `*`, or when it lists this state. */
export function passesIfMatch(header: string | null, etag: string): boolean {
  if (header === null || header.trim() === "*") return true;
  return header.split(",").some((each) => each.trim() === etag);
}

/** Whether a `Range` counts: without an `If-Range` header, or when that names this very state; dates never do. */
export function passesIfRange(header: string | null, etag: string): boolean {
  return header === null || header.trim() === etag;
}
