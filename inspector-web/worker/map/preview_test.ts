/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { caseNamed, CASES } from "../../../fixtures/mod.ts";
import { openedBench } from "../../../test/helpers/opened.ts";
import { Preview } from "./preview.ts";
import { HOLE, ZERO } from "../disk/runs.ts";
import { Scan } from "./scan.ts";
import { Tiles } from "./tiles.ts";

Deno.test("where the directories name no table there is nothing, on every readable disk", async () => {
  let [unread, empty] = [0, 0];
  for (const fixture of CASES.filter(({ expect }) => expect === "ok")) {
    const bench = await openedBench(fixture);
    for (const view of [0, "merged"] as const) {
      const scan = new Scan(view, bench.view(view));
      const preview = await Preview.of(bench.view(view), scan.pyramid);
      await scan.run(0, () => undefined);
      for (let leaf = 0; leaf < scan.pyramid.leafCount; leaf++) {
        if (preview.unread[leaf] === 1) unread++;
        else {
          empty++;
          const kind = scan.pyramid.kindOf(leaf);
          assert.equal(kind, preview.holesAreZeros ? ZERO : HOLE, `${fixture.name}, leaf ${leaf}`);
        }
      }
    }
  }
  assert.ok(unread > 0 && empty > 0);
});

Deno.test("the map shows what the directories say before the first table is read", async () => {
  const bench = await openedBench(caseNamed("cowd-every-sector-written"));
  const scan = new Scan(0, bench.view(0));
  const tiles = new Tiles();
  const { capacitySectors } = scan.runs;
  const asked = { fromSector: 0, sectorsPerCell: capacitySectors, cells: 1 };
  assert.deepEqual([...(await tiles.tile(scan, asked)).known], [0]);
  let seen: number | undefined;
  await scan.run(0, () => {
    if (seen !== undefined) return;
    seen = scan.tally.doneSectors;
    scan.stop();
  });
  assert.equal(seen, 0, "the first notice came with the directories");
  assert.deepEqual([...(await tiles.tile(scan, asked)).known], [1]);
  await scan.run(0, () => undefined);
  assert.deepEqual([...(await tiles.tile(scan, asked)).known], [2]);
});
