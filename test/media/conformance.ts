/**
 * What every source and every target must do: one suite, run over each.
 *
 * A subject brings the bytes that it must read as, found out another way, and where it has latency, what counts its
 * calls. Time is virtual there; nothing here depends on the clock.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Batch, KIB, RegrainError, SECTOR_SIZE, type Source, type Target } from "../../core-as/host/mod.ts";
import { Rng } from "../../fixtures/mod.ts";
import type { Latency } from "../helpers/slow_medium.ts";

/** A source under test. */
export interface SourceSubject<T extends Source = Source> {
  readonly source: T;
  /** What it reads as from start to end. At least {@link LEAST_BYTES}. */
  readonly expected: Uint8Array;
  /** Media with latency that it reads from. */
  readonly latencies?: readonly Latency[];
  close?(): void | Promise<void>;
}

/** A target under test; `source` is the target itself. */
export interface TargetSubject extends SourceSubject<Target> {
  /** What the medium holds now, read past the target where that can be. */
  readonly content: () => Uint8Array | Promise<Uint8Array>;
}

export const LEAST_BYTES = 50_000;
/** Most bytes of one read here. */
const PIECE_BYTES = 300 * KIB;

type Check<S> = (subject: S) => void | Promise<void>;

/** Runs the suite of sources, a step each. They are only read, so all checks have the same subject. */
export async function sourceConformance(
  t: Deno.TestContext,
  open: () => SourceSubject | Promise<SourceSubject>,
): Promise<void> {
  const subject = await open();
  try {
    for (const [what, check] of Object.entries(SOURCE_CHECKS)) await t.step(what, () => check(subject));
  } finally {
    subject.source.close();
    await subject.close?.();
  }
}

/** Runs both suites: a target is read as any source is. */
export function targetConformance(
  t: Deno.TestContext,
  open: () => TargetSubject | Promise<TargetSubject>,
): Promise<void> {
  return runChecks(t, open, { ...SOURCE_CHECKS, ...TARGET_CHECKS });
}

/** Every check has a subject of its own. */
async function runChecks<S extends SourceSubject>(
  t: Deno.TestContext,
  open: () => S | Promise<S>,
  checks: Record<string, Check<S>>,
): Promise<void> {
  for (const [what, check] of Object.entries(checks)) {
    await t.step(what, async () => {
      const subject = await open();
      try {
        await check(subject);
      } finally {
        subject.source.close();
        await subject.close?.();
      }
    });
  }
}

const SOURCE_CHECKS: Record<string, Check<SourceSubject>> = {
  "it knows its size and its name, and asks for calls of some size and some number": (
    { source, expected },
  ) => {
    assert.equal(source.sizeBytes, expected.length);
    assert.ok(source.path.length > 0);
    const { preferredBytes, inFlight } = source.medium ?? { preferredBytes: SECTOR_SIZE, inFlight: 1 };
    assert.ok(
      Number.isSafeInteger(preferredBytes) && preferredBytes >= SECTOR_SIZE,
      `${preferredBytes} bytes`,
    );
    assert.ok(Number.isSafeInteger(inFlight) && inFlight >= 1, `${inFlight} calls`);
  },

  "it reads as it should, in pieces of an odd size": async ({ source, expected }) => {
    for (let at = 0; at < expected.length; at += PIECE_BYTES + 7) {
      const lengthBytes = Math.min(PIECE_BYTES + 7, expected.length - at);
      assertBytes(await read(source, at, lengthBytes), expected.subarray(at, at + lengthBytes), at);
    }
  },

  "a batch of scattered transfers of any size touches nothing beside": async ({ source, expected }) => {
    const end = expected.length;
    const batch = batchOf([
      { offsetBytes: end - 1, lengthBytes: 1, at: 3 },
      { offsetBytes: 511, lengthBytes: 1027, at: 10 },
      { offsetBytes: 0, lengthBytes: 0, at: 7 },
      { offsetBytes: end - 40_000, lengthBytes: 39_999, at: 3000 },
      { offsetBytes: 512, lengthBytes: 512, at: 2000 },
    ]);
    const found = new Uint8Array(50_000).fill(0xee);
    const due = found.slice();
    for (let i = 0; i < batch.count; i++) {
      const from = batch.offsetBytes[i]!;
      due.set(expected.subarray(from, from + batch.lengthBytes[i]!), batch.at[i]!);
    }
    await source.read(batch, found);
    assertBytes(found, due, 0);
    await source.read(new Batch(), new Uint8Array(0));
  },

  "it reads into the middle of a WebAssembly memory": async ({ source, expected }) => {
    const memory = new WebAssembly.Memory({ initial: 2 });
    const batch = batchOf([{ offsetBytes: 1000, lengthBytes: 2000, at: 96 }]);
    await source.read(batch, new Uint8Array(memory.buffer, 65536, 4096));
    assertBytes(new Uint8Array(memory.buffer, 65536 + 96, 2000), expected.subarray(1000, 3000), 1000);
  },

  "a read past its end is READ_SHORT, with its name and the byte at which it ends": async ({ source }) => {
    const { sizeBytes } = source;
    for (const [offsetBytes, lengthBytes] of [[sizeBytes - 100, 200], [sizeBytes, 1]] as const) {
      const error = await failureOf(() => read(source, offsetBytes, lengthBytes));
      assert.equal(error.code, "READ_SHORT");
      assert.equal(error.offsetBytes, sizeBytes);
      assert.ok(error.path !== undefined && error.path !== "");
    }
  },

  "its runs are sorted, have no gaps, and what they call zeros reads as zeros": async (
    { source, expected },
  ) => {
    if (source.runs === undefined) return;
    const size = expected.length;
    for (const [from, to] of [[0, size], [0, 4096], [513, 20_001], [size - 4097, size], [0, size]] as const) {
      let at = from;
      for (const run of await source.runs(from, to)) {
        assert.equal(run.start, at, "a gap, or runs in no order");
        assert.ok(run.length > 0);
        at += run.length;
        if (run.kind === "data") continue;
        assertBytes(expected.subarray(run.start, at), new Uint8Array(run.length), run.start);
      }
      assert.equal(at, to);
    }
  },

  "as many reads as it wants may be under way, and runs be asked for meanwhile": async (subject) => {
    const { source, expected, latencies = [] } = subject;
    const inFlight = source.medium?.inFlight ?? 1;
    await atOnce(inFlight, stretchesOf(expected.length, 40), async ({ offsetBytes, lengthBytes }, i) => {
      const found = await read(source, offsetBytes, lengthBytes);
      assertBytes(found, expected.subarray(offsetBytes, offsetBytes + lengthBytes), offsetBytes);
      if (i % 5 === 0) await source.runs?.(offsetBytes, offsetBytes + lengthBytes);
    });
    if (inFlight === 1 || latencies.length === 0) return;
    assert.ok(
      latencies.some(({ mostAtOnce }) => mostAtOnce > 1),
      "one read after the other reached the medium",
    );
  },
};

const TARGET_CHECKS: Record<string, Check<TargetSubject>> = {
  "it says to which blocks holes are aligned": ({ source: { medium } }) => {
    assert.ok(medium.granularityBytes >= SECTOR_SIZE && Number.isInteger(Math.log2(medium.granularityBytes)));
    assert.equal(typeof medium.holesAreFree, "boolean");
  },

  "scattered writes of any size land where they belong, and last": async (subject) => {
    const { source: target, expected } = subject;
    const size = expected.length;
    const data = pattern(40_000, 77);
    const batch = batchOf([
      { offsetBytes: size - 3, lengthBytes: 3, at: 0 },
      { offsetBytes: 511, lengthBytes: 1027, at: 10 },
      { offsetBytes: 30_001, lengthBytes: 10_007, at: 2000 },
      { offsetBytes: 0, lengthBytes: 0, at: 5 },
    ]);
    const due = expected.slice();
    for (let i = 0; i < batch.count; i++) {
      due.set(data.subarray(batch.at[i]!, batch.at[i]! + batch.lengthBytes[i]!), batch.offsetBytes[i]!);
    }
    await target.write(batch, data);
    await target.write(new Batch(), new Uint8Array(0));
    await assertHolds(subject, due);
  },

  "zeroing makes just that stretch zeros, punched or not, aligned or not": async (subject) => {
    const { source: target, expected } = subject;
    const due = expected.slice();
    const { granularityBytes } = target.medium;
    const stretches = [
      { offsetBytes: 0, lengthBytes: granularityBytes, punch: true },
      { offsetBytes: 2 * granularityBytes + 1, lengthBytes: granularityBytes + 3, punch: true },
      { offsetBytes: 5 * granularityBytes, lengthBytes: granularityBytes, punch: false },
      { offsetBytes: 7 * granularityBytes + 10, lengthBytes: 7, punch: false },
      { offsetBytes: expected.length - 5, lengthBytes: 5, punch: true },
    ];
    let written = target.zerosWrittenBytes;
    for (const stretch of stretches) {
      due.fill(0, stretch.offsetBytes, stretch.offsetBytes + stretch.lengthBytes);
      await target.zero(stretch);
      const after = target.zerosWrittenBytes;
      if (written !== undefined && after !== undefined) {
        assert.ok(
          after >= written && after - written <= stretch.lengthBytes,
          `${after - written} bytes of zeros`,
        );
      }
      written = after;
    }
    await assertHolds(subject, due);
  },

  "as many writes and zeros as it wants may be under way": async (subject) => {
    const { source: target, expected, latencies = [] } = subject;
    const due = expected.slice();
    const { inFlight } = target.medium;
    await atOnce(inFlight, stretchesOf(expected.length, 40), async (stretch, i) => {
      const { offsetBytes, lengthBytes } = stretch;
      if (i % 4 === 3) {
        due.fill(0, offsetBytes, offsetBytes + lengthBytes);
        return await target.zero({ ...stretch, punch: true });
      }
      const data = pattern(lengthBytes, i);
      due.set(data, offsetBytes);
      await target.write(batchOf([{ ...stretch, at: 0 }]), data);
      data.fill(0xff);
    });
    await assertHolds(subject, due);
    if (inFlight === 1 || latencies.length === 0) return;
    assert.ok(
      latencies.some(({ mostAtOnce }) => mostAtOnce > 1),
      "one call after the other reached the medium",
    );
  },

  "a write or zeros past its end are refused, and it does not grow": async (subject) => {
    const { source: target, expected } = subject;
    const size = expected.length;
    const batch = batchOf([{ offsetBytes: size - 10, lengthBytes: 20, at: 0 }]);
    assert.equal((await failureOf(() => target.write(batch, new Uint8Array(20)))).code, "NO_SPACE");
    const zeros = { offsetBytes: size - 10, lengthBytes: 20, punch: true };
    assert.equal((await failureOf(() => target.zero(zeros))).code, "NO_SPACE");
    await target.flush();
    assert.equal((await subject.content()).length, size);
    assertBytes((await subject.content()).subarray(0, size - 10), expected.subarray(0, size - 10), 0);
  },

  "a transfer that does not fit its buffer is a bug that is found at once": async ({ source: target }) => {
    const batch = batchOf([{ offsetBytes: 0, lengthBytes: 512, at: 1 }]);
    await assert.rejects(async () => await target.read(batch, new Uint8Array(512)), RangeError);
    await assert.rejects(async () => await target.write(batch, new Uint8Array(512)), RangeError);
  },

  "it is where it was, and what it cannot do well it says in sentences": async ({ source: target }) => {
    await target.zero({ offsetBytes: 0, lengthBytes: 64, punch: true });
    for (const part of leavesOf(target)) {
      assert.equal(part.displaced?.(), undefined);
      for (const sentence of part.fallbacks ?? []) assert.match(sentence, /\w+ \w+/);
    }
  },
};

/** What a target is made of in the end. */
function leavesOf(target: Target): readonly Target[] {
  return target.targets?.flatMap(leavesOf) ?? [target];
}

async function assertHolds({ source: target, content }: TargetSubject, due: Uint8Array): Promise<void> {
  assertBytes(await read(target, 0, due.length), due, 0);
  await target.flush();
  assertBytes(await content(), due, 0);
}

/** Does work with items, so many at once, each begun in its turn. */
async function atOnce<T>(most: number, items: readonly T[], work: (item: T, index: number) => Promise<void>) {
  let next = 0;
  const one = async () => {
    for (let i = next++; i < items.length; i = next++) await work(items[i]!, i);
  };
  await Promise.all(Array.from({ length: most }, one));
}

/** Stretches that do not touch, of many lengths, in no order. */
function stretchesOf(sizeBytes: number, count: number): { offsetBytes: number; lengthBytes: number }[] {
  const rng = new Rng(sizeBytes);
  const share = Math.floor(sizeBytes / count);
  const stretches = Array.from({ length: count }, (_, i) => {
    const lengthBytes = 1 + rng.int(Math.min(share, PIECE_BYTES) - 1);
    return { offsetBytes: i * share + rng.int(share - lengthBytes), lengthBytes };
  });
  return stretches.sort((a, b) => (a.offsetBytes * 7919) % sizeBytes - (b.offsetBytes * 7919) % sizeBytes);
}

async function read(source: Source, offsetBytes: number, lengthBytes: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(lengthBytes).fill(0xee);
  await source.read(batchOf([{ offsetBytes, lengthBytes, at: 0 }]), buffer);
  return buffer;
}

function batchOf(list: readonly { offsetBytes: number; lengthBytes: number; at: number }[]): Batch {
  const batch = new Batch();
  for (const transfer of list) batch.add(transfer);
  return batch;
}

async function failureOf(work: () => unknown): Promise<RegrainError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof RegrainError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: "nothing was thrown" });
}

/** Bytes that differ from their neighbours, from sector to sector, and never are 0. */
export function pattern(lengthBytes: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(lengthBytes);
  for (let i = 0; i < lengthBytes; i++) bytes[i] = (i + 31 * Math.floor(i / 512) + seed) % 251 + 1;
  return bytes;
}

function assertBytes(found: Uint8Array, due: Uint8Array, fromBytes: number): void {
  if (Buffer.compare(found, due) === 0) return;
  const at = found.findIndex((byte, i) => byte !== due[i]);
  assert.fail(`${found.length} bytes for ${due.length}; the first that is wrong is at ${fromBytes + at}`);
}
