/** Flat extents: files with holes, short files, files that end inside a sector. */
import assert from "node:assert/strict";
import { core, memorySource, readWhole } from "../../../../test/helpers/memory.ts";
import { recordsOf } from "../../../../test/helpers/runs.ts";
import { Disk, totalsOf } from "../../disk/disk.ts";
import type { Extent, Observer } from "../../extent.ts";
import { openFlat, openZero } from "./flat.ts";
import { Link } from "../../disk/link.ts";
import type { Run, Source } from "../../source.ts";
import { GIB, SECTOR_SIZE } from "../../units.ts";

const SAID = { path: "disk", format: "raw", delta: false, identity: undefined, parent: undefined } as const;
const SILENT: Observer = { finding() {} };

async function runsOf(extent: Extent, window: { from: number; to: number }) {
  const list = core.lists[0];
  const reached = await extent.fill(core, list, { ...window, shift: 0, owner: 0 }, SILENT);
  return { reached, runs: recordsOf(list).map(({ start, length, place }) => [start, length, place]) };
}

function diskOf(extent: Extent): Disk {
  const placed = { extent, startSector: 0, lengthSectors: extent.capacitySectors };
  return new Disk(core, [new Link(SAID, [placed], [])]);
}

/** A file that knows which of its bytes are data. */
function withRuns(source: Source, data: readonly [from: number, to: number][]): Source {
  return {
    ...source,
    runs(fromBytes, toBytes) {
      const edges = [...new Set([fromBytes, ...data.flat(), toBytes])].sort((a, b) => a - b)
        .filter((edge) => edge >= fromBytes && edge <= toBytes);
      return edges.slice(1).map((end, i): Run => {
        const start = edges[i]!;
        const kind = data.some(([from, to]) => from <= start && end <= to) ? "data" : "hole";
        return { start, length: end - start, kind };
      });
    },
  };
}

const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => i % 251 + 1);

Deno.test("a file is one run of data, from where the extent starts in it", async () => {
  const extent = openFlat(memorySource("f", bytes(100 * SECTOR_SIZE)), {
    capacitySectors: 60,
    offsetSectors: 40,
  });
  assert.deepEqual(await runsOf(extent, { from: 0, to: 60 }), { reached: 60, runs: [[0, 60, 40]] });
  assert.deepEqual((await runsOf(extent, { from: 7, to: 9 })).runs, [[7, 2, 47]]);
  assert.deepEqual(extent.findings, []);
});

Deno.test("holes of a file are zeros, as far as they cover whole sectors", async () => {
  const file = withRuns(memorySource("f", bytes(20 * SECTOR_SIZE)), [[0, 700], [5000, 5121], [
    10_000,
    10_240,
  ]]);
  const extent = openFlat(file, { capacitySectors: 20, offsetSectors: 0 });
  assert.deepEqual((await runsOf(extent, { from: 0, to: 20 })).runs, [
    [0, 2, 0],
    [2, 7, -1],
    [9, 2, 9],
    [11, 8, -1],
    [19, 1, 19],
  ]);
});

Deno.test("what a window asks of a file's holes is the window's part", async () => {
  const file = withRuns(memorySource("f", bytes(20 * SECTOR_SIZE)), [[4096, 8192]]);
  const extent = openFlat(file, { capacitySectors: 10, offsetSectors: 10 });
  assert.deepEqual((await runsOf(extent, { from: 2, to: 8 })).runs, [[2, 4, 12], [6, 2, -1]]);
});

Deno.test("a file shorter than its extent reads as zeros there, which is a doubt", async () => {
  const extent = openFlat(memorySource("f", bytes(4 * SECTOR_SIZE)), {
    capacitySectors: 10,
    offsetSectors: 0,
  });
  assert.deepEqual((await runsOf(extent, { from: 0, to: 10 })).runs, [[0, 4, 0], [4, 6, -1]]);
  assert.deepEqual((await runsOf(extent, { from: 6, to: 10 })).runs, [[6, 4, -1]]);
  assert.deepEqual(
    extent.findings.map(({ kind, severity, offsetBytes }) => ({ kind, severity, offsetBytes })),
    [
      { kind: "flat-short", severity: "doubt", offsetBytes: 2048 },
    ],
  );
});

Deno.test("an extent that starts behind the end of its file is all zeros", async () => {
  const extent = openFlat(memorySource("f", bytes(SECTOR_SIZE)), { capacitySectors: 10, offsetSectors: 5 });
  assert.deepEqual((await runsOf(extent, { from: 0, to: 10 })).runs, [[0, 10, -1]]);
});

Deno.test("a file that ends inside a sector reads as zeros up to the end of it", async () => {
  const content = bytes(1300);
  for (const runs of [undefined, [[0, 1300]] as [number, number][]]) {
    const source = memorySource("f", content);
    const extent = openFlat(runs ? withRuns(source, runs) : source, { capacitySectors: 5, offsetSectors: 0 });
    const expected = new Uint8Array(5 * SECTOR_SIZE);
    expected.set(content);
    for (const step of [1, 100, 512, 3000]) assert.deepEqual(await readWhole(diskOf(extent), step), expected);
  }
});

Deno.test("an empty file is a disk of zeros", async () => {
  const extent = openFlat(memorySource("f", new Uint8Array(0)), { capacitySectors: 3, offsetSectors: 0 });
  assert.deepEqual(await readWhole(diskOf(extent)), new Uint8Array(1536));
});

Deno.test("a file with more runs than a list has room for is walked in steps", async () => {
  const runBytes = 4096;
  const capacitySectors = 2 * GIB / SECTOR_SIZE;
  const file: Source = {
    path: "f",
    sizeBytes: 2 * GIB,
    read() {},
    runs(fromBytes, toBytes) {
      const first = Math.floor(fromBytes / runBytes);
      return Array.from({ length: Math.ceil(toBytes / runBytes) - first }, (_, i): Run => {
        const start = Math.max(fromBytes, (first + i) * runBytes);
        const end = Math.min(toBytes, (first + i + 1) * runBytes);
        return { start, length: end - start, kind: (first + i) % 2 === 0 ? "data" : "hole" };
      });
    },
    close() {},
  };
  const disk = diskOf(openFlat(file, { capacitySectors, offsetSectors: 0 }));
  assert.deepEqual(await totalsOf(disk), {
    dataBytes: GIB,
    zeroBytes: GIB,
    holeBytes: 0,
    damagedBytes: 0,
    runCount: 2 * GIB / runBytes,
    holeCount: 0,
  });
});

Deno.test("a zero extent is zeros and has no file", async () => {
  const extent = openZero({ path: "d", capacitySectors: 2 ** 36, findings: [] });
  assert.equal(extent.file, undefined);
  assert.deepEqual(await runsOf(extent, { from: 5, to: 2 ** 36 }), {
    reached: 2 ** 36,
    runs: [[5, 2 ** 36 - 5, -1]],
  });
});
