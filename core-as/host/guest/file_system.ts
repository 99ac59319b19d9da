/**
 * What a file system says about itself, and what its recogniser needs.
 *
 * This module is browser compatible.
 */
import type { Header } from "../header.ts";
import { KIB } from "../units.ts";
import type { Stretch } from "./pieces.ts";

export type FileSystemType =
  | ("ext2" | "ext3" | "ext4" | "xfs" | "btrfs")
  | ("ntfs" | "fat12" | "fat16" | "fat32" | "exfat")
  | ("lvm" | "luks1" | "luks2" | "swap" | "vmfs" | "iso9660")
  | "empty";

/** What a file system is called in messages. */
export const FILE_SYSTEM_NAMES: Record<FileSystemType, string> = {
  ext2: "ext2",
  ext3: "ext3",
  ext4: "ext4",
  xfs: "XFS",
  btrfs: "Btrfs",
  ntfs: "NTFS",
  fat12: "FAT12",
  fat16: "FAT16",
  fat32: "FAT32",
  exfat: "exFAT",
  lvm: "LVM physical volume",
  luks1: "LUKS 1, encrypted",
  luks2: "LUKS 2, encrypted",
  swap: "Linux swap",
  vmfs: "VMFS",
  iso9660: "ISO 9660",
  empty: "empty",
};

/** What fills an area, as far as its first bytes say. */
export interface FileSystem {
  /** `empty`: the bytes that would say it are all zero. */
  readonly type: FileSystemType;
  readonly label: string | undefined;
  /** In the form that Linux uses for it: a UUID, a serial number, a date. */
  readonly uuid: string | undefined;
  /** The size that it says it has. */
  readonly sizeBytes: number | undefined;
}

/** Bytes of the start of an area that every recogniser sees: the superblock of Btrfs ends here. */
export const HEAD_BYTES = 68 * KIB;

/** What a look at the head gave. */
export interface Recognised {
  readonly fileSystem: FileSystem;
  /** Where the rest stands, mostly the label. */
  readonly rest?: Rest;
}

/** Stretches of an area that hold the rest. */
export interface Rest {
  /** Counted from the start of the area. */
  readonly stretches: readonly Stretch[];
  /** @param pieces One per stretch; undefined where the area ends before it does. */
  complete(pieces: readonly (Uint8Array | undefined)[]): FileSystem | undefined;
}

/** Looks at the head of an area, which is filled up with zeros when the area is smaller. */
export type Recogniser = (head: Header) => Recognised | undefined;

/** A size that a superblock counts in units; undefined when that is no exact number of bytes. */
export function claimedBytes(claim: { units: number | undefined; unitBytes: number }): number | undefined {
  const bytes = claim.units === undefined ? NaN : claim.units * claim.unitBytes;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
