import assert from "node:assert/strict";
import { BufferPool, TaskGroup } from "./in_flight.ts";

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

Deno.test("BufferPool takes back no more than it gave, and another buffer for one that was lost", async () => {
  const pool = new BufferPool(16, 1);
  assert.throws(() => pool.give(new Uint8Array(16)), /not taken/);
  const buffer = await pool.take();
  structuredClone(buffer, { transfer: [buffer.buffer] });
  const other = new Uint8Array(16);
  pool.give(other);
  assert.equal(await pool.take(), other);
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

Deno.test("TaskGroup takes what a task throws at once for its failure, and keeps its place", async () => {
  const group = new TaskGroup(1);
  await group.start(() => {
    throw new Error("at once");
  });
  await assert.rejects(group.start(() => assert.fail("it was started")), /at once/);
  await assert.rejects(group.start(() => assert.fail("it was started")), /at once/);
  await group.settle();
});
