/** Which undo file takes back what: resumed runs, files that are done with, clones, disks that a VM ran on. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { requireOwnTarget } from "../../cli/target/recognise.ts";
import { prepareDiff } from "../../cli/target/undo_file.ts";
import { parseUndoName, undoName } from "../../cli/target/undo_name.ts";
import { rbdDiffEnd, rbdDiffHeader, rbdDiffRecord } from "../../cli/stream/rbd_diff.ts";
import { buildCowd, caseNamed, deltaFiles, overlay, Rng, writeCase } from "../../fixtures/mod.ts";
import { sha256File } from "../helpers/bytes.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { UndoSaver } from "../../cli/target/undo.ts";
import * as kernels from "../../core-as/core.wasm";
import { Batch, Core } from "../../core-as/host/mod.ts";
import { CrashMachine } from "../helpers/crash_machine.ts";
import { MemoryTarget } from "../helpers/memory_target.ts";
import { RecordingTarget } from "../helpers/recording_target.ts";
import { withTempDir } from "../helpers/peers.ts";
import { importRbdDiff } from "../helpers/rbd_import.ts";
import {
  AFTER,
  apply,
  applyFromPipe,
  assertRefused,
  BEFORE,
  core,
  crashes,
  JOURNAL,
  LINK,
  machineWith,
  SAFE,
  type Safety,
  SECTORS,
  stateOf,
  takeAllBack,
  TARGET,
  UNDO,
  WRITTEN,
} from "../helpers/small_apply.ts";

/** A run that was killed with a part of it done and in its journal. */
async function interrupted(safety: Safety): Promise<CrashMachine> {
  const whole = machineWith();
  await apply(whole, safety);
  for (let crashAt = whole.steps - 1; crashAt > 0; crashAt--) {
    const machine = machineWith(BEFORE, crashAt);
    assert.ok(await crashes(() => apply(machine, safety)));
    const again = machine.restarted("kill", 1);
    if (!again.has(JOURNAL)) continue;
    const { doneBytes } = JSON.parse(new TextDecoder().decode(again.bytesOf(JOURNAL)));
    if (doneBytes > 0 && doneBytes < SECTORS * 512 / 2) return again;
  }
  throw new Error("no run stopped half-way");
}

async function appliedWithUndo(): Promise<CrashMachine> {
  const machine = machineWith();
  await apply(machine, { undo: UNDO });
  return machine;
}

function changed(bytes: Uint8Array, sectors: readonly number[]): Uint8Array {
  const copy = bytes.slice();
  for (const sector of sectors) copy.fill(0x5a, sector * 512, sector * 512 + 512);
  return copy;
}

Deno.test("D3: a run without an undo file is not resumed with one, and the hint's way works", async () => {
  const machine = await interrupted({ journal: JOURNAL });
  const refusal = await assertRefused(machine, {
    code: "RESUME_REFUSED",
    work: () => apply(machine, { ...SAFE, resume: true }),
  });
  assert.match(refusal.message, /would take back only a part/);
  assert.match(refusal.hint!, /^resume without --undo/);
  assert.ok(!machine.has(UNDO), "an undo file was begun");
  await apply(machine, { journal: JOURNAL, resume: true });
  assert.deepEqual(machine.bytesOf(TARGET), AFTER);
});

Deno.test("D3: a run with an undo file is resumed with that one only", async () => {
  const machine = await interrupted(SAFE);
  for (const undo of [undefined, "other.undo"]) {
    const safety = { journal: JOURNAL, resume: true, ...(undo === undefined ? {} : { undo }) };
    const refusal = await assertRefused(machine, {
      code: "RESUME_REFUSED",
      work: () => apply(machine, safety),
    });
    assert.match(refusal.hint!, /^resume with --undo vm\.undo/);
    assert.ok(!machine.has("other.undo"));
  }
  await apply(machine, { ...SAFE, resume: true });
  assert.deepEqual(machine.bytesOf(TARGET), AFTER);
  await takeAllBack(machine);
  assert.deepEqual(machine.bytesOf(TARGET), BEFORE);
});

Deno.test("D3: a second apply says what its undo file does not take back", async () => {
  const machine = await appliedWithUndo();
  machine.io.removeFile(UNDO);
  const { undoWarnings } = await apply(machine, { undo: UNDO });
  assert.match(undoWarnings.join(), /the target held all of it already: the undo file takes nothing back/);
  await takeAllBack(machine);
  assert.deepEqual(machine.bytesOf(TARGET), AFTER);
  assert.deepEqual((await apply(machineWith(), { undo: UNDO })).undoWarnings, []);
});

Deno.test("D4: what was taken back is not resumed, with the undo file or without it", async () => {
  const machine = await interrupted(SAFE);
  await takeAllBack(machine);
  assert.deepEqual(machine.bytesOf(TARGET), BEFORE);
  assert.equal(await stateOf(machine), "returned");
  for (const undo of [{ undo: UNDO }, {}, { undo: "other.undo" }]) {
    await assertRefused(machine, {
      code: "RESUME_REFUSED",
      work: () => apply(machine, { journal: JOURNAL, resume: true, ...undo }),
    });
  }
  await apply(machine, { undo: "other.undo" });
  assert.deepEqual(machine.bytesOf(TARGET), AFTER);
});

Deno.test("D4: the journal looks at few places, however large the part that is done", async () => {
  const machine = await interrupted({ journal: JOURNAL });
  const { changed: places, doneBytes } = JSON.parse(new TextDecoder().decode(machine.bytesOf(JOURNAL)));
  assert.ok(places.length > 3 && places.length <= 256, `${places.length} places`);
  for (const { offsetBytes, before, after } of places) {
    if (offsetBytes + 512 > doneBytes) continue;
    assert.notEqual(before, after);
    const target = changed(machine.bytesOf(TARGET), [offsetBytes / 512]);
    machine.io.replaceFile("kept", machine.bytesOf(TARGET));
    machine.io.replaceFile(TARGET, target);
    const work = () => apply(machine, { journal: JOURNAL, resume: true });
    const refusal = await assertRefused(machine, { code: "RESUME_REFUSED", work });
    assert.match(refusal.message, new RegExp(`at byte ${offsetBytes} `));
    machine.io.replaceFile(TARGET, machine.bytesOf("kept"));
  }
  await apply(machine, { journal: JOURNAL, resume: true });
  assert.deepEqual(machine.bytesOf(TARGET), AFTER);
});

Deno.test("D4: a journal of the version before is not resumed, and may be replaced", async () => {
  const machine = await interrupted({ journal: JOURNAL });
  const state = JSON.parse(new TextDecoder().decode(machine.bytesOf(JOURNAL)));
  const { changed: _, undo: __, ...old } = { ...state, version: 1 };
  machine.io.replaceFile(JOURNAL, new TextEncoder().encode(JSON.stringify(old)));
  const work = () => apply(machine, { journal: JOURNAL, resume: true });
  const refusal = await assertRefused(machine, { code: "RESUME_REFUSED", work });
  assert.match(refusal.hint!, /run again without --resume/);
  await apply(machine, { journal: JOURNAL });
  assert.deepEqual(machine.bytesOf(TARGET), AFTER);
});

/** The same machine with a delta that writes less in the place of the one that was. */
function withOtherDelta(machine: CrashMachine): Uint8Array {
  const other = { ...LINK, grains: LINK.grains.slice(LINK.grains.length / 3) };
  const files = deltaFiles({ kind: "cowd", bytes: buildCowd(other).bytes, capacitySectors: SECTORS });
  for (const [path, bytes] of Object.entries(files)) machine.io.replaceFile(path, bytes);
  return overlay(BEFORE, other);
}

Deno.test("D4: other deltas do not replace the journal of an unfinished run, and the hint's way works", async () => {
  const machine = await interrupted({ journal: JOURNAL });
  const journal = machine.bytesOf(JOURNAL);
  const wanted = withOtherDelta(machine);
  const resume = () => apply(machine, { journal: JOURNAL, resume: true });
  const resumed = await assertRefused(machine, { code: "RESUME_REFUSED", work: resume });
  assert.match(resumed.hint!, /^resume with the deltas of that run; before others .* copy the base again/);
  const anew = () => apply(machine, { journal: JOURNAL });
  const refusal = await assertRefused(machine, { code: "TARGET_UNSUITABLE", work: anew });
  assert.match(refusal.message, /apply of other deltas that is not finished/);
  assert.match(refusal.hint!, /copy the base again and remove vm\.journal; .*--force replaces this one/);
  assert.deepEqual(machine.bytesOf(JOURNAL), journal);
  const half = machine.bytesOf(TARGET);
  machine.io.replaceFile(TARGET, BEFORE);
  machine.io.removeFile(JOURNAL);
  await anew();
  assert.deepEqual(machine.bytesOf(TARGET), wanted);
  // With --force it is as it says: what came of the others stays.
  machine.io.replaceFile(TARGET, half);
  machine.io.replaceFile(JOURNAL, journal);
  await apply(machine, { journal: JOURNAL, force: true });
  assert.notDeepEqual(machine.bytesOf(TARGET), wanted);
});

Deno.test("D4: an unfinished run with an undo file is taken back before other deltas, as every hint says", async () => {
  const machine = await interrupted(SAFE);
  const wanted = withOtherDelta(machine);
  const takeBack = /regrain apply vm\.undo vm\.img/;
  for (const undo of [UNDO, "other.undo"]) {
    const anew = () => apply(machine, { journal: JOURNAL, undo });
    const { hint } = await assertRefused(machine, { code: "TARGET_UNSUITABLE", work: anew });
    assert.match(hint!, takeBack);
    const resume = () => apply(machine, { journal: JOURNAL, undo, resume: true });
    assert.match((await assertRefused(machine, { code: "RESUME_REFUSED", work: resume })).hint!, takeBack);
  }
  const withoutJournal = () => apply(machine, { undo: UNDO });
  const refusal = await assertRefused(machine, { code: "TARGET_UNSUITABLE", work: withoutJournal });
  assert.match(refusal.hint!, takeBack);
  await takeAllBack(machine);
  await apply(machine, { journal: JOURNAL, undo: "other.undo" });
  assert.deepEqual(machine.bytesOf(TARGET), wanted);
});

Deno.test("D5: an undo file that was taken back saves nothing more, and what a VM wrote since is kept", async () => {
  const machine = await appliedWithUndo();
  await takeAllBack(machine);
  assert.deepEqual(machine.bytesOf(TARGET), BEFORE);
  machine.io.replaceFile(TARGET, changed(BEFORE, [WRITTEN[3]!]));
  const work = () => apply(machine, { undo: UNDO });
  const refusal = await assertRefused(machine, { code: "TARGET_UNSUITABLE", work });
  assert.match(refusal.message, /it was taken back/);
  assert.match(refusal.hint!, /name another file with --undo/);
  await assertRefused(machine, { code: "WRONG_BASE", work: () => takeAllBack(machine) });
});

Deno.test("D5: an undo file that was taken back is taken back again where nothing is lost by it", async () => {
  const machine = await appliedWithUndo();
  await takeAllBack(machine);
  const steps = machine.steps;
  await takeAllBack(machine);
  assert.equal(machine.steps, steps, "something was written for nothing");
  machine.io.replaceFile(TARGET, AFTER);
  await takeAllBack(machine);
  assert.deepEqual(machine.bytesOf(TARGET), BEFORE);
});

Deno.test("D5: a run that is interrupted does not continue on a base that was copied again", async () => {
  const machine = await interrupted(SAFE);
  machine.io.replaceFile(TARGET, changed(BEFORE, [WRITTEN[0]!]));
  await assertRefused(machine, { code: "TARGET_UNSUITABLE", work: () => apply(machine, { undo: UNDO }) });
});

Deno.test("D6: a clone of the template is not the target, and neither is the base before the apply", async () => {
  const machine = await appliedWithUndo();
  const clones = [
    BEFORE,
    changed(BEFORE, WRITTEN.filter((_, i) => i % 5 === 0)),
    changed(BEFORE, [WRITTEN[0]!]),
  ];
  for (const clone of clones) {
    machine.io.replaceFile(TARGET, clone);
    const refusal = await assertRefused(machine, { code: "WRONG_BASE", work: () => takeAllBack(machine) });
    assert.match(refusal.hint!, /takes back only what the apply overwrote/);
    assert.match(refusal.hint!, /start the source VM, which is untouched, or copy the base again; --force/);
  }
  await takeAllBack(machine, { force: true });
  assert.deepEqual(machine.bytesOf(TARGET), changed(BEFORE, []));
});

Deno.test("D6: a VM that ran on the disk wrote somewhere, and any sector that it wrote is noticed", async () => {
  const machine = await appliedWithUndo();
  const undo = await prepareDiff(machine.io.openSource(UNDO));
  const untouched = undo.trailer!.untouched.map(({ offsetBytes }) => offsetBytes / 512);
  assert.ok(untouched.length > 5, "too few blocks that were left alone");
  for (const sector of [...WRITTEN, ...untouched]) {
    machine.io.replaceFile(TARGET, changed(AFTER, [sector]));
    const refusal = await assertRefused(machine, { code: "WRONG_BASE", work: () => takeAllBack(machine) });
    assert.match(refusal.message, /at byte \d+|where the apply wrote nothing/);
  }
  machine.io.replaceFile(TARGET, AFTER);
  await takeAllBack(machine);
  assert.deepEqual(machine.bytesOf(TARGET), BEFORE);
});

Deno.test("D6: what came through a pipe is known by what it wrote and left alone", async () => {
  const machine = machineWith();
  await applyFromPipe(machine, UNDO);
  assert.deepEqual(machine.bytesOf(TARGET), AFTER);
  const rng = new Rng(8);
  const others = [
    BEFORE,
    new Uint8Array(AFTER.length),
    changed(AFTER, [WRITTEN[7]!]),
    changed(AFTER, Array.from({ length: 40 }, () => rng.int(SECTORS))),
  ];
  for (const other of others) {
    machine.io.replaceFile(TARGET, other);
    await assertRefused(machine, { code: "WRONG_BASE", work: () => takeAllBack(machine) });
  }
  machine.io.replaceFile(TARGET, AFTER);
  await takeAllBack(machine);
  assert.deepEqual(machine.bytesOf(TARGET), BEFORE);
});

Deno.test("D6: blocks of zeros do not tell a target", async () => {
  const machine = await appliedWithUndo();
  const { trailer, undo } = await prepareDiff(machine.io.openSource(UNDO));
  const offsets = [
    ...trailer!.untouched.map(({ offsetBytes }) => offsetBytes),
    ...undo!.blocks.map((b) => b * 4096),
  ];
  for (const offset of offsets) {
    assert.ok(AFTER.subarray(offset, offset + 4096).some((byte) => byte !== 0), `zeros at ${offset}`);
  }
});

/** An undo file as the version before wrote it, made by hand. */
function firstVersion(blocks: readonly number[]): Uint8Array {
  const hash = createHash("sha256");
  for (const block of blocks) hash.update(BEFORE.subarray(block * 4096, block * 4096 + 4096));
  const places = blocks.map((block) => block.toString(16)).join(".");
  const name = `regrain-undo-0123456789abcdef-${hash.digest("hex").slice(0, 16)}-${places}-12ab34cd`;
  const parts = [rbdDiffHeader({ sizeBytes: BEFORE.length, toSnapshot: name })];
  for (const sector of WRITTEN) {
    parts.push(
      rbdDiffRecord({ kind: "write", offsetBytes: sector * 512, lengthBytes: 512 }),
      BEFORE.slice(sector * 512, sector * 512 + 512),
    );
  }
  return new Uint8Array([...parts, rbdDiffEnd()].flatMap((part) => [...part]));
}

Deno.test("D6: an undo file of the version before is taken back, with a warning that it tells less", async () => {
  const alone = Array.from({ length: SECTORS / 8 }, (_, block) => block)
    .filter((block) => !WRITTEN.some((sector) => Math.floor(sector / 8) === block)).slice(0, 3);
  assert.ok(alone.length > 0);
  for (const blocks of [alone, []]) {
    const machine = machineWith(AFTER);
    machine.io.replaceFile(UNDO, firstVersion(blocks));
    const prepared = await prepareDiff(machine.io.openSource(UNDO));
    assert.equal(prepared.undo!.base!.cid, 0x12ab34cd);
    const target = machine.io.openTarget(TARGET, { force: false });
    const { warnings } = await requireOwnTarget(prepared, { target, force: false });
    assert.match(warnings.join(), /made by an older version/);
    await takeAllBack(machine);
    assert.deepEqual(machine.bytesOf(TARGET), BEFORE);
    if (blocks.length === 0) continue;
    machine.io.replaceFile(TARGET, changed(AFTER, [blocks[0]! * 8]));
    await assertRefused(machine, { code: "WRONG_BASE", work: () => takeAllBack(machine) });
  }
});

Deno.test("D6: whatever an undo file says of itself, another reader takes it back too", async () => {
  const machine = await appliedWithUndo();
  const whole = importRbdDiff(machine.bytesOf(UNDO), AFTER);
  assert.deepEqual(whole.image, BEFORE);
  assert.ok(whole.restBytes > 100, "nothing past the end record");
  assert.ok(whole.toSnapshot!.length <= 255);
  await takeAllBack(machine);
  assert.deepEqual(importRbdDiff(machine.bytesOf(UNDO), AFTER).image, BEFORE);
});

Deno.test("D6: the name of an undo file has one length and holds all of its ids, also of the largest volume", () => {
  const hash = "89abcdef";
  const farBytes = 8191 * 1024 ** 4;
  const ids = {
    state: "returning",
    operation: "apply",
    plan: "0123456789abcdef",
    id: "fedcba98",
    isOrdered: true,
    blocks: [0, 1, farBytes / 4096],
    blocksHash: "00112233445566ff",
    marks: [{ offsetBytes: 0, hash }, { offsetBytes: farBytes, hash: "00000000" }],
    ahead: [{ offsetBytes: farBytes - 512, hash }],
    base: { cid: 0xfffffffe, longContentId: "00112233445566778899aabbccddeeff" },
  } as const;
  const name = undoName(ids);
  assert.deepEqual(parseUndoName(name), { version: 2, ...ids });
  const empty = { ...ids, blocks: [], marks: [], ahead: [], base: undefined, isOrdered: false };
  assert.deepEqual(parseUndoName(undoName(empty)), { version: 2, ...empty });
  assert.equal(undoName(empty).length, name.length);
  const restored = { ...ids, operation: "restore" } as const;
  assert.deepEqual(parseUndoName(undoName(restored)), { version: 2, ...restored });
  assert.ok(name.length <= 255 && /^[\w-]+$/.test(name));
  for (const other of [undefined, "", "before", name.slice(1), `${name}A`, name.replace("-r-", "-x-")]) {
    assert.equal(parseUndoName(other), undefined);
  }
});

Deno.test("D6: the program says what is taken back, and what to do where it refuses", () =>
  withTempDir(async (folder) => {
    const chain = caseNamed("chain-five-links-of-three-kinds");
    await writeCase(chain, folder);
    Deno.copyFileSync(`${folder}/${chain.base!.flat!}`, `${folder}/vm.img`);
    Deno.copyFileSync(`${folder}/vm.img`, `${folder}/clone.img`);
    const options = { cwd: folder };
    const applied = regrainExits(0, ["apply", "--undo", "vm.undo", "--chain", chain.leaf, "vm.img"], options);
    assert.match(applied.stderr, /takes back what this run overwrote, while nothing else writes to it/);
    for (const flags of [[], ["--dry-run"]]) {
      const args = ["apply", ...flags, "vm.undo", "clone.img"];
      const { message, hint } = regrainRefuses({ code: "WRONG_BASE", exit: 5 }, args, options);
      assert.match(message, /made for another target, or this one was written to since: .*at byte \d+/);
      assert.match(
        hint!,
        /start the source VM, which is untouched, or copy the base again; --force takes it back/,
      );
    }
    const again = regrainExits(0, ["apply", "vm.undo", "vm.img"], options);
    assert.match(again.stderr, /takes back only what the apply overwrote/);
    assert.equal(sha256File(`${folder}/vm.img`), sha256File(`${folder}/clone.img`));
    const noted = regrainExits(0, ["apply", "vm.undo", "vm.img"], options);
    assert.match(
      noted.stderr,
      /it was taken back before, and vm\.img holds what it held: nothing was written/,
    );
    regrainExits(0, ["apply", "--force", "vm.undo", "clone.img"], options);
  }));

Deno.test("D11: the undo file of a volume beyond 62 TiB is made, noted as whole, and read back", async () => {
  const sizeBytes = 100 * 1024 ** 4;
  const farBytes = sizeBytes - 4096;
  const target = new RecordingTarget(sizeBytes);
  const { io } = new CrashMachine({});
  const saver = await UndoSaver.open(UNDO, { core, target, io }, {
    operation: "apply",
    plan: "0123456789abcdef",
    id: "01234567",
    isOrdered: true,
    blocks: [],
    blocksHash: "0".repeat(16),
    ahead: [],
  });
  const stretches = new Batch();
  stretches.add({ offsetBytes: farBytes, lengthBytes: 4096, at: 0 });
  await saver.save(stretches);
  await saver.mark({ target, stretches, buffer: new Uint8Array(4096).fill(7) });
  await saver.finish([farBytes / 4096]);
  saver.close();
  const prepared = await prepareDiff(io.openSource(UNDO));
  assert.equal(prepared.diff.meta.sizeBytes, sizeBytes);
  assert.equal(prepared.reachedBytes, sizeBytes);
  assert.equal(prepared.undo!.state, "applied");
  assert.ok(prepared.undo!.marks.every(({ offsetBytes }) => offsetBytes >= farBytes));
  assert.equal(prepared.undo!.marks.length, 5);
});

Deno.test("F4: what is larger than the room of the saver is cut at blocks, so that no mark is cut", async () => {
  const small = new Core(kernels);
  Object.defineProperty(small, "spare", { value: small.spare.subarray(0, 64 * 1024) });
  const sizeBytes = 300 * 1024;
  const target = new MemoryTarget(new Uint8Array(sizeBytes).fill(7));
  const { io } = new CrashMachine({});
  const saver = await UndoSaver.open(UNDO, { core: small, target, io }, {
    operation: "apply",
    plan: "0123456789abcdef",
    id: "01234567",
    isOrdered: true,
    blocks: [],
    blocksHash: "0".repeat(16),
    ahead: [],
  });
  const stretches = new Batch();
  stretches.add({ offsetBytes: 512, lengthBytes: sizeBytes - 1024, at: -1 });
  await saver.save(stretches);
  saver.close();
  let savedBytes = 0;
  for await (const { offsetBytes, lengthBytes } of (await prepareDiff(io.openSource(UNDO))).diff.records()) {
    assert.equal(offsetBytes % 512, 0);
    assert.equal(lengthBytes % 512, 0);
    savedBytes += lengthBytes;
  }
  assert.equal(savedBytes, sizeBytes - 1024);
});
