/**
 * The next or previous run of data or zeros, where there is no parent to compare with: by way of the pyramid where the
 * scan has been, else by walking.
 */
import type { Skips } from "./next_change.ts";
import { runAround, runsOf } from "./describe.ts";
import { continues, HOLE, LENIENT, type PlacedRun } from "../disk/runs.ts";
import type { Scan } from "../map/scan.ts";

/** The first stretch that is walked backwards; each further one is twice as long. */
const FIRST_BACK_SECTORS = 65_536;

/** Start of the first run of data or zeros behind a sector. */
export async function nextRun(scan: Scan, sector: number): Promise<number | undefined> {
  const { runs } = scan;
  const end = runs.capacitySectors;
  if (sector >= end) return undefined;
  const around = await runAround(runs, Math.max(0, sector));
  let last: PlacedRun = around;
  for (let from = around.start + around.length; from < end;) {
    let found: number | undefined;
    const reached = await runs.step(from, end, LENIENT, (run) => {
      if (found !== undefined) return;
      if (run.kind !== HOLE && !continues(last, run)) found = run.start;
      if (continues(last, run)) last.length += run.length;
      else last = { ...run };
    });
    if (found !== undefined) return found;
    from = last.kind === HOLE ? skipForwards(scan, reached) : reached;
  }
  return undefined;
}

/** Start of the last run of data or zeros that begins before a sector. */
export async function previousRun(scan: Scan, sector: number): Promise<number | undefined> {
  const { runs } = scan;
  let span = Math.max(FIRST_BACK_SECTORS, scan.pyramid.spanSectors);
  for (let to = Math.min(sector, runs.capacitySectors); to > 0;) {
    to = skipBackwards(scan, to);
    const from = Math.max(0, to - span);
    // One sector more in front says whether the first run begins here.
    const lead = Math.max(0, from - 1);
    const found = await runsOf(runs, { from: lead, to });
    const last = found.findLast(({ kind, start }) => kind !== HOLE && (start > lead || start === 0));
    if (last) return last.start;
    to = from;
    span *= 2;
  }
  return undefined;
}

/** What a scan knows to be empty, for those who look for changes. */
export function skipsOf(scan: Scan): Skips {
  return {
    forwards: (sector) => skipForwards(scan, sector),
    backwards: (sector) => skipBackwards(scan, sector),
  };
}

/** Over what is known to be empty. */
function skipForwards({ finished, pyramid, runs }: Scan, sector: number): number {
  if (!finished || sector >= runs.capacitySectors) return sector;
  const leaf = pyramid.nextLeaf(Math.floor(sector / pyramid.spanSectors));
  return leaf === undefined ? runs.capacitySectors : Math.max(sector, leaf * pyramid.spanSectors);
}

function skipBackwards({ finished, pyramid }: Scan, to: number): number {
  if (!finished || to <= 0) return to;
  const leaf = pyramid.previousLeaf(Math.floor((to - 1) / pyramid.spanSectors));
  return leaf === undefined ? 0 : Math.min(to, (leaf + 1) * pyramid.spanSectors);
}
