/** The table in `PEERS.md` and the tests it names. */
import assert from "node:assert/strict";
import { allTestNames, REPOSITORY, tableRows, testNames } from "../helpers/test_names.ts";

/** Names of the last column. */
function namedTests(): string[] {
  return tableRows(`${REPOSITORY}test/interop/PEERS.md`).map((cells) => {
    const name = /^`([^`]+)`$/.exec(cells.at(-1)!)?.[1];
    assert.ok(name, `no test in: ${cells.join(" | ")}`);
    return name;
  });
}

Deno.test("every test that the table of peers names exists", () => {
  const existing = new Set(allTestNames());
  assert.deepEqual(namedTests().filter((name) => !existing.has(name)), []);
});

Deno.test("every test about peers is named in the table", () => {
  const named = new Set(namedTests());
  const tests = testNames(`${REPOSITORY}test/interop/peers_test.ts`);
  assert.ok(tests.length > 30);
  assert.deepEqual(tests.filter((name) => !named.has(name)), []);
});
