import assert from "node:assert/strict";
import { Rng } from "../../../fixtures/mod.ts";
import { MemoryScratch } from "../../../test/helpers/pipe.ts";
import { StretchQueue } from "./queue.ts";

/** Takes everything out, a piece at a time. */
async function drain(queue: StretchQueue): Promise<{ place: number; length: number; target: number }[]> {
  const pieces = [];
  while (queue.hasNext) {
    const { place, length, target } = queue;
    pieces.push({ place, length, target });
    await queue.consume(length);
  }
  return pieces;
}

Deno.test("pieces come out in the order of the file, however they went in", async () => {
  const rng = new Rng(1);
  const queue = new StretchQueue(new MemoryScratch());
  const places = rng.pick({ limit: 1_000_000, count: 100_000 });
  places.forEach((place, i) => {
    // Odd places are apart from each other, so that nothing is joined.
    queue.add(place * 2 + 1, 1, i * 2);
    if (i % 777 === 0) queue.commit();
  });
  queue.commit();
  const expected = places.map((place, i) => ({ place: place * 2 + 1, length: 1, target: i * 2 }));
  assert.deepEqual(await drain(queue), expected.sort((a, b) => a.place - b.place));
});

Deno.test("pieces can be added while others are taken", async () => {
  const queue = new StretchQueue(new MemoryScratch());
  queue.add(10, 5, 100);
  queue.add(30, 5, 200);
  queue.commit();
  queue.consume(2);
  queue.add(20, 1, 300);
  queue.add(11, 1, 400);
  queue.commit();
  assert.deepEqual(await drain(queue), [
    { place: 11, length: 1, target: 400 },
    { place: 12, length: 3, target: 102 },
    { place: 20, length: 1, target: 300 },
    { place: 30, length: 5, target: 200 },
  ]);
});

Deno.test("pieces that continue each other in the file and on the disk are one; tables never are", async () => {
  const queue = new StretchQueue(new MemoryScratch());
  queue.add(18, 2, 108);
  queue.add(10, 8, 100);
  queue.commit();
  queue.add(20, 4, 110);
  queue.add(24, 4, 999);
  queue.add(40, 1, -1);
  queue.add(41, 1, -2);
  queue.commit();
  assert.deepEqual(await drain(queue), [
    { place: 10, length: 14, target: 100 },
    { place: 24, length: 4, target: 999 },
    { place: 40, length: 1, target: -1 },
    { place: 41, length: 1, target: -2 },
  ]);
});

Deno.test("places beyond 32 bits keep their order", async () => {
  const queue = new StretchQueue(new MemoryScratch());
  const far = 2 ** 37;
  for (const place of [far + 2, far, 5, far + 4]) queue.add(place, 1, place * 2);
  queue.commit();
  assert.deepEqual((await drain(queue)).map(({ place }) => place), [5, far, far + 2, far + 4]);
});

Deno.test("D15: pieces beyond what memory is kept for are spilled, and come out in the order of the file", async () => {
  const rng = new Rng(2);
  const places = rng.pick({ limit: 200_000, count: 50_000 });
  for (const maxWaiting of [0, 1, 100, 30_000]) {
    const scratch = new MemoryScratch();
    const queue = new StretchQueue(scratch, maxWaiting);
    const taken: number[] = [];
    const more = places.map((place) => place * 2 + 1);
    const early = more.filter((place) => place < 1000);
    for (const [i, place] of more.entries()) {
      await queue.add(place, 1, i * 2);
      if (i % 777 === 0) await queue.commit();
    }
    await queue.commit();
    for (let i = 0; i < early.length; i++) {
      taken.push(queue.place);
      await queue.consume(1);
    }
    // What is added while others are taken finds its place too.
    await queue.add(5000.5, 1, 1e6);
    await queue.commit();
    for (const { place } of await drain(queue)) taken.push(place);
    assert.deepEqual(taken, [...more, 5000.5].sort((a, b) => a - b), `${maxWaiting} in memory`);
    assert.ok(scratch.sizeBytes > 0);
  }
});

Deno.test("what was taken makes room for more", async () => {
  const scratch = new MemoryScratch();
  const queue = new StretchQueue(scratch, 100);
  for (let i = 0; i < 10_000; i++) {
    await queue.add(i * 2, 1, i * 5);
    await queue.commit();
    if (i >= 50) await queue.consume(1);
  }
  assert.equal(scratch.sizeBytes, 0);
  assert.equal((await drain(queue)).length, 50);
});
