/** What a survey remembers of grains that cannot be unpacked, laid over runs sector by sector. */
import assert from "node:assert/strict";
import { core } from "../../../test/helpers/memory.ts";
import { check, fc } from "../../../test/helpers/property.ts";
import { recordsOf } from "../../../test/helpers/runs.ts";
import { DamagedGrains } from "./damaged_grains.ts";
import { DAMAGED_PLACE, HOLE_PLACE, ZERO_PLACE } from "../wasm.ts";

Deno.test("C3: damage laid over a list is what it is sector by sector, wherever the window is cut", () => {
  const piece = fc.record({
    length: fc.integer({ min: 1, max: 9 }),
    place: fc.oneof(fc.constantFrom(HOLE_PLACE, ZERO_PLACE, DAMAGED_PLACE), fc.integer({ min: 0, max: 500 })),
  });
  const stretch = fc.record({ gap: fc.integer({ min: 0, max: 9 }), length: fc.integer({ min: 1, max: 9 }) });
  const property = fc.property(
    fc.array(piece, { minLength: 1, maxLength: 12 }),
    fc.array(stretch, { maxLength: 8 }),
    fc.integer({ min: 0, max: 20 }),
    fc.constantFrom(0, 1000),
    (pieces, stretches, from, shift) => {
      const grains = new DamagedGrains();
      const damaged = new Set<number>();
      let at = 0;
      for (const { gap, length } of stretches) {
        at += gap;
        grains.add({ sector: at, lengthSectors: length });
        for (let i = 0; i < length; i++) damaged.add(at + i);
        at += length;
      }
      const [list] = core.lists;
      const to = from + pieces.reduce((sum, { length }) => sum + length, 0);
      core.kernels.openList(list.address, from, to, shift, 7);
      const expected: number[] = [];
      let sector = from;
      for (const { length, place } of pieces) {
        core.kernels.pushRun(sector, length, place);
        for (let i = 0; i < length; i++) expected.push(place < 0 ? place : place + i);
        sector += length;
      }
      core.close(list);
      const masked = grains.mask(core, list, { from, to, shift, owner: 7 });
      const found: number[] = [];
      for (const { start, length, place, owner } of recordsOf(list)) {
        assert.equal(start, shift + from + found.length);
        assert.equal(owner, 7);
        for (let i = 0; i < length; i++) found.push(place < 0 ? place : place + i);
      }
      assert.deepEqual(found, expected.map((place, i) => damaged.has(from + i) ? DAMAGED_PLACE : place));
      const told = masked.reduce((sum, { lengthSectors }) => sum + lengthSectors, 0);
      assert.equal(told, expected.filter((_, i) => damaged.has(from + i)).length);
    },
  );
  check(property, { runs: 500 });
});
