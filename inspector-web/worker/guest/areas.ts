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
import { GuestView } from "./guest_view.ts";
import type { DiskRuns } from "../disk/disk_runs.ts";
import { kindName, type Runs, walkRuns } from "../disk/runs.ts";

/** What lies on a disk, as far as it can be read. */
export interface ReadSurvey extends GuestSurvey {
  /** Bytes of the disk where something was to be read that is damaged. */
  readonly unread: readonly number[];
}

/** @param merged All links: a partition table is mostly in the base. */
export async function surveyAreas(merged: DiskRuns): Promise<ReadSurvey> {
  const view = new GuestView(merged);
  const survey = await surveyGuest(view, (stretch) => view.isKnown(stretch));
  return { ...survey, unread: [...new Set(view.unread.map(({ offsetBytes }) => offsetBytes))] };
}

/** What a saved map can tell: one area, of which nothing is known. */
export function unknownAreas(runs: Runs): ReadSurvey {
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
    unread: [],
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

/** What is told of a view's areas. */
export function areaAnswer(
  { table, isTableUnknown, areas, unread }: ReadSurvey,
  totals: readonly AreaTotal[],
  disk: { readonly isWhole: boolean; readonly mapOnly: boolean },
): Answers["areas"] {
  const absent = disk.isWhole ? "it is damaged" : "the base is not here";
  const unknown = notKnown(disk.mapOnly ? "only a map is open" : absent);
  const problems = table.problems.map(({ message, offsetBytes }) => `${message}, at byte ${offsetBytes}`);
  for (const offsetBytes of unread) {
    problems.push(`what is here is damaged, and was not seen, at byte ${offsetBytes}`);
  }
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
