/**
 * What a partition table says, whichever kind it is.
 *
 * This module is browser compatible.
 */

export type PartitionScheme = "gpt" | "mbr" | "none";

/** Partitions of one table that are looked at. Linux knows no more of a disk (`DISK_MAX_PARTS`, less the disk). */
export const MAX_PARTITIONS = 255;

/** What a table says that a partition is for. */
export interface PartitionType {
  /** Two hexadecimal digits (MBR) or a GUID (GPT). */
  readonly id: string;
  /** For a person; undefined for the uncommon ones. */
  readonly name: string | undefined;
}

export interface Partition {
  /** The number that Linux gives it: 1 is sda1. Logical partitions begin at 5. */
  readonly index: number;
  readonly startBytes: number;
  readonly lengthBytes: number;
  readonly type: PartitionType;
  /** GPT only. */
  readonly name: string | undefined;
  /** GPT only: the GUID of this very partition. */
  readonly uuid: string | undefined;
  /** Marked active in an MBR, or for a BIOS in a GPT. */
  readonly isBootable: boolean;
  /** True for the partition of an MBR that holds the logical ones. */
  readonly isExtended: boolean;
  /** Where the entry stands that says all this. */
  readonly entryOffsetBytes: number;
}

/** Something that a table holds and should not, or lacks. */
export interface Problem {
  /** Where on the disk. */
  readonly offsetBytes: number;
  /** Lower case, no full stop. */
  readonly message: string;
}

export interface PartitionTable {
  readonly scheme: PartitionScheme;
  /** GUID of the disk (GPT), its signature in eight hexadecimal digits (MBR); undefined where there is none. */
  readonly id: string | undefined;
  /** Bytes in the sectors that the table counts in. */
  readonly sectorBytes: number;
  /** True when the primary copy of a GPT is damaged and the one at the end of the disk was read. */
  readonly isBackup: boolean;
  /** Ascending by index. */
  readonly partitions: readonly Partition[];
  readonly problems: readonly Problem[];
}

export function endOf(partition: Pick<Partition, "startBytes" | "lengthBytes">): number {
  return partition.startBytes + partition.lengthBytes;
}

/** For sorting: by where they start, then by number. */
export function byStart(a: Partition, b: Partition): number {
  return a.startBytes - b.startBytes || a.index - b.index;
}
