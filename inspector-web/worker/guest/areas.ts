/** Partitions and file systems, and how much of each a view changes. */
import { SECTOR_SIZE } from "../../../core-as/host/mod.ts";
import {
  type Area,
  type AreaTotal,
  AreaTotals,
  FILE_SYSTEM_NAMES,
  type GuestSurvey,
  surveyGuest,
} from "../../../core-as/host/guest/mod.ts";
import type { Answers, AreaFacts } from "../../shared/protocol.ts";
import type { SectorRange } from "../disk/geometry.ts";
import type { Sum } from "../map/pyramid.ts";
import { GuestView } from "./guest_view.ts";
import { DAMAGED, DATA, type DiskRuns, kindName, type Runs, walkRuns, ZERO } from "../disk/runs.ts";
import type { Scan } from "../map/scan.ts";

/** @param merged All links: a partition table is mostly in the base. */
export async function surveyAreas(merged: DiskRuns): Promise<GuestSurvey> {
  const view = new GuestView(merged);
  const survey = await surveyGuest(view, (stretch) => view.isKnown(stretch));
  const unread = [...view.unread].map((offsetBytes) => ({
    message: "what stands here is in a chunk that is damaged, and was not seen",
    offsetBytes,
  }));
  return { ...survey, table: { ...survey.table, problems: [...survey.table.problems, ...unread] } };
}

/** What a saved map can tell: one area, of which nothing is known. */
export function unknownAreas(runs: Runs): GuestSurvey {
  const lengthBytes = runs.capacitySectors * SECTOR_SIZE;
  return {
    table: {
      scheme: "none",
      id: undefined,
      sectorBytes: SECTOR_SIZE,
      isBackup: false,
      partitions: [],
      problems: [],
    },
    isTableUnknown: true,
    areas: [{
      kind: "disk",
      startBytes: 0,
      lengthBytes,
      partition: undefined,
      fileSystem: undefined,
      isUnknown: true,
    }],
  };
}

/** All of a view by area, by a walk. */
export async function walkedTotals({ areas }: GuestSurvey, runs: Runs): Promise<readonly AreaTotal[]> {
  const totals = new AreaTotals(areas);
  await walkRuns(runs, { from: 0, to: runs.capacitySectors }, ({ start, length, kind }) => {
    totals.add(start * SECTOR_SIZE, length * SECTOR_SIZE, kindName(kind));
  });
  return totals.totals;
}

/** The same by what was scanned: exact when that is all, since then leaves at the borders are looked at closely. */
export async function scannedTotals({ areas }: GuestSurvey, scan: Scan): Promise<readonly AreaTotal[]> {
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

/** What is told of a view's areas. */
export function areaAnswer(
  { table, isTableUnknown, areas }: GuestSurvey,
  totals: readonly AreaTotal[],
  disk: { readonly isWhole: boolean; readonly mapOnly: boolean },
): Answers["areas"] {
  const unknown = notKnown(disk.mapOnly ? "only a map is open" : "the base is not here");
  const problems = table.problems.map(({ message, offsetBytes }) => `${message}, at byte ${offsetBytes}`);
  if (table.isBackup) {
    problems.unshift("the primary table is damaged; the copy at the end of the disk was read");
  }
  if (!disk.isWhole && !disk.mapOnly) {
    problems.push("the base is not here: what only it holds is not seen");
  }
  return {
    scheme: isTableUnknown ? unknown : table.scheme,
    areas: areas.map((area, i) => ({ ...factsOf(area, unknown), ...totals[i]! })),
    problems,
  };
}

/** What is said of a table or a file system that nobody can see; never that there is none. */
function notKnown(reason: string): string {
  return `not known: ${reason}`;
}

function factsOf(area: Area, unknown: string): Omit<AreaFacts, keyof AreaTotal> {
  const { kind, startBytes, lengthBytes, partition, fileSystem } = area;
  return {
    kind,
    label: labelOf(area),
    startBytes,
    lengthBytes,
    type: partition ? partition.type.name ?? partition.type.id : "",
    fileSystem: area.isUnknown ? unknown : fileSystem && FILE_SYSTEM_NAMES[fileSystem.type],
    fileSystemLabel: fileSystem?.label,
  };
}

export function labelOf({ kind, partition }: Area): string {
  if (partition) return partition.name ? `p${partition.index} ${partition.name}` : `p${partition.index}`;
  return kind === "disk" ? "whole disk" : "unpartitioned";
}
