/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import type { Area, GuestSurvey } from "../../../core-as/host/guest/mod.ts";
import { SECTOR_SIZE } from "../../../core-as/host/mod.ts";
import { walkedTotals } from "./areas.ts";
import { DATA, HOLE, type PlacedRun, type Runs, ZERO } from "../disk/runs.ts";
import { Scan } from "../map/scan.ts";
import { scannedTotals } from "../map/scanned_totals.ts";

/** Runs of 5, 6 and 7 sectors in a circle of kinds, on a disk whose leaves have more than one sector. */
class Striped implements Runs {
  readonly capacitySectors = 2 ** 21 + 77;
  readonly name = "striped";
  readonly files = ["striped"];
  sectorsWalked = 0;

  step(from: number, to: number, _: unknown, visit: (run: PlacedRun) => void): Promise<number> {
    const end = Math.min(to, from + 2 ** 18);
    for (let start = from; start < end;) {
      const within = start % 18;
      const [kind, until] = within < 5 ? [DATA, 5] : within < 11 ? [ZERO, 11] : [HOLE, 18];
      const length = Math.min(end - start, until - within);
      const isData = kind === DATA;
      visit({ start, length, kind, file: isData ? 0 : -1, place: isData ? start : NaN, link: 0 });
      start += length;
    }
    this.sectorsWalked += end - from;
    return Promise.resolve(end);
  }
}

function surveyOf(borders: readonly number[]): GuestSurvey {
  const areas = borders.slice(1).map((to, i): Area => ({
    kind: "unpartitioned",
    startBytes: borders[i]! * SECTOR_SIZE,
    lengthBytes: (to - borders[i]!) * SECTOR_SIZE,
    partition: undefined,
    fileSystem: undefined,
  }));
  const table = {
    scheme: "none" as const,
    id: undefined,
    sectorBytes: SECTOR_SIZE,
    isBackup: false,
    partitions: [],
    problems: [],
  };
  return { table, isTableUnknown: false, areas };
}

Deno.test("areas of a scanned disk are exact to the sector, without another walk over it", async () => {
  const runs = new Striped();
  const scan = new Scan(0, runs);
  await scan.run(0, () => undefined);
  const survey = surveyOf([0, 63, 64, 65, 70_001, 70_002, 2 ** 20 - 1, 2 ** 20 + 1, 2 ** 21 + 77]);
  assert.ok(scan.pyramid.spanSectors > 1);
  runs.sectorsWalked = 0;
  const scanned = await scannedTotals(survey.areas, scan);
  assert.ok(runs.sectorsWalked < 100, `${runs.sectorsWalked} sectors were walked`);
  assert.deepEqual(scanned, await walkedTotals(survey, runs));
});
