/**
 * What lies on a virtual disk: its partitions and what is in them.
 *
 * This module is browser compatible.
 */
import type { MaybePromise, Source } from "../source.ts";
import { SECTOR_SIZE } from "../units.ts";
import { type Area, cutAtPartitions } from "./areas.ts";
import { type FileSystem, HEAD_BYTES } from "./file_system.ts";
import { recognise, recogniseAll } from "./file_systems.ts";
import type { PartitionTable } from "./partition.ts";
import { readPartitions } from "./partitions.ts";
import type { Stretch } from "./pieces.ts";

/** A disk as its guest sees it. */
export interface GuestSurvey {
  readonly table: PartitionTable;
  /** True where the bytes that would hold a table are not here: `table` is none, and says nothing. */
  readonly isTableUnknown: boolean;
  /** Ascending, without gaps; together the whole disk. */
  readonly areas: readonly Area[];
}

/** Whether all bytes of a stretch are here. A delta without its base holds only some of them. */
export type IsKnown = (stretch: Stretch) => MaybePromise<boolean>;

/** The first sectors of a GPT: its MBR, its header, its entries. */
const GPT_FRONT_BYTES = 34 * SECTOR_SIZE;

/**
 * Surveys a disk. A file system straight on it is one area of its size.
 *
 * @param isKnown Of a disk of which only parts are here; what is not here reads as zeros.
 * @throws {RegrainError} what reading the source may, and nothing else: any bytes are an answer.
 */
export async function surveyGuest(source: Source, isKnown: IsKnown = () => true): Promise<GuestSurvey> {
  const { sizeBytes } = source;
  const { table, isUnknown: isTableUnknown } = await knownTable(source, isKnown);
  if (sizeBytes > 0 && table.partitions.length === 0) {
    const found = await knownContent(await recognise(source, 0, sizeBytes), {
      offsetBytes: 0,
      lengthBytes: sizeBytes,
    }, isKnown);
    // A table that was only just made has no partitions, and what it has beside them is no file system.
    if (isTableUnknown || table.scheme === "none" || found.fileSystem) {
      const area = { kind: "disk", startBytes: 0, lengthBytes: sizeBytes, partition: undefined } as const;
      return { table, isTableUnknown, areas: [{ ...area, ...found }] };
    }
  }
  const areas = cutAtPartitions(table.partitions, sizeBytes);
  return { table, isTableUnknown, areas: await withFileSystems(source, areas, isKnown) };
}

/** The table, without complaints about bytes that are not here. */
async function knownTable(
  source: Source,
  isKnown: IsKnown,
): Promise<{ table: PartitionTable; isUnknown: boolean }> {
  const table = await readPartitions(source);
  const problems = [];
  for (const problem of table.problems) {
    const sector = problem.offsetBytes - problem.offsetBytes % SECTOR_SIZE;
    if (await isKnown({ offsetBytes: sector, lengthBytes: SECTOR_SIZE })) problems.push(problem);
  }
  if (table.partitions.length > 0) return { table: { ...table, problems }, isUnknown: false };
  const lengthBytes = Math.min(source.sizeBytes, table.scheme === "gpt" ? GPT_FRONT_BYTES : SECTOR_SIZE);
  const isUnknown = lengthBytes > 0 && !(await isKnown({ offsetBytes: 0, lengthBytes }));
  return { table: { ...table, problems }, isUnknown };
}

/** What an area holds; that it holds nothing, or nothing known, is said only when its first bytes are here. */
async function knownContent(
  fileSystem: FileSystem | undefined,
  area: Stretch,
  isKnown: IsKnown,
): Promise<Pick<Area, "fileSystem" | "isUnknown">> {
  if (fileSystem && fileSystem.type !== "empty") return { fileSystem };
  const lengthBytes = Math.min(HEAD_BYTES, area.lengthBytes);
  if (await isKnown({ offsetBytes: area.offsetBytes, lengthBytes })) return { fileSystem };
  return { fileSystem: undefined, isUnknown: true };
}

/** Looks into each partition from where its table says that it starts, even where another overlaps that. */
async function withFileSystems(source: Source, areas: readonly Area[], isKnown: IsKnown): Promise<Area[]> {
  const partitions = areas.flatMap(({ partition }) => partition ? [partition] : []);
  const places = partitions.map(({ startBytes, lengthBytes }) => ({ offsetBytes: startBytes, lengthBytes }));
  const found = await recogniseAll(source, places);
  const looked: Area[] = [];
  for (const area of areas) {
    const index = area.partition ? partitions.indexOf(area.partition) : -1;
    const place = places[index];
    looked.push(place ? { ...area, ...await knownContent(found[index], place, isKnown) } : area);
  }
  return looked;
}
