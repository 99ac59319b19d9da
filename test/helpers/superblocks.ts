/**
 * Superblocks made by hand, field by field, for the tests of the code that recognises them.
 */
import assert from "node:assert/strict";
import { type FileSystem, HEAD_BYTES } from "../../core-as/host/guest/file_system.ts";
import { recognise } from "../../core-as/host/guest/file_systems.ts";
import { GIB, KIB, MIB, TIB } from "../../core-as/host/units.ts";
import { PatchedSource, putText, putWide, viewOf } from "./guest_disk.ts";

/** Where the areas of the tests begin, so that nothing can confuse the disk with the area. */
export const START = 3 * MIB;
export const UUID_BYTES = Uint8Array.from({ length: 16 }, (_, i) => 0x10 + i);
export const UUID = "10111213-1415-1617-1819-1a1b1c1d1e1f";

/** A head that a test fills. */
export function head(fill: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES);
  fill(viewOf(bytes), bytes);
  return bytes;
}

/** What an area of 64 MiB is recognised as that has these patches, counted from its start. */
export async function recogniseArea(
  patches: Readonly<Record<number, Uint8Array>>,
  lengthBytes = 64 * MIB,
): Promise<FileSystem | undefined> {
  const moved = Object.entries(patches).map(([at, bytes]) => [START + Number(at), bytes]);
  const source = new PatchedSource(START + lengthBytes, Object.fromEntries(moved));
  const result = await recognise(source, START, lengthBytes);
  assert.ok(source.batches <= 2, `${source.batches} batches`);
  return result;
}

/** Features of ext, as its superblock has them. */
export interface ExtFields {
  compatible?: number;
  incompatible?: number;
  readOnly?: number;
  blocksHigh?: number;
}

/** ext2, or what the features make of it: 64 MiB in blocks of 4 KiB. */
export function ext(
  { compatible = 0, incompatible = 0, readOnly = 0, blocksHigh = 0 }: ExtFields,
): Uint8Array {
  return head((view, bytes) => {
    view.setUint16(1024 + 0x38, 0xef53, true);
    view.setUint32(1024, 1000, true);
    view.setUint32(1024 + 0x04, 0x4000, true);
    view.setUint32(1024 + 0x18, 2, true);
    view.setUint32(1024 + 0x28, 1000, true);
    view.setUint32(1024 + 0x5c, compatible, true);
    view.setUint32(1024 + 0x60, incompatible, true);
    view.setUint32(1024 + 0x64, readOnly, true);
    view.setUint32(1024 + 0x150, blocksHigh, true);
    bytes.set(UUID_BYTES, 1024 + 0x68);
    putText(bytes, 1024 + 0x78, "exactly sixteen!");
  });
}

/** XFS in blocks of 4 KiB. */
export function xfs(blocks = 5n * 2n ** 32n): Uint8Array {
  return head((view, bytes) => {
    putText(bytes, 0, "XFSB");
    view.setUint32(4, 4096);
    view.setBigUint64(8, blocks);
    view.setUint32(88, 4);
    bytes.set(UUID_BYTES, 32);
    putText(bytes, 108, "twelve_bytes");
  });
}

/** Btrfs whose superblock says that it stands at a place. */
export function btrfs(place = 64 * KIB): Uint8Array {
  const at = 64 * KIB;
  return head((view, bytes) => {
    putText(bytes, at + 0x40, "_BHRfS_M");
    view.setBigUint64(at + 0x30, BigInt(place), true);
    view.setBigUint64(at + 0x70, 999n, true);
    view.setBigUint64(at + 0xd1, BigInt(3 * GIB), true);
    bytes.set(UUID_BYTES, at + 0x20);
    putText(bytes, at + 0x12b, "a label");
  });
}

/** NTFS with 4 KiB clusters and records of 1 KiB, its table in cluster 4. */
export function ntfs(): Uint8Array {
  return head((view, bytes) => {
    putText(bytes, 3, "NTFS    ");
    view.setUint16(11, 512, true);
    bytes[13] = 8;
    view.setBigUint64(40, 0x1ffffn, true);
    view.setBigUint64(48, 4n, true);
    bytes[64] = 0xf6;
    view.setBigUint64(72, 0x0123456789abcdefn, true);
  });
}

/** The record of `$Volume`, with a label that reaches over the end of its first block. */
export function volumeRecord(label: string): Uint8Array {
  const bytes = new Uint8Array(1024);
  const view = viewOf(bytes);
  putText(bytes, 0, "FILE");
  view.setUint16(4, 48, true);
  view.setUint16(6, 3, true);
  view.setUint16(20, 56, true);
  view.setUint32(56, 0x10, true);
  view.setUint32(60, 424, true);
  view.setUint32(480, 0x60, true);
  view.setUint32(484, 24 + 2 * label.length, true);
  view.setUint32(496, 2 * label.length, true);
  view.setUint16(500, 24, true);
  putWide(bytes, 504, label);
  view.setUint16(48, 0x7777, true);
  for (const [i, end] of [510, 1022].entries()) {
    view.setUint16(50 + 2 * i, view.getUint16(end, true), true);
    view.setUint16(end, 0x7777, true);
  }
  return bytes;
}

/** What tells the kinds of FAT from each other. */
export interface FatFields {
  sectors: number;
  fatSectors: number;
  /** 0 for FAT32. */
  rootEntries: number;
}

/** FAT with sectors of 512 bytes, two in a cluster, and the root directory of FAT32 in cluster 5. */
export function fat({ sectors, fatSectors, rootEntries }: FatFields): Uint8Array {
  const isFat32 = rootEntries === 0;
  return head((view, bytes) => {
    bytes.set([0xeb, 0x58, 0x90]);
    view.setUint16(11, 512, true);
    bytes[13] = 2;
    view.setUint16(14, 4, true);
    bytes[16] = 2;
    view.setUint16(17, rootEntries, true);
    view.setUint32(32, sectors, true);
    bytes[21] = 0xf8;
    if (isFat32) view.setUint32(36, fatSectors, true);
    else view.setUint16(22, fatSectors, true);
    view.setUint32(44, 5, true);
    const extended = isFat32 ? 64 : 36;
    bytes[extended + 2] = 0x29;
    view.setUint32(extended + 3, 0xcafe0123, true);
    putText(bytes, extended + 7, "NO NAME    ");
    view.setUint16(510, 0xaa55, true);
  });
}

/** An entry of a directory of FAT. */
export function fatEntry(name: string, attribute: number): Uint8Array {
  const bytes = new Uint8Array(32);
  putText(bytes, 0, name.padEnd(11));
  bytes[11] = attribute;
  return bytes;
}

/** exFAT with clusters of 4 KiB, the root directory in the third. */
export function exfat(): Uint8Array {
  return head((view, bytes) => {
    putText(bytes, 3, "EXFAT   ");
    view.setBigUint64(72, 0x12345n, true);
    view.setUint32(88, 512, true);
    view.setUint32(96, 4, true);
    view.setUint32(100, 0xbeef0001, true);
    bytes.set([9, 3], 108);
    view.setUint16(510, 0xaa55, true);
  });
}

/** A label of LVM in a sector. LVM begins its checksum with a number of its own and does not invert it. */
export function lvm(sector: number, headerAt = 32): Uint8Array {
  return head((view, bytes) => {
    const at = sector * 512;
    putText(bytes, at, "LABELONE");
    view.setBigUint64(at + 8, BigInt(sector), true);
    view.setUint32(at + 20, headerAt, true);
    putText(bytes, at + 24, "LVM2 001");
    putText(bytes, at + 32, "abcdefGHIJKLmnopQRSTuvwxYZ012345");
    view.setBigUint64(at + 64, BigInt(7 * GIB), true);
    let register = 0xf597a6cf;
    for (const byte of bytes.subarray(at + 20, at + 512)) {
      for (let bit = 0; bit < 8; bit++) {
        const isOdd = ((register ^ (byte >> bit)) & 1) === 1;
        register = (register >>> 1) ^ (isOdd ? 0xedb88320 : 0);
      }
    }
    view.setUint32(at + 16, register >>> 0, true);
  });
}

/** Either LUKS; the label of the second stands where the first has the name of its cipher. */
export function luks(version: number): Uint8Array {
  return head((view, bytes) => {
    putText(bytes, 0, "LUKS\xba\xbe");
    view.setUint16(6, version);
    putText(bytes, 24, "LABEL OR CIPHER");
    putText(bytes, 168, UUID);
  });
}

/** Swap of 1000 pages, with the signature at the end of the first. */
export function swap(pageBytes = 4096, magic = "SWAPSPACE2"): Uint8Array {
  return head((view, bytes) => {
    view.setUint32(1024, 1, true);
    view.setUint32(1028, 999, true);
    bytes.set(UUID_BYTES, 1036);
    putText(bytes, 1052, "swap label");
    putText(bytes, pageBytes - 10, magic);
  });
}

/** The header of a volume of VMFS, and that of the file system in it. */
export function vmfs(): { volume: Uint8Array; inner: Uint8Array } {
  const volume = new Uint8Array(1024);
  viewOf(volume).setUint32(0, 0xc001d00d, true);
  viewOf(volume).setBigUint64(0x200, BigInt(2 * TIB), true);
  putText(volume, 0x214, "01020304-05060708-090a-0b0c0d0e0f10");
  const inner = new Uint8Array(512);
  viewOf(inner).setUint32(0, 0x2fabf15e, true);
  inner.set(UUID_BYTES, 9);
  putText(inner, 29, "datastore1");
  return { volume, inner };
}

/** ISO 9660 with one volume descriptor, or what `changes` makes of it. */
export function iso9660(changes: (view: DataView, bytes: Uint8Array) => void = () => {}): Uint8Array {
  return head((view, bytes) => {
    putText(bytes, 32_768, "\x01CD001\x01");
    putText(bytes, 32_768 + 40, "MY_CD".padEnd(32));
    view.setUint32(32_768 + 80, 5000, true);
    view.setUint16(32_768 + 128, 2048, true);
    putText(bytes, 32_768 + 813, "2024010203040506");
    putText(bytes, 32_768 + 830, "2025112105060708");
    putText(bytes, 34_816, "\xffCD001\x01");
    changes(view, bytes);
  });
}
