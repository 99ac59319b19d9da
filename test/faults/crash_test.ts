/**
 * A small apply stopped at every operation that changes anything, by a kill and by power losses: afterwards a resumed
 * run, a plain second run and the undo file each lead to exactly the right image.
 */
import assert from "node:assert/strict";
import * as kernels from "../../core-as/core.wasm";
import { inflatePortable } from "../../core-as/host/inflate.ts";
import { type Context, Core, RegrainError } from "../../core-as/host/mod.ts";
import { type ApplyRequest, intentOf, prepareDeltas, prepareTarget } from "../../cli/apply/prepare.ts";
import { runPrepared } from "../../cli/apply/run.ts";
import { prepareDiff, requireOwnTarget, takeBack } from "../../cli/apply/take_back.ts";
import {
  baseDisk,
  baseFiles,
  buildCowd,
  deltaFiles,
  type Grain,
  type LinkSpec,
  overlay,
  Rng,
} from "../../fixtures/mod.ts";
import { Crash, CrashMachine, type Loss } from "../helpers/crash_machine.ts";

const SECTORS = 600;
/** So small that even this disk takes many buffers. */
const BUFFER_BYTES = 16 * 1024;
const CHECKPOINT_BYTES = 40 * 1024;
const TARGET = "vm.img";
const UNDO = "vm.undo";
const JOURNAL = "vm.journal";
const LOSSES: readonly Loss[] = ["kill", "all-lost", "some-lost", "some-lost"];

const core = new Core(kernels);
Object.defineProperty(core, "buffer", { value: core.buffer.subarray(0, BUFFER_BYTES) });

function link(): LinkSpec {
  const rng = new Rng(5);
  const grains: Grain[] = [];
  for (let index = 0; index < SECTORS;) {
    const end = Math.min(SECTORS, index + 1 + rng.int(40));
    const kind = (["data", "zero", undefined] as const)[rng.int(3)];
    for (; index < end; index++) if (kind) grains.push({ index, kind });
  }
  return { capacitySectors: SECTORS, grainSectors: 1, seed: 9, grains };
}

const LINK = link();
/** A base with stretches of zeros, which an undo file holds as zeros. */
const BEFORE = withZeros(baseDisk(SECTORS));
const AFTER = overlay(BEFORE, LINK);

function withZeros(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  bytes.fill(0, 100 * 512, 180 * 512);
  bytes.fill(0, 400 * 512, 417 * 512);
  return bytes;
}

function freshFiles(): Record<string, Uint8Array> {
  const delta = deltaFiles({ kind: "cowd", bytes: buildCowd(LINK).bytes, capacitySectors: SECTORS });
  return { ...baseFiles({ capacitySectors: SECTORS }), ...delta, [TARGET]: BEFORE };
}

const REQUEST: ApplyRequest = {
  deltas: ["disk-000001.vmdk"],
  target: TARGET,
  chain: false,
  create: false,
  force: false,
  dryRun: false,
};

function contextOf(machine: CrashMachine): Context {
  const names = { search: [], allowOutside: false };
  return {
    core,
    files: machine.links,
    names,
    inflate: inflatePortable,
    ignoreJournal: false,
    format: undefined,
    warn: () => {},
  };
}

interface Safety {
  readonly undo?: string;
  readonly journal?: string;
  readonly resume?: boolean;
}

async function apply(machine: CrashMachine, safety: Safety): Promise<void> {
  const context = contextOf(machine);
  const prepared = await prepareDeltas(REQUEST, context);
  const target = await prepareTarget(REQUEST, intentOf(prepared.disk), { io: machine.io, context });
  await runPrepared({ prepared, target: target!, io: machine.io }, {
    sparse: "auto",
    resume: false,
    checkpointBytes: CHECKPOINT_BYTES,
    onProgress: () => {},
    ...safety,
  });
}

async function takeAllBack(machine: CrashMachine): Promise<void> {
  const prepared = await prepareDiff(machine.io.openSource(UNDO));
  const target = machine.io.openTarget(TARGET, { force: false });
  await takeBack(core, prepared, target, () => {});
  await target.flush();
}

/** Runs until the machine stops; false when it went through. */
async function crashes(machine: CrashMachine, safety: Safety): Promise<boolean> {
  try {
    await apply(machine, safety);
    return false;
  } catch (error) {
    if (error instanceof Crash) return true;
    throw error;
  }
}

async function stepsOf(safety: Safety): Promise<number> {
  const machine = new CrashMachine(freshFiles());
  await apply(machine, safety);
  assert.deepEqual(machine.bytesOf(TARGET), AFTER);
  return machine.steps;
}

const SAFE: Safety = { undo: UNDO, journal: JOURNAL };

Deno.test("an apply with undo file and journal, stopped at every operation, loses nothing", async () => {
  const steps = await stepsOf(SAFE);
  assert.ok(steps > 60, `only ${steps} operations: the disk is too small to tell anything`);
  const outcomes = { resumed: 0, rerun: 0, undone: 0, undoneAfterRerun: 0 };
  for (let crashAt = 0; crashAt < steps; crashAt++) {
    for (const [i, loss] of LOSSES.entries()) {
      const at = `operation ${crashAt} of ${steps}, ${loss}`;
      const stopped = new CrashMachine(freshFiles(), crashAt);
      assert.ok(await crashes(stopped, SAFE), at);
      const restart = () => stopped.restarted(loss, crashAt * 10 + i);

      const resumed = restart();
      const resume = resumed.has(JOURNAL);
      await apply(resumed, { ...SAFE, resume });
      assert.deepEqual(resumed.bytesOf(TARGET), AFTER, `resumed: ${at}`);
      if (resume) outcomes.resumed++;

      const rerun = restart();
      await apply(rerun, { undo: UNDO });
      assert.deepEqual(rerun.bytesOf(TARGET), AFTER, `rerun: ${at}`);
      outcomes.rerun++;
      await takeAllBack(rerun);
      assert.deepEqual(rerun.bytesOf(TARGET), BEFORE, `undone after a rerun: ${at}`);
      outcomes.undoneAfterRerun++;

      const undone = restart();
      if (!undone.has(UNDO) || !(await isStarted(undone))) {
        assert.deepEqual(undone.bytesOf(TARGET), BEFORE, `nothing to undo, and yet changed: ${at}`);
        continue;
      }
      await takeAllBack(undone);
      assert.deepEqual(undone.bytesOf(TARGET), BEFORE, `undone: ${at}`);
      outcomes.undone++;
    }
  }
  console.log(`crash points: ${steps} operations x ${LOSSES.length} losses; ${JSON.stringify(outcomes)}`);
  assert.ok(outcomes.resumed > 0 && outcomes.undone > 0);
});

/** An undo file of which not even the header is durable protects nothing, since nothing was overwritten. */
async function isStarted(machine: CrashMachine): Promise<boolean> {
  try {
    await prepareDiff(machine.io.openSource(UNDO));
    return true;
  } catch (error) {
    if (error instanceof RegrainError && ["TRUNCATED", "NOT_A_DISK", "DAMAGED"].includes(error.code)) {
      return false;
    }
    throw error;
  }
}

Deno.test("taking back, stopped at every operation, can be done again", async () => {
  const applied = new CrashMachine(freshFiles());
  await apply(applied, { undo: UNDO });
  const files = { [UNDO]: applied.bytesOf(UNDO), [TARGET]: applied.bytesOf(TARGET) };
  const whole = new CrashMachine(files);
  await takeAllBack(whole);
  for (let crashAt = 0; crashAt < whole.steps; crashAt++) {
    for (const loss of LOSSES) {
      const machine = new CrashMachine(files, crashAt);
      await assert.rejects(takeAllBack(machine), Crash);
      const again = machine.restarted(loss, crashAt);
      await takeAllBack(again);
      assert.deepEqual(again.bytesOf(TARGET), BEFORE, `operation ${crashAt}, ${loss}`);
    }
  }
});

Deno.test("a journal is refused when the delta or the target is another", async () => {
  const stopped = new CrashMachine(freshFiles(), (await stepsOf(SAFE)) - 4);
  assert.ok(await crashes(stopped, SAFE));
  const other = stopped.restarted("kill", 1);
  const otherLink = { ...LINK, grains: LINK.grains.slice(1) };
  const files = deltaFiles({ kind: "cowd", bytes: buildCowd(otherLink).bytes, capacitySectors: SECTORS });
  for (const [path, bytes] of Object.entries(files)) other.io.replaceFile(path, bytes);
  await assert.rejects(apply(other, { journal: JOURNAL, resume: true }), { code: "RESUME_REFUSED" });

  const swapped = stopped.restarted("kill", 1);
  swapped.io.replaceFile(TARGET, BEFORE);
  await assert.rejects(apply(swapped, { journal: JOURNAL, resume: true }), { code: "RESUME_REFUSED" });
  await assert.rejects(apply(stopped.restarted("kill", 1), { journal: "none", resume: true }), {
    code: "NOT_FOUND",
  });
});

Deno.test("an undo file is refused when it was cut short, or was made for another target", async () => {
  const machine = new CrashMachine(freshFiles());
  await apply(machine, { undo: UNDO });
  const undo = machine.bytesOf(UNDO);
  for (let length = 0; length < undo.length; length += 97) {
    const cut = new CrashMachine({ [UNDO]: undo.slice(0, length), [TARGET]: AFTER });
    await assert.rejects(takeAllBack(cut), (error) => error instanceof RegrainError && error.exit === 4);
    assert.equal(cut.steps, 0, "something was written");
  }
  const foreign = new CrashMachine({ [UNDO]: undo, [TARGET]: baseDisk(SECTORS).fill(7) });
  const prepared = await prepareDiff(foreign.io.openSource(UNDO));
  const target = foreign.io.openTarget(TARGET, { force: false });
  await assert.rejects(requireOwnTarget(prepared, { target, force: false }), { code: "WRONG_BASE" });
  const own = machine.io.openTarget(TARGET, { force: false });
  await requireOwnTarget(await prepareDiff(machine.io.openSource(UNDO)), { target: own, force: false });
});

Deno.test("an undo file of another apply is not overwritten", async () => {
  const machine = new CrashMachine(freshFiles());
  machine.io.replaceFile(UNDO, new TextEncoder().encode("my only copy of something else"));
  await assert.rejects(apply(machine, { undo: UNDO }), { code: "TARGET_UNSUITABLE" });
  assert.deepEqual(machine.bytesOf(TARGET), BEFORE);
});
