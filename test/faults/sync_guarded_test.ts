/** A sync that stops anywhere, on a machine in memory: it can be completed, resumed and taken back. */
import assert from "node:assert/strict";
import { inflatePortable, inflateRawPortable } from "../../core-as/host/inflate.ts";
import { Disk, openChain, RegrainError } from "../../core-as/host/mod.ts";
import { runSync, type SyncResult } from "../../cli/sync/run.ts";
import { CrashMachine } from "../helpers/crash_machine.ts";
import { core } from "../helpers/memory.ts";
import {
  crashes,
  isStarted,
  JOURNAL,
  type Safety,
  takeAllBack,
  TARGET,
  UNDO,
} from "../helpers/small_apply.ts";

const SOURCE = "source.img";
const SIZE = 2 * 1024 * 1024 + 8192;
const SAFE: Safety = { undo: UNDO, journal: JOURNAL };

function fill(bytes: Uint8Array, salt: number): Uint8Array {
  for (let at = 0; at < bytes.length; at += 512) {
    bytes.fill((at / 512 * 7 + salt) % 255 + 1, at, at + 512);
  }
  return bytes;
}

function sourceDisk(): Uint8Array {
  const disk = fill(new Uint8Array(SIZE), 1);
  disk.fill(0, 300_000, 600_000);
  return disk;
}

const AFTER = sourceDisk();

/** Differs in a few blocks of each region, and where the source has zeros. */
function targetDisk(): Uint8Array {
  const disk = AFTER.slice();
  for (const at of [0, 40_960, 1_100_000, SIZE - 512]) disk.fill(0xee, at, at + 512);
  disk.fill(0x55, 400_000, 500_000);
  disk.fill(0, 1_500_000, 1_600_000);
  return disk;
}

const BEFORE = targetDisk();

async function sync(machine: CrashMachine, safety: Safety): Promise<SyncResult> {
  const { io } = machine;
  const names = { search: [], allowOutside: false };
  const context = {
    core,
    files: machine.links,
    names,
    inflate: inflatePortable,
    unpackers: { inflateRaw: inflateRawPortable },
    ignoreJournal: false,
    format: "raw" as const,
    warn: () => {},
  };
  const disk = new Disk(core, await openChain(SOURCE, context));
  const target = io.openTarget(TARGET, { force: false });
  return await runSync({ disk, prepared: { target, base: undefined, warnings: [] }, io }, {
    sparse: "auto",
    blockBytes: 4096,
    resume: false,
    checkpointBytes: 4096,
    ...safety,
    warn: () => {},
    onProgress: () => {},
    onPlan: () => {},
    verify: () => Promise.resolve(),
  });
}

function machineWith(target: Uint8Array, crashAt = Infinity): CrashMachine {
  return new CrashMachine({ [SOURCE]: AFTER, [TARGET]: target }, crashAt);
}

/** All was done but to remove the journal: the undo file says so, and is not begun again. */
function onlyWhole(error: unknown): undefined {
  assert.ok(error instanceof RegrainError, String(error));
  assert.match(error.message, /the sync that it takes back is whole/);
}

Deno.test("a guarded sync writes only blocks that differ, and taking it back gives every byte back", async () => {
  const machine = machineWith(BEFORE);
  const { counts } = await sync(machine, SAFE);
  assert.deepEqual(machine.bytesOf(TARGET), AFTER);
  const differing = Array.from({ length: Math.ceil(SIZE / 4096) }, (_, i) => i * 4096)
    .filter((at) => AFTER.subarray(at, at + 4096).some((byte, i) => byte !== BEFORE[at + i]));
  assert.equal(counts.writtenBytes + counts.zeroedBytes, differing.length * 4096);
  assert.ok(!machine.has(JOURNAL), "the journal is gone");
  await takeAllBack(machine);
  assert.deepEqual(machine.bytesOf(TARGET), BEFORE);
});

Deno.test("a sync that stops at any operation is completed, resumed, and taken back", async () => {
  const whole = machineWith(BEFORE);
  await sync(whole, SAFE);
  const seen = { resumedLater: 0, takenBack: 0 };
  for (let crashAt = 0; crashAt < whole.steps; crashAt++) {
    const stopped = machineWith(BEFORE, crashAt);
    assert.ok(await crashes(() => sync(stopped, SAFE)), `operation ${crashAt}`);
    const loss = (["kill", "all-lost", "some-lost"] as const)[crashAt % 3]!;
    const what = `operation ${crashAt} of ${whole.steps}, ${loss}`;

    const again = stopped.restarted(loss, crashAt);
    await sync(again, SAFE).catch(onlyWhole);
    assert.deepEqual(again.bytesOf(TARGET), AFTER, what);
    await takeAllBack(again);
    assert.deepEqual(again.bytesOf(TARGET), BEFORE, `taken back: ${what}`);

    const resumed = stopped.restarted(loss, crashAt);
    if (resumed.has(JOURNAL)) {
      const done = await sync(resumed, { ...SAFE, resume: true }).catch(onlyWhole);
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
  assert.ok(seen.resumedLater > 0 && seen.takenBack > 10, JSON.stringify(seen));
});
