import assert from "node:assert/strict";
import { memorySource } from "../../test/helpers/memory.ts";
import { check, fc } from "../../test/helpers/property.ts";
import { Batch, readBytes } from "./source.ts";

const transfers = (batch: Batch) =>
  Array.from({ length: batch.count }, (_, i) => [batch.offsetBytes[i], batch.lengthBytes[i], batch.at[i]]);

Deno.test("a transfer that continues the last on both sides becomes part of it", () => {
  const batch = new Batch();
  batch.add({ offsetBytes: 100, lengthBytes: 10, at: 0 });
  batch.add({ offsetBytes: 110, lengthBytes: 5, at: 10 });
  assert.deepEqual(transfers(batch), [[100, 15, 0]]);
});

Deno.test("a transfer that continues on one side only stays its own", () => {
  const batch = new Batch();
  batch.add({ offsetBytes: 100, lengthBytes: 10, at: 0 });
  batch.add({ offsetBytes: 110, lengthBytes: 5, at: 11 });
  batch.add({ offsetBytes: 200, lengthBytes: 5, at: 16 });
  batch.add({ offsetBytes: 190, lengthBytes: 10, at: 21 });
  assert.equal(batch.count, 4);
  assert.equal(batch.totalBytes, 30);
});

Deno.test("a cleared batch starts anew and does not continue what it held", () => {
  const batch = new Batch();
  batch.add({ offsetBytes: 0, lengthBytes: 10, at: 0 });
  batch.clear();
  assert.deepEqual([batch.count, batch.totalBytes], [0, 0]);
  batch.add({ offsetBytes: 10, lengthBytes: 1, at: 10 });
  assert.deepEqual(transfers(batch), [[10, 1, 10]]);
});

Deno.test("merging changes nothing about what is transferred", () => {
  const piece = fc.record({
    gap: fc.constantFrom(0, 0, 3),
    jump: fc.constantFrom(0, 0, 2),
    length: fc.integer({ min: 1, max: 6 }),
  });
  check(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const batch = new Batch();
      const expected = new Map<number, number>();
      let [offsetBytes, at] = [0, 0];
      for (const { gap, jump, length } of pieces) {
        offsetBytes += gap;
        at += jump;
        batch.add({ offsetBytes, lengthBytes: length, at });
        for (let i = 0; i < length; i++) expected.set(at + i, offsetBytes + i);
        offsetBytes += length;
        at += length;
      }
      const found = transfers(batch).flatMap(([offset, length, at]) =>
        Array.from({ length: length! }, (_, i) => [at! + i, offset! + i] as const)
      );
      assert.deepEqual(found, [...expected]);
      assert.equal(batch.totalBytes, expected.size);
    }),
    { runs: 300 },
  );
});

Deno.test("readBytes() reads one stretch whole", async () => {
  const source = memorySource("x", Uint8Array.from({ length: 100 }, (_, i) => i));
  assert.deepEqual(await readBytes(source, 90, 10), Uint8Array.from({ length: 10 }, (_, i) => 90 + i));
  await assert.rejects(async () => await readBytes(source, 90, 11), { code: "READ_SHORT" });
});
