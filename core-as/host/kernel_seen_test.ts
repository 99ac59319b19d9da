/** The seen map against a set of sectors. */
import assert from "node:assert/strict";
import { core } from "../../test/helpers/memory.ts";
import { check, fc } from "../../test/helpers/property.ts";
import { setRecords } from "../../test/helpers/runs.ts";
import { DAMAGE_KIND, HOLE_PLACE, ZERO_PLACE } from "./wasm.ts";

const { seenClaim, seenOpen, seenSectors } = core.kernels;

class SeenModel {
  private readonly seen = new Set<number>();
  constructor(private readonly from: number, private readonly to: number) {}

  claim(place: number, length: number): number {
    let conflict = -1;
    for (let sector = Math.max(place, this.from); sector < Math.min(place + length, this.to); sector++) {
      if (this.seen.has(sector) && conflict < 0) conflict = sector;
      this.seen.add(sector);
    }
    return conflict;
  }
}

Deno.test("a sector can be claimed once", () => {
  seenOpen(0, 1000);
  assert.equal(seenClaim(10, 5), -1);
  assert.equal(seenClaim(15, 5), -1);
  assert.equal(seenClaim(5, 5), -1);
  assert.equal(seenClaim(14, 1), 14);
  assert.equal(seenClaim(0, 1000), 5);
  assert.equal(seenClaim(20, 1), 20, "a claim in conflict still claims the rest");
});

Deno.test("claims meet at word boundaries to the sector", () => {
  for (const edge of [63, 64, 65, 127, 128, 129]) {
    seenOpen(0, 300);
    assert.equal(seenClaim(0, edge), -1);
    assert.equal(seenClaim(edge, 64), -1);
    assert.equal(seenClaim(edge + 64, 1), -1);
    assert.equal(seenClaim(edge + 64, 1), edge + 64);
    assert.equal(seenClaim(edge - 1, 1), edge - 1);
  }
});

Deno.test("what lies outside the window is not looked at", () => {
  seenOpen(1000, 1100);
  assert.equal(seenClaim(0, 1000), -1);
  assert.equal(seenClaim(0, 1000), -1);
  assert.equal(seenClaim(900, 150), -1);
  assert.equal(seenClaim(999, 2), 1000);
  assert.equal(seenClaim(1100, 50), -1);
  assert.equal(seenClaim(1100, 50), -1);
  assert.equal(seenClaim(0, 5000), 1000);
});

Deno.test("opening a window empties the map, up to its last sector", () => {
  const all = seenSectors();
  assert.equal(all, 2 ** 28, "128 GiB of a file at a time");
  seenOpen(0, all);
  assert.equal(seenClaim(all - 1, 5), -1);
  assert.equal(seenClaim(all - 2, 5), all - 1);
  seenOpen(0, all);
  assert.equal(seenClaim(0, all), -1);
  seenOpen(0, 65);
  assert.equal(seenClaim(0, 65), -1);
});

Deno.test("a run list claims its data alone; each conflict names the sector of the disk and of the file", () => {
  const list = core.lists[0];
  setRecords(list, [
    { start: 100, length: 10, place: 50, owner: 0 },
    { start: 110, length: 10, place: HOLE_PLACE, owner: 0 },
    { start: 120, length: 10, place: ZERO_PLACE, owner: 0 },
    { start: 130, length: 10, place: 55, owner: 0 },
  ]);
  seenOpen(0, 100);
  assert.deepEqual(core.claimRuns(list), [
    { kind: DAMAGE_KIND.shared, entry: 130, value: 55, lengthSectors: 10 },
  ]);
});

Deno.test("more conflicts than the damage list has room for are all told", () => {
  const list = core.lists[0];
  const count = 10_000;
  setRecords(list, Array.from({ length: count }, (_, i) => ({ start: i, length: 1, place: 7, owner: 0 })));
  seenOpen(0, 100);
  const conflicts = core.claimRuns(list);
  assert.deepEqual(conflicts.map(({ entry }) => entry), Array.from({ length: count - 1 }, (_, i) => i + 1));
});

Deno.test("any claims conflict as in a set of sectors", () => {
  const claims = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 700 }), fc.integer({ min: 0, max: 200 })),
    { maxLength: 15 },
  );
  const windows = fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 1, max: 400 }));
  check(
    fc.property(claims, windows, fc.constantFrom(0, 2 ** 33), (pairs, [from, length], base) => {
      const window = { from: base + from, to: base + from + length };
      const model = new SeenModel(window.from, window.to);
      seenOpen(window.from, window.to);
      for (const [place, length] of pairs) {
        assert.equal(seenClaim(base + place, length), model.claim(base + place, length));
      }
    }),
    { runs: 1000 },
  );
});
