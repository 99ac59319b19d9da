/** Links merged into one disk, and the plan made of it. */
import assert from "node:assert/strict";
import { buildCowd, caseNamed, CASES } from "../../../fixtures/mod.ts";
import { core, memoryContext, memorySource } from "../../../test/helpers/memory.ts";
import { recordsOf, type RunRecord } from "../../../test/helpers/runs.ts";
import { openChain } from "./chain.ts";
import { Disk, totalsOf } from "./disk.ts";
import { RegrainError } from "../errors.ts";
import type { Extent } from "../extent.ts";
import { Link } from "./link.ts";
import { openLink } from "./open_link.ts";
import { operations, planApply, plannedBytesBefore } from "./plan.ts";
import { Batch, readBytes, type Source } from "../source.ts";
import { MAX_DISK_SECTORS, SECTOR_SIZE } from "../units.ts";
import { HOLE_PLACE, ZERO_PLACE } from "../wasm.ts";

async function openCase(name: string): Promise<{ disk: Disk; expected: Uint8Array }> {
  const fixture = caseNamed(name);
  const disk = new Disk(core, await openChain(fixture.leaf, memoryContext(fixture.make())));
  return { disk, expected: fixture.expected!() };
}

async function walked(disk: Disk): Promise<RunRecord[]> {
  const records: RunRecord[] = [];
  for await (const { list } of disk.walk()) records.push(...recordsOf(list));
  return records;
}

/** An extent that lists what it is told, as far as one step of a real one would reach. */
function fakeExtent(extent: {
  capacitySectors: number;
  data?: Source;
  fill: (push: (start: number, length: number, place: number) => void, from: number, to: number) => void;
  stepSectors: number;
}): Extent {
  const { capacitySectors, data, fill, stepSectors } = extent;
  return {
    format: "flat",
    formatName: "flat",
    path: "fake",
    capacitySectors,
    grainSectors: undefined,
    file: data,
    data,
    regions: [],
    facts: {},
    findings: [],
    fill(core, list, window) {
      const reached = Math.min(window.to, window.from + stepSectors);
      core.kernels.openList(list.address, window.from, reached, window.shift, window.owner);
      fill((start, length, place) => core.kernels.pushRun(start, length, place), window.from, reached);
      core.close(list);
      return Promise.resolve(reached);
    },
  };
}

function linkOf(extent: Extent, delta: boolean): Link {
  return new Link(
    { path: "link", format: "raw", delta, identity: undefined, parent: undefined },
    [{ extent, startSector: 0, lengthSectors: extent.capacitySectors }],
    [],
  );
}

/** Runs of two sectors, in turn `places[0]` and `places[1]`, the first edge at `phase`. */
function striped(capacitySectors: number, phase: number, places: readonly [number, number]): Extent {
  return fakeExtent({
    capacitySectors,
    stepSectors: 120_000,
    fill(push, from, to) {
      const first = Math.floor((from - phase) / 2);
      for (let i = first; i * 2 + phase < to; i++) {
        const start = Math.max(0, i * 2 + phase);
        push(start, i * 2 + phase + 2 - start, places[Math.abs(i) % 2]!);
      }
    },
  });
}

Deno.test("every fixture walks sorted and gap-free, in bounds of its media, to its capacity", async () => {
  for (const fixture of CASES) {
    if (fixture.expect !== "ok") continue;
    const disk = new Disk(core, await openChain(fixture.leaf, memoryContext(fixture.make())));
    let next = 0;
    for (const { start, length, place, owner } of await walked(disk)) {
      assert.equal(start, next, fixture.name);
      assert.ok(length > 0, fixture.name);
      if (place >= 0) assert.ok((place + length) * SECTOR_SIZE <= disk.media[owner]!.sizeBytes, fixture.name);
      next += length;
    }
    assert.equal(next, fixture.capacitySectors, fixture.name);
  }
});

Deno.test("runs() covers what is asked for, at any byte, with no two neighbours alike", async () => {
  const { disk } = await openCase("chain-zero-grains-mask-data-below");
  for (
    const [from, to] of [[0, disk.sizeBytes], [1, disk.sizeBytes - 1], [65_536 * 2 - 3, 65_536 * 2 + 5], [
      9,
      9,
    ]]
  ) {
    const runs = await disk.runs(from!, to!);
    let next = from!;
    for (const [i, run] of runs.entries()) {
      assert.equal(run.start, next);
      assert.ok(run.length > 0 && run.kind !== runs[i - 1]?.kind);
      next += run.length;
    }
    assert.equal(next, to);
  }
});

Deno.test("a base has no holes: what it lacks is zeros; a delta has", async () => {
  const hole = fakeExtent({ capacitySectors: 8, stepSectors: 8, fill: (push) => push(0, 8, HOLE_PLACE) });
  assert.deepEqual(await new Disk(core, [linkOf(hole, false)]).runs(0, 4096), [
    { start: 0, length: 4096, kind: "zero" },
  ]);
  assert.deepEqual(await new Disk(core, [linkOf(hole, true)]).runs(0, 4096), [
    { start: 0, length: 4096, kind: "hole" },
  ]);
});

Deno.test("behind its own end a lower link is zeros, and never asks the links below it", async () => {
  const hole = (capacitySectors: number) =>
    fakeExtent({
      capacitySectors,
      stepSectors: 1000,
      fill: (push, from, to) => push(from, to - from, HOLE_PLACE),
    });
  const data = fakeExtent({ capacitySectors: 100, stepSectors: 1000, fill: (push) => push(0, 100, 5) });
  const disk = new Disk(core, [linkOf(hole(100), true), linkOf(hole(40), true), linkOf(data, false)]);
  assert.deepEqual((await walked(disk)).map(({ start, length, place }) => [start, length, place]), [
    [0, 40, 5],
    [40, 60, ZERO_PLACE],
  ]);
});

Deno.test("links whose edges never coincide are walked in as many windows as the lists' room needs", async () => {
  const capacitySectors = 300_000;
  const upper = linkOf(striped(capacitySectors, 0, [100, HOLE_PLACE]), true);
  const lower = linkOf(striped(capacitySectors, 1, [200, ZERO_PLACE]), false);
  let next = 0;
  for await (const { list, fromSector, toSector } of new Disk(core, [upper, lower]).walk()) {
    assert.equal(fromSector, next);
    assert.ok(list.count <= core.listCapacity);
    for (const { start, length, place, owner } of recordsOf(list)) {
      assert.equal(start, next);
      const isUpper = Math.floor(start / 2) % 2 === 0;
      assert.equal(owner, isUpper ? 0 : 1);
      assert.ok(
        isUpper ? place >= 100 && place < 102 : place === ZERO_PLACE || (place >= 200 && place < 202),
      );
      next += length;
    }
    assert.equal(toSector, next);
  }
  assert.equal(next, capacitySectors);
});

Deno.test("a disk of 62 TiB without data is walked at once", async () => {
  const hole = fakeExtent({
    capacitySectors: MAX_DISK_SECTORS,
    stepSectors: Infinity,
    fill: (push, from, to) => push(from, to - from, HOLE_PLACE),
  });
  const { holeBytes } = await totalsOf(new Disk(core, [linkOf(hole, true)]));
  assert.equal(holeBytes, MAX_DISK_SECTORS * SECTOR_SIZE);
});

Deno.test("reading past the end is refused", async () => {
  const { disk } = await openCase("chain-two-cowd-links");
  const batch = new Batch();
  batch.add({ offsetBytes: disk.sizeBytes - 10, lengthBytes: 11, at: 0 });
  await assert.rejects(disk.read(batch, new Uint8Array(11)), { code: "READ_SHORT" });
});

Deno.test("a batch of many transfers goes where each belongs in the buffer", async () => {
  const { disk, expected } = await openCase("chain-five-links-of-three-kinds");
  const batch = new Batch();
  const places = [[4_000_000, 3000, 10], [1, 511, 5000], [512 * 8999, 512, 6000], [100_000, 1, 9999], [
    7,
    0,
    0,
  ]];
  for (const [offsetBytes, lengthBytes, at] of places) {
    batch.add({ offsetBytes: offsetBytes!, lengthBytes: lengthBytes!, at: at! });
  }
  const buffer = new Uint8Array(10_000);
  await disk.read(batch, buffer);
  for (const [offset, length, at] of places) {
    assert.deepEqual(buffer.subarray(at, at! + length!), expected.subarray(offset, offset! + length!));
  }
});

Deno.test("a read that failed leaves nothing behind for the next one", async () => {
  let fails = true;
  const good = memorySource("good", new Uint8Array(4 * SECTOR_SIZE).fill(7));
  const data: Source = {
    ...good,
    read(batch, buffer) {
      if (fails) throw new RegrainError("READ_FAILED", "the medium refuses", { path: "good" });
      return good.read(batch, buffer);
    },
  };
  const extent = fakeExtent({ capacitySectors: 4, data, stepSectors: 4, fill: (push) => push(0, 4, 0) });
  const disk = new Disk(core, [linkOf(extent, false)]);
  const batch = new Batch();
  batch.add({ offsetBytes: 0, lengthBytes: 2048, at: 0 });
  await assert.rejects(disk.read(batch, new Uint8Array(2048)), { code: "READ_FAILED" });
  fails = false;
  batch.clear();
  batch.add({ offsetBytes: 0, lengthBytes: 100, at: 0 });
  const small = new Uint8Array(100);
  await disk.read(batch, small);
  assert.ok(small.every((byte) => byte === 7));
});

Deno.test("the totals of a plan are those of its operations", async () => {
  for (const fixture of CASES) {
    if (fixture.expect !== "ok") continue;
    const links = await openChain(fixture.leaf, memoryContext(fixture.make()));
    const disks = links.length > 1
      ? [new Disk(core, links.slice(0, -1)), new Disk(core, links)]
      : [new Disk(core, links)];
    for (const disk of disks) {
      const plan = await planApply(disk);
      const sums = { write: 0, zero: 0 };
      let operationCount = 0;
      let next = 0;
      for await (const { kind, start, length, from } of operations(disk)) {
        assert.ok(start >= next, fixture.name);
        assert.equal(from !== undefined, kind === "write", fixture.name);
        next = start + length;
        sums[kind] += length;
        operationCount++;
      }
      assert.deepEqual(plan, {
        diskBytes: disk.sizeBytes,
        writeBytes: sums.write,
        zeroBytes: sums.zero,
        skipBytes: disk.sizeBytes - sums.write - sums.zero,
        damagedBytes: 0,
        operationCount,
      }, fixture.name);
    }
  }
});

Deno.test("C6: what a resumed apply has behind it is the plan's operations before its sector", async () => {
  const { disk } = await openCase("hosted-capacity-of-no-whole-grain");
  const all: { start: number; length: number }[] = [];
  for await (const operation of operations(disk)) all.push(operation);
  for (let sector = 0; sector <= disk.capacitySectors; sector += 37) {
    const end = sector * SECTOR_SIZE;
    const expected = all.reduce(
      (sum, { start, length }) => sum + Math.max(0, Math.min(end - start, length)),
      0,
    );
    assert.equal(await plannedBytesBefore(disk, sector), expected);
  }
});

/** Counts the calls of a medium. */
function counted(source: Source): Source & { calls: number } {
  const counting = {
    ...source,
    calls: 0,
    read(batch: Batch, buffer: Uint8Array) {
      counting.calls++;
      return source.read(batch, buffer);
    },
  };
  return counting;
}

Deno.test("reads that go on where the last one ended look at the tables less and less often", async () => {
  const capacitySectors = 64 * 4096;
  const link = { capacitySectors, grainSectors: 1, seed: 3, grains: [{ index: 77, kind: "data" }] } as const;
  const context = memoryContext({});
  const file = counted(memorySource("delta", buildCowd(link).bytes));
  const files = { ...context.files, open: () => file };
  const disk = new Disk(core, [await openLink("delta", { ...context, files }, "delta")]);
  const before = file.calls;
  for (let at = 0; at < disk.sizeBytes; at += 1024 * 1024) await readBytes(disk, at, 1024 * 1024);
  assert.ok(file.calls - before <= 20, `${file.calls - before} calls for 128 reads of 64 tables`);
  const ordered = file.calls;
  await readBytes(disk, 50 * 1024 * 1024, 512);
  await readBytes(disk, 3 * 1024 * 1024, 512);
  assert.ok(file.calls - ordered <= 4, "a read that goes nowhere looks at its own stretch alone");
});

Deno.test("a disk that is read from the start again has what was written into a hole of its file since", async () => {
  const bytes = new Uint8Array(64 * SECTOR_SIZE);
  let kind: "zero" | "data" = "zero";
  const file: Source = {
    ...memorySource("disk.img", bytes),
    runs: (start, end) => [{ start, length: end - start, kind }],
  };
  const context = memoryContext({});
  const files = { ...context.files, open: () => file };
  const disk = new Disk(core, [await openLink("disk.img", { ...context, files }, "image")]);
  for (let at = 0; at < bytes.length; at += 4096) await readBytes(disk, at, 4096);
  bytes.fill(7);
  kind = "data";
  assert.deepEqual(await readBytes(disk, 0, 4096), new Uint8Array(4096).fill(7));
  assert.deepEqual(await readBytes(disk, 4096, 4096), new Uint8Array(4096).fill(7));
});
