import assert from "node:assert/strict";
import { ChunkSet } from "./chunk_set.ts";

Deno.test("ChunkSet counts each chunk once, and yields them in ascending order", () => {
  const set = new ChunkSet(40);
  for (const chunk of [39, 0, 8, 7, 8, 39]) set.add(chunk);
  assert.equal(set.size, 4);
  assert.deepEqual([...set], [0, 7, 8, 39]);
  assert.ok(set.has(7) && !set.has(9));
});

Deno.test("ChunkSet.full() has every chunk of a disk, and none beyond it", () => {
  for (const count of [0, 1, 8, 9, 1025]) {
    const set = ChunkSet.full(count);
    assert.equal(set.size, count);
    assert.deepEqual([...set], Array.from({ length: count }, (_, i) => i));
  }
});

Deno.test("ChunkSet.addBytes() adds what a stretch touches, to the byte", () => {
  const touched = (start: number, length: number) => {
    const set = new ChunkSet(4);
    set.addBytes({ start, length }, 100);
    return [...set];
  };
  assert.deepEqual(touched(0, 0), []);
  assert.deepEqual(touched(100, 0), []);
  assert.deepEqual(touched(99, 1), [0]);
  assert.deepEqual(touched(99, 2), [0, 1]);
  assert.deepEqual(touched(100, 100), [1]);
  assert.deepEqual(touched(100, 101), [1, 2]);
  assert.deepEqual(touched(350, 1000), [3]);
});

Deno.test("ChunkSet handles places beyond 32 bits", () => {
  const set = new ChunkSet(4_000_000);
  set.addBytes({ start: 3_999_999 * 4_194_304 + 1, length: 5 }, 4_194_304);
  assert.deepEqual([...set], [3_999_999]);
});
