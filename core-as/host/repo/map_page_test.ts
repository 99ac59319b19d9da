import assert from "node:assert/strict";
import { ENTRY_BYTES, MapPage } from "./map_page.ts";

const ID = "0123456789abcdef".repeat(4);
const ABOUT = { path: "page", entries: 3 };
const CHUNK = { id: ID, generation: 255, storedBytes: 0xfffffffe };

Deno.test("MapPage keeps entries in the bytes that are documented", () => {
  const page = MapPage.empty(3);
  page.set(1, CHUNK);
  assert.deepEqual([...page.bytes.subarray(40, 50)], [1, 255, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x01, 0x23]);
  const again = MapPage.parse(page.bytes.slice(), ABOUT);
  assert.deepEqual(again.get(1), CHUNK);
  assert.equal(again.get(0), undefined);
  assert.ok(again.isZero(2) && !again.isZero(1) && !again.isEmpty());
});

Deno.test("MapPage forgets all of an entry that becomes zeros", () => {
  const page = MapPage.empty(3);
  page.set(1, CHUNK);
  page.set(1, undefined);
  assert.ok(page.isEmpty());
  assert.deepEqual(page.bytes, new Uint8Array(3 * ENTRY_BYTES));
});

Deno.test("MapPage.content() is the same whatever a chunk is stored as", () => {
  const a = MapPage.empty(3);
  const b = MapPage.empty(3);
  a.set(0, CHUNK);
  b.set(0, { ...CHUNK, generation: 0, storedBytes: 1 });
  assert.deepEqual(a.content(), b.content());
  assert.ok(a.sameEntry(b, 0) && a.sameEntry(b, 1));
  b.set(1, CHUNK);
  assert.ok(!a.sameEntry(b, 1));
  assert.notDeepEqual(a.content(), b.content());
});

Deno.test("MapPage.copy() shares nothing", () => {
  const page = MapPage.empty(3);
  page.copy().set(0, CHUNK);
  assert.ok(page.isEmpty());
});

Deno.test("MapPage.parse() refuses what no writer writes, and says at which byte", () => {
  const page = MapPage.empty(3);
  page.set(1, CHUNK);
  const refused = (at: number, value: number, offsetBytes: number) => {
    const bytes = page.bytes.slice();
    bytes[at] = value;
    assert.throws(() => MapPage.parse(bytes, ABOUT), { code: "SNAPSHOT_DAMAGED", path: "page", offsetBytes });
  };
  refused(0, 2, 0);
  refused(40, 255, 40);
  refused(42, 1, 40);
  refused(43, 1, 40);
  for (let at = 81; at < 120; at++) refused(at, 1, 80);
  for (const length of [0, 119, 121, 80, 160]) {
    assert.throws(() => MapPage.parse(new Uint8Array(length), ABOUT), { code: "SNAPSHOT_DAMAGED" });
  }
});
