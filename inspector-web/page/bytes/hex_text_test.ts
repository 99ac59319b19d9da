/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { asciiByte, hexByte, inspect } from "./hex_text.ts";

Deno.test("inspect() reads both byte orders, and only what is whole", () => {
  const bytes = Uint8Array.of(0xff, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x80);
  const readings = inspect(bytes, 1);
  assert.deepEqual(readings.find(([name]) => name === "u16"), ["u16", "513", "258"]);
  assert.deepEqual(readings.find(([name]) => name === "u64")?.[1], String(0x8007060504030201n));
  assert.deepEqual(inspect(bytes, 0).find(([name]) => name === "i8"), ["i8", "-1", "-1"]);
  assert.deepEqual(inspect(bytes, 8).map(([name]) => name), ["u8", "i8"]);
  assert.deepEqual(inspect(bytes, 9), []);
});

Deno.test("hexByte() and asciiByte() keep their width", () => {
  assert.deepEqual([7, 255, undefined].map(hexByte), ["07", "ff", "  "]);
  assert.deepEqual([65, 0, 0x7f, undefined].map(asciiByte), ["A", "·", "·", " "]);
});
