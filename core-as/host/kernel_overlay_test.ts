/** Laying one run list over another, against the rule for a single sector. */
import assert from "node:assert/strict";
import { core } from "../../test/helpers/memory.ts";
import { check, fc } from "../../test/helpers/property.ts";
import { recordsOf, type RunRecord, sectorsOf, setRecords } from "../../test/helpers/runs.ts";
import { DAMAGED_PLACE, HOLE_PLACE, ZERO_PLACE } from "./wasm.ts";

interface Piece {
  readonly length: number;
  readonly place: number;
}

/** A gap-free list from sector `start` on. */
function listOf(pieces: readonly Piece[], at: { start: number; owner: number }): RunRecord[] {
  let start = at.start;
  return pieces.map(({ length, place }) => {
    start += length;
    return { start: start - length, length, place, owner: at.owner };
  });
}

function overlay(upper: readonly RunRecord[], lower: readonly RunRecord[]): RunRecord[] {
  const [a, b, out] = core.lists;
  setRecords(a, upper);
  setRecords(b, lower);
  core.overlay(a, b, out);
  return recordsOf(out);
}

function overlayBySector(upper: readonly RunRecord[], lower: readonly RunRecord[]) {
  const below = sectorsOf(lower);
  return sectorsOf(upper).slice(0, below.length).map((sector, i) =>
    sector.place === HOLE_PLACE ? below[i]! : sector
  );
}

Deno.test("data and zeros of the upper link win, its holes show the lower one", () => {
  const upper = listOf([{ length: 2, place: 50 }, { length: 3, place: HOLE_PLACE }, {
    length: 2,
    place: ZERO_PLACE,
  }], { start: 10, owner: 0 });
  const lower = listOf([{ length: 7, place: 900 }], { start: 10, owner: 4 });
  assert.deepEqual(overlay(upper, lower), [
    { start: 10, length: 2, place: 50, owner: 0 },
    { start: 12, length: 3, place: 902, owner: 4 },
    { start: 15, length: 2, place: ZERO_PLACE, owner: 0 },
  ]);
});

Deno.test("where both have nothing a hole is left", () => {
  const hole = [{ length: 5, place: HOLE_PLACE }];
  const merged = overlay(listOf(hole, { start: 0, owner: 0 }), listOf(hole, { start: 0, owner: 1 }));
  assert.deepEqual(merged, [{ start: 0, length: 5, place: HOLE_PLACE, owner: 1 }]);
});

Deno.test("the result ends where the shorter list does", () => {
  const long = listOf([{ length: 9, place: HOLE_PLACE }], { start: 0, owner: 0 });
  const short = listOf([{ length: 4, place: 7 }], { start: 0, owner: 1 });
  assert.deepEqual(overlay(long, short), [{ start: 0, length: 4, place: 7, owner: 1 }]);
  assert.deepEqual(overlay(short, long), [{ start: 0, length: 4, place: 7, owner: 1 }]);
  assert.deepEqual(overlay(long, []), []);
});

Deno.test("a result with no room left ends early and is right up to there", () => {
  const pairs = Array.from({ length: 30_000 }, (_, i) => i);
  const upper = listOf(
    pairs.flatMap((i) => [{ length: 2, place: 4 * i }, { length: 2, place: HOLE_PLACE }]),
    { start: 0, owner: 0 },
  );
  const lower = listOf(
    [
      { length: 1, place: ZERO_PLACE },
      ...pairs.flatMap((i) => [{ length: 2, place: 9 * i }, {
        length: 2,
        place: ZERO_PLACE,
      }]),
    ],
    { start: 0, owner: 1 },
  );
  const merged = overlay(upper, lower);
  assert.equal(merged.length, core.listCapacity);
  const expected = overlayBySector(upper, lower);
  const found = sectorsOf(merged).map((sector) =>
    sector.place === HOLE_PLACE ? { ...sector, owner: -1 } : sector
  );
  assert.deepEqual(found, expected.slice(0, found.length));
});

Deno.test("C3: what is damaged in the upper link masks the lower one, and damage below a hole shows", () => {
  const upper = listOf([{ length: 4, place: DAMAGED_PLACE }, { length: 4, place: HOLE_PLACE }], {
    start: 0,
    owner: 0,
  });
  const lower = listOf([{ length: 6, place: 50 }, { length: 2, place: DAMAGED_PLACE }], {
    start: 0,
    owner: 1,
  });
  assert.deepEqual(overlay(upper, lower), [
    { start: 0, length: 4, place: DAMAGED_PLACE, owner: 0 },
    { start: 4, length: 2, place: 54, owner: 1 },
    { start: 6, length: 2, place: DAMAGED_PLACE, owner: 1 },
  ]);
});

Deno.test("any two lists merge as sector by sector", () => {
  const piece = fc.record({
    length: fc.integer({ min: 1, max: 12 }),
    place: fc.oneof(
      fc.constantFrom(ZERO_PLACE, HOLE_PLACE, DAMAGED_PLACE),
      fc.integer({ min: 0, max: 2 ** 40 }),
    ),
  });
  const pieces = fc.array(piece, { minLength: 1, maxLength: 30 });
  check(
    fc.property(pieces, pieces, fc.constantFrom(0, 5, 2 ** 37), (above, below, start) => {
      const upper = listOf(above, { start, owner: 2 });
      const lower = listOf(below, { start, owner: 3 });
      assert.deepEqual(sectorsOf(overlay(upper, lower)), overlayBySector(upper, lower));
    }),
    { runs: 1000 },
  );
});
