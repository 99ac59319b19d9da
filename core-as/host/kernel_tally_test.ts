/** Sums of run lists, against the rule for a single run. */
import assert from "node:assert/strict";
import { core } from "../../test/helpers/memory.ts";
import { check, fc } from "../../test/helpers/property.ts";
import { type RunRecord, setRecords } from "../../test/helpers/runs.ts";
import { LENGTH_CLASSES, RunTally, TALLY_RECORDS, type TallyRun } from "./disk/run_tally.ts";
import { DAMAGED_PLACE, HOLE_PLACE, ZERO_PLACE } from "./wasm.ts";

interface Options {
  readonly holesAreZeros: boolean;
  readonly leafShift: number;
}

const tally = new RunTally(core);

function sum(records: readonly RunRecord[], options: Options): RunTally {
  const [list] = core.lists;
  setRecords(list, records);
  tally.sum(list, { from: 0, count: records.length }, options);
  return tally;
}

/** Neighbours that continue each other are one. */
function merged(records: readonly RunRecord[], { holesAreZeros }: Options): TallyRun[] {
  const found: { start: number; length: number; place: number; owner: number }[] = [];
  for (const record of records) {
    const place = record.place === HOLE_PLACE && holesAreZeros ? ZERO_PLACE : record.place;
    const last = found.at(-1);
    const goesOn = last &&
      (place < 0
        ? place === last.place
        : last.place >= 0 && last.owner === record.owner && last.place + last.length === place);
    if (goesOn) last.length += record.length;
    else found.push({ ...record, place });
  }
  return found;
}

/** Sectors of data, zeros and damage. */
type Parts = [data: number, zero: number, damaged: number];

/** The same, by leaf. */
function leavesOf(runs: readonly TallyRun[], leafShift: number): Map<number, Parts> {
  const leaves = new Map<number, Parts>();
  for (const { start, length, place } of runs) {
    if (place === HOLE_PLACE) continue;
    for (let sector = start; sector < start + length; sector++) {
      const leaf = Math.floor(sector / 2 ** leafShift);
      const found: Parts = leaves.get(leaf) ?? [0, 0, 0];
      found[place >= 0 ? 0 : place === ZERO_PLACE ? 1 : 2]++;
      leaves.set(leaf, found);
    }
  }
  return leaves;
}

function piecesOf(tally: RunTally): Map<number, Parts> {
  const leaves = new Map<number, Parts>();
  tally.forEachPiece((first, count, data, zero, damaged) => {
    for (let leaf = first; leaf < first + count; leaf++) {
      const [d, z, x] = leaves.get(leaf) ?? [0, 0, 0];
      leaves.set(leaf, [d + data, z + zero, x + damaged]);
    }
  });
  return leaves;
}

function sorted(leaves: Map<number, Parts>) {
  return [...leaves].filter(([, [data, zero, damaged]]) => data + zero + damaged > 0).sort(([a], [b]) =>
    a - b
  );
}

function requireSums(records: readonly RunRecord[], options: Options): void {
  const runs = merged(records, options);
  const found = sum(records, options);
  assert.equal(found.runCount, runs.length);
  assert.deepEqual(found.first, runs[0]);
  if (runs.length > 1) assert.deepEqual(found.last, runs.at(-1));
  const inner = runs.slice(1, -1);
  const sectors = (wanted: (run: TallyRun) => boolean) =>
    inner.filter(wanted).reduce((total, { length }) => total + length, 0);
  assert.equal(found.dataSectors, sectors(({ place }) => place >= 0));
  assert.equal(found.zeroSectors, sectors(({ place }) => place === ZERO_PLACE));
  assert.equal(found.holeSectors, sectors(({ place }) => place === HOLE_PLACE));
  assert.equal(found.damagedSectors, sectors(({ place }) => place === DAMAGED_PLACE));
  const isKnown = (place: number) => place >= 0 || place === ZERO_PLACE;
  assert.equal(found.innerRuns, inner.filter(({ place }) => isKnown(place)).length);
  for (let index = 0; index < LENGTH_CLASSES; index++) {
    const isIn = ({ length, place }: TallyRun) => isKnown(place) && Math.floor(Math.log2(length)) === index;
    assert.equal(found.countOf(index), inner.filter(isIn).length);
    assert.equal(found.sectorsOf(index), sectors(isIn));
  }
  assert.deepEqual(sorted(piecesOf(found)), sorted(leavesOf(runs, options.leafShift)));
}

const PIECES = fc.array(
  fc.record({
    length: fc.integer({ min: 1, max: 40 }),
    kind: fc.constantFrom("hole", "zero", "damaged", "on", "elsewhere"),
    owner: fc.integer({ min: 0, max: 1 }),
  }),
  { minLength: 1, maxLength: 30 },
);

const PLACES: Readonly<Record<string, number>> = {
  hole: HOLE_PLACE,
  zero: ZERO_PLACE,
  damaged: DAMAGED_PLACE,
};

const OPTIONS = fc.record({ holesAreZeros: fc.boolean(), leafShift: fc.integer({ min: 0, max: 6 }) });

Deno.test("C3: runs are merged, counted by length and cut at leaves as one by one, damaged ones by themselves", () => {
  const property = fc.property(PIECES, OPTIONS, fc.integer({ min: 0, max: 100 }), (pieces, options, from) => {
    let start = from;
    let next = 1000;
    const records = pieces.map(({ length, kind, owner }) => {
      const data = kind === "on" ? next : next + 7;
      const place = PLACES[kind] ?? data;
      if (place >= 0) next = place + length;
      start += length;
      return { start: start - length, length, place, owner };
    });
    requireSums(records, options);
  });
  check(property, { runs: 500 });
});

Deno.test("data does not continue zeros, though their numbers would", () => {
  const records = [
    { start: 0, length: 5, place: ZERO_PLACE, owner: 0 },
    { start: 5, length: 3, place: 4, owner: 0 },
    { start: 8, length: 1, place: HOLE_PLACE, owner: 0 },
  ];
  requireSums(records, { holesAreZeros: false, leafShift: 2 });
});

Deno.test("a run over the whole of the largest disk is three pieces, and exact", () => {
  const length = 2 ** 37 - 10;
  const found = sum([{ start: 3, length, place: 9, owner: 0 }], { holesAreZeros: false, leafShift: 17 });
  const pieces: number[][] = [];
  found.forEachPiece((...piece) => pieces.push(piece));
  assert.deepEqual(pieces, [
    [0, 1, 2 ** 17 - 3, 0, 0],
    [1, 2 ** 20 - 2, 2 ** 17, 0, 0],
    [2 ** 20 - 1, 1, 2 ** 17 - 7, 0, 0],
  ]);
});

Deno.test("as many records as are summed at once fit, whatever pieces they make", () => {
  // From the middle of a leaf over whole ones into the middle of another: the most that a run can make.
  const records = Array.from({ length: TALLY_RECORDS }, (_, i) => {
    return { start: i * 10 + 1, length: 10, place: i * 20, owner: 0 };
  });
  const found = sum(records, { holesAreZeros: false, leafShift: 1 });
  let total = 0;
  found.forEachPiece((_, leaves, data) => total += leaves * data);
  assert.equal(total, TALLY_RECORDS * 10);
  assert.throws(() =>
    tally.sum(core.lists[0], { from: 0, count: TALLY_RECORDS + 1 }, { holesAreZeros: false, leafShift: 1 })
  );
});
