/**
 * FAT12, FAT16, FAT32 and exFAT by their boot sector.
 *
 * Sources: Microsoft's "FAT: General Overview of On-Disk Format" (fatgen103) and "exFAT file system specification".
 *
 * This module is browser compatible.
 */
import type { Header } from "../header.ts";
import { ceilDiv, KIB, toSafe } from "../units.ts";
import { claimedBytes, type FileSystem, type Recognised, type Rest } from "./file_system.ts";
import { latinText, nameText, serialText } from "./text.ts";

const SIGNATURE_AT = 510;
const SIGNATURE = 0xaa55;
const ENTRY_BYTES = 32;
/** Clusters are counted from 2. */
const FIRST_CLUSTER = 2;
/** Fewer clusters than this are FAT12. */
const MIN_FAT16_CLUSTERS = 4085;
/** As much of a root directory as is read: all of the usual 512 entries. A label is mostly the first of them. */
const DIRECTORY_BYTES = 16 * KIB;
/** `BS_BootSig`: a serial number and a label follow, or only the former. */
const HAS_LABEL = 0x29;
const HAS_SERIAL = 0x28;
/** What formatting writes into the boot sector when there is no label. */
const NO_NAME = "NO NAME";

const DELETED = 0xe5;
const ATTRIBUTE_AT = 11;
const DIRECTORY = 0x10;
const VOLUME_LABEL = 0x08;
/** All of these together mark a piece of a long name. */
const LONG_NAME = 0x0f;

/** Layout of a FAT volume, in bytes and sectors. */
interface Geometry {
  readonly sectorBytes: number;
  readonly clusterSectors: number;
  readonly sectors: number;
  /** Sectors before the root directory of FAT12 and FAT16, before the clusters of FAT32. */
  readonly firstSector: number;
  /** 0 on FAT32, whose root directory is a chain of clusters. */
  readonly rootBytes: number;
  readonly type: "fat12" | "fat16" | "fat32";
}

/** True for a boot sector of FAT. */
export function looksLikeFat(sector: Header): boolean {
  return geometryOf(sector) !== undefined;
}

export function recogniseFat(head: Header): Recognised | undefined {
  const geometry = geometryOf(head);
  if (!geometry) return undefined;
  const extended = geometry.type === "fat32" ? 64 : 36;
  const mark = head.u8(extended + 2);
  const bootLabel = mark === HAS_LABEL
    ? nameText(head.bytes.subarray(extended + 7, extended + 18))
    : undefined;
  const fileSystem: FileSystem = {
    type: geometry.type,
    label: bootLabel === NO_NAME ? undefined : bootLabel,
    uuid: mark === HAS_LABEL || mark === HAS_SERIAL ? serialText(head.u32(extended + 3)) : undefined,
    sizeBytes: geometry.sectors * geometry.sectorBytes,
  };
  return { fileSystem, rest: rootDirectory(head, geometry, fileSystem) };
}

/** The root directory has the label that counts; that of the boot sector is older, or was never written. */
function rootDirectory(head: Header, geometry: Geometry, fileSystem: FileSystem): Rest {
  const { sectorBytes, clusterSectors, firstSector, rootBytes } = geometry;
  const isChain = geometry.type === "fat32";
  const before = isChain ? Math.max(0, head.u32(44) - FIRST_CLUSTER) * clusterSectors : 0;
  const lengthBytes = Math.min(DIRECTORY_BYTES, isChain ? clusterSectors * sectorBytes : rootBytes);
  return {
    stretches: [{ offsetBytes: (firstSector + before) * sectorBytes, lengthBytes }],
    complete: ([directory]) => ({
      ...fileSystem,
      label: (directory && labelIn(directory)) ?? fileSystem.label,
    }),
  };
}

function labelIn(directory: Uint8Array): string | undefined {
  for (let at = 0; at + ENTRY_BYTES <= directory.length; at += ENTRY_BYTES) {
    const first = directory[at]!;
    if (first === 0) return undefined;
    const attributes = directory[at + ATTRIBUTE_AT]!;
    const isLabel = (attributes & (VOLUME_LABEL | DIRECTORY)) === VOLUME_LABEL;
    if (first === DELETED || !isLabel || (attributes & LONG_NAME) === LONG_NAME) continue;
    return nameText(directory.subarray(at, at + ATTRIBUTE_AT));
  }
  return undefined;
}

/** What the fields say, undefined when they contradict each other. Nothing else tells FAT: it has no magic. */
function geometryOf(sector: Header): Geometry | undefined {
  const jump = sector.u8(0);
  if ((jump !== 0xeb && jump !== 0xe9) || sector.u16(SIGNATURE_AT) !== SIGNATURE) return undefined;
  const [sectorBytes, clusterSectors, reserved] = [sector.u16(11), sector.u8(13), sector.u16(14)];
  const [copies, media] = [sector.u8(16), sector.u8(21)];
  if (!isSectorSize(sectorBytes) || !isPowerOfTwo(clusterSectors)) return undefined;
  if (reserved === 0 || copies === 0 || (media !== 0xf0 && media < 0xf8)) return undefined;

  const sectors = sector.u16(19) || sector.u32(32);
  const fatSectors = sector.u16(22) || sector.u32(36);
  const rootBytes = sector.u16(17) * ENTRY_BYTES;
  const firstSector = reserved + copies * fatSectors;
  const clusters = Math.floor((sectors - firstSector - ceilDiv(rootBytes, sectorBytes)) / clusterSectors);
  if (fatSectors === 0 || clusters < 1) return undefined;
  const isFat32 = sector.u16(22) === 0;
  const type = isFat32 ? "fat32" : clusters < MIN_FAT16_CLUSTERS ? "fat12" : "fat16";
  return { sectorBytes, clusterSectors, sectors, firstSector, rootBytes: isFat32 ? 0 : rootBytes, type };
}

const EXFAT_NAME = "EXFAT   ";
const EXFAT_LABEL_ENTRY = 0x83;
const EXFAT_LABEL_CHARACTERS = 11;
const EXFAT_DIRECTORY_BYTES = 4 * KIB;

/** True for a boot sector of exFAT. */
export function looksLikeExfat(sector: Header): boolean {
  const shift = sector.u8(108);
  return latinText(sector.bytes.subarray(3, 11)) === EXFAT_NAME && sector.u16(SIGNATURE_AT) === SIGNATURE &&
    shift >= 9 && shift <= 12 && shift + sector.u8(109) <= 25;
}

export function recogniseExfat(head: Header): Recognised | undefined {
  if (!looksLikeExfat(head)) return undefined;
  const sectorBytes = 2 ** head.u8(108);
  const clusterSectors = 2 ** head.u8(109);
  const fileSystem: FileSystem = {
    type: "exfat",
    label: undefined,
    uuid: serialText(head.u32(100)),
    sizeBytes: claimedBytes({ units: toSafe(head.u64(72)), unitBytes: sectorBytes }),
  };
  const sector = head.u32(88) + Math.max(0, head.u32(96) - FIRST_CLUSTER) * clusterSectors;
  const lengthBytes = Math.min(EXFAT_DIRECTORY_BYTES, clusterSectors * sectorBytes);
  return {
    fileSystem,
    rest: {
      stretches: [{ offsetBytes: sector * sectorBytes, lengthBytes }],
      complete: ([directory]) => ({ ...fileSystem, label: directory && exfatLabelIn(directory) }),
    },
  };
}

function exfatLabelIn(directory: Uint8Array): string | undefined {
  for (let at = 0; at + ENTRY_BYTES <= directory.length && directory[at] !== 0; at += ENTRY_BYTES) {
    if (directory[at] !== EXFAT_LABEL_ENTRY) continue;
    const characters = Math.min(directory[at + 1]!, EXFAT_LABEL_CHARACTERS);
    return nameText(directory.subarray(at + 2, at + 2 + characters * 2), "utf-16le");
  }
  return undefined;
}

function isSectorSize(bytes: number): boolean {
  return isPowerOfTwo(bytes) && bytes >= 512 && bytes <= 4096;
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}
