import assert from "node:assert/strict";
import { PatchedSource } from "../../../test/helpers/guest_disk.ts";
import { Pieces } from "./pieces.ts";

const source = () => new PatchedSource(1000, { 0: Uint8Array.from({ length: 1000 }, (_, i) => i % 251) });

Deno.test("stretches are read in one batch and kept", async () => {
  const disk = source();
  const pieces = new Pieces(disk);
  await pieces.load([{ offsetBytes: 10, lengthBytes: 20 }, { offsetBytes: 500, lengthBytes: 5 }]);
  assert.deepEqual([disk.batches, disk.transfers], [1, 2]);
  assert.deepEqual([...pieces.at({ offsetBytes: 12, lengthBytes: 3 })!], [12, 13, 14]);
  assert.deepEqual([...pieces.at({ offsetBytes: 503, lengthBytes: 2 })!], [503 % 251, 504 % 251]);
  await pieces.load([{ offsetBytes: 15, lengthBytes: 15 }]);
  assert.equal(disk.batches, 1);
});

Deno.test("what was not loaded is not there", async () => {
  const pieces = new Pieces(source());
  await pieces.load([{ offsetBytes: 10, lengthBytes: 20 }]);
  for (const [offsetBytes, lengthBytes] of [[9, 2], [29, 2], [40, 1]] as const) {
    assert.equal(pieces.at({ offsetBytes, lengthBytes }), undefined);
  }
});

Deno.test("a stretch is cut at the end of the source, and one behind it is not read", async () => {
  const disk = source();
  const pieces = new Pieces(disk);
  await pieces.load([{ offsetBytes: 990, lengthBytes: 100 }]);
  assert.equal(disk.readBytes, 10);
  assert.equal(pieces.at({ offsetBytes: 990, lengthBytes: 10 })?.length, 10);
  assert.equal(await pieces.get({ offsetBytes: 995, lengthBytes: 10 }), undefined);
  const batches = disk.batches;
  for (const offsetBytes of [1000, 2 ** 60, -1, Infinity]) {
    assert.equal(await pieces.get({ offsetBytes, lengthBytes: 10 }), undefined);
  }
  assert.equal(disk.batches, batches);
});
