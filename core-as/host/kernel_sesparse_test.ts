/** SESparse tables against an independent reading of the entry's bits. */
import assert from "node:assert/strict";
import { core } from "../../test/helpers/memory.ts";
import { check, fc } from "../../test/helpers/property.ts";
import { mergeRecords, recordsOf, type RunRecord } from "../../test/helpers/runs.ts";
import { DAMAGE_KIND, DAMAGED_PLACE, type DamageRecord, HOLE_PLACE, ZERO_PLACE } from "./wasm.ts";

interface Table {
  readonly entries: readonly bigint[];
  readonly capacity: number;
  /** File sector of grain 0. */
  readonly grains: number;
  readonly grainCount: number;
  readonly fileSectors: number;
}

const GRAIN = 8;
const PLAIN = { capacity: 32_768, grains: 1000, grainCount: 1 << 20, fileSectors: 2 ** 40 };

function decode(table: Table): { runs: RunRecord[]; damage: DamageRecord[] } {
  const list = core.lists[0];
  new BigUint64Array(core.tables.buffer, core.tablesAddress, table.entries.length).set(table.entries);
  core.kernels.openList(list.address, 0, table.capacity, 0, 0);
  core.kernels.decodeTableSe(
    core.tablesAddress,
    table.entries.length,
    0,
    GRAIN,
    table.capacity,
    table.grains,
    table.grainCount,
    table.fileSectors,
  );
  core.close(list);
  return { runs: recordsOf(list), damage: core.takeDamage() };
}

/** Kind and index by hexadecimal digits: first the kind, three low digits of the index, then its high ones. */
function read(entry: bigint): { kind: number; index: bigint } {
  const digits = entry.toString(16).padStart(16, "0");
  return { kind: parseInt(digits[0]!, 16), index: BigInt(`0x${digits.slice(4)}${digits.slice(1, 4)}`) };
}

function model(table: Table): { runs: RunRecord[]; damage: DamageRecord[] } {
  const runs: RunRecord[] = [];
  const damage: DamageRecord[] = [];
  for (const [entry, value] of table.entries.entries()) {
    const start = entry * GRAIN;
    if (start >= table.capacity) break;
    const length = Math.min(GRAIN, table.capacity - start);
    const { kind, index } = read(value);
    const place = BigInt(table.grains) + index * BigInt(GRAIN);
    const bad = (kind: number, what: bigint) => {
      damage.push({ kind, entry, value: Number(what), lengthSectors: length });
      return DAMAGED_PLACE;
    };
    const placeOf = () => {
      if (value === 0n) return HOLE_PLACE;
      if (kind === 1 || kind === 2) return ZERO_PLACE;
      if (kind !== 3) return bad(DAMAGE_KIND.reserved, value);
      const fits = index < BigInt(table.grainCount) && place + BigInt(length) <= BigInt(table.fileSectors);
      return fits ? Number(place) : bad(DAMAGE_KIND.pastEnd, BigInt.asUintN(64, place));
    };
    runs.push({ start, length, place: placeOf(), owner: 0 });
  }
  return { runs: mergeRecords(runs), damage };
}

function kinds(entries: readonly bigint[]): number[] {
  return decode({ ...PLAIN, entries }).runs.map(({ place }) => place);
}

Deno.test("the low 12 bits of a grain's index stand in bits 48 to 59", () => {
  const table = { ...PLAIN, grainCount: 2 ** 40 };
  const placeOf = (entry: bigint) => decode({ ...table, entries: [entry] }).runs[0]!.place;
  assert.equal(placeOf(0x3000_0000_0000_0000n), 1000);
  assert.equal(placeOf(0x3001_0000_0000_0000n), 1000 + GRAIN);
  assert.equal(placeOf(0x3fff_0000_0000_0000n), 1000 + 4095 * GRAIN);
  assert.equal(placeOf(0x3000_0000_0000_0001n), 1000 + 4096 * GRAIN);
  assert.equal(placeOf(0x3abc_0000_0012_3456n), 1000 + 0x123456abc * GRAIN);
});

Deno.test("neighbours in the file become one run across the turn of the index", () => {
  const entries = [4094n, 4095n, 4096n, 4097n].map((index) =>
    3n << 60n | (index & 0xfffn) << 48n | index >> 12n
  );
  assert.deepEqual(decode({ ...PLAIN, entries }).runs, [
    { start: 0, length: 32, place: 1000 + 4094 * GRAIN, owner: 0 },
  ]);
});

Deno.test("unmapped and zero grains are zeros though the entry still names a grain; 0 is a hole", () => {
  assert.deepEqual(kinds([0n, 0x1abc_0000_0000_0123n, 0x2000_0000_0000_0000n, 0n]), [
    HOLE_PLACE,
    ZERO_PLACE,
    HOLE_PLACE,
  ]);
});

Deno.test("C3: a reserved kind is a damaged run, also 0 with bits below", () => {
  for (const kind of [0n, 4n, 5n, 8n, 15n]) {
    const { runs, damage } = decode({ ...PLAIN, entries: [kind << 60n | 1n] });
    assert.equal(runs[0]!.place, DAMAGED_PLACE);
    assert.deepEqual(damage.map(({ kind, entry }) => ({ kind, entry })), [
      { kind: DAMAGE_KIND.reserved, entry: 0 },
    ]);
  }
});

Deno.test("a grain past the region or past the file is damage", () => {
  const past = { ...PLAIN, grainCount: 10, entries: [0x3009_0000_0000_0000n, 0x300a_0000_0000_0000n] };
  assert.deepEqual(decode(past).damage.map(({ entry }) => entry), [1]);
  const short = { ...PLAIN, fileSectors: 1015, entries: [0x3000_0000_0000_0000n, 0x3001_0000_0000_0000n] };
  assert.deepEqual(decode(short).damage.map(({ entry, value }) => ({ entry, value })), [
    { entry: 1, value: 1008 },
  ]);
});

Deno.test("a stretch of holes ends where it does, at each place beside the lanes", () => {
  for (let from = 0; from < 5; from++) {
    for (let length = 1; length < 8; length++) {
      const entries = Array.from({ length: 14 }, (_, i) => i < from || i >= from + length ? 2n << 60n : 0n);
      assert.deepEqual(decode({ ...PLAIN, entries }), model({ ...PLAIN, entries }));
    }
  }
});

Deno.test("any table decodes as entry by entry", () => {
  const index = fc.oneof(fc.bigInt({ min: 0n, max: 9000n }), fc.bigInt({ min: 0n, max: (1n << 60n) - 1n }));
  const encoded = fc.record({ kind: fc.constantFrom(1n, 2n, 3n, 3n, 3n, 7n), index }).map(({ kind, index }) =>
    kind << 60n | (index & 0xfffn) << 48n | index >> 12n
  );
  const stretch = fc.record({
    value: fc.oneof(fc.constant(0n), encoded),
    length: fc.integer({ min: 1, max: 9 }),
  });
  const tables = fc.record({
    stretches: fc.array(stretch, { minLength: 1, maxLength: 12 }),
    missing: fc.integer({ min: 0, max: 100 }),
    grainCount: fc.constantFrom(100, 5000, 2 ** 40),
    fileSectors: fc.constantFrom(2000, 50_000, 2 ** 45),
  });
  check(
    fc.property(tables, ({ stretches, missing, ...rest }) => {
      const entries = stretches.flatMap(({ value, length }) => new Array<bigint>(length).fill(value));
      const capacity = Math.max(1, entries.length * GRAIN - missing);
      const table = { ...PLAIN, ...rest, entries, capacity };
      assert.deepEqual(decode(table), model(table));
    }),
    { runs: 2000 },
  );
});
