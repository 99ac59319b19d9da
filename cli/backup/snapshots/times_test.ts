import assert from "node:assert/strict";
import { isInFuture, madeMs, newestBy, spanOfTime, spanWords, timeTexts } from "./times.ts";

const endOfTime = (text: string) => spanOfTime(text)?.endMs;

const NOON_MS = Date.UTC(2026, 10, 28, 12);

Deno.test("B4: a time is meant at the precision it is given, in UTC where no zone is named", () => {
  const ends: [string, string][] = [
    ["2026-11-28", "2026-11-29T00:00:00.000Z"],
    ["2026-11-28T09:44", "2026-11-28T09:45:00.000Z"],
    ["2026-11-28T09:44Z", "2026-11-28T09:45:00.000Z"],
    ["2026-11-28 09:44:11", "2026-11-28T09:44:12.000Z"],
    ["2026-11-28T09:44:11Z", "2026-11-28T09:44:12.000Z"],
    ["2026-11-28T09:44:11.5Z", "2026-11-28T09:44:11.600Z"],
    ["2026-11-28T09:44:11.123Z", "2026-11-28T09:44:11.124Z"],
    ["2026-11-28T09:44:11+02:00", "2026-11-28T07:44:12.000Z"],
    ["2026-11-28t09:44:11-0130", "2026-11-28T11:14:12.000Z"],
  ];
  for (const [text, end] of ends) assert.equal(new Date(endOfTime(text)!).toISOString(), end, text);
});

Deno.test("B4: what is no time of the calendar is no time", () => {
  const texts = [
    "latest",
    "01KYC",
    "2026",
    "2026-11",
    "2026-13-01",
    "2026-11-28T25:00",
    "2026-11-28T09",
    "28.11.2026",
  ];
  texts.push("2026-11-31", "2026-02-29T10:00", "2026-04-31 23:59:59Z");
  for (const text of texts) assert.equal(endOfTime(text), undefined, text);
});

Deno.test("B4: a list shows milliseconds where two snapshots of a disk share a second", () => {
  const texts = timeTexts([
    { id: "a", timeMs: NOON_MS },
    { id: "b", timeMs: NOON_MS + 1005 },
    { id: "c", timeMs: NOON_MS + 1900 },
  ]);
  assert.deepEqual([...texts.values()], [
    "2026-11-28 12:00:00",
    "2026-11-28 12:00:01.005",
    "2026-11-28 12:00:01.900",
  ]);
});

Deno.test("B1: the time of a snapshot is that of its manifest, and of its id where that cannot be read", () => {
  const name = { id: "01KB0000000000000000000000" };
  assert.equal(madeMs({ name, snapshot: { created: "2026-11-28T12:00:00.000Z" } }), NOON_MS);
  assert.ok(madeMs({ name, snapshot: undefined }) < NOON_MS);
  assert.equal(isInFuture(NOON_MS + 59_000, NOON_MS), false, "clocks that are kept in step");
  assert.equal(isInFuture(NOON_MS + 600_000, NOON_MS), true);
});

Deno.test("B23: a span of time is never none of something larger, and one of it is no plural", () => {
  const spans: [number, string][] = [
    [400, "0 seconds"],
    [1000, "1 second"],
    [-45_000, "45 seconds"],
    [119_000, "119 seconds"],
    [120_000, "2 minutes"],
    [-600_000, "10 minutes"],
    [3 * 3600_000, "3 hours"],
    [36 * 3600_000, "36 hours"],
    [48 * 3600_000, "2 days"],
  ];
  for (const [spanMs, words] of spans) assert.equal(spanWords(spanMs), words);
});

Deno.test("B4: a time that has not come is meant by its own name alone", () => {
  const nowMs = Date.parse("2026-11-28T21:30:00Z");
  const all = [
    "2016-11-30T21:21:15Z",
    "2026-11-27T22:00:00Z",
    "2026-11-28T23:21:17Z",
    "2026-11-28T21:21:20Z",
    "2036-11-28T23:00:00Z",
  ].map((item) => ({ item, timeMs: Date.parse(item) }));
  const meant = (text: string, among = all) => {
    const found = newestBy(among, spanOfTime(text)!, nowMs);
    return found && `${found.item}${found.isAhead ? " ahead" : ""}`;
  };
  assert.equal(meant("2026-11-28"), "2026-11-28T21:21:20Z");
  assert.equal(meant("2026-11-28 23:21:17"), "2026-11-28T23:21:17Z ahead");
  assert.equal(meant("2026-11-28T23:22"), "2026-11-28T21:21:20Z");
  assert.equal(meant("2026-11-29"), "2026-11-28T21:21:20Z");
  assert.equal(meant("2036-11-28"), "2036-11-28T23:00:00Z ahead");
  assert.equal(meant("2040-01-01"), "2026-11-28T21:21:20Z");
  assert.equal(meant("2026-11-28 21:00"), "2026-11-27T22:00:00Z");
  assert.equal(meant("2016-11-29"), undefined);
  assert.equal(meant("2026-11-29", all.slice(2, 3)), "2026-11-28T23:21:17Z ahead", "there is no other");
  for (const { item } of all) assert.ok(meant(item)!.startsWith(item));
});
