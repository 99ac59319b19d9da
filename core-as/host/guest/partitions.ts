/**
 * The partition table of a disk. Whatever stands there is an answer: what is wrong is listed, and only a source that
 * cannot be read is an error.
 *
 * This module is browser compatible.
 */
import type { Source } from "../source.ts";
import { formatCount, SECTOR_SIZE } from "../units.ts";
import { EDGE_BYTES, findGptSignature, readGpt } from "./gpt.ts";
import { type MasterRecord, readLogicalPartitions, readMasterRecord } from "./mbr.ts";
import { byStart, endOf, type Partition, type PartitionTable, type Problem } from "./partition.ts";
import { mbrType, PROTECTIVE_TYPE } from "./partition_types.ts";
import { Pieces } from "./pieces.ts";

/** Things told of one table: whoever made thousands of them wrong did so on purpose. */
const MAX_PROBLEMS = 100;

const NONE: PartitionTable = {
  scheme: "none",
  id: undefined,
  sectorBytes: SECTOR_SIZE,
  isBackup: false,
  partitions: [],
  problems: [],
};

/**
 * Reads the table as Linux does: a GPT when the MBR protects one, otherwise the MBR. Where there is no MBR, or one
 * without partitions, a sound GPT is taken too, with a word about it.
 *
 * Two reads for most disks, one more for each logical partition.
 *
 * @throws {RegrainError} what reading the source may.
 */
export async function readPartitions(source: Source): Promise<PartitionTable> {
  const pieces = new Pieces(source);
  await pieces.load([
    { offsetBytes: 0, lengthBytes: EDGE_BYTES },
    { offsetBytes: Math.max(EDGE_BYTES, source.sizeBytes - EDGE_BYTES), lengthBytes: EDGE_BYTES },
  ]);
  const master = readMasterRecord(pieces);
  const table = await tableOf(pieces, master);
  const problems = [...table.problems, ...misplaced(table.partitions, source.sizeBytes)];
  return { ...table, problems: shortened(problems) };
}

function shortened(problems: readonly Problem[]): readonly Problem[] {
  const next = problems[MAX_PROBLEMS];
  if (!next) return problems;
  const message = `${formatCount(problems.length - MAX_PROBLEMS)} more are left out`;
  return [...problems.slice(0, MAX_PROBLEMS), { offsetBytes: next.offsetBytes, message }];
}

async function tableOf(pieces: Pieces, master: MasterRecord | undefined): Promise<PartitionTable> {
  const problems: Problem[] = [];
  const isProtected = master?.isProtective === true;
  if (isProtected || !master || master.partitions.length === 0) {
    const gpt = await readGpt(pieces, isProtected, problems);
    if (gpt && !isProtected) {
      const message = "no MBR protects the GPT; Linux takes it only when it is told to";
      problems.push({ offsetBytes: 0, message });
    }
    if (master && isProtected) noteHybrid(master, problems);
    if (gpt) return { ...NONE, ...gpt, scheme: "gpt", problems };
    if (isProtected) return { ...NONE, scheme: "gpt", problems };
  }
  if (!master) return NONE;
  const unprotected = findGptSignature(pieces);
  if (unprotected !== undefined && master.partitions.length > 0) {
    const message = "a GPT header stands here, and the MBR does not announce it; the MBR is used";
    problems.push({ offsetBytes: unprotected, message });
  }
  const logical = await readLogicalPartitions(pieces, master, problems);
  return { ...NONE, scheme: "mbr", id: master.id, partitions: [...master.partitions, ...logical], problems };
}

/** An MBR may name partitions of a GPT once more, for systems that do not know GPT. */
function noteHybrid(master: MasterRecord, problems: Problem[]): void {
  const protective = mbrType(PROTECTIVE_TYPE).id;
  const other = master.partitions.find(({ type }) => type.id !== protective);
  if (!other) return;
  const message = "the MBR names partitions beside the GPT; the GPT is used";
  problems.push({ offsetBytes: other.entryOffsetBytes, message });
}

/** Partitions that reach behind the end of the disk, into each other, or out of the extended one. */
function misplaced(partitions: readonly Partition[], sizeBytes: number): Problem[] {
  const extended = partitions.filter(({ isExtended }) => isExtended);
  const isLogical = ({ index }: Partition) => extended.length > 0 && index > 4;
  const problems = partitions.flatMap((partition) => {
    const { index, entryOffsetBytes: offsetBytes } = partition;
    const end = endOf(partition);
    const found: Problem[] = [];
    if (end > sizeBytes) {
      const message = `partition ${index} ends at byte ${end}, the disk at byte ${sizeBytes}`;
      found.push({ offsetBytes, message });
    }
    if (isLogical(partition) && !extended.some((outer) => contains(outer, partition))) {
      const message = `partition ${index} is logical, and does not lie in the extended partition`;
      found.push({ offsetBytes, message });
    }
    return found;
  });
  return [
    ...problems,
    ...overlaps(partitions.filter(({ isExtended }) => !isExtended)),
    ...overlaps(partitions.filter((partition) => !isLogical(partition)), true),
  ];
}

function contains(outer: Partition, inner: Partition): boolean {
  return inner.startBytes >= outer.startBytes && endOf(inner) <= endOf(outer);
}

/** @param onlyExtended Lists overlaps of which one side is an extended partition. */
function overlaps(partitions: readonly Partition[], onlyExtended = false): Problem[] {
  const problems: Problem[] = [];
  let furthest: Partition | undefined;
  for (const next of [...partitions].sort(byStart)) {
    const overlapping = furthest && next.startBytes < endOf(furthest);
    if (furthest && overlapping && (!onlyExtended || furthest.isExtended || next.isExtended)) {
      const message = `partition ${next.index} starts at byte ${next.startBytes}, inside partition ` +
        `${furthest.index}, which ends at byte ${endOf(furthest)}`;
      problems.push({ offsetBytes: next.entryOffsetBytes, message });
    }
    if (!furthest || endOf(next) > endOf(furthest)) furthest = next;
  }
  return problems;
}
