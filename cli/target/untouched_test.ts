/** Blocks that an apply leaves alone: never one that it touches, never zeros, spread over what there is. */
import assert from "node:assert/strict";
import { memorySource } from "../../test/helpers/memory.ts";
import { nonZeroBlocks, SurvivingBlocks, Thinned, UntouchedBlocks } from "./untouched.ts";

const BLOCK = 4096;
const DISK = 4000 * BLOCK;
/** Every seventh block has a sector written to it. */
const STRETCHES = Array.from(
  { length: 500 },
  (_, i) => ({ offsetBytes: i * 7 * BLOCK + 512, lengthBytes: 512 }),
);

function isTouched(block: number): boolean {
  return STRETCHES.some(({ offsetBytes }) => Math.floor(offsetBytes / BLOCK) === block);
}

Deno.test("D6: no block that is written counts as left alone, in whatever order the stretches come", () => {
  const ordered = new UntouchedBlocks(DISK);
  for (const stretch of STRETCHES) ordered.touch(stretch);
  const surviving = new SurvivingBlocks(DISK);
  for (const stretch of STRETCHES.toReversed()) surviving.touch(stretch);
  for (const blocks of [ordered.finish(), surviving.finish()]) {
    assert.ok(blocks.length > 100 && blocks.at(-1)! > 3500 && blocks.at(-1)! < 4000);
    assert.deepEqual(blocks.filter(isTouched), []);
    assert.deepEqual([...new Set(blocks)].sort((a, b) => a - b), blocks);
  }
});

Deno.test("D6: a disk that is written whole, or has no whole block, leaves nothing alone", () => {
  const blocks = new UntouchedBlocks(DISK);
  blocks.touch({ offsetBytes: 0, lengthBytes: DISK });
  assert.deepEqual(blocks.finish(), []);
  assert.deepEqual(new UntouchedBlocks(BLOCK - 512).finish(), []);
  assert.deepEqual(new SurvivingBlocks(BLOCK - 512).finish(), []);
});

Deno.test("D6: of blocks that are not zeros as many are named as there is room for, from all of the disk", async () => {
  const bytes = new Uint8Array(DISK);
  for (let block = 0; block < 4000; block += 3) bytes[block * BLOCK + 77] = 1;
  const blocks = Array.from({ length: 4000 }, (_, i) => i);
  const found = await nonZeroBlocks(memorySource("disk", bytes), { blocks, limit: 12 });
  assert.equal(found.length, 12);
  assert.ok(found.every((block) => block % 3 === 0));
  assert.ok(found[0]! < 1500 && found.at(-1)! > 2500, String(found));
  assert.deepEqual(await nonZeroBlocks(memorySource("disk", new Uint8Array(DISK)), { blocks, limit: 2 }), []);
});

Deno.test("D6: what is thinned out stays within its limit and spread over all that came", () => {
  for (const count of [0, 1, 8, 9, 10, 1000, 12345]) {
    const thinned = new Thinned<number>(8);
    for (let i = 0; i < count; i++) thinned.add(i);
    const { items } = thinned;
    assert.ok(items.length <= 8 && items.length >= Math.min(4, count), `${count}: ${items}`);
    const steps = items.slice(1).map((item, i) => item - items[i]!);
    assert.ok(new Set(steps).size <= 1, `${count}: ${items}`);
    if (count > 0) assert.ok(items.at(-1)! >= count / 2 - 1, `${count}: ${items}`);
  }
});
