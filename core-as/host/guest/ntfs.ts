/**
 * NTFS by its boot sector; its label is in a file of its own, `$Volume`.
 *
 * Sources: the NTFS documentation of the Linux-NTFS project, and the layouts in ntfs-3g's layout.h.
 *
 * This module is browser compatible.
 */
import { Header } from "../header.ts";
import { KIB, toSafe } from "../units.ts";
import { claimedBytes, type FileSystem, type Recognised, type Rest } from "./file_system.ts";
import type { Stretch } from "./pieces.ts";
import { latinText, nameText } from "./text.ts";

const OEM_ID = "NTFS    ";
const MIN_SECTOR_BYTES = 256;
const MAX_SECTOR_BYTES = 4 * KIB;
const MAX_CLUSTER_BYTES = 2 * 1024 * KIB;

const VOLUME_RECORD = 3;
const MIN_RECORD_BYTES = 512;
const MAX_RECORD_BYTES = 4 * KIB;
/** "FILE" */
const RECORD_MAGIC = 0x454c4946;
/** The last two bytes of each of these are kept elsewhere, to notice torn writes. */
const FIXUP_BYTES = 512;
const VOLUME_NAME = 0x60;
const END = 0xffffffff;

/** True for a boot sector of NTFS. */
export function looksLikeNtfs(sector: Header): boolean {
  return latinText(sector.bytes.subarray(3, 11)) === OEM_ID && clusterBytesOf(sector) !== undefined &&
    // Fields of FAT that NTFS leaves empty: reserved sectors, copies, root entries, sectors.
    sector.u16(14) === 0 && sector.u8(16) === 0 && sector.u16(17) === 0 && sector.u16(19) === 0;
}

export function recogniseNtfs(head: Header): Recognised | undefined {
  if (!looksLikeNtfs(head)) return undefined;
  const fileSystem: FileSystem = {
    type: "ntfs",
    label: undefined,
    uuid: head.u64(72).toString(16).padStart(16, "0").toUpperCase(),
    sizeBytes: claimedBytes({ units: toSafe(head.u64(40)), unitBytes: head.u16(11) }),
  };
  const record = volumeRecord(head);
  if (!record) return { fileSystem };
  const rest: Rest = {
    stretches: [record],
    complete: ([bytes]) => ({ ...fileSystem, label: bytes && labelIn(bytes) }),
  };
  return { fileSystem, rest };
}

function clusterBytesOf(sector: Header): number | undefined {
  const sectorBytes = sector.u16(11);
  const count = sector.u8(13);
  if (sectorBytes < MIN_SECTOR_BYTES || sectorBytes > MAX_SECTOR_BYTES) return undefined;
  // Above 128 it is a negative power of two, so that large clusters fit into the byte.
  const bytes = sectorBytes * (count > 128 ? 2 ** (256 - count) : count);
  return bytes > 0 && Number.isInteger(Math.log2(bytes)) && bytes <= MAX_CLUSTER_BYTES ? bytes : undefined;
}

/** Where the record of `$Volume` stands: the fourth of the master file table. */
function volumeRecord(head: Header): Stretch | undefined {
  const clusterBytes = clusterBytesOf(head)!;
  const tableBytes = claimedBytes({ units: toSafe(head.u64(48)), unitBytes: clusterBytes });
  const size = head.u8(64);
  const lengthBytes = size > 128 ? 2 ** (256 - size) : size * clusterBytes;
  if (tableBytes === undefined || lengthBytes < MIN_RECORD_BYTES || lengthBytes > MAX_RECORD_BYTES) {
    return undefined;
  }
  return { offsetBytes: tableBytes + VOLUME_RECORD * lengthBytes, lengthBytes };
}

function labelIn(bytes: Uint8Array): string | undefined {
  const record = withFixups(bytes);
  if (!record) return undefined;
  for (let at = record.u16(20); at + 24 <= bytes.length;) {
    const [type, lengthBytes] = [record.u32(at), record.u32(at + 4)];
    if (type === END || lengthBytes < 24) return undefined;
    const isResident = record.u8(at + 8) === 0;
    if (type === VOLUME_NAME && isResident) {
      const from = at + record.u16(at + 20);
      return nameText(record.bytes.subarray(from, from + record.u32(at + 16)), "utf-16le");
    }
    at += lengthBytes;
  }
  return undefined;
}

/** A record with the bytes put back that its update sequence holds; undefined when it was torn or is none. */
function withFixups(bytes: Uint8Array): Header | undefined {
  const record = new Header(bytes.slice(), "");
  const sequenceAt = record.u16(4);
  const blocks = bytes.length / FIXUP_BYTES;
  if (record.u32(0) !== RECORD_MAGIC || record.u16(6) !== blocks + 1) return undefined;
  if (sequenceAt + 2 * (blocks + 1) > FIXUP_BYTES - 2) return undefined;
  for (let block = 1; block <= blocks; block++) {
    const end = block * FIXUP_BYTES - 2;
    if (record.u16(end) !== record.u16(sequenceAt)) return undefined;
    record.bytes.copyWithin(end, sequenceAt + 2 * block, sequenceAt + 2 * block + 2);
  }
  return record;
}
