/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { cellColour, DENSITY_STEPS, densityStep, hexOf, PALETTES, word } from "./palette.ts";

Deno.test("densityStep() is 0 for exactly nothing alone", () => {
  assert.equal(densityStep(0), 0);
  for (const part of [Number.MIN_VALUE, 1e-30, 1 / 33554432, 1e-6]) assert.equal(densityStep(part), 1);
  assert.equal(densityStep(1), DENSITY_STEPS);
});

Deno.test("densityStep() never falls as more is there", () => {
  let last = 0;
  for (let exponent = -30; exponent <= 0; exponent += 0.25) {
    const step = densityStep(2 ** exponent);
    assert.ok(step >= last);
    last = step;
  }
});

Deno.test("cellColour() shows one changed grain in a cell of four billion", () => {
  for (const palette of Object.values(PALETTES)) {
    const hole = cellColour(palette, { data: 0, zero: 0, known: 2, damaged: false });
    const unknown = cellColour(palette, { data: 0, zero: 0, known: 0, damaged: false });
    const changed = cellColour(palette, { data: 2 ** -32, zero: 0, known: 2, damaged: false });
    const zeroed = cellColour(palette, { data: 0, zero: 2 ** -32, known: 2, damaged: false });
    const broken = cellColour(palette, { data: 1, zero: 0, known: 2, damaged: true });
    assert.equal(new Set([hole, unknown, changed, zeroed, broken]).size, 5);
  }
});

Deno.test("cellColour() gives every step of density a colour of its own", () => {
  for (const palette of Object.values(PALETTES)) {
    assert.equal(new Set(palette.density).size, DENSITY_STEPS + 1);
  }
});

Deno.test("hexOf() undoes word()", () => {
  for (const colour of ["#000000", "#ffffff", "#123456", "#fedcba"]) {
    assert.equal(hexOf(word(colour)), colour);
  }
});
