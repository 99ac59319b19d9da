import assert from "node:assert/strict";
import { dashed, guidText, hexText, nameText, serialText, uuidText } from "./text.ts";

const sixteen = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
const bytesOf = (text: string) => new TextEncoder().encode(text);

Deno.test("numbers of sixteen bytes are written as their kind is", () => {
  assert.equal(hexText(sixteen.subarray(0, 3)), "010203");
  assert.equal(uuidText(sixteen), "01020304-0506-0708-090a-0b0c0d0e0f10");
  assert.equal(guidText(sixteen), "04030201-0605-0807-090A-0B0C0D0E0F10");
  assert.equal(uuidText(new Uint8Array(16)), undefined);
});

Deno.test("a serial number is written as DOS writes it", () => {
  assert.equal(serialText(0x0bad_cafe), "0BAD-CAFE");
  assert.equal(serialText(1), "0000-0001");
  assert.equal(dashed("abcdef", [1, 2, 3]), "a-bc-def");
});

Deno.test("a name ends at the first NUL, and blanks behind it do not count", () => {
  assert.equal(nameText(bytesOf("data \0rest")), "data");
  assert.equal(nameText(bytesOf("  two words   ")), "  two words");
  for (const nothing of ["", "\0abc", "    "]) assert.equal(nameText(bytesOf(nothing)), undefined);
});

Deno.test("names are read in the encoding that they have", () => {
  assert.equal(nameText(bytesOf("Größe")), "Größe");
  assert.equal(nameText(Uint8Array.of(0x53, 0, 0xf6, 0, 0, 0, 0x41, 0), "utf-16le"), "Sö");
  assert.equal(nameText(Uint8Array.of(0, 0x53, 0, 0xf6), "utf-16be"), "Sö");
  assert.equal(nameText(Uint8Array.of(0x41, 0xff, 0x42)), "A\ufffdB");
});

Deno.test("no name moves the cursor, turns the writing or breaks the line", () => {
  const hostile = "a\u001b[2Jb\rc\nd\u009be\u202ef\u2028g\u200dh";
  assert.equal(nameText(bytesOf(hostile)), "a\ufffd[2Jb\ufffdc\ufffdd\ufffde\ufffdf\ufffdg\ufffdh");
});
