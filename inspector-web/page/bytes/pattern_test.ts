/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { patternsOf } from "./pattern.ts";

/** The patterns in hex, or the reason why there are none. */
function told(text: string, kind: "text" | "hex"): readonly string[] | string {
  const patterns = patternsOf(text, kind);
  return "reason" in patterns ? patterns.reason : patterns.map((bytes) => bytes.toHex());
}

Deno.test("text is looked for in one byte a letter and in two", () => {
  assert.deepEqual(told("EFI", "text"), ["454649", "450046004900"]);
  assert.deepEqual(told("é", "text"), ["c3a9", "e900"]);
  assert.deepEqual(told(" 4", "text"), ["2034", "20003400"]);
});

Deno.test("hex bytes are taken as people write them", () => {
  for (const text of ["45 46 49", "0x454649", "45:46:49", "45,46,49", "0x45 0x46 0x49", "45-46-49"]) {
    assert.deepEqual(told(text, "hex"), ["454649"], text);
  }
  assert.deepEqual(told("00 FF", "hex"), ["00ff"]);
});

Deno.test("what is no pattern is refused in words", () => {
  assert.match(String(told("", "text")), /type what/);
  assert.match(String(told(" ", "hex")), /type bytes/);
  for (const text of ["4", "454", "xy", "45 g6"]) {
    assert.match(String(told(text, "hex")), /not whole bytes/, text);
  }
});
