import assert from "node:assert/strict";
import { BufferPool, Gate, TaskGroup } from "./in_flight.ts";

/** A promise that is settled from outside. */
function deferred() {
  return Promise.withResolvers<void>();
}

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

Deno.test("BufferPool makes no more buffers than it may, and hands them on in order", async () => {
  const pool = new BufferPool(16, 2);
  const first = await pool.take();
  await pool.take();
  const order: string[] = [];
  const third = pool.take().then((buffer) => (order.push("third"), buffer));
  const fourth = pool.take().then((buffer) => (order.push("fourth"), buffer));
  await settled();
  assert.deepEqual(order, []);
  pool.give(first);
  assert.equal(await third, first);
  const other = new Uint8Array(16);
  pool.give(other);
  assert.equal(await fourth, other);
  assert.deepEqual(order, ["third", "fourth"]);
});

Deno.test("Gate lets in so many at once, also after one of them failed", async () => {
  const gate = new Gate(2);
  let inside = 0;
  let most = 0;
  const visits = Array.from({ length: 9 }, (_, i) =>
    gate.run(async () => {
      most = Math.max(most, ++inside);
      await settled();
      inside--;
      if (i === 3) throw new Error("number three");
      return i;
    }));
  const results = await Promise.allSettled(visits);
  assert.equal(most, 2);
  assert.deepEqual(results.map(({ status }) => status === "fulfilled"), results.map((_, i) => i !== 3));
  assert.equal(await gate.run(() => Promise.resolve(7)), 7);
});

Deno.test("TaskGroup bounds what runs, and starts nothing after a failure", async () => {
  const group = new TaskGroup(2);
  const first = deferred();
  const second = deferred();
  await group.start(() => first.promise);
  await group.start(() => second.promise);
  let started = false;
  const third = group.start(() => {
    started = true;
    return Promise.resolve();
  });
  await settled();
  assert.equal(started, false);
  let ended = false;
  const end = assert.rejects(third, /the first/).then(() => ended = true);
  first.reject(new Error("the first"));
  await settled();
  assert.equal(ended, false, "it ended while a task ran");
  second.reject(new Error("the second"));
  await end;
  assert.equal(started, false);
  assert.throws(() => group.check(), /the first/);
});

Deno.test("TaskGroup without a failure checks out", async () => {
  const group = new TaskGroup(1);
  let done = 0;
  for (let i = 0; i < 5; i++) {
    await group.start(async () => {
      await settled();
      done++;
    });
  }
  await group.settle();
  group.check();
  assert.equal(done, 5);
});

Deno.test("TaskGroup tells of several failures that of the task started first", async () => {
  const group = new TaskGroup(3);
  const [first, second] = [deferred(), deferred()];
  await group.start(() => first.promise);
  await group.start(() => second.promise);
  second.reject(new Error("the second"));
  await settled();
  const third = group.start(() => Promise.resolve());
  first.reject(new Error("the first"));
  await assert.rejects(third, { message: "the first" });
  assert.throws(() => group.check(), { message: "the first" });
});
