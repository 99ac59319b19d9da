/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { caseNamed } from "../../../fixtures/mod.ts";
import { openedBench } from "../../../test/helpers/opened.ts";
import type { Surveyed } from "../../shared/protocol.ts";
import { surveyChain } from "./findings.ts";

for (const name of ["stream-footer", "cowd-every-sector-written", "chain-two-cowd-links", "split-sparse"]) {
  Deno.test(`${name}: the search for damage says how far it is`, async () => {
    const bench = await openedBench(caseNamed(name));
    const told: Surveyed[] = [];
    const { now } = performance;
    let ms = 0;
    // A second goes by with every look at the clock.
    performance.now = () => ms += 1000;
    try {
      const { answer: { counts } } = await surveyChain(bench, (surveyed) => told.push(surveyed));
      assert.equal(counts.damage, 0);
    } finally {
      performance.now = now;
    }
    assert.ok(told.length > 0);
    told.forEach(({ doneSectors, totalSectors }, i) => {
      assert.ok(
        doneSectors >= (told[i - 1]?.doneSectors ?? 0) && doneSectors < totalSectors,
        JSON.stringify(told),
      );
    });
    if (told.length > 2) assert.ok(told.at(-1)!.doneSectors > 0);
  });
}
