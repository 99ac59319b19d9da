/** Grain tables of 32-bit entries against the plain rule: one entry at a time. */
import assert from "node:assert/strict";
import { core } from "../../test/helpers/memory.ts";
import { check, fc } from "../../test/helpers/property.ts";
import { mergeRecords, recordsOf, type RunRecord } from "../../test/helpers/runs.ts";
import { DAMAGE_KIND, DAMAGED_PLACE, type DamageRecord, HOLE_PLACE, ZERO_PLACE } from "./wasm.ts";

interface Table {
  readonly entries: readonly number[];
  readonly grain: number;
  /** First sector of the table. */
  readonly first: number;
  readonly capacity: number;
  readonly floor: number;
  readonly fileSectors: number;
  readonly logical: boolean;
}

const PLAIN = { grain: 1, first: 0, capacity: 4096, floor: 8, fileSectors: 100_000, logical: false };
const OWNER = 3;

function decode(table: Table): { runs: RunRecord[]; damage: DamageRecord[] } {
  const list = core.lists[0];
  new Uint32Array(core.tables.buffer, core.tablesAddress, table.entries.length).set(table.entries);
  core.kernels.openList(list.address, table.first, table.capacity, 0, OWNER);
  core.kernels.decodeTable32(
    core.tablesAddress,
    table.entries.length,
    table.first,
    table.grain,
    table.capacity,
    table.floor,
    table.fileSectors,
    table.logical ? 1 : 0,
  );
  core.close(list);
  return { runs: recordsOf(list), damage: core.takeDamage() };
}

function model(table: Table): { runs: RunRecord[]; damage: DamageRecord[] } {
  const { entries, grain, first, capacity, floor, fileSectors, logical } = table;
  const runs: RunRecord[] = [];
  const damage: DamageRecord[] = [];
  for (const [entry, value] of entries.entries()) {
    const start = first + entry * grain;
    if (start >= capacity) break;
    const length = Math.min(grain, capacity - start);
    const add = (place: number) => runs.push({ start, length, place, owner: OWNER });
    const bad = value >= 2 && (value < floor || value + (logical ? 1 : length) > fileSectors);
    if (bad) {
      const kind = value < floor ? DAMAGE_KIND.inMetadata : DAMAGE_KIND.pastEnd;
      damage.push({ kind, entry, value, lengthSectors: length });
    }
    if (bad) add(DAMAGED_PLACE);
    else if (value === 0) add(HOLE_PLACE);
    else add(value === 1 ? ZERO_PLACE : logical ? start : value);
  }
  return { runs: mergeRecords(runs), damage };
}

function places(runs: readonly RunRecord[]): [start: number, length: number, place: number][] {
  return runs.map(({ start, length, place }) => [start, length, place]);
}

Deno.test("a table of holes is one run, whatever its length", () => {
  for (const count of [1, 2, 3, 4, 5, 7, 8, 9, 4095, 4096]) {
    const { runs } = decode({ ...PLAIN, entries: new Array(count).fill(0) });
    assert.deepEqual(places(runs), [[0, count, HOLE_PLACE]]);
  }
});

Deno.test("a stretch of equal entries ends where it does, at each place beside the lanes", () => {
  for (let from = 0; from < 9; from++) {
    for (let length = 1; length < 14; length++) {
      const entries = new Array(24).fill(0).fill(1, from, from + length);
      const expected: [number, number, number][] = [
        [0, from, HOLE_PLACE],
        [from, length, ZERO_PLACE],
        [from + length, 24 - from - length, HOLE_PLACE],
      ];
      assert.deepEqual(places(decode({ ...PLAIN, entries }).runs), expected.filter(([, count]) => count > 0));
    }
  }
});

Deno.test("a stretch of neighbours ends where it does, at each place beside the lanes", () => {
  for (let from = 0; from < 9; from++) {
    for (let length = 1; length < 14; length++) {
      const entries = Array.from({ length: 24 }, (_, i) => i < from || i >= from + length ? 0 : 500 + i * 8);
      const table = { ...PLAIN, grain: 8, entries };
      assert.deepEqual(decode(table), model(table));
      assert.equal(decode(table).runs.filter(({ place }) => place >= 0).length, 1);
    }
  }
});

Deno.test("two grains in a row of the file whose places on the disk are apart stay two runs", () => {
  const { runs } = decode({ ...PLAIN, entries: [50, 0, 51, 52] });
  assert.deepEqual(places(runs), [[0, 1, 50], [1, 1, HOLE_PLACE], [2, 2, 51]]);
});

Deno.test("a place past 2^32 does not wrap around to a neighbour", () => {
  const top = 2 ** 32;
  const fileSectors = top * 2;
  for (let before = 1; before < 9; before++) {
    const entries = Array.from({ length: 16 }, (_, i) => (top - before * 4 + i * 4) % top);
    const table = { ...PLAIN, grain: 4, fileSectors, floor: 2, entries };
    assert.deepEqual(decode(table), model(table), `${before} grains before the end`);
  }
  const table = { ...PLAIN, grain: 2, fileSectors, floor: 2, entries: [top - 1, 1, 3, 5, 7, 9] };
  assert.deepEqual(decode(table), model(table));
});

Deno.test("the grain at the end of the disk is clipped, entries behind it are not looked at", () => {
  const table = { ...PLAIN, grain: 8, capacity: 20, entries: [100, 108, 116, 2, 3] };
  assert.deepEqual(decode(table), {
    runs: [{ start: 0, length: 20, place: 100, owner: OWNER }],
    damage: [],
  });
});

Deno.test("the last grain needs only its part on the disk to be in the file", () => {
  const table = { ...PLAIN, grain: 8, capacity: 12, fileSectors: 104 };
  assert.deepEqual(decode({ ...table, entries: [0, 100] }).damage, []);
  assert.deepEqual(decode({ ...table, entries: [0, 101] }).damage, [
    { kind: DAMAGE_KIND.pastEnd, entry: 1, value: 101, lengthSectors: 4 },
  ]);
});

Deno.test("C3: an entry into the header and one past the end are damaged, their neighbours are not", () => {
  const { runs, damage } = decode({ ...PLAIN, floor: 10, fileSectors: 12, entries: [9, 10, 11, 12, 2] });
  assert.deepEqual(places(runs), [[0, 1, DAMAGED_PLACE], [1, 2, 10], [3, 2, DAMAGED_PLACE]]);
  assert.deepEqual(damage, [
    { kind: DAMAGE_KIND.inMetadata, entry: 0, value: 9, lengthSectors: 1 },
    { kind: DAMAGE_KIND.pastEnd, entry: 3, value: 12, lengthSectors: 1 },
    { kind: DAMAGE_KIND.inMetadata, entry: 4, value: 2, lengthSectors: 1 },
  ]);
});

Deno.test("a compressed grain is placed where it reads, and needs its first sector to be in the file", () => {
  const table = { ...PLAIN, grain: 128, capacity: 1000, first: 0, fileSectors: 50, logical: true };
  const { runs, damage } = decode({ ...table, entries: [40, 9, 49, 0, 50] });
  assert.deepEqual(places(runs), [[0, 384, 0], [384, 128, HOLE_PLACE], [512, 128, DAMAGED_PLACE]]);
  assert.deepEqual(damage.map(({ entry }) => entry), [4]);
  assert.deepEqual(decode({ ...table, entries: [40, 40 + 128] }).damage.map(({ entry }) => entry), [1]);
});

Deno.test("a list takes only what lies in its window, moved to where the extent stands", () => {
  const list = core.lists[0];
  new Uint32Array(core.tables.buffer, core.tablesAddress, 4).set([100, 101, 0, 1]);
  core.kernels.openList(list.address, 1, 3, 1000, 7);
  core.kernels.decodeTable32(core.tablesAddress, 4, 0, 1, 4, 8, 200, 0);
  core.close(list);
  assert.deepEqual(recordsOf(list), [
    { start: 1001, length: 1, place: 101, owner: 7 },
    { start: 1002, length: 1, place: HOLE_PLACE, owner: 7 },
  ]);
});

const entry = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(0, 1) },
  { weight: 2, arbitrary: fc.integer({ min: 2, max: 400 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0xfffffff0, max: 0xffffffff }) },
);
/** Stretches: repeated, or growing by a grain as in a file written in order. */
const stretches = fc.array(
  fc.record({ value: entry, length: fc.integer({ min: 1, max: 20 }), grows: fc.boolean() }),
  { minLength: 1, maxLength: 12 },
);

Deno.test("any table decodes as entry by entry", () => {
  const tables = fc.record({
    stretches,
    grain: fc.constantFrom(1, 2, 8, 128, 2048),
    firstTable: fc.constantFrom(0, 1, 1000),
    missing: fc.integer({ min: 0, max: 4000 }),
    floor: fc.integer({ min: 1, max: 20 }),
    fileSectors: fc.constantFrom(30, 300, 100_000, 2 ** 32, 2 ** 33),
    logical: fc.boolean(),
  });
  check(
    fc.property(tables, ({ stretches, firstTable, missing, ...rest }) => {
      const entries = stretches.flatMap(({ value, length, grows }) =>
        Array.from({ length }, (_, i) => (value + (grows && value > 1 ? i * rest.grain : 0)) % 2 ** 32)
      );
      const span = entries.length * rest.grain;
      const first = firstTable * span;
      const table = { ...rest, entries, first, capacity: first + Math.max(1, span - missing) };
      assert.deepEqual(decode(table), model(table));
    }),
    { runs: 2000 },
  );
});
