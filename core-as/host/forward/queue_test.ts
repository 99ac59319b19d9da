import assert from "node:assert/strict";
import { Rng } from "../../../fixtures/mod.ts";
import type { RegrainError } from "../errors.ts";
import { StretchQueue } from "./queue.ts";

/** Takes everything out, a piece at a time. */
function drain(queue: StretchQueue): { place: number; length: number; target: number }[] {
  const pieces = [];
  while (queue.hasNext) {
    const { place, length, target } = queue;
    pieces.push({ place, length, target });
    queue.consume(length);
  }
  return pieces;
}

Deno.test("pieces come out in the order of the file, however they went in", () => {
  const rng = new Rng(1);
  const queue = new StretchQueue("pipe");
  const places = rng.pick({ limit: 1_000_000, count: 100_000 });
  places.forEach((place, i) => {
    // Odd places are apart from each other, so that nothing is joined.
    queue.add(place * 2 + 1, 1, i * 2);
    if (i % 777 === 0) queue.commit();
  });
  queue.commit();
  const expected = places.map((place, i) => ({ place: place * 2 + 1, length: 1, target: i * 2 }));
  assert.deepEqual(drain(queue), expected.sort((a, b) => a.place - b.place));
});

Deno.test("pieces can be added while others are taken", () => {
  const queue = new StretchQueue("pipe");
  queue.add(10, 5, 100);
  queue.add(30, 5, 200);
  queue.commit();
  queue.consume(2);
  queue.add(20, 1, 300);
  queue.add(11, 1, 400);
  queue.commit();
  assert.deepEqual(drain(queue), [
    { place: 11, length: 1, target: 400 },
    { place: 12, length: 3, target: 102 },
    { place: 20, length: 1, target: 300 },
    { place: 30, length: 5, target: 200 },
  ]);
});

Deno.test("pieces that continue each other in the file and on the disk are one; tables never are", () => {
  const queue = new StretchQueue("pipe");
  queue.add(18, 2, 108);
  queue.add(10, 8, 100);
  queue.commit();
  queue.add(20, 4, 110);
  queue.add(24, 4, 999);
  queue.add(40, 1, -1);
  queue.add(41, 1, -2);
  queue.commit();
  assert.deepEqual(drain(queue), [
    { place: 10, length: 14, target: 100 },
    { place: 24, length: 4, target: 999 },
    { place: 40, length: 1, target: -1 },
    { place: 41, length: 1, target: -2 },
  ]);
});

Deno.test("places beyond 32 bits keep their order", () => {
  const queue = new StretchQueue("pipe");
  const far = 2 ** 37;
  for (const place of [far + 2, far, 5, far + 4]) queue.add(place, 1, place * 2);
  queue.commit();
  assert.deepEqual(drain(queue).map(({ place }) => place), [5, far, far + 2, far + 4]);
});

Deno.test("more pieces than memory is kept for are refused", () => {
  const queue = new StretchQueue("pipe", 100);
  assert.throws(() => {
    for (let i = 0; i < 200; i++) {
      queue.add(i * 2, 1, i * 5);
      queue.commit();
    }
  }, (error: RegrainError) => error.code === "LIMIT_EXCEEDED");
});

Deno.test("what was taken makes room for more", () => {
  const queue = new StretchQueue("pipe", 100);
  for (let i = 0; i < 10_000; i++) {
    queue.add(i * 2, 1, i * 5);
    queue.commit();
    if (i >= 50) queue.consume(1);
  }
  assert.equal(drain(queue).length, 50);
});
