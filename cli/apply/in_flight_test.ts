/** Many calls under way at once: what a target asks for, it gets; what counts as done is, whatever fails. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  type Batch,
  Disk,
  GIB,
  KIB,
  MIB,
  MOST_BYTES_IN_FLIGHT,
  openLink,
  RegrainError,
  type Source,
  type Target,
} from "../../core-as/host/mod.ts";
import { core, memoryContext } from "../../test/helpers/memory.ts";
import { MemoryTarget } from "../../test/helpers/memory_target.ts";
import { checkAsync, fc } from "../../test/helpers/property.ts";
import { baseBytes, chainBytes, chainFiles, linkName, randomChain } from "../../test/helpers/random_chain.ts";
import {
  SLOW_MS,
  type SlowCall,
  SlowSource,
  slowTarget,
  VirtualTime,
} from "../../test/helpers/slow_medium.ts";
import { openZeroDisk } from "../../test/helpers/zero_disk.ts";
import { applyDisk } from "./engine.ts";
import { InterruptibleTarget } from "../target/interruptible_target.ts";
import { RateLimitedTarget } from "../target/rate_limited_target.ts";

const DISK_BYTES = 48 * MIB;

/** Data without zeros, each sector unlike its neighbours. */
function content(lengthBytes: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: lengthBytes }, (_, i) => 1 + (i + 7 * Math.floor(i / 512)) % 251);
}

const CONTENT = content(DISK_BYTES);

async function rawDisk(bytes: Uint8Array = CONTENT): Promise<Disk> {
  const context = memoryContext({ "disk.img": bytes });
  return new Disk(core, [await openLink("disk.img", context, "image")]);
}

function errorAt(offsetBytes: number): RegrainError {
  return new RegrainError("WRITE_FAILED", "the medium refused", { path: "target", offsetBytes });
}

Deno.test("F5: with 20 ms a call, 16 writes under way are more than ten times as fast", async () => {
  const tookMs: Record<number, number> = {};
  for (const inFlight of [1, 16]) {
    const target = slowTarget(new Uint8Array(DISK_BYTES), { medium: { inFlight } });
    await applyDisk(await rawDisk(), target, { sparse: "auto" });
    assert.equal(Buffer.compare(target.memory.bytes, CONTENT), 0);
    assert.equal(target.latency.mostAtOnce, inFlight);
    assert.ok(target.latency.calls.every(({ lengthBytes }) => lengthBytes === MIB));
    tookMs[inFlight] = target.latency.time.nowMs;
  }
  assert.equal(tookMs[1], 48 * SLOW_MS);
  assert.equal(tookMs[16], 3 * SLOW_MS);
});

Deno.test("F5: a call is as large as the target asks for, and what is under way stays below 64 MiB", async () => {
  for (
    const [preferredBytes, callBytes] of [[256 * KIB, 256 * KIB], [GIB, 4 * MIB], [1, 64 * KIB]] as const
  ) {
    const target = slowTarget(new Uint8Array(DISK_BYTES), { medium: { preferredBytes, inFlight: 1000 } });
    await applyDisk(await rawDisk(), target, { sparse: "never" });
    assert.equal(Math.max(...target.latency.calls.map(({ lengthBytes }) => lengthBytes)), callBytes);
    assert.ok(target.latency.mostBytesAtOnce <= MOST_BYTES_IN_FLIGHT);
    assert.ok(target.latency.mostAtOnce > 10);
  }
});

Deno.test("F5: with a look at the target before each write, no call more is under way than it wants", async () => {
  const target = slowTarget(new Uint8Array(DISK_BYTES), {
    medium: { inFlight: 4 },
    latencyMs: ({ kind }) => kind === "read" ? 1 : SLOW_MS,
  });
  const look = new MemoryLook(target);
  await applyDisk(await rawDisk(), target, {
    sparse: "auto",
    beforeWrite: (stretches) => look.at(stretches),
  });
  assert.equal(target.latency.mostAtOnce, 4);
  assert.equal(Buffer.compare(target.memory.bytes, CONTENT), 0);
});

/** Reads what is about to be overwritten. */
class MemoryLook {
  constructor(private readonly target: Target) {}

  async at(stretches: Batch): Promise<void> {
    await this.target.read(stretches, new Uint8Array(4 * MIB));
  }
}

Deno.test("F5: links that want many reads under way are read so, a whole buffer at once", async () => {
  const tookMs: Record<number, number> = {};
  for (const inFlight of [1, 16]) {
    const time = new VirtualTime();
    const context = memoryContext({ "disk.img": CONTENT });
    const open = (path: string) => {
      return new SlowSource(context.files.open(path) as Source, { time, medium: { inFlight } });
    };
    const link = await openLink("disk.img", { ...context, files: { ...context.files, open } }, "image");
    const target = new MemoryTarget(new Uint8Array(DISK_BYTES));
    const openedMs = time.nowMs;
    await applyDisk(new Disk(core, [link]), target, { sparse: "auto" });
    tookMs[inFlight] = time.nowMs - openedMs;
    assert.equal(Buffer.compare(target.bytes, CONTENT), 0);
  }
  assert.equal(tookMs[1], 48 * SLOW_MS);
  assert.equal(tookMs[16], 12 * SLOW_MS);
});

Deno.test("F5: two lanes share what the target wants", async () => {
  const target = slowTarget(new Uint8Array(DISK_BYTES), { medium: { inFlight: 16 } });
  await applyDisk(await rawDisk(), target, { sparse: "auto", lanes: 2 });
  assert.equal(target.latency.mostAtOnce, 8);
});

Deno.test("F5: zeros are made many at once too, and each call stays below 64 MiB", async () => {
  const disk = await openZeroDisk(10 * GIB);
  const calls: SlowCall[] = [];
  const target = slowTarget(new Uint8Array(0), { latencyMs: (call) => (calls.push(call), SLOW_MS) });
  Object.defineProperties(target, {
    sizeBytes: { value: disk.sizeBytes },
    memory: { value: { zero: () => {} } },
  });
  const { zeroedBytes } = await applyDisk(disk, target, { sparse: "auto" });
  assert.equal(zeroedBytes, disk.sizeBytes);
  assert.equal(calls.length, 160);
  assert.equal(target.latency.time.nowMs, 160 / 16 * SLOW_MS);
});

Deno.test("F5: calls end in any order: every byte is in its place, and what is done grows in order", async () => {
  await checkAsync(
    fc.asyncProperty(
      randomChain,
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 7, maxLength: 7 }),
      fc.integer({ min: 2, max: 5 }),
      async (chain, latencies, inFlight) => {
        const context = memoryContext(chainFiles(chain));
        const links = [];
        for (const i of chain.links.keys()) links.unshift(await openLink(linkName(i), context, "delta"));
        const disk = new Disk(core, links);
        const bytes = new Uint8Array(disk.sizeBytes);
        bytes.set(baseBytes(chain).subarray(0, disk.sizeBytes));
        let calls = 0;
        const target = slowTarget(bytes, {
          medium: { inFlight, preferredBytes: 1 },
          latencyMs: () => latencies[calls++ % latencies.length]!,
        });
        const wanted = chainBytes(chain);
        let doneBytes = 0;
        await applyDisk(disk, target, {
          sparse: "always",
          afterWrite(done) {
            assert.ok(done >= doneBytes);
            doneBytes = done;
            assert.equal(
              Buffer.compare(bytes.subarray(0, done), wanted.subarray(0, done)),
              0,
              "not done yet",
            );
          },
        });
        assert.equal(doneBytes, disk.sizeBytes);
        assert.equal(Buffer.compare(bytes, wanted), 0);
      },
    ),
    { runs: 60 },
  );
});

Deno.test("F5: of several writes that fail the first by offset is told, and nothing after it is done", async () => {
  // The later ones fail long before the first does.
  const failing = [20 * MIB, 22 * MIB, 25 * MIB];
  const target = slowTarget(new Uint8Array(DISK_BYTES), {
    latencyMs: ({ offsetBytes }) => offsetBytes === failing[0] ? 500 : SLOW_MS,
    fails: ({ kind, offsetBytes }) => {
      return kind === "write" && failing.includes(offsetBytes) ? errorAt(offsetBytes) : undefined;
    },
  });
  const done: number[] = [];
  const shown: number[] = [];
  await assert.rejects(
    applyDisk(await rawDisk(), target, {
      sparse: "auto",
      afterWrite: (doneBytes) => void done.push(doneBytes),
      onProgress: ({ writtenBytes }) => void shown.push(writtenBytes),
    }),
    { code: "WRITE_FAILED", offsetBytes: 20 * MIB },
  );
  assert.equal(done.at(-1), 20 * MIB);
  assert.equal(shown.at(-1), 20 * MIB);
  const begun = target.latency.calls.map(({ offsetBytes }) => offsetBytes);
  assert.ok(Math.max(...begun) < 20 * MIB + 16 * MIB, "writes were begun after one had failed");
});

Deno.test("F5: an error of the deltas comes after the writes under way, and theirs comes first", async () => {
  for (const fails of [false, true]) {
    const disk = await rawDisk();
    const target = slowTarget(new Uint8Array(DISK_BYTES), {
      fails: ({ offsetBytes }) => fails && offsetBytes === 8 * MIB ? errorAt(offsetBytes) : undefined,
    });
    const done: number[] = [];
    const queued = disk.readQueued.bind(disk);
    let reads = 0;
    disk.readQueued = (buffer) => {
      if (++reads === 11) throw new RegrainError("READ_FAILED", "the delta is gone", { path: "disk.img" });
      return queued(buffer);
    };
    await assert.rejects(
      applyDisk(disk, target, { sparse: "auto", afterWrite: (doneBytes) => void done.push(doneBytes) }),
      { code: fails ? "WRITE_FAILED" : "READ_FAILED" },
    );
    assert.equal(done.at(-1), fails ? 8 * MIB : 10 * MIB);
  }
});

Deno.test("F5: a stop waits for the writes under way, makes them durable, and lets none begin", async () => {
  const stop = new RegrainError("INTERRUPTED", "stopped by SIGINT");
  const target = slowTarget(new Uint8Array(DISK_BYTES));
  let asked = 0;
  const stoppable = new InterruptibleTarget(target, () => ++asked === 20 ? stop : undefined);
  await assert.rejects(applyDisk(await rawDisk(), stoppable, { sparse: "auto" }), stop);
  const { calls } = target.latency;
  assert.equal(calls.at(-1)!.kind, "flush", "something was begun after the target was made durable");
  assert.equal(target.memory.operations.length, calls.length - 1, "something was not waited for");
});

Deno.test("F5: a limited rate holds for all calls together, and no piece is mistaken for another", async () => {
  const memory = new MemoryTarget(new Uint8Array(DISK_BYTES));
  const target = slowTarget(memory.bytes);
  const { time } = target.latency;
  const clock = { nowMs: () => time.nowMs, sleep: (delayMs: number) => time.sleep(delayMs) };
  const limited = new RateLimitedTarget(target, 4 * MIB, { clock });
  await applyDisk(await rawDisk(), limited, { sparse: "auto" });
  assert.equal(Buffer.compare(memory.bytes, CONTENT), 0);
  const dueMs = DISK_BYTES / (4 * MIB) * 1000;
  assert.ok(
    time.nowMs >= dueMs - 500 && time.nowMs <= dueMs + 100,
    `${time.nowMs} ms for ${dueMs} ms' worth`,
  );
});
