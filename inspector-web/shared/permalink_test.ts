/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { difference, type Place, readPlace, writePlace } from "./permalink.ts";

const PLACE: Place = {
  tab: "hex",
  offsetBytes: 0x12345678000,
  sectorsPerCell: 4096,
  curve: "hilbert",
  view: "merged",
  known: { name: "a b&c=#.vmdk", sizeBytes: 77, cid: "fffffffe" },
};

Deno.test("readPlace() reads what writePlace() wrote", () => {
  assert.deepEqual(readPlace(`#${writePlace(PLACE)}`), PLACE);
  for (const view of [0, 3, "merged"] as const) assert.deepEqual(readPlace(writePlace({ view })), { view });
  assert.deepEqual(readPlace(writePlace({})), {});
});

Deno.test("writePlace() writes the form that is documented", () => {
  const { known: _, ...rest } = PLACE;
  assert.equal(writePlace(rest), "view=hex&o=0x12345678000&z=4096&curve=h&of=merged");
});

Deno.test("readPlace() leaves out what makes no sense", () => {
  for (
    const hash of [
      "#view=shell&o=-1&z=0&curve=x&of=99",
      "#o=0x&z=1e9&of=-1",
      "#%%%",
      "",
      "#o=99999999999999999",
    ]
  ) {
    assert.deepEqual(readPlace(hash), {}, hash);
  }
});

Deno.test("difference() names the first thing that differs", () => {
  const opened = { name: "x.vmdk", sizeBytes: 5, cid: "aa" };
  assert.equal(difference(opened, opened), undefined);
  assert.match(difference({ ...opened, name: "y" }, opened) ?? "", /made for y/);
  assert.match(difference({ ...opened, cid: "bb" }, opened) ?? "", /content id bb/);
  assert.match(difference({ ...opened, sizeBytes: 6 }, opened) ?? "", /6 bytes/);
  assert.equal(difference({ ...opened, cid: undefined }, opened), undefined);
});
