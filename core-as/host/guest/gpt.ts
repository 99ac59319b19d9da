/**
 * The GUID partition table: a header and an array of entries behind the first sector, and both again at the end.
 *
 * A copy is believed when the checksums of its header and of its array are right and it stands where it says that it
 * does (UEFI 2.10, 5.3.2). Sectors have 512 or 4096 bytes; which, is told by where the header stands.
 *
 * This module is browser compatible.
 */
import { Header } from "../header.ts";
import { KIB, MIB, toSafe } from "../units.ts";
import { crc32 } from "./crc32.ts";
import { MAX_PARTITIONS, type Partition, type Problem } from "./partition.ts";
import { gptType } from "./partition_types.ts";
import type { Pieces, Stretch } from "./pieces.ts";
import { guidText, nameText } from "./text.ts";

const SIGNATURE = 0x5452415020494645n;
const MIN_HEADER_BYTES = 92;
const HEADER_CRC_AT = 16;
const MIN_ENTRY_BYTES = 128;
/** 64 times what the format reserves. */
const MAX_ARRAY_BYTES = MIB;
const NAME_AT = 56;
const NAME_BYTES = 72;
/** Attribute bit 2: bootable for a BIOS (UEFI 2.10, 5.3.3). */
const LEGACY_BOOT = 0x04;
const SECTOR_SIZES = [512, 4096] as const;
const UNUSED_TYPE = "00000000-0000-0000-0000-000000000000";

/**
 * Bytes at either end of the disk that hold a table of the usual 128 entries, whichever size the sectors have: the
 * MBR, the header and 16 KiB of entries.
 */
export const EDGE_BYTES = 24 * KIB;

/** A table that was found. */
export interface Gpt {
  readonly id: string;
  readonly sectorBytes: number;
  readonly isBackup: boolean;
  readonly partitions: readonly Partition[];
}

/** Where a header may stand. */
interface Place {
  readonly offsetBytes: number;
  readonly sectorBytes: number;
}

/** A header whose checksum is right. */
interface GptHeader {
  readonly id: string;
  /** Where the other copy stands; undefined when that is no place on any disk. */
  readonly alternateBytes: number | undefined;
  readonly array: Stretch;
  readonly arrayCrc: number;
  readonly entryBytes: number;
}

/** One of the two copies. It is sound when it has no fault. */
interface Copy {
  readonly place: Place;
  readonly header: GptHeader | undefined;
  readonly entries: Uint8Array | undefined;
  readonly fault: Problem | undefined;
}

/** True when a header's signature stands where the first one does. Both ends of the disk are loaded. */
export function findGptSignature(pieces: Pieces): number | undefined {
  return primaryPlaces().find((place) => hasSignature(pieces, place))?.offsetBytes;
}

/**
 * Reads the table of a disk whose ends are loaded.
 *
 * @param isProtected The MBR says that there is one. If not, only a sound first copy is believed: what else looks
 *                    like a table may be left over from what the disk was before.
 * @param problems    Takes what is wrong, which may be that there is none.
 */
export async function readGpt(
  pieces: Pieces,
  isProtected: boolean,
  problems: Problem[],
): Promise<Gpt | undefined> {
  const primary = await readBest(pieces, primaryPlaces());
  if (primary?.header && !primary.fault) {
    await checkBackup(pieces, primary, primary.header, problems);
    return tableOf(primary, primary.header, { isBackup: false, problems });
  }
  if (!isProtected) return undefined;
  problems.push(
    primary?.fault ?? { offsetBytes: 512, message: "the MBR announces a GPT, and there is no header" },
  );
  const backup = await readBest(pieces, backupPlaces(pieces, primary));
  if (backup?.header && !backup.fault) {
    const { offsetBytes } = backup.place;
    problems.push({ offsetBytes, message: "the backup of the GPT is used, which is sound" });
    return tableOf(backup, backup.header, { isBackup: true, problems });
  }
  const end = Math.max(0, lastSector(pieces, 512));
  problems.push(backup?.fault ?? { offsetBytes: end, message: "there is no backup of the GPT" });
  const doubtful = [primary, backup].find((copy) => copy?.header && copy.entries);
  if (!doubtful?.header) return undefined;
  const { offsetBytes } = doubtful.place;
  problems.push({
    offsetBytes,
    message: "neither copy of the GPT is sound; the partitions are as this one has them",
  });
  return tableOf(doubtful, doubtful.header, { isBackup: doubtful === backup, problems });
}

function primaryPlaces(): Place[] {
  return SECTOR_SIZES.map((sectorBytes) => ({ offsetBytes: sectorBytes, sectorBytes }));
}

/** The last sector, and where a primary header says, if there is one whose checksum is right. */
function backupPlaces(pieces: Pieces, primary: Copy | undefined): Place[] {
  const sizes = primary?.header ? [primary.place.sectorBytes] : SECTOR_SIZES;
  const places = sizes.map((sectorBytes) => ({ offsetBytes: lastSector(pieces, sectorBytes), sectorBytes }));
  const named = primary?.header?.alternateBytes;
  if (named !== undefined) places.push({ offsetBytes: named, sectorBytes: sizes[0]! });
  return places.filter(({ offsetBytes }) => offsetBytes > 0);
}

function lastSector(pieces: Pieces, sectorBytes: number): number {
  return (Math.floor(pieces.source.sizeBytes / sectorBytes) - 1) * sectorBytes;
}

function hasSignature(pieces: Pieces, { offsetBytes }: Place): boolean {
  const bytes = pieces.at({ offsetBytes, lengthBytes: 8 });
  return bytes !== undefined && new Header(bytes, pieces.source.path, offsetBytes).u64(0) === SIGNATURE;
}

/** The first sound copy of several places, or else the first that has anything. */
async function readBest(pieces: Pieces, places: readonly Place[]): Promise<Copy | undefined> {
  await pieces.load(
    places.map(({ offsetBytes, sectorBytes }) => ({ offsetBytes, lengthBytes: sectorBytes })),
  );
  let best: Copy | undefined;
  for (const place of places) {
    if (!hasSignature(pieces, place)) continue;
    const copy = await readCopy(pieces, place);
    if (!copy.fault) return copy;
    if (!best?.header) best = copy;
  }
  return best;
}

async function readCopy(pieces: Pieces, place: Place): Promise<Copy> {
  const { offsetBytes, sectorBytes } = place;
  const faulty = (message: string, found: { header?: GptHeader; entries?: Uint8Array } = {}) => ({
    place,
    header: found.header,
    entries: found.entries,
    fault: { offsetBytes, message: `the GPT header is damaged: ${message}` },
  });
  const bytes = pieces.at({ offsetBytes, lengthBytes: sectorBytes });
  if (!bytes) return faulty("the disk ends inside it");
  const header = parseHeader(new Header(bytes, pieces.source.path, offsetBytes), place);
  if (typeof header === "string") return faulty(header);
  const entries = await pieces.get(header.array);
  if (!entries) return faulty("its entries are behind the end of the disk", { header });
  const found = crc32(entries);
  if (found === header.arrayCrc) return { place, header, entries, fault: undefined };
  const message = `the entries have checksum ${hex(found)}, the header says ${hex(header.arrayCrc)}`;
  return faulty(message, { header, entries });
}

/** The fields of a header, or what is wrong with it. */
function parseHeader(header: Header, place: Place): GptHeader | string {
  const headerBytes = header.u32(12);
  if (headerBytes < MIN_HEADER_BYTES || headerBytes > place.sectorBytes) {
    return `it says that it has ${headerBytes} bytes`;
  }
  const copy = header.bytes.slice(0, headerBytes);
  copy.fill(0, HEADER_CRC_AT, HEADER_CRC_AT + 4);
  const [found, stored] = [crc32(copy), header.u32(HEADER_CRC_AT)];
  if (found !== stored) return `it has checksum ${hex(found)}, and says ${hex(stored)}`;
  if (toBytes(header.u64(24), place) !== place.offsetBytes) {
    return `it says that it stands in sector ${header.u64(24)}`;
  }
  const [arrayBytes, entryBytes] = [header.u32(80) * header.u32(84), header.u32(84)];
  if (entryBytes < MIN_ENTRY_BYTES || !isPowerOfTwo(entryBytes)) {
    return `it has entries of ${entryBytes} bytes`;
  }
  if (arrayBytes === 0 || arrayBytes > MAX_ARRAY_BYTES) {
    return `it has ${header.u32(80)} entries of ${entryBytes} bytes`;
  }
  const arrayOffsetBytes = toBytes(header.u64(72), place);
  if (arrayOffsetBytes === undefined) return `its entries are in sector ${header.u64(72)}`;
  return {
    id: guidText(header.bytes.subarray(56, 72)),
    alternateBytes: toBytes(header.u64(32), place),
    array: { offsetBytes: arrayOffsetBytes, lengthBytes: arrayBytes },
    arrayCrc: header.u32(88),
    entryBytes,
  };
}

/** Says what is wrong with the backup of a sound table: it would be missed when it is needed. */
async function checkBackup(
  pieces: Pieces,
  primary: Copy,
  header: GptHeader,
  problems: Problem[],
): Promise<void> {
  const { sectorBytes, offsetBytes: primaryBytes } = primary.place;
  const offsetBytes = header.alternateBytes;
  const last = lastSector(pieces, sectorBytes);
  if (offsetBytes === undefined || offsetBytes > last) {
    const where = offsetBytes === undefined ? "on no disk" : `at byte ${offsetBytes}`;
    const message =
      `the backup of the GPT is ${where}, the last sector at byte ${last}; was the disk cut off?`;
    problems.push({ offsetBytes: primaryBytes, message });
    return;
  }
  const backup = await readBest(pieces, [{ offsetBytes, sectorBytes }]);
  if (!backup) problems.push({ offsetBytes, message: "there is no backup of the GPT where its header says" });
  else if (backup.fault) problems.push({ ...backup.fault, message: `the backup: ${backup.fault.message}` });
  else if (backup.header?.arrayCrc !== header.arrayCrc || backup.header.id !== header.id) {
    problems.push({
      offsetBytes,
      message: "the backup of the GPT differs from the first copy, which is used",
    });
  }
  if (offsetBytes < last) {
    const message =
      `the backup of the GPT is at byte ${offsetBytes}, not in the last sector at byte ${last}; ` +
      "the disk has become larger since";
    problems.push({ offsetBytes: primaryBytes, message });
  }
}

function tableOf(
  copy: Copy,
  header: GptHeader,
  result: { isBackup: boolean; problems: Problem[] },
): Gpt {
  const { isBackup, problems } = result;
  const { sectorBytes } = copy.place;
  const partitions: Partition[] = [];
  const entries = copy.entries ?? new Uint8Array(0);
  for (let at = 0; at < entries.length; at += header.entryBytes) {
    const bytes = entries.subarray(at, at + header.entryBytes);
    const entry = new Header(bytes, "", header.array.offsetBytes + at);
    const partition = partitionOf(entry, at / header.entryBytes + 1, copy.place);
    if (partition === undefined) continue;
    if ("message" in partition) problems.push(partition);
    else if (partitions.length < MAX_PARTITIONS) partitions.push(partition);
    else {
      const message = `the GPT has more than ${MAX_PARTITIONS} partitions; the rest is left out`;
      problems.push({ offsetBytes: partition.entryOffsetBytes, message });
      break;
    }
  }
  return { id: header.id, sectorBytes, isBackup, partitions };
}

/** One entry: a partition, what is wrong with it, or undefined when it is not used. */
function partitionOf(entry: Header, index: number, place: Place): Partition | Problem | undefined {
  const type = guidText(entry.bytes.subarray(0, 16));
  if (type === UNUSED_TYPE) return undefined;
  const { offsetBytes } = entry;
  const startBytes = toBytes(entry.u64(32), place);
  const lastBytes = toBytes(entry.u64(40), place);
  if (startBytes === undefined || lastBytes === undefined || lastBytes < startBytes) {
    const message = `partition ${index} goes from sector ${entry.u64(32)} to ${
      entry.u64(40)
    }; it is left out`;
    return { offsetBytes, message };
  }
  return {
    index,
    startBytes,
    lengthBytes: lastBytes + place.sectorBytes - startBytes,
    type: gptType(type),
    name: nameText(entry.bytes.subarray(NAME_AT, NAME_AT + NAME_BYTES), "utf-16le"),
    uuid: guidText(entry.bytes.subarray(16, 32)),
    isBootable: (entry.u8(48) & LEGACY_BOOT) !== 0,
    isExtended: false,
    entryOffsetBytes: offsetBytes,
  };
}

/** A sector number as a byte offset, as long as that and the sector behind it are exact. */
function toBytes(sector: bigint, { sectorBytes }: Place): number | undefined {
  const number = toSafe(sector);
  if (number === undefined || number >= Number.MAX_SAFE_INTEGER / sectorBytes - 1) return undefined;
  return number * sectorBytes;
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}
