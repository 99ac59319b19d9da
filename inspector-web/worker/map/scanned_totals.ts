/** How much of each area a view changes, by its scan. */
import { SECTOR_SIZE } from "../../../core-as/host/mod.ts";
import type { Area, AreaTotal } from "../../../core-as/host/guest/mod.ts";
import type { SectorRange } from "../disk/geometry.ts";
import { DAMAGED, DATA, walkRuns, ZERO } from "../disk/runs.ts";
import type { Sum } from "./pyramid.ts";
import type { Scan } from "./scan.ts";

/**
 * Sums of areas by what was scanned: exact when that is all, since then leaves at the borders are looked at closely.
 */
export async function scannedTotals(
  areas: readonly Pick<Area, "startBytes" | "lengthBytes">[],
  scan: Scan,
): Promise<readonly AreaTotal[]> {
  const totals: AreaTotal[] = [];
  for (const { startBytes, lengthBytes } of areas) {
    const range = { from: startBytes / SECTOR_SIZE, to: (startBytes + lengthBytes) / SECTOR_SIZE };
    const { data, zero, damaged } = scan.finished ? await exactSum(scan, range) : scan.pyramid.sumOf(range);
    const [dataBytes, zeroBytes, damagedBytes] = [data, zero, damaged].map((sectors) =>
      Math.round(sectors) * SECTOR_SIZE
    ) as [number, number, number];
    totals.push({ dataBytes, zeroBytes, damagedBytes });
  }
  return totals;
}

/** Sectors of a stretch: whole leaves by the pyramid, parts of one by their tables. */
async function exactSum({ pyramid, runs }: Scan, { from, to }: SectorRange): Promise<Sum> {
  const span = pyramid.spanSectors;
  const firstWhole = Math.min(to, Math.ceil(from / span) * span);
  const lastWhole = Math.max(firstWhole, Math.floor(to / span) * span);
  const sum = pyramid.sumOf({ from: firstWhole, to: lastWhole });
  for (const range of [{ from, to: firstWhole }, { from: lastWhole, to }]) {
    await walkRuns(runs, range, ({ kind, length }) => {
      if (kind === DATA) sum.data += length;
      else if (kind === ZERO) sum.zero += length;
      else if (kind === DAMAGED) sum.damaged += length;
    });
  }
  return sum;
}
