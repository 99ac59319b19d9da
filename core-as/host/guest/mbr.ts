/**
 * The master boot record: four entries in the first sector, and a chain of further records for logical partitions.
 *
 * Sources: UEFI 2.10, 5.2.1 "Legacy MBR"; for the chain, and for how partitions are numbered, what Linux does
 * (block/partitions/msdos.c). Sectors are taken for 512 bytes, which those of VMware's disks are.
 *
 * This module is browser compatible.
 */
import { Header } from "../header.ts";
import { SECTOR_SIZE } from "../units.ts";
import { looksLikeExfat, looksLikeFat } from "./fat.ts";
import { looksLikeNtfs } from "./ntfs.ts";
import { endOf, MAX_PARTITIONS, type Partition, type Problem } from "./partition.ts";
import { isExtendedType, mbrType, PROTECTIVE_TYPE } from "./partition_types.ts";
import type { Pieces } from "./pieces.ts";

const FIRST_ENTRY = 446;
const ENTRY_BYTES = 16;
const ENTRIES = 4;
const SIGNATURE_AT = 510;
const SIGNATURE = 0xaa55;
const DISK_ID_AT = 440;
const ACTIVE = 0x80;
/** Logical partitions are counted from here, however many primary ones there are. */
const FIRST_LOGICAL_INDEX = 5;

/** One entry, in sectors. */
interface Entry {
  readonly type: number;
  readonly isActive: boolean;
  /** Counted from the start of the disk in the first record, and from elsewhere in the others. */
  readonly startSector: number;
  readonly sectors: number;
  readonly offsetBytes: number;
}

/** The first record of a disk. */
export interface MasterRecord {
  readonly id: string | undefined;
  /** Entries in use, at most four. */
  readonly partitions: readonly Partition[];
  /** An entry says that the disk has a GPT, and that this record is there to protect it. */
  readonly isProtective: boolean;
}

/**
 * Reads the first sector of a disk. A boot sector of a file system ends in the same signature; it is told by what
 * it holds itself, and by flags that no entry has.
 *
 * @returns undefined when the sector is no MBR.
 */
export function readMasterRecord(pieces: Pieces): MasterRecord | undefined {
  const bytes = pieces.at({ offsetBytes: 0, lengthBytes: SECTOR_SIZE });
  const record = bytes && recordAt(bytes, pieces.source.path, 0);
  if (!record || looksLikeFat(record) || looksLikeExfat(record) || looksLikeNtfs(record)) return undefined;
  for (let i = 0; i < ENTRIES; i++) {
    const flag = record.u8(FIRST_ENTRY + i * ENTRY_BYTES);
    if (flag !== 0 && flag !== ACTIVE) return undefined;
  }
  const entries = entriesOf(record).map((entry, i) => ({ ...entry, index: i + 1 })).filter(isUsed);
  const id = record.u32(DISK_ID_AT);
  return {
    id: id === 0 ? undefined : id.toString(16).padStart(8, "0"),
    partitions: entries.map((entry) => partitionOf(entry, 0)),
    isProtective: entries.some(({ type }) => type === PROTECTIVE_TYPE),
  };
}

/**
 * Follows the chains of logical partitions. Each link is a read of its own, since each names the next; so they are
 * limited, and a link that was followed before ends the chain.
 */
export async function readLogicalPartitions(
  pieces: Pieces,
  master: MasterRecord,
  problems: Problem[],
): Promise<Partition[]> {
  const chains = new Chains(pieces, problems);
  for (const partition of master.partitions) {
    if (partition.isExtended) await chains.follow(partition);
  }
  return chains.partitions;
}

/** A record of a chain. */
interface Link {
  readonly offsetBytes: number;
  /** Bytes from there on that the entry which names it gives it. */
  readonly boundBytes: number;
  /** Where that entry stands. */
  readonly namedBy: number;
}

class Chains {
  readonly partitions: Partition[] = [];
  /** Places of records that were read, or that are no link: the MBR itself. */
  private readonly seen = new Set<number>([0]);

  constructor(private readonly pieces: Pieces, private readonly problems: Problem[]) {}

  async follow(extended: Partition): Promise<void> {
    let link: Link | undefined = {
      offsetBytes: extended.startBytes,
      boundBytes: extended.lengthBytes,
      namedBy: extended.entryOffsetBytes,
    };
    while (link) {
      const record: Header | string = await this.readLink(link);
      if (typeof record === "string") {
        const message = `the chain of logical partitions ${record}`;
        this.problems.push({ offsetBytes: link.namedBy, message });
        return;
      }
      const entries = entriesOf(record);
      if (!this.addData(entries, link, extended)) return;
      link = nextLink(entries, extended);
    }
  }

  /** A record, or what the chain does instead of leading to one. */
  private async readLink({ offsetBytes }: Link): Promise<Header | string> {
    if (this.seen.has(offsetBytes)) return `comes back to byte ${offsetBytes}`;
    if (this.seen.size > MAX_PARTITIONS) return `has more than ${MAX_PARTITIONS} links; the rest is left out`;
    this.seen.add(offsetBytes);
    const bytes = await this.pieces.get({ offsetBytes, lengthBytes: SECTOR_SIZE });
    if (!bytes) return `leads to byte ${offsetBytes}, behind the end of the disk`;
    return recordAt(bytes, this.pieces.source.path, offsetBytes) ??
      `leads to byte ${offsetBytes}, where no record is`;
  }

  /** Adds the partitions of a record; false when there are too many. */
  private addData(entries: readonly Entry[], link: Link, extended: Partition): boolean {
    for (const [slot, entry] of entries.entries()) {
      if (!isUsed(entry) || isExtendedType(entry.type)) continue;
      const index = FIRST_LOGICAL_INDEX + this.partitions.length;
      const partition = partitionOf({ ...entry, index }, link.offsetBytes);
      // The last two entries are not used and may hold anything; Linux believes them when they make sense.
      if (slot >= 2 && !fits(partition, link, extended)) continue;
      if (index > MAX_PARTITIONS) {
        const message = `there are logical partitions beyond number ${MAX_PARTITIONS}; they are left out`;
        this.problems.push({ offsetBytes: entry.offsetBytes, message });
        return false;
      }
      this.partitions.push(partition);
    }
    return true;
  }
}

/** The first entry of an extended type leads on. Links count from the extended partition, data from its record. */
function nextLink(entries: readonly Entry[], extended: Partition): Link | undefined {
  const next = entries.find((entry) => isUsed(entry) && isExtendedType(entry.type));
  return next && {
    offsetBytes: extended.startBytes + next.startSector * SECTOR_SIZE,
    boundBytes: next.sectors * SECTOR_SIZE,
    namedBy: next.offsetBytes,
  };
}

/** True when a partition lies in its link's bounds and in the extended partition. */
function fits(partition: Partition, link: Link, extended: Partition): boolean {
  const end = endOf(partition);
  return end <= link.offsetBytes + link.boundBytes && end <= endOf(extended);
}

/** A sector as a record, when its signature says that it is one. */
function recordAt(bytes: Uint8Array, path: string, offsetBytes: number): Header | undefined {
  const record = new Header(bytes, path, offsetBytes);
  return record.u16(SIGNATURE_AT) === SIGNATURE ? record : undefined;
}

function entriesOf(record: Header): Entry[] {
  return Array.from({ length: ENTRIES }, (_, i) => {
    const at = FIRST_ENTRY + i * ENTRY_BYTES;
    return {
      type: record.u8(at + 4),
      isActive: record.u8(at) === ACTIVE,
      startSector: record.u32(at + 8),
      sectors: record.u32(at + 12),
      offsetBytes: record.offsetBytes + at,
    };
  });
}

/** Linux looks at the size alone, and numbers logical partitions by that; the type may be anything. */
function isUsed(entry: Entry): boolean {
  return entry.sectors > 0;
}

function partitionOf(entry: Entry & { index: number }, countedFromBytes: number): Partition {
  return {
    index: entry.index,
    startBytes: countedFromBytes + entry.startSector * SECTOR_SIZE,
    lengthBytes: entry.sectors * SECTOR_SIZE,
    type: mbrType(entry.type),
    name: undefined,
    uuid: undefined,
    isBootable: entry.isActive,
    isExtended: isExtendedType(entry.type),
    entryOffsetBytes: entry.offsetBytes,
  };
}
