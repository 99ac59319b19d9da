import assert from "node:assert/strict";
import { toHex } from "../../core-as/host/repo/mod.ts";
import { IdTable } from "./id_table.ts";

/** Ids whose first four bytes, by which they are placed, are few: they collide. */
function idOf(number: number): Uint8Array<ArrayBuffer> {
  const id = new Uint8Array(32);
  id[0] = number % 7;
  new DataView(id.buffer).setUint32(28, number);
  return id;
}

Deno.test("IdTable keeps every name while it grows, also when all of them want the same place", () => {
  const table = new IdTable(4);
  for (let i = 0; i < 3000; i++) table.set(idOf(i), i % 3, i * 1_400_000);
  assert.equal(table.size, 3000);
  for (let i = 0; i < 3000; i++) {
    assert.equal(table.get(idOf(i), i % 3), i * 1_400_000 % 2 ** 32);
    assert.equal(table.has(idOf(i), (i + 1) % 3), false);
  }
  assert.equal(table.get(idOf(3000), 0), undefined);
});

Deno.test("IdTable changes the number of a name that it has, and takes the largest number", () => {
  const table = new IdTable();
  table.set(idOf(5), 255, 1);
  table.set(idOf(5), 255, 0xffffffff);
  assert.equal(table.size, 1);
  assert.equal(table.get(idOf(5), 255), 0xffffffff);
});

Deno.test("IdTable tells a name with the number 0 and an id of zeros from a name that it has not", () => {
  const table = new IdTable();
  const zeros = new Uint8Array(32);
  assert.equal(table.has(zeros, 0), false);
  table.set(zeros, 0, 0);
  assert.equal(table.get(zeros, 0), 0);
  assert.equal(table.has(zeros, 1), false);
});

Deno.test("IdTable takes names as text as well", () => {
  const table = new IdTable();
  table.setNamed({ id: toHex(idOf(9)), generation: 2 }, 77);
  assert.equal(table.get(idOf(9), 2), 77);
  assert.equal(table.getNamed({ id: toHex(idOf(9)), generation: 2 }), 77);
  assert.equal(table.hasNamed({ id: toHex(idOf(9)), generation: 0 }), false);
});
