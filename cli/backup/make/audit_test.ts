import assert from "node:assert/strict";
import { sampleOf } from "./audit.ts";
import { ChunkSet } from "../../../core-as/host/chunk_set.ts";

function sample(touched: ChunkSet, share: number, random: () => number): number[] {
  return [...sampleOf(touched, { count: touched.count, share, random })];
}

Deno.test("a sample has as many chunks as its share says, none of them touched, each once, ascending", () => {
  const touched = new ChunkSet(1000);
  touched.addRange(100, 300);
  for (let round = 0; round < 20; round++) {
    const picked = sample(touched, 0.01, Math.random);
    assert.equal(picked.length, 8);
    assert.ok(picked.every((chunk, i) => !touched.has(chunk) && (i === 0 || chunk > picked[i - 1]!)));
  }
});

Deno.test("a sample of everything is everything, and of nothing left nothing", () => {
  const touched = new ChunkSet(10);
  touched.addRange(0, 4);
  assert.deepEqual(sample(touched, 1, () => 0.999999), [4, 5, 6, 7, 8, 9]);
  touched.addRange(0, 10);
  assert.deepEqual(sample(touched, 1, () => 0), []);
});

Deno.test("the least share of a disk still looks at one chunk, wherever chance has it", () => {
  const touched = new ChunkSet(5);
  assert.deepEqual(sample(touched, 0.001, () => 0), [0]);
  assert.deepEqual(sample(touched, 0.001, () => 0.9999), [4]);
});
