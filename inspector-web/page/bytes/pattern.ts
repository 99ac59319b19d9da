/** What somebody wants to be found, as bytes. */

export const PATTERN_KINDS = { text: "text", hex: "hex bytes" } as const;
export type PatternKind = keyof typeof PATTERN_KINDS;

/** Patterns of which any will do, or why there are none. */
export type Patterns = readonly Uint8Array[] | { readonly reason: string };

/** Text is looked for as UTF-8, of which ASCII is a part, and as UTF-16 in the order of bytes that Windows writes. */
export function patternsOf(text: string, kind: PatternKind): Patterns {
  if (kind === "hex") return hexPattern(text);
  if (text === "") return { reason: "type what is to be found" };
  return [new TextEncoder().encode(text), utf16Bytes(text)];
}

function hexPattern(text: string): Patterns {
  const digits = text.replaceAll(/0x|[\s,:-]/gi, "");
  if (digits === "") return { reason: "type bytes, such as 45 46 49 or 0x454649" };
  if (!/^([0-9a-f]{2})+$/i.test(digits)) return { reason: "not whole bytes in hex, such as 45 46 49" };
  return [Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16))];
}

function utf16Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < text.length; i++) view.setUint16(i * 2, text.charCodeAt(i), true);
  return bytes;
}
