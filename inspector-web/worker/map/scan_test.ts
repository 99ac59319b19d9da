/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { Batch, RegrainError } from "../../../core-as/host/mod.ts";
import { BlobSource } from "../sources/blob_source.ts";
import { mergeReads } from "../sources/merged_reads.ts";
import { Pyramid } from "./pyramid.ts";
import { DATA, HOLE, type PlacedRun, ZERO } from "../disk/runs.ts";
import { Tally } from "./tally.ts";

function run(start: number, length: number, kind: number, place = NaN): PlacedRun {
  return { start, length, kind, file: kind === DATA ? 0 : -1, place, link: 0 };
}

const RUNS = [
  run(0, 10, HOLE),
  run(10, 30, DATA, 100),
  run(40, 20, DATA, 200),
  run(60, 20, ZERO),
  run(80, 20, HOLE),
];

/** The part of the runs between two sectors. */
function cut(from: number, to: number): PlacedRun[] {
  return RUNS.flatMap((each) => {
    const start = Math.max(from, each.start);
    const end = Math.min(to, each.start + each.length);
    return end > start
      ? [{ ...each, start, length: end - start, place: each.place + start - each.start }]
      : [];
  });
}

Deno.test("a tally counts the same in whichever order and pieces the disk is walked", () => {
  for (const size of [1, 3, 7, 25, 50, 100]) {
    for (const first of [0, 1, 2]) {
      const tally = new Tally(100);
      for (let at = Math.min(99, first * 35), gap = tally.gapFrom(at); gap; gap = tally.gapFrom(at)) {
        const to = Math.min(gap.to, gap.from + size);
        tally.begin(gap.from);
        for (const each of cut(gap.from, to)) tally.add(each);
        tally.end();
        at = to;
      }
      const { totals, histogram } = tally.report();
      assert.deepEqual(totals, {
        dataBytes: 25600,
        zeroBytes: 10240,
        holeBytes: 15360,
        damagedBytes: 0,
        runCount: 3,
      });
      assert.deepEqual(histogram.counts.slice(0, 6), [0, 0, 0, 0, 3, 0], `${size} from ${first}`);
      assert.ok(tally.finished);
    }
  }
});

Deno.test("a tally knows which sectors were walked", () => {
  const tally = new Tally(100);
  tally.begin(40);
  for (const each of cut(40, 60)) tally.add(each);
  tally.end();
  assert.deepEqual([tally.known(40, 60), tally.known(30, 50), tally.known(0, 40)], [2, 1, 0]);
  assert.deepEqual(tally.gapFrom(50), { from: 60, to: 100 });
  assert.equal(tally.doneSectors, 20);
});

Deno.test("a pyramid finds a single changed sector of a large disk from anywhere, and shows it", () => {
  const capacity = 2 ** 37 + 12_345;
  const sector = 2 ** 36 + 77;
  const pyramid = new Pyramid(capacity);
  assert.ok(pyramid.leafCount <= 2 ** 20);
  pyramid.add(run(sector, 1, DATA, 5));
  pyramid.settle();
  const leaf = Math.floor(sector / pyramid.spanSectors);
  for (const from of [0, 1, leaf - 1, leaf]) assert.equal(pyramid.nextLeaf(from), leaf);
  for (const from of [leaf, leaf + 1, pyramid.leafCount - 1]) assert.equal(pyramid.previousLeaf(from), leaf);
  assert.equal(pyramid.nextLeaf(leaf + 1), undefined);
  assert.equal(pyramid.previousLeaf(leaf - 1), undefined);
  assert.equal(pyramid.total, 1);
  const sum = { data: 0, zero: 0, damaged: 0 };
  pyramid.sum(sector, sector + pyramid.spanSectors / 2, sum);
  assert.ok(sum.data > 0);
});

Deno.test("reads are merged over small gaps and not over large ones, and come back in their places", async () => {
  const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => i % 251);
  const batch = new Batch();
  const offsets = [2_900_000, 10, 500_000, 200];
  offsets.forEach((offsetBytes, i) => batch.add({ offsetBytes, lengthBytes: 50, at: i * 50 }));
  assert.deepEqual(mergeReads(batch).map(({ fromBytes, toBytes }) => [fromBytes, toBytes]), [
    [10, 500_050],
    [2_900_000, 2_900_050],
  ]);
  const buffer = new Uint8Array(200);
  await new BlobSource("x", new Blob([bytes]), { ended: false }).read(batch, buffer);
  offsets.forEach((offset, i) => {
    assert.deepEqual(buffer.slice(i * 50, i * 50 + 50), bytes.slice(offset, offset + 50));
  });
});

Deno.test("a blob is not read past its end, nor when it was closed", async () => {
  const life = { ended: false };
  const source = new BlobSource("x", new Blob([new Uint8Array(10)]), life);
  const batch = new Batch();
  batch.add({ offsetBytes: 5, lengthBytes: 6, at: 0 });
  const code = (expected: string) => (error: unknown) =>
    error instanceof RegrainError && error.code === expected;
  await assert.rejects(source.read(batch, new Uint8Array(6)), code("READ_SHORT"));
  life.ended = true;
  await assert.rejects(source.read(batch, new Uint8Array(6)), code("READ_FAILED"));
});
