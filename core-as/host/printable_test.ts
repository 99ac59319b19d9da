import assert from "node:assert/strict";
import { escapeOutput, escapeToLine, escapeUnprintable, isPrintable } from "./printable.ts";

/** What nobody sees, or what moves the rest: each by its code point and its name in Unicode. */
const UNSEEN: readonly [number, string][] = [
  [0x00, "null"],
  [0x1b, "escape"],
  [0x7f, "delete"],
  [0x9b, "control sequence introducer"],
  [0xad, "soft hyphen"],
  [0x34f, "combining grapheme joiner"],
  [0x61c, "Arabic letter mark"],
  [0x115f, "Hangul choseong filler"],
  [0x180e, "Mongolian vowel separator"],
  [0x200b, "zero width space"],
  [0x200c, "zero width non-joiner"],
  [0x200d, "zero width joiner"],
  [0x200e, "left-to-right mark"],
  [0x200f, "right-to-left mark"],
  [0x2028, "line separator"],
  [0x2029, "paragraph separator"],
  [0x202a, "left-to-right embedding"],
  [0x202e, "right-to-left override"],
  [0x2060, "word joiner"],
  [0x2063, "invisible separator"],
  [0x2066, "left-to-right isolate"],
  [0x2069, "pop directional isolate"],
  [0x206f, "nominal digit shapes"],
  [0x3164, "Hangul filler"],
  [0xfe0f, "variation selector-16"],
  [0xfeff, "zero width no-break space"],
  [0xffa0, "halfwidth Hangul filler"],
  [0xfff9, "interlinear annotation anchor"],
  [0xe0041, "tag Latin capital letter a"],
  [0xe0100, "variation selector-17"],
];

Deno.test("E7: what nobody sees, and what turns the direction of writing, is escaped, the same in JSON", () => {
  for (const [point, name] of UNSEEN) {
    const text = `web${String.fromCodePoint(point)}01`;
    assert.equal(isPrintable(text), false, name);
    for (const escape of [escapeToLine, escapeUnprintable, escapeOutput]) {
      const shown = escape(text);
      assert.match(shown, /^web(\\u[0-9a-f]{4}){1,2}01$/, name);
      assert.equal(JSON.parse(`"${shown}"`), text, name);
    }
  }
});

Deno.test("E7: letters of all scripts, marks and blanks are left as they are", () => {
  for (
    const text of ["web01/disk-0", "Zürich", "e\u0301", "東京", "ירושלים", "القاهرة", "a\u00a0b", "\u{1f5a5}"]
  ) {
    assert.ok(isPrintable(text), text);
    assert.equal(escapeToLine(text), text);
  }
});
