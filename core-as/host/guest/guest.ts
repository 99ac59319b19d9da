/**
 * What lies on a virtual disk: its partitions and what is in them.
 *
 * This module is browser compatible.
 */
import type { Source } from "../source.ts";
import { type Area, cutAtPartitions } from "./areas.ts";
import { recognise, recogniseAll } from "./file_systems.ts";
import type { PartitionTable } from "./partition.ts";
import { readPartitions } from "./partitions.ts";

/** A disk as its guest sees it. */
export interface GuestSurvey {
  readonly table: PartitionTable;
  /** Ascending, without gaps; together the whole disk. */
  readonly areas: readonly Area[];
}

/**
 * Surveys a disk. A file system straight on it is one area of its size.
 *
 * @throws {RegrainError} what reading the source may, and nothing else: any bytes are an answer.
 */
export async function surveyGuest(source: Source): Promise<GuestSurvey> {
  const { sizeBytes } = source;
  const table = await readPartitions(source);
  if (sizeBytes > 0 && table.partitions.length === 0) {
    const fileSystem = await recognise(source, 0, sizeBytes);
    // A table that was only just made has no partitions, and what it has beside them is no file system.
    if (table.scheme === "none" || fileSystem) {
      return {
        table,
        areas: [{ kind: "disk", startBytes: 0, lengthBytes: sizeBytes, partition: undefined, fileSystem }],
      };
    }
  }
  return { table, areas: await withFileSystems(source, cutAtPartitions(table.partitions, sizeBytes)) };
}

/** Looks into each partition from where its table says that it starts, even where another overlaps that. */
async function withFileSystems(source: Source, areas: readonly Area[]): Promise<Area[]> {
  const partitions = areas.flatMap(({ partition }) => partition ? [partition] : []);
  const places = partitions.map(({ startBytes, lengthBytes }) => ({ offsetBytes: startBytes, lengthBytes }));
  const found = await recogniseAll(source, places);
  const byPartition = new Map(partitions.map((partition, i) => [partition, found[i]]));
  return areas.map((area) => ({ ...area, fileSystem: area.partition && byPartition.get(area.partition) }));
}
