/** Partitions and file systems, and how much of each a view changes. */
import { type Batch, RegrainError, SECTOR_SIZE, type Source } from "../../core-as/host/mod.ts";
import {
  type Area,
  AreaTotals,
  FILE_SYSTEM_NAMES,
  type GuestSurvey,
  surveyGuest,
} from "../../core-as/host/guest/mod.ts";
import type { Answers, AreaFacts } from "../shared/protocol.ts";
import { type DiskRuns, kindName, type Runs, walkRuns } from "./runs.ts";

/** The disk as its guest sees it, damage read over. */
class GuestView implements Source {
  readonly path: string;
  readonly sizeBytes: number;

  constructor(private readonly disk: DiskRuns) {
    this.path = disk.name;
    this.sizeBytes = disk.capacitySectors * SECTOR_SIZE;
  }

  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    for (let i = 0; i < batch.count; i++) {
      const offsetBytes = batch.offsetBytes[i]!;
      const at = batch.at[i]!;
      const lengthBytes = batch.lengthBytes[i]!;
      if (offsetBytes + lengthBytes > this.sizeBytes) {
        throw new RegrainError("READ_SHORT", `the disk ends at byte ${this.sizeBytes}`, { path: this.path });
      }
      await this.disk.read(offsetBytes, buffer.subarray(at, at + lengthBytes));
    }
  }

  close(): void {
    // The links belong to the bench.
  }
}

/** @param merged All links: a partition table is mostly in the base. */
export async function surveyAreas(merged: DiskRuns): Promise<GuestSurvey> {
  return await surveyGuest(new GuestView(merged));
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
    areas: [{ kind: "disk", startBytes: 0, lengthBytes, partition: undefined, fileSystem: undefined }],
  };
}

/** Adds up a view by area. */
export async function areasOf(
  { table, areas }: GuestSurvey,
  runs: Runs,
  isWhole: boolean,
): Promise<Answers["areas"]> {
  const totals = new AreaTotals(areas);
  await walkRuns(runs, { from: 0, to: runs.capacitySectors }, ({ start, length, kind }) => {
    totals.add(start * SECTOR_SIZE, length * SECTOR_SIZE, kindName(kind));
  });
  const problems = table.problems.map(({ message, offsetBytes }) => `${message}, at byte ${offsetBytes}`);
  if (table.isBackup) {
    problems.unshift("the primary table is damaged; the copy at the end of the disk was read");
  }
  if (!isWhole) problems.push("the base is not here: what only it holds, the table perhaps, is not seen");
  return {
    scheme: table.scheme,
    areas: areas.map((area, i) => ({ ...factsOf(area), ...totals.totals[i]! })),
    problems,
  };
}

function factsOf(area: Area): Omit<AreaFacts, "dataBytes" | "zeroBytes"> {
  const { kind, startBytes, lengthBytes, partition, fileSystem } = area;
  return {
    kind,
    label: labelOf(area),
    startBytes,
    lengthBytes,
    type: partition ? partition.type.name ?? partition.type.id : "",
    fileSystem: fileSystem && FILE_SYSTEM_NAMES[fileSystem.type],
    fileSystemLabel: fileSystem?.label,
  };
}

export function labelOf({ kind, partition }: Area): string {
  if (partition) return partition.name ? `p${partition.index} ${partition.name}` : `p${partition.index}`;
  return kind === "disk" ? "whole disk" : "unpartitioned";
}
