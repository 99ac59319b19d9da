import assert from "node:assert/strict";
import { Batch } from "../../core-as/host/mod.ts";
import { MemoryTarget } from "../../test/helpers/memory_target.ts";
import { type Clock, RateLimitedTarget } from "./rate_limited_target.ts";

/** A clock that only sleeping moves. */
function fakeClock(): Clock & { sleptMs: number; atMs: number } {
  return {
    atMs: 0,
    sleptMs: 0,
    nowMs() {
      return this.atMs;
    },
    sleep(delayMs) {
      this.atMs += delayMs;
      this.sleptMs += delayMs;
      return Promise.resolve();
    },
  };
}

async function write(target: RateLimitedTarget, lengthBytes: number): Promise<void> {
  const batch = new Batch();
  batch.add({ offsetBytes: 0, lengthBytes, at: 0 });
  await target.write(batch, new Uint8Array(lengthBytes).fill(1));
}

Deno.test("a rate-limited target takes as long as its bytes are due", async () => {
  const clock = fakeClock();
  const memory = new MemoryTarget(new Uint8Array(1_000_000));
  const target = new RateLimitedTarget(memory, 1_000_000, clock);
  for (let i = 0; i < 10; i++) await write(target, 100_000);
  assert.ok(Math.abs(clock.sleptMs - 1000) <= 10, `${clock.sleptMs} ms for a second's worth`);
  assert.deepEqual(memory.bytes.subarray(0, 100_000), new Uint8Array(100_000).fill(1));
});

Deno.test("small writes share a wait, and none is forgotten", async () => {
  const clock = fakeClock();
  const target = new RateLimitedTarget(new MemoryTarget(new Uint8Array(4096)), 1_000_000, clock);
  for (let i = 0; i < 1000; i++) await write(target, 1000);
  assert.ok(clock.sleptMs > 900 && clock.sleptMs <= 1010, `${clock.sleptMs} ms for a second's worth`);
});

Deno.test("a target that stood still may not burst afterwards", async () => {
  const clock = fakeClock();
  const target = new RateLimitedTarget(new MemoryTarget(new Uint8Array(100_000)), 1_000_000, clock);
  await write(target, 100_000);
  clock.atMs += 60_000;
  const before = clock.sleptMs;
  for (let i = 0; i < 5; i++) await write(target, 100_000);
  assert.ok(clock.sleptMs - before >= 490, `${clock.sleptMs - before} ms for half a second's worth`);
});

Deno.test("zeros count as bytes, and reach the target", async () => {
  const clock = fakeClock();
  const memory = new MemoryTarget(new Uint8Array(8192).fill(9));
  await new RateLimitedTarget(memory, 8192, clock).zero({ offsetBytes: 0, lengthBytes: 8192, punch: true });
  assert.deepEqual(memory.bytes, new Uint8Array(8192));
  assert.ok(clock.sleptMs >= 990, `${clock.sleptMs} ms for a second's worth`);
});
