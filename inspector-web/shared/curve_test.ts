/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { layOut } from "./curve.ts";

const SIZES = [[1, 1], [1, 7], [7, 1], [2, 2], [8, 8], [16, 10], [10, 16], [13, 8], [15, 15], [
  400,
  222,
]] as const;

Deno.test("layOut() visits every place once, and cellAt undoes placeOf", () => {
  for (const [width, height] of SIZES) {
    for (const curve of ["rows", "hilbert"] as const) {
      const { placeOf, cellAt } = layOut(curve, { width, height });
      assert.equal(new Set(placeOf).size, width * height, `${curve} ${width}x${height}`);
      for (let i = 0; i < placeOf.length; i++) assert.equal(cellAt[placeOf[i] ?? -1], i);
    }
  }
});

Deno.test("layOut() steps to a neighbour each time along the Hilbert curve", () => {
  for (const [width, height] of SIZES) {
    const { placeOf } = layOut("hilbert", { width, height });
    for (let i = 1; i < placeOf.length; i++) {
      const [from, to] = [placeOf[i - 1] ?? 0, placeOf[i] ?? 0];
      const dx = Math.abs(from % width - to % width);
      const dy = Math.abs(Math.floor(from / width) - Math.floor(to / width));
      assert.ok(Math.max(dx, dy) === 1, `${width}x${height}: step ${i} goes ${dx}, ${dy}`);
    }
  }
});

Deno.test("layOut() goes row by row when asked to", () => {
  assert.deepEqual([...layOut("rows", { width: 3, height: 2 }).placeOf], [0, 1, 2, 3, 4, 5]);
});
