/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { findPlace, formatDuration, formatExact, formatOffset, formatShare } from "./units.ts";

const MARKS = {
  capacityBytes: 10 * 2 ** 30,
  tables: 32 * 2 ** 20,
  grainBytes: 65536,
  partitions: [2 ** 20, 2 ** 30],
};

Deno.test("findPlace() understands every form that the help names", () => {
  const forms: [string, number][] = [
    ["0x7e00", 0x7e00],
    ["1.5G", 1.5 * 2 ** 30],
    ["512", 512],
    ["sector 63", 63 * 512],
    ["s63", 63 * 512],
    ["grain 40", 40 * 65536],
    ["GT 12", 12 * 32 * 2 ** 20],
    ["p1", 2 ** 20],
    ["p2+1M", 2 ** 30 + 2 ** 20],
    [" P2 + 0x200 ", 2 ** 30 + 512],
  ];
  for (const [text, offsetBytes] of forms) assert.deepEqual(findPlace(text, MARKS), { offsetBytes }, text);
});

Deno.test("findPlace() says why there is no such place", () => {
  const reasons: [string, RegExp][] = [
    ["", /not a place/],
    ["p3", /no partition 3/],
    ["p0", /no partition 0/],
    ["p1+x", /not a distance/],
    ["11G", /beyond the end/],
    ["0x10000000000000000", /not a place/],
  ];
  for (const [text, reason] of reasons) {
    const found = findPlace(text, MARKS);
    assert.match("reason" in found ? found.reason : "", reason, text);
  }
  const flat = findPlace("GT 1", { ...MARKS, tables: "this disk has no grain tables" });
  assert.match("reason" in flat ? flat.reason : "", /no grain tables/);
});

Deno.test("formatShare() rounds neither to nothing nor to all", () => {
  assert.equal(formatShare(0, 10), "0 %");
  assert.equal(formatShare(1, 2 ** 40), "< 0.01 %");
  assert.equal(formatShare(2 ** 40 - 1, 2 ** 40), "> 99.99 %");
  assert.equal(formatShare(10, 10), "100 %");
  assert.equal(formatShare(1, 8), "12.5 %");
  assert.equal(formatShare(1, 0), "0 %");
});

Deno.test("formatDuration() picks the unit that reads best", () => {
  assert.deepEqual([0.2, 42.4, 420, 3900 * 2].map(formatDuration), [
    "less than a second",
    "42 s",
    "7 min",
    "2 h 10 min",
  ]);
});

Deno.test("formatExact() and formatOffset() keep the exact number", () => {
  assert.equal(formatExact(1536), "1.5 KiB (1,536 bytes)");
  assert.equal(formatExact(7), "7 B");
  assert.equal(formatOffset(65536), "0x10000");
});
