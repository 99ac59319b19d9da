/** The table in `FIELD.md`: every situation has its tests, and every test of a situation is in the table. */
import assert from "node:assert/strict";
import { allTestNames, REPOSITORY, tableRows } from "../helpers/test_names.ts";

/** Situations by number: how many there are of each letter. */
const LINES: Readonly<Record<string, readonly number[]>> = {
  A: Array.from({ length: 21 }, (_, i) => i),
  C: Array.from({ length: 10 }, (_, i) => i + 1),
  D: Array.from({ length: 16 }, (_, i) => i + 1),
  B: Array.from({ length: 23 }, (_, i) => i + 1),
  E: Array.from({ length: 12 }, (_, i) => i + 1),
};

const ids = Object.entries(LINES).flatMap(([letter, numbers]) => numbers.map((each) => `${letter}${each}`));
const rows = tableRows(`${REPOSITORY}test/interop/FIELD.md`);
const named = new Set(
  rows.flatMap((cells) => [...cells.at(-1)!.matchAll(/`([^`]+)`/g)].map((match) => match[1]!)),
);
const tests = new Set(allTestNames().filter((name) => /^[A-E]\d+: /.test(name)));

Deno.test("every situation of the field has a row, and at least one test with its number", () => {
  assert.deepEqual(rows.map(([id]) => id), ids);
  for (const id of ids) {
    assert.ok([...tests].some((name) => name.startsWith(`${id}: `)), `${id} has no test`);
  }
});

Deno.test("every test that the table of situations names exists, and every test of a situation is in it", () => {
  assert.deepEqual([...named].filter((name) => !tests.has(name)), []);
  assert.deepEqual([...tests].filter((name) => !named.has(name)), []);
});
