import assert from "node:assert/strict";
import { Batch, RegrainError } from "../../core-as/host/mod.ts";
import { MemoryTarget } from "../../test/helpers/memory_target.ts";
import { InterruptibleTarget } from "./interruptible_target.ts";
import { type Clock, RateLimit, RateLimitedTarget } from "./rate_limited_target.ts";

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

/** A transfer of nothing comes when all before it is due. */
async function afterAll(target: RateLimitedTarget): Promise<void> {
  await target.write(new Batch(), new Uint8Array(0));
}

Deno.test("a rate-limited target takes as long as its bytes are due", async () => {
  const clock = fakeClock();
  const memory = new MemoryTarget(new Uint8Array(1_000_000));
  const target = new RateLimitedTarget(memory, 1_000_000, { clock });
  for (let i = 0; i < 10; i++) await write(target, 100_000);
  await afterAll(target);
  assert.ok(Math.abs(clock.sleptMs - 1000) <= 10, `${clock.sleptMs} ms for a second's worth`);
  assert.deepEqual(memory.bytes.subarray(0, 100_000), new Uint8Array(100_000).fill(1));
});

Deno.test("D8: one large batch is no burst: it is cut, and every byte reaches its place", async () => {
  const clock = fakeClock();
  const memory = new MemoryTarget(new Uint8Array(1_000_000));
  const target = new RateLimitedTarget(memory, 100_000, { clock });
  const buffer = Uint8Array.from({ length: 900_000 }, (_, i) => 1 + i % 251);
  const batch = new Batch();
  batch.add({ offsetBytes: 500_000, lengthBytes: 450_000, at: 0 });
  batch.add({ offsetBytes: 3000, lengthBytes: 450_000, at: 450_000 });
  await target.write(batch, buffer);
  assert.ok(clock.sleptMs >= 8400 && clock.sleptMs <= 9000, `${clock.sleptMs} ms for nine seconds' worth`);
  const wanted = new Uint8Array(1_000_000);
  wanted.set(buffer.subarray(0, 450_000), 500_000);
  wanted.set(buffer.subarray(450_000), 3000);
  assert.deepEqual(memory.bytes, wanted);
});

Deno.test("small writes share a wait, and none is forgotten", async () => {
  const clock = fakeClock();
  const target = new RateLimitedTarget(new MemoryTarget(new Uint8Array(4096)), 1_000_000, { clock });
  for (let i = 0; i < 1000; i++) await write(target, 1000);
  await afterAll(target);
  assert.ok(clock.sleptMs > 900 && clock.sleptMs <= 1010, `${clock.sleptMs} ms for a second's worth`);
});

Deno.test("a target that stood still may not burst afterwards", async () => {
  const clock = fakeClock();
  const target = new RateLimitedTarget(new MemoryTarget(new Uint8Array(100_000)), 1_000_000, { clock });
  await write(target, 100_000);
  await afterAll(target);
  clock.atMs += 60_000;
  const before = clock.sleptMs;
  for (let i = 0; i < 5; i++) await write(target, 100_000);
  await afterAll(target);
  assert.ok(clock.sleptMs - before >= 490, `${clock.sleptMs - before} ms for half a second's worth`);
});

/** A target that tells how much of what it zeroes it has to write, as those of this machine do. */
class TellingTarget extends MemoryTarget {
  zerosWrittenBytes = 0;

  constructor(bytes: Uint8Array, private readonly canPunch: boolean) {
    super(bytes);
  }

  override zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): void {
    super.zero(stretch);
    if (!stretch.punch || !this.canPunch) this.zerosWrittenBytes += stretch.lengthBytes;
  }
}

Deno.test("D8: zeros that are punched take no time, however many, and reach the target", async () => {
  const clock = fakeClock();
  const memory = new TellingTarget(new Uint8Array(1_000_000).fill(9), true);
  const target = new RateLimitedTarget(memory, 1000, { clock });
  await target.zero({ offsetBytes: 0, lengthBytes: 1_000_000, punch: true });
  await afterAll(target);
  assert.equal(clock.sleptMs, 0);
  assert.deepEqual(memory.bytes, new Uint8Array(1_000_000));
});

Deno.test("D8: zeros that have to be written count, asked for as holes or not", async () => {
  for (const [canPunch, punch] of [[true, false], [false, true], [false, false]] as const) {
    const clock = fakeClock();
    const memory = new TellingTarget(new Uint8Array(8192).fill(9), canPunch);
    const target = new RateLimitedTarget(memory, 8192, { clock });
    await target.zero({ offsetBytes: 0, lengthBytes: 8192, punch });
    await afterAll(target);
    assert.deepEqual(memory.bytes, new Uint8Array(8192));
    assert.ok(clock.sleptMs >= 990 && clock.sleptMs <= 1010, `${clock.sleptMs} ms for a second's worth`);
  }
});

Deno.test("D8: a target that does not tell counts what is to be written, and no hole", async () => {
  for (const punch of [true, false]) {
    const clock = fakeClock();
    const memory = new MemoryTarget(new Uint8Array(8192).fill(9));
    const target = new RateLimitedTarget(memory, 8192, { clock });
    await target.zero({ offsetBytes: 0, lengthBytes: 8192, punch });
    await afterAll(target);
    assert.ok(punch ? clock.sleptMs === 0 : clock.sleptMs >= 990, `punch ${punch}: ${clock.sleptMs} ms`);
  }
});

Deno.test("D8: no sleep is longer than 100 ms, and each is followed by a look at whether to stop", async () => {
  const clock = fakeClock();
  const sleeps: number[] = [];
  const recording: Clock = {
    nowMs: () => clock.nowMs(),
    sleep(delayMs) {
      sleeps.push(delayMs);
      return clock.sleep(delayMs);
    },
  };
  const stop = new RegrainError("INTERRUPTED", "stopped by SIGINT");
  let looks = 0;
  const target = new RateLimitedTarget(new MemoryTarget(new Uint8Array(234_000_000)), 2_000_000, {
    clock: recording,
    whileWaiting: () => {
      if (++looks === 7) throw stop;
    },
  });
  const zeros = target.zero({ offsetBytes: 0, lengthBytes: 234_000_000, punch: false });
  await assert.rejects(async () => await zeros, stop);
  assert.equal(sleeps.length, 7);
  assert.ok(Math.max(...sleeps) <= 100, `a sleep of ${Math.max(...sleeps)} ms`);
});

Deno.test("D8: a wait that a stop ends leaves the target durable", async () => {
  const stop = new RegrainError("INTERRUPTED", "stopped by SIGINT");
  const memory = new MemoryTarget(new Uint8Array(1_000_000));
  let isStopped = false;
  const stoppable = new InterruptibleTarget(memory, () => isStopped ? stop : undefined);
  const clock = fakeClock();
  const target = new RateLimitedTarget(stoppable, 1000, {
    clock: {
      nowMs: () => clock.nowMs(),
      sleep(delayMs) {
        isStopped = clock.sleptMs > 1000;
        return clock.sleep(delayMs);
      },
    },
    whileWaiting: () => stoppable.passSafePoint(),
  });
  await write(target, 32 * 1024);
  await assert.rejects(write(target, 1_000_000), stop);
  assert.equal(memory.operations.length, 1);
  assert.equal(memory.flushes, 1);
  assert.ok(clock.sleptMs < 1300, `it slept for ${clock.sleptMs} ms`);
});

Deno.test("B23: a byte a second is a limit: no wait is longer than a timer takes, nor ends too early", async () => {
  const clock = fakeClock();
  const sleeps: number[] = [];
  const limit = new RateLimit(1, {
    clock: {
      nowMs: () => clock.nowMs(),
      sleep: (delayMs) => {
        sleeps.push(delayMs);
        return clock.sleep(delayMs);
      },
    },
    whileWaiting: () => {
      if (sleeps.length === 1000) throw new RegrainError("INTERRUPTED", "stopped");
    },
  });
  // A chunk is due in 49 days, which is more milliseconds than a timer counts.
  await assert.rejects(limit.account(4 * 1024 * 1024), { code: "INTERRUPTED" });
  assert.ok(sleeps.every((delayMs) => delayMs > 0 && delayMs < 2 ** 31), String(Math.max(...sleeps)));
});
