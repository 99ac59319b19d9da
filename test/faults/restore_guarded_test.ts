/** A restore in place that stops anywhere, on a machine in memory: it can be completed, resumed and taken back. */
import assert from "node:assert/strict";
import { InlineLanes } from "../../cli/backup/lanes.ts";
import type { Repository } from "../../cli/backup/repository.ts";
import { restoreGuarded } from "../../cli/backup/restore/restore_guarded.ts";
import type { RestoreCounts } from "../../cli/backup/restore/restore.ts";
import { ChunkSet } from "../../core-as/host/chunk_set.ts";
import { verifyRestored } from "../../cli/backup/restore/verify_restored.ts";
import { Safeguards } from "../../cli/target/safeguards.ts";
import { RegrainError } from "../../core-as/host/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import { backUpLetters, CHUNK, fillChunk, memoryRepository } from "../backup_cli/memory_repository.ts";
import { CrashMachine } from "../helpers/crash_machine.ts";
import { core } from "../helpers/memory.ts";
import { MemoryTarget } from "../helpers/memory_target.ts";
import { crashes, isStarted, JOURNAL, takeAllBack, TARGET, UNDO } from "../helpers/small_apply.ts";

/** What the disk was when it was backed up, a chunk a letter, `.` of zeros. */
const LETTERS = "ab.cd.";
const PLAN = "0123456789abcdef";

interface Safety {
  readonly undo?: string;
  readonly journal?: string;
  readonly resume?: boolean;
}

const SAFE: Safety = { undo: UNDO, journal: JOURNAL };

function diskOf(letters: string): Uint8Array<ArrayBuffer> {
  const disk = new Uint8Array(letters.length * CHUNK);
  for (const [i, letter] of [...letters].entries()) {
    if (letter !== ".") fillChunk(letter, disk.subarray(i * CHUNK, (i + 1) * CHUNK));
  }
  return disk;
}

const AFTER = diskOf(LETTERS);

/** A target that differs in a block of one chunk, in all of another, in what is zeros, and in the last one's end. */
function before(): Uint8Array<ArrayBuffer> {
  const disk = AFTER.slice();
  disk.fill(0x11, CHUNK / 2, CHUNK / 2 + 4096);
  disk.fill(0x22, 2 * CHUNK + 8192, 2 * CHUNK + 20480);
  disk.fill(0, 3 * CHUNK, 3 * CHUNK + 12288);
  disk.fill(0x33, 6 * CHUNK - 4096);
  return disk;
}

const BEFORE = before();

async function withSnapshot(fn: (disk: { repository: Repository; snapshot: Snapshot }) => Promise<void>) {
  const repository = await memoryRepository();
  await fn({ repository, snapshot: await backUpLetters(repository, LETTERS) });
}

async function restore(
  machine: CrashMachine,
  { repository, snapshot }: { repository: Repository; snapshot: Snapshot },
  safety: Safety,
): Promise<RestoreCounts & { resumedBytes: number }> {
  const { io } = machine;
  const target = io.openTarget(TARGET, { force: false });
  const lanes = await InlineLanes.open(repository.laneSetup);
  const guards = await Safeguards.find(
    { resume: false, checkpointBytes: 4096, ...safety },
    { operation: "restore", core, io, target, base: undefined, plan: PLAN },
  );
  try {
    const disk = { repository, snapshot, lanes, overlay: undefined, isTolerant: false };
    const counts = await restoreGuarded(disk, {
      target,
      guards,
      gatheredBytes: CHUNK,
      onPlan: () => {},
      onProgress: () => {},
    });
    await target.flush();
    await guards.finish(undefined);
    return { ...counts, resumedBytes: guards.resumedBytes };
  } catch (error) {
    await guards.stop(error);
    throw error;
  } finally {
    guards.close();
  }
}

function machineWith(target: Uint8Array, crashAt = Infinity): CrashMachine {
  return new CrashMachine({ [TARGET]: target }, crashAt);
}

Deno.test("F4: a guarded restore writes only blocks that differ, and taking it back gives every byte back", () =>
  withSnapshot(async (disk) => {
    const machine = machineWith(BEFORE);
    const counts = await restore(machine, disk, SAFE);
    assert.deepEqual(machine.bytesOf(TARGET), AFTER);
    assert.equal(counts.writtenBytes, 4096 + 12288, "what is data and differed");
    assert.equal(counts.doneBytes, AFTER.length);
    assert.ok(!machine.has(JOURNAL), "the journal is gone");
    // Four stretches of some blocks each, and what tells the target.
    assert.ok(machine.bytesOf(UNDO).length < 128 * 1024, `${machine.bytesOf(UNDO).length} bytes`);
    await takeAllBack(machine);
    assert.deepEqual(machine.bytesOf(TARGET), BEFORE);
  }));

/** All was done but to remove the journal: the undo file says so, and is not begun again. */
function onlyWhole(error: unknown): undefined {
  assert.ok(error instanceof RegrainError, String(error));
  assert.match(error.message, /the restore that it takes back is whole/);
}

Deno.test("F4: a restore that stops at any operation is completed, resumed, and taken back", () =>
  withSnapshot(async (disk) => {
    const whole = machineWith(BEFORE);
    await restore(whole, disk, SAFE);
    const seen = { resumedLater: 0, takenBack: 0 };
    for (let crashAt = 0; crashAt < whole.steps; crashAt++) {
      const stopped = machineWith(BEFORE, crashAt);
      assert.ok(await crashes(() => restore(stopped, disk, SAFE)), `operation ${crashAt}`);
      const loss = (["kill", "all-lost", "some-lost"] as const)[crashAt % 3]!;
      const what = `operation ${crashAt} of ${whole.steps}, ${loss}`;

      const again = stopped.restarted(loss, crashAt);
      await restore(again, disk, SAFE).catch(onlyWhole);
      assert.deepEqual(again.bytesOf(TARGET), AFTER, what);
      await takeAllBack(again);
      assert.deepEqual(again.bytesOf(TARGET), BEFORE, `taken back: ${what}`);

      const resumed = stopped.restarted(loss, crashAt);
      if (resumed.has(JOURNAL)) {
        const done = await restore(resumed, disk, { ...SAFE, resume: true }).catch(onlyWhole);
        if (done && done.resumedBytes > 0) seen.resumedLater++;
        assert.deepEqual(resumed.bytesOf(TARGET), AFTER, `resumed: ${what}`);
        await takeAllBack(resumed);
        assert.deepEqual(resumed.bytesOf(TARGET), BEFORE, `resumed and taken back: ${what}`);
      }

      const back = stopped.restarted(loss, crashAt);
      if (!back.has(UNDO) || !await isStarted(back)) continue;
      await takeAllBack(back);
      assert.deepEqual(back.bytesOf(TARGET), BEFORE, `taken back at once: ${what}`);
      seen.takenBack++;
    }
    assert.ok(seen.resumedLater > 3 && seen.takenBack > 10, JSON.stringify(seen));
  }));

Deno.test("F4: an undo file is not continued over what was written since where nothing was saved", () =>
  withSnapshot(async (disk) => {
    const whole = machineWith(BEFORE);
    await restore(whole, disk, { undo: UNDO });
    const stopped = machineWith(BEFORE, whole.steps - 8);
    assert.ok(await crashes(() => restore(stopped, disk, { undo: UNDO })));
    const machine = stopped.restarted("kill", 1);
    const changed = machine.bytesOf(TARGET).slice();
    // Chunk 1 was right, so that the first run passed it by.
    changed.fill(0x77, CHUNK + 512, CHUNK + 1024);
    machine.io.replaceFile(TARGET, changed);
    await assert.rejects(restore(machine, disk, { undo: UNDO }), (error) => {
      assert.ok(error instanceof RegrainError);
      assert.equal(error.code, "TARGET_UNSUITABLE");
      assert.match(error.message, /the undo file exists, and /);
      return true;
    });
    assert.deepEqual(machine.bytesOf(TARGET), changed);
  }));

Deno.test("F4: a journal of another snapshot, of an apply, or of no run is refused, and nothing is written", () =>
  withSnapshot(async (disk) => {
    const stopped = machineWith(BEFORE, 9);
    assert.ok(await crashes(() => restore(stopped, disk, { journal: JOURNAL })));
    const text = new TextDecoder().decode(stopped.restarted("kill", 1).bytesOf(JOURNAL));
    const cases: [string, string, RegExp][] = [
      [
        text.replace(PLAN, "f".repeat(16)),
        "RESUME_REFUSED",
        /the snapshot, or the delta over it, is not that/,
      ],
      [text.replace('"restore"', '"apply"'), "RESUME_REFUSED", /the interrupted run is an apply/],
      ["{}", "RESUME_REFUSED", /no journal of regrain/],
    ];
    for (const [journal, code, message] of cases) {
      const machine = machineWith(BEFORE);
      machine.io.replaceFile(JOURNAL, new TextEncoder().encode(journal));
      await assert.rejects(restore(machine, disk, { journal: JOURNAL, resume: true }), { code, message });
      assert.deepEqual(machine.bytesOf(TARGET), BEFORE);
    }
    const other = machineWith(BEFORE);
    other.io.replaceFile(JOURNAL, new TextEncoder().encode(text.replace(PLAN, "f".repeat(16))));
    await assert.rejects(restore(other, disk, { journal: JOURNAL }), {
      code: "TARGET_UNSUITABLE",
      message: /the journal of a restore of another snapshot that is not finished/,
    });
    const missing = restore(machineWith(BEFORE), disk, { journal: JOURNAL, resume: true });
    await assert.rejects(missing, { code: "NOT_FOUND" });
  }));

Deno.test("F4: verifying tells the first byte that reads back otherwise, and how many do", () =>
  withSnapshot(async ({ repository, snapshot }) => {
    const lanes = await InlineLanes.open(repository.laneSetup);
    const disk = { repository, snapshot, lanes, overlay: undefined, isTolerant: true };
    const target = new MemoryTarget(AFTER.slice());
    const verify = (zeroed: ChunkSet) => verifyRestored(disk, { target, zeroed, onProgress: () => {} });
    const none = new ChunkSet(LETTERS.length);
    assert.equal(await verify(none), undefined);
    const wrong = target.bytes;
    wrong[CHUNK + 5000]! ^= 0xff;
    wrong[CHUNK + 5001]! ^= 0xff;
    wrong[2 * CHUNK + 9] = 1;
    const found = await verify(none);
    const expected = AFTER[CHUNK + 5000]!;
    assert.deepEqual(found, {
      bytes: 3,
      blocks: 2,
      first: { offsetBytes: CHUNK + 5000, expected, found: expected ^ 0xff },
    });
    // What could not be read when it was restored must be zeros.
    wrong.set(AFTER);
    const zeroed = new ChunkSet(LETTERS.length);
    zeroed.add(3);
    assert.equal((await verify(zeroed))!.bytes, CHUNK);
    wrong.fill(0, 3 * CHUNK, 4 * CHUNK);
    assert.equal(await verify(zeroed), undefined);
  }));
