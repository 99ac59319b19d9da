import assert from "node:assert/strict";
import { MemoryScratch } from "../../../test/helpers/pipe.ts";
import { SECTOR_SIZE } from "../units.ts";
import { Kept } from "./kept.ts";

/** Sectors that hold their own number in every byte. */
function sectors(first: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count * SECTOR_SIZE);
  for (let i = 0; i < count; i++) bytes.fill(first + i, i * SECTOR_SIZE, (i + 1) * SECTOR_SIZE);
  return bytes;
}

async function keptSectors(): Promise<Kept> {
  const kept = new Kept("pipe", new MemoryScratch());
  await kept.add(10, sectors(10, 5));
  await kept.add(15, sectors(15, 5));
  await kept.add(40, sectors(40, 2));
  return kept;
}

async function claim(kept: Kept, place: number, count: number): Promise<Uint8Array | undefined> {
  const into = new Uint8Array(count * SECTOR_SIZE);
  return await kept.claim(place, into) ? into : undefined;
}

Deno.test("sectors that were kept can be taken, across the pieces they came in", async () => {
  const kept = await keptSectors();
  assert.deepEqual(await claim(kept, 13, 4), sectors(13, 4));
  assert.deepEqual(await claim(kept, 40, 2), sectors(40, 2));
  assert.equal(kept.sectors, 12);
});

Deno.test("sectors that were not kept cannot be taken", async () => {
  const kept = await keptSectors();
  for (const [place, count] of [[9, 2], [19, 2], [20, 1], [39, 2], [41, 2], [0, 1], [100, 1]] as const) {
    assert.equal(await claim(kept, place, count), undefined, `sector ${place}`);
  }
});

Deno.test("what is taken is taken", async () => {
  const kept = await keptSectors();
  assert.ok(await claim(kept, 12, 3));
  assert.equal(await claim(kept, 14, 3), undefined);
  assert.equal(await claim(kept, 12, 1), undefined);
  assert.ok(await claim(kept, 10, 2));
});
