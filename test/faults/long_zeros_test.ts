/** Zeros as long as the disk: no call takes them all at once, whatever the medium does with them. */
import assert from "node:assert/strict";
import { applyDisk } from "../../cli/apply/engine.ts";
import type { SparseMode } from "../../cli/target/sparse.ts";
import { InterruptibleTarget } from "../../cli/target/interruptible_target.ts";
import { PipeSink } from "../../cli/apply/pipe_sink.ts";
import { takeBack } from "../../cli/target/take_back.ts";
import { prepareDiff } from "../../cli/target/undo_file.ts";
import { type Io, pickIo } from "../../cli/io/mod.ts";
import { rbdDiffEnd, rbdDiffHeader, rbdDiffRecord } from "../../cli/stream/rbd_diff.ts";
import { Batch, GIB, MIB, readBytes, RegrainError, SECTOR_SIZE } from "../../core-as/host/mod.ts";
import { core, memorySource } from "../helpers/memory.ts";
import { testWithPeers, withLoop, withTempDir } from "../helpers/peers.ts";
import { RecordingTarget } from "../helpers/recording_target.ts";
import { openZeroDisk } from "../helpers/zero_disk.ts";

const LONG_BYTES = 10 * GIB;
/** Enough for three pieces of the largest size. */
const MEDIUM_BYTES = 136 * MIB;
const MODES: readonly SparseMode[] = ["auto", "always", "never"];

function stoppable(recorder: RecordingTarget): InterruptibleTarget {
  return new InterruptibleTarget(recorder, () => recorder.safePoint());
}

Deno.test("D7: an apply of zeros makes no call above 64 MiB, and shows progress and can stop between", async () => {
  for (const sparse of MODES) {
    using disk = disposable(await openZeroDisk(LONG_BYTES));
    const recorder = new RecordingTarget(LONG_BYTES);
    const shown: number[] = [];
    const counts = await applyDisk(disk.value, stoppable(recorder), {
      sparse,
      onProgress: ({ zeroedBytes }) => shown.push(zeroedBytes),
    });
    recorder.assertStoppable();
    assert.equal(counts.zeroedBytes, LONG_BYTES);
    assert.equal(recorder.totalBytes("zero"), LONG_BYTES);
    assertSmallSteps(shown);
  }
});

Deno.test("D7: with something to do before each write, zeros come in steps of at most 1 GiB", async () => {
  using disk = disposable(await openZeroDisk(LONG_BYTES));
  const steps: number[] = [];
  const done: number[] = [];
  await applyDisk(disk.value, stoppable(new RecordingTarget(LONG_BYTES)), {
    sparse: "never",
    beforeWrite: (stretches) => void steps.push(stretches.totalBytes),
    afterWrite: (doneBytes) => void done.push(doneBytes),
  });
  assert.deepEqual(steps, new Array(10).fill(GIB));
  assert.deepEqual(done, Array.from(done, (_, i) => (i + 1) * GIB));
});

Deno.test("D7: taking back zeros makes no call above 64 MiB, and shows progress and can stop between", async () => {
  const stream = [
    ...rbdDiffHeader({ sizeBytes: LONG_BYTES, toSnapshot: "x" }),
    ...rbdDiffRecord({ kind: "zero", offsetBytes: 0, lengthBytes: LONG_BYTES }),
    ...rbdDiffEnd(),
  ];
  const prepared = await prepareDiff(memorySource("diff", Uint8Array.from(stream)));
  const recorder = new RecordingTarget(LONG_BYTES);
  const shown: number[] = [];
  await takeBack({ core, io: pickIo("portable"), prepared, target: stoppable(recorder) }, {
    onProgress: ({ zeroedBytes }) => shown.push(zeroedBytes),
  });
  recorder.assertStoppable();
  assert.equal(recorder.totalBytes("zero"), LONG_BYTES);
  assertSmallSteps(shown);
});

Deno.test("D7: zeros out of a pipe make no call above 64 MiB, and show progress and can stop between", async () => {
  const recorder = new RecordingTarget(LONG_BYTES);
  const shown: number[] = [];
  const sink = new PipeSink(core, {
    sparse: "never",
    onProgress: ({ zeroedBytes }) => shown.push(zeroedBytes),
  });
  sink.attach(stoppable(recorder), { isBase: true, holesAreFree: true });
  await sink.hole(0, LONG_BYTES / SECTOR_SIZE);
  await sink.finish();
  recorder.assertStoppable();
  assert.equal(recorder.totalBytes("zero"), LONG_BYTES);
  assertSmallSteps(shown);
});

Deno.test("D7: a stop is heard between two pieces, and what was done until then is counted", async () => {
  using disk = disposable(await openZeroDisk(LONG_BYTES));
  const recorder = new RecordingTarget(LONG_BYTES);
  const stop = new RegrainError("INTERRUPTED", "stopped");
  const target = new InterruptibleTarget(
    recorder,
    () => recorder.totalBytes("zero") >= 2 * GIB ? stop : undefined,
  );
  let counted = 0;
  const work = applyDisk(disk.value, target, {
    sparse: "never",
    onProgress: ({ zeroedBytes }) => counted = zeroedBytes,
  });
  await assert.rejects(work, stop);
  const zeroedBytes = recorder.totalBytes("zero");
  assert.ok(zeroedBytes >= 2 * GIB && zeroedBytes < 2 * GIB + 64 * MIB, `${zeroedBytes} bytes`);
  assert.ok(zeroedBytes - counted <= 64 * MIB, `${counted} of ${zeroedBytes} bytes were counted`);
});

Deno.test("D7: pieces of zeros shrink where a medium is slow, and grow where it is not", async () => {
  const recorder = new RecordingTarget(LONG_BYTES);
  let atMs = 0;
  let bytesPerMs = 16 * MIB / 1000;
  const clock = () => atMs;
  const timed = Object.assign(recorder, {
    zero: ({ lengthBytes }: { lengthBytes: number }) => {
      recorder.calls.push({ kind: "zero", lengthBytes });
      atMs += lengthBytes / bytesPerMs;
      return Promise.resolve();
    },
  });
  const target = new InterruptibleTarget(timed, () => undefined, clock);
  await target.zero({ offsetBytes: 0, lengthBytes: GIB, punch: false });
  const slow = recorder.calls.slice(3).map((call) => call.kind === "zero" ? call.lengthBytes : 0);
  assert.ok(Math.max(...slow) / bytesPerMs <= 250, `a piece took ${Math.max(...slow) / bytesPerMs} ms`);
  recorder.calls.length = 0;
  bytesPerMs = 1000 * MIB;
  await target.zero({ offsetBytes: GIB, lengthBytes: 4 * GIB, punch: true });
  assert.deepEqual(recorder.calls.at(-2), { kind: "zero", lengthBytes: 64 * MIB });
  assert.equal(recorder.totalBytes("zero"), 4 * GIB);
});

/** Linux by libc, and Deno's own files; a file, and a loop device. */
const MEDIA: readonly { readonly io: "linux" | "portable"; readonly medium: "file" | "loop device" }[] =
  Deno.build.os === "linux"
    ? (["linux", "portable"] as const).flatMap((io) =>
      (["file", "loop device"] as const).map((medium) => ({ io, medium }))
    )
    : [{ io: "portable", medium: "file" }];

for (const { io, medium } of MEDIA) {
  for (const sparse of ["auto", "never"] as const) {
    testWithPeers(
      `D7: ${io}, ${medium}, --sparse ${sparse}: zeros come in pieces of at most 64 MiB, each after a safe point`,
      medium === "file" ? [] : ["root-loop"],
      () =>
        withTempDir(async (folder) => {
          const path = `${folder}/target.img`;
          Deno.writeFileSync(path, new Uint8Array(0));
          Deno.truncateSync(path, MEDIUM_BYTES);
          const check = (place: string) => zeroWhole(pickIo(io), place, sparse);
          await (medium === "file" ? check(path) : withLoop(path, check));
        }),
    );
  }
}

/** Places at the ends of the medium and around the cuts, which hold something before. */
const MARKS = [0, 4 * MIB - 1, 4 * MIB, 60 * MIB + 7, 64 * MIB - 1, 64 * MIB, 128 * MIB, MEDIUM_BYTES - 1];

async function zeroWhole(io: Io, path: string, sparse: SparseMode): Promise<void> {
  using disk = disposable(await openZeroDisk(MEDIUM_BYTES));
  const target = io.openTarget(path, { force: false });
  try {
    const marks = new Batch();
    for (const offsetBytes of MARKS) marks.add({ offsetBytes, lengthBytes: 1, at: 0 });
    await target.write(marks, Uint8Array.of(7));
    const recorder = new RecordingTarget(target);
    await applyDisk(disk.value, stoppable(recorder), { sparse });
    recorder.assertStoppable();
    assert.equal(recorder.totalBytes("zero"), MEDIUM_BYTES);
    for (const offsetBytes of MARKS) assert.deepEqual([...await readBytes(target, offsetBytes, 1)], [0]);
  } finally {
    target.close();
  }
}

function assertSmallSteps(shown: readonly number[]): void {
  const steps = shown.map((bytes, i) => bytes - (shown[i - 1] ?? 0));
  assert.ok(Math.max(...steps) <= 64 * MIB, `progress went on by ${Math.max(...steps)} bytes at once`);
}

function disposable<T extends { close(): void }>(value: T): { readonly value: T } & Disposable {
  return { value, [Symbol.dispose]: () => value.close() };
}
