/**
 * A small apply stopped at every operation that changes anything, by a kill and by power losses: afterwards a resumed
 * run, a plain second run and the undo file each lead to exactly the right image, or say why not and write nothing.
 */
import assert from "node:assert/strict";
import { requireOwnTarget } from "../../cli/target/recognise.ts";
import { prepareDiff } from "../../cli/target/undo_file.ts";
import { RegrainError } from "../../core-as/host/mod.ts";
import { baseDisk, buildCowd, deltaFiles } from "../../fixtures/mod.ts";
import { Buffer } from "node:buffer";
import { CrashMachine, type Loss } from "../helpers/crash_machine.ts";
import { importRbdDiff } from "../helpers/rbd_import.ts";
import {
  AFTER,
  apply,
  applyFromPipe,
  assertRefused,
  BEFORE,
  crashes,
  isStarted,
  JOURNAL,
  LINK,
  machineWith,
  mostlyAlike,
  SAFE,
  type Safety,
  SECTORS,
  stateOf,
  takeAllBack,
  TARGET,
  UNDO,
  WRITTEN,
} from "../helpers/small_apply.ts";

const LOSSES: readonly Loss[] = ["kill", "all-lost", "some-lost", "some-lost"];

async function stepsOf(safety: Safety, inFlight = 1): Promise<number> {
  const machine = machineWith(BEFORE, Infinity, inFlight);
  await apply(machine, safety);
  assert.deepEqual(machine.bytesOf(TARGET), AFTER);
  return machine.steps;
}

/**
 * @param inFlight Calls that are under way at the target at once.
 * @param losses What is lost at each operation.
 */
async function stopEverywhere(inFlight: number, losses: readonly Loss[]): Promise<void> {
  const steps = await stepsOf(SAFE, inFlight);
  assert.ok(steps > 60, `only ${steps} operations: the disk is too small to tell anything`);
  const outcomes = { resumed: 0, rerun: 0, refused: 0, undone: 0, undoneAfterRerun: 0 };
  for (let crashAt = 0; crashAt < steps; crashAt++) {
    for (const [i, loss] of losses.entries()) {
      const at = `operation ${crashAt} of ${steps}, ${loss}`;
      const stopped = machineWith(BEFORE, crashAt, inFlight);
      assert.ok(await crashes(() => apply(stopped, SAFE)), at);
      const restart = () => stopped.restarted(loss, crashAt * 10 + i);

      const resumed = restart();
      const resume = resumed.has(JOURNAL);
      if (await stateOf(resumed) === "applied") {
        await assert.rejects(apply(resumed, { ...SAFE, resume }), { code: "TARGET_UNSUITABLE" }, at);
      } else await apply(resumed, { ...SAFE, resume });
      assert.deepEqual(resumed.bytesOf(TARGET), AFTER, `resumed: ${at}`);
      if (resume) outcomes.resumed++;

      const rerun = restart();
      if (await stateOf(rerun) === "applied") {
        await assert.rejects(apply(rerun, { undo: UNDO }), { code: "TARGET_UNSUITABLE" }, at);
        assert.deepEqual(rerun.bytesOf(TARGET), AFTER, `marked as whole before it was: ${at}`);
        outcomes.refused++;
      } else await apply(rerun, { undo: UNDO });
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
      const imported = importRbdDiff(undone.bytesOf(UNDO), undone.bytesOf(TARGET));
      assert.deepEqual(imported.image, BEFORE, `undone by another program: ${at}`);
      await takeAllBack(undone);
      assert.deepEqual(undone.bytesOf(TARGET), BEFORE, `undone: ${at}`);
      outcomes.undone++;
    }
  }
  console.log(`crash points: ${steps} operations x ${losses.length} losses; ${JSON.stringify(outcomes)}`);
  assert.ok(outcomes.resumed > 0 && outcomes.undone > 0);
}

Deno.test("an apply with undo file and journal, stopped at every operation, loses nothing", async () => {
  await stopEverywhere(1, LOSSES);
});

Deno.test("F5: nor does one whose target has several writes under way, which end in any order", async () => {
  await stopEverywhere(4, ["some-lost"]);
});

Deno.test("F5: a write that fails among many under way: the journal says no more than was written", async () => {
  let journals = 0;
  for (const sector of WRITTEN) {
    const offsetBytes = sector * 512;
    const failing = machineWith(BEFORE, Infinity, 4);
    failing.failsAtBytes = offsetBytes;
    const work = apply(failing, SAFE);
    // Only sectors at which a write begins fail.
    const failure = await work.then(() => undefined, (error: unknown) => error as { code: string });
    if (failure === undefined) continue;
    assert.deepEqual([failure.code, (failure as RegrainError).offsetBytes], ["WRITE_FAILED", offsetBytes]);
    const { doneBytes } = JSON.parse(new TextDecoder().decode(failing.bytesOf(JOURNAL))) as {
      doneBytes: number;
    };
    assert.ok(
      doneBytes <= offsetBytes,
      `${doneBytes} bytes are said to be done, and byte ${offsetBytes} is not`,
    );
    const durable = failing.restarted("all-lost", sector);
    assert.equal(
      Buffer.compare(durable.bytesOf(TARGET).subarray(0, doneBytes), AFTER.subarray(0, doneBytes)),
      0,
    );
    if (doneBytes > 0) journals++;
    await apply(durable, { ...SAFE, resume: true });
    assert.deepEqual(durable.bytesOf(TARGET), AFTER, `resumed after byte ${offsetBytes}`);
    await takeAllBack(durable);
    assert.deepEqual(durable.bytesOf(TARGET), BEFORE, `taken back after byte ${offsetBytes}`);
  }
  assert.ok(journals > 5, `only ${journals} failures left a journal that says that something is done`);
});

Deno.test("taking back, stopped at every operation, can be done again", async () => {
  const applied = machineWith();
  await apply(applied, { undo: UNDO });
  const files = { [UNDO]: applied.bytesOf(UNDO), [TARGET]: applied.bytesOf(TARGET) };
  const whole = new CrashMachine(files);
  await takeAllBack(whole);
  for (let crashAt = 0; crashAt < whole.steps; crashAt++) {
    for (const loss of LOSSES) {
      const machine = new CrashMachine(files, crashAt);
      assert.ok(await crashes(() => takeAllBack(machine)));
      const again = machine.restarted(loss, crashAt);
      await takeAllBack(again);
      assert.deepEqual(again.bytesOf(TARGET), BEFORE, `operation ${crashAt}, ${loss}`);
    }
  }
});

Deno.test("a journal is refused when the delta or the target is another", async () => {
  const stopped = machineWith(BEFORE, (await stepsOf(SAFE)) - 12);
  assert.ok(await crashes(() => apply(stopped, SAFE)));
  const other = stopped.restarted("kill", 1);
  const otherLink = { ...LINK, grains: LINK.grains.slice(1) };
  const files = deltaFiles({ kind: "cowd", bytes: buildCowd(otherLink).bytes, capacitySectors: SECTORS });
  for (const [path, bytes] of Object.entries(files)) other.io.replaceFile(path, bytes);
  await assert.rejects(apply(other, { ...SAFE, resume: true }), { code: "RESUME_REFUSED" });

  const swapped = stopped.restarted("kill", 1);
  swapped.io.replaceFile(TARGET, BEFORE);
  await assert.rejects(apply(swapped, { ...SAFE, resume: true }), { code: "RESUME_REFUSED" });
  await assert.rejects(apply(stopped.restarted("kill", 1), { journal: "none", resume: true }), {
    code: "NOT_FOUND",
  });
});

Deno.test("an undo file is refused when it was cut short, or was made for another target", async () => {
  const machine = machineWith();
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
  const machine = machineWith();
  machine.io.replaceFile(UNDO, new TextEncoder().encode("my only copy of something else"));
  await assert.rejects(apply(machine, { undo: UNDO }), { code: "TARGET_UNSUITABLE" });
  assert.deepEqual(machine.bytesOf(TARGET), BEFORE);
});

Deno.test("D4: a run stopped anywhere, resumed on a base copied again, is refused or right", async () => {
  for (const base of [BEFORE, mostlyAlike(7), mostlyAlike(50)]) {
    const whole = machineWith(base);
    await apply(whole, { journal: JOURNAL });
    let refused = 0;
    for (let crashAt = 0; crashAt < whole.steps; crashAt++) {
      const stopped = machineWith(base, crashAt);
      assert.ok(await crashes(() => apply(stopped, { journal: JOURNAL })));
      const copied = stopped.restarted("kill", crashAt);
      if (!copied.has(JOURNAL)) continue;
      copied.io.replaceFile(TARGET, base);
      const resumed = apply(copied, { journal: JOURNAL, resume: true });
      try {
        await resumed;
        assert.deepEqual(
          copied.bytesOf(TARGET),
          AFTER,
          `operation ${crashAt}: exit 0, and a part is missing`,
        );
      } catch (error) {
        assert.ok(error instanceof RegrainError && error.code === "RESUME_REFUSED", String(error));
        assert.deepEqual(copied.bytesOf(TARGET), base);
        refused++;
      }
    }
    assert.ok(refused > 0);
  }
});

/** A clone of the same template: alike in all that the apply leaves alone, and in most of what it writes. */
function clone(): Uint8Array {
  const bytes = BEFORE.slice();
  for (const sector of WRITTEN.filter((_, i) => i % 9 === 4)) {
    bytes.fill(0xc1, sector * 512, sector * 512 + 512);
  }
  return bytes;
}

Deno.test("D6: the undo file of a run stopped anywhere changes no other target", async () => {
  const steps = await stepsOf(SAFE);
  const outcomes = { refused: 0, unchanged: 0, right: 0 };
  for (let crashAt = 0; crashAt < steps; crashAt++) {
    const stopped = machineWith(BEFORE, crashAt);
    assert.ok(await crashes(() => apply(stopped, SAFE)));
    for (const loss of LOSSES) {
      const restart = () => stopped.restarted(loss, crashAt);
      const started = restart();
      if (!started.has(UNDO) || !(await isStarted(started))) continue;
      const cloned = restart();
      cloned.io.replaceFile(TARGET, clone());
      const completed = restart();
      await apply(completed, {});
      for (const [machine, was] of [[cloned, clone()], [completed, AFTER]] as const) {
        try {
          await takeAllBack(machine);
          const now = machine.bytesOf(TARGET);
          const isRight = machine === completed && Buffer.compare(now, BEFORE) === 0;
          if (!isRight) assert.deepEqual(now, was, `operation ${crashAt}, ${loss}: a mix, with exit 0`);
          outcomes[isRight ? "right" : "unchanged"]++;
        } catch (error) {
          assert.ok(error instanceof RegrainError && error.code === "WRONG_BASE", String(error));
          assert.deepEqual(machine.bytesOf(TARGET), was);
          outcomes.refused++;
        }
      }
    }
  }
  console.log(`undo files on other targets: ${JSON.stringify(outcomes)}`);
  assert.ok(outcomes.refused > 0 && outcomes.right > 0);
});

Deno.test("D6: a pipe stopped at every operation is taken back, and its undo file changes no clone", async () => {
  const whole = machineWith();
  await applyFromPipe(whole, UNDO);
  assert.deepEqual(whole.bytesOf(TARGET), AFTER);
  for (let crashAt = 0; crashAt < whole.steps; crashAt++) {
    const stopped = machineWith(BEFORE, crashAt);
    assert.ok(await crashes(() => applyFromPipe(stopped, UNDO)));
    for (const loss of LOSSES) {
      const at = `operation ${crashAt} of ${whole.steps}, ${loss}`;
      const undone = stopped.restarted(loss, crashAt);
      if (!undone.has(UNDO) || !(await isStarted(undone))) {
        assert.deepEqual(undone.bytesOf(TARGET), BEFORE, at);
        continue;
      }
      const cloned = stopped.restarted(loss, crashAt);
      cloned.io.replaceFile(TARGET, clone());
      const refusal = await takeAllBack(cloned).catch((error) => error);
      if (refusal !== undefined) assert.equal((refusal as RegrainError).code, "WRONG_BASE", at);
      assert.deepEqual(cloned.bytesOf(TARGET), clone(), at);
      assert.deepEqual(importRbdDiff(undone.bytesOf(UNDO), undone.bytesOf(TARGET)).image, BEFORE, at);
      await takeAllBack(undone);
      assert.deepEqual(undone.bytesOf(TARGET), BEFORE, at);
    }
  }
});

Deno.test("D5: an undo file that is being taken back, or was, is not continued at any operation", async () => {
  const applied = machineWith();
  await apply(applied, { undo: UNDO });
  assert.equal(await stateOf(applied), "applied");
  const whole = machineWith(AFTER);
  whole.io.replaceFile(UNDO, applied.bytesOf(UNDO));
  const fresh = whole.steps;
  await takeAllBack(whole);
  for (let crashAt = fresh; crashAt < whole.steps; crashAt++) {
    const machine = machineWith(AFTER, crashAt);
    machine.io.replaceFile(UNDO, applied.bytesOf(UNDO));
    assert.ok(await crashes(() => takeAllBack(machine)));
    for (const loss of LOSSES) {
      const again = machine.restarted(loss, crashAt);
      const state = await stateOf(again);
      if (state === "applied") assert.deepEqual(again.bytesOf(TARGET), AFTER, "taken back without a note");
      await assertRefused(again, { code: "TARGET_UNSUITABLE", work: () => apply(again, { undo: UNDO }) });
    }
  }
});
