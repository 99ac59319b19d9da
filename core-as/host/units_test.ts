import assert from "node:assert/strict";
import {
  ceilDiv,
  formatCount,
  formatSize,
  GIB,
  KIB,
  MAX_DISK_BYTES,
  MAX_DISK_SECTORS,
  MIB,
  parseSize,
  plural,
  roundUp,
  SECTOR_SIZE,
  TIB,
  toSafe,
} from "./units.ts";

Deno.test("sizes are powers of 1024, in any case, with or without B", () => {
  const rows: Record<string, number> = {
    "0": 0,
    "4096": 4096,
    "512B": 512,
    "64K": 64 * KIB,
    "64k": 64 * KIB,
    "1M": MIB,
    "1MB": MIB,
    "1MiB": MIB,
    "1.5G": 1.5 * GIB,
    " 2 TiB ": 2 * TIB,
    "0.5K": 512,
    "1P": 1024 * TIB,
  };
  for (const [text, bytes] of Object.entries(rows)) assert.equal(parseSize(text), bytes, text);
});

Deno.test("what is no whole number of bytes is no size", () => {
  const texts = [
    "",
    "K",
    "-1",
    "1.5",
    "0.3K",
    "1e3",
    "0x10",
    "1 2",
    "1KK",
    "9007199254740992",
    "9999P",
    "1.G",
    "64Ki K",
  ];
  for (const text of texts) assert.equal(parseSize(text), undefined, text);
});

Deno.test("sizes read well at every edge", () => {
  const rows: [number, string][] = [
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [1.5 * GIB, "1.5 GiB"],
    [MIB - 1, "1.0 MiB"],
    [GIB - 1, "1.0 GiB"],
    [MAX_DISK_BYTES, "62.0 TiB"],
    [2 ** 53 - 1, "8.0 PiB"],
  ];
  for (const [bytes, text] of rows) assert.equal(formatSize(bytes), text);
});

Deno.test("counts stand with their noun", () => {
  assert.equal(formatCount(1_048_576), "1,048,576");
  assert.equal(formatCount(999), "999");
  assert.equal(plural(1, "run"), "1 run");
  assert.equal(plural(0, "run"), "0 runs");
  assert.equal(plural(2048, "directory", "directories"), "2,048 directories");
});

Deno.test("64-bit values become numbers only where they are exact", () => {
  assert.equal(toSafe(0n), 0);
  assert.equal(toSafe(2n ** 53n - 1n), 2 ** 53 - 1);
  assert.equal(toSafe(2n ** 53n), undefined);
  assert.equal(toSafe(2n ** 64n - 1n), undefined);
  assert.equal(toSafe(-1n), undefined);
});

Deno.test("rounding up is exact up to the largest disk", () => {
  assert.equal(ceilDiv(0, 8), 0);
  assert.equal(ceilDiv(17, 8), 3);
  assert.equal(roundUp(MAX_DISK_SECTORS - 1, 2048), MAX_DISK_SECTORS);
  assert.equal(ceilDiv(MAX_DISK_BYTES - 1, SECTOR_SIZE), MAX_DISK_SECTORS);
  assert.equal(MAX_DISK_SECTORS, 133_143_986_176);
});
