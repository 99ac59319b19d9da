import assert from "node:assert/strict";
import { parseRange, passesIfMatch, passesIfRange, type Wanted } from "./ranges.ts";

const SIZE = 1000;
const WHOLE: Wanted = { kind: "whole" };
const BEYOND: Wanted = { kind: "beyond" };

function part(fromBytes: number, toBytes: number): Wanted {
  return { kind: "part", fromBytes, toBytes };
}

Deno.test("a range is bytes from and to, from on, or the last ones, cut at the end", () => {
  const cases: [string, Wanted][] = [
    ["bytes=0-0", part(0, 1)],
    ["bytes=10-19", part(10, 20)],
    ["bytes=999-999", part(999, 1000)],
    ["bytes=10-", part(10, 1000)],
    ["bytes=-10", part(990, 1000)],
    ["bytes=-5000", part(0, 1000)],
    ["bytes=990-5000", part(990, 1000)],
    ["bytes=0-99999999999999999999999", part(0, 1000)],
    ["Bytes=1-2", part(1, 3)],
    ["bytes = 1-2 ", part(1, 3)],
  ];
  for (const [header, expected] of cases) assert.deepEqual(parseRange(header, SIZE), expected, header);
});

Deno.test("a range that begins at the end or behind it is beyond, and so is every range of nothing", () => {
  for (const header of ["bytes=1000-", "bytes=1000-1000", "bytes=99999999999999999999-", "bytes=-0"]) {
    assert.deepEqual(parseRange(header, SIZE), BEYOND, header);
  }
  for (const header of ["bytes=0-", "bytes=0-0", "bytes=-1"]) {
    assert.deepEqual(parseRange(header, 0), BEYOND, header);
  }
});

Deno.test("no range, and one in a unit that is not known, mean the whole", () => {
  for (const header of [null, "", "sectors=0-1", "0-1", "bytesandmore=1-2"]) {
    assert.deepEqual(parseRange(header, SIZE), WHOLE, String(header));
  }
});

Deno.test("many ranges at once are refused, and what is no range", () => {
  const refused = [
    "bytes=",
    "bytes=-",
    "bytes=a-b",
    "bytes=1",
    "bytes=2-1",
    "bytes=0-0,2-3",
    "bytes=0-0, -1",
  ];
  for (const header of [...refused, "bytes=--1", "bytes=1-2-3", "bytes=1.5-2", "bytes=0x1-2", "bytes=1- 2"]) {
    assert.equal(parseRange(header, SIZE).kind, "refused", header);
  }
});

Deno.test("who asks for many ranges is told what is answered instead", () => {
  assert.deepEqual(parseRange("bytes=0-0,2-3", SIZE), { kind: "refused", reason: "one range at a time" });
});

Deno.test("every range that is taken lies inside the file and holds a byte", () => {
  const numbers = ["", "0", "1", "2", "3", "4", "9"];
  for (let sizeBytes = 0; sizeBytes < 6; sizeBytes++) {
    const bytes = Array.from({ length: sizeBytes }, (_, i) => i);
    for (const from of numbers) {
      for (const last of numbers) {
        const wanted = parseRange(`bytes=${from}-${last}`, sizeBytes);
        const expected = from === ""
          ? bytes.slice(sizeBytes - Math.min(sizeBytes, Number(last)))
          : bytes.filter((at) => at >= Number(from) && (last === "" || at <= Number(last)));
        if (wanted.kind === "part") {
          assert.deepEqual(bytes.slice(wanted.fromBytes, wanted.toBytes), expected);
          assert.ok(wanted.toBytes > wanted.fromBytes && wanted.toBytes <= sizeBytes);
        } else assert.deepEqual(expected, [], `bytes=${from}-${last} of ${sizeBytes}`);
      }
    }
  }
});

Deno.test("If-Match passes without the header, with a star, and where it lists the state", () => {
  for (const header of [null, "*", " * ", '"a"', '"x", "a"', '"a","x"']) {
    assert.ok(passesIfMatch(header, '"a"'), String(header));
  }
  for (const header of ["", '"b"', "a", 'W/"a"', '"b", "c"']) {
    assert.ok(!passesIfMatch(header, '"a"'), header);
  }
});

Deno.test("If-Range takes nothing but this very state, and no date", () => {
  assert.ok(passesIfRange(null, '"a"') && passesIfRange('"a"', '"a"'));
  for (const header of ['"b"', 'W/"a"', "Wed, 21 Oct 2026 07:28:00 GMT", ""]) {
    assert.ok(!passesIfRange(header, '"a"'), header);
  }
});
