/**
 * Bytes as text that needs no escape in HTML, five letters for four bytes: base64 takes a fifteenth more. The letters
 * are those from `#` to `}` without the ones that mean something to HTML or to a string.
 */

/** The inverse of {@link decode85}. */
export function encode85(bytes: Uint8Array): string {
  const letters = Array.from({ length: 91 }, (_, i) => String.fromCharCode(35 + i))
    .filter((letter) => !"&'<>\\`".includes(letter));
  let text = "";
  for (let at = 0; at < bytes.length; at += 4) {
    const count = Math.min(4, bytes.length - at);
    let value = 0;
    for (let i = 0; i < 4; i++) value = value * 256 + (bytes[at + i] ?? 0);
    let group = "";
    for (let i = 0; i < 5; i++) {
      group = letters[value % 85]! + group;
      value = Math.floor(value / 85);
    }
    text += group.slice(0, count + 1);
  }
  return text;
}

/** Needs nothing but itself: its source is put into the page, which unpacks its other scripts by it. */
export function decode85(text: string): Uint8Array<ArrayBuffer> {
  const values = new Map<string, number>();
  for (let code = 35; code < 126; code++) {
    const letter = String.fromCharCode(code);
    if (!"&'<>\\`".includes(letter)) values.set(letter, values.size);
  }
  const bytes = new Uint8Array(Math.floor(text.length * 4 / 5));
  for (let at = 0, to = 0; at < text.length; at += 5, to += 4) {
    let value = 0;
    // What the last group lacks counts as the highest letter, so that cutting it rounds nothing.
    for (let i = 0; i < 5; i++) value = value * 85 + (values.get(text[at + i] ?? "}") ?? 84);
    for (let i = 0; i < 4; i++) bytes[to + i] = Math.floor(value / 256 ** (3 - i)) % 256;
  }
  return bytes;
}
