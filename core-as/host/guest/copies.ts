/**
 * What a disk holds more than once, or names itself by: copies of a superblock, of a table, of the first records. Each
 * copy says by an identifier which file system, or which disk, it belongs to.
 *
 * Sources: the Linux kernel's Documentation/filesystems/ext4; "XFS Algorithms & Data Structures", 3rd edition;
 * `btrfs_super_block` in include/uapi/linux/btrfs_tree.h; layout.h of ntfs-3g; UEFI 2.10, 5.3.
 *
 * This module is browser compatible.
 */
import { Header } from "../header.ts";
import { KIB, MIB, SECTOR_SIZE, toSafe } from "../units.ts";
import { recogniseExt } from "./ext.ts";
import { looksLikeNtfs } from "./ntfs.ts";
import type { Stretch } from "./pieces.ts";
import { guidText, latinText, uuidText } from "./text.ts";

/** One copy, by where it is. */
export interface Copy {
  readonly label: string;
  /** Counted from the start of the area. */
  readonly stretch: Stretch;
  /** What the copy at this place names itself by; undefined where the bytes are no such copy. */
  idOf(bytes: Uint8Array): string | undefined;
}

/** Copies that have one identifier in common. */
export interface Family {
  readonly what: string;
  readonly copies: readonly Copy[];
}

/** Copies of one kind that are looked at. */
const MAX_COPIES = 5;

/** What an area must hold more than once, by its first bytes. */
export function familiesOf(head: Uint8Array, lengthBytes: number): Family[] {
  const header = new Header(head, "");
  const families = [...ext(header), ...xfs(header), ...btrfs(header), ...ntfs(header)];
  return families.map(({ what, copies }) => ({
    what,
    copies: copies.filter(({ stretch }) => stretch.offsetBytes + stretch.lengthBytes <= lengthBytes),
  }));
}

/** The MBR and both headers of a GPT, of a whole disk. */
export function tableFamilies(sizeBytes: number): Family[] {
  const header = (label: string, sector: number): Copy => ({
    label,
    stretch: { offsetBytes: sector * SECTOR_SIZE, lengthBytes: SECTOR_SIZE },
    idOf: (bytes) =>
      latinText(bytes.subarray(0, 8)) === "EFI PART" ? guidText(bytes.subarray(56, 72)) : undefined,
  });
  const last = Math.floor(sizeBytes / SECTOR_SIZE) - 1;
  if (last < 2) return [];
  return [
    { what: "disk signature of the MBR", copies: [MBR] },
    { what: "disk GUID of the GPT", copies: [header("first header", 1), header("backup header", last)] },
  ];
}

const MBR: Copy = {
  label: "MBR",
  stretch: { offsetBytes: 0, lengthBytes: SECTOR_SIZE },
  idOf(bytes) {
    const sector = new Header(bytes, "");
    const signature = sector.u32(440);
    if (sector.u16(510) !== 0xaa55 || signature === 0) return undefined;
    return signature.toString(16).padStart(8, "0");
  },
};

const EXT_AT = 1024;
const EXT_BYTES = 1024;
const SPARSE_SUPER = 0x1;
const SPARSE_SUPER_2 = 0x200;
const META_GROUPS = 0x10;

function* ext(head: Header): Generator<Family> {
  const known = recogniseExt(head);
  if (!known) return;
  const blockBytes = KIB * 2 ** head.u32(EXT_AT + 0x18);
  const first = head.u32(EXT_AT + 0x14);
  const perGroup = head.u32(EXT_AT + 0x20);
  const sizeBytes = known.fileSystem.sizeBytes ?? 0;
  if (perGroup === 0 || first > 1) return;
  const groups = extBackups(head, Math.ceil(sizeBytes / blockBytes / perGroup));
  const startOf = (group: number) => (group * perGroup + first) * blockBytes;
  const superblock = (group: number): Copy => ({
    label: group === 0 ? "superblock" : `backup superblock in group ${group}`,
    // Only that of the first group leaves room for a boot sector.
    stretch: { offsetBytes: group === 0 ? EXT_AT : startOf(group), lengthBytes: EXT_BYTES },
    idOf: (bytes) => {
      const isCopy = new Header(bytes, "").u16(0x38) === 0xef53;
      return isCopy ? uuidText(bytes.subarray(0x68, 0x78)) : undefined;
    },
  });
  yield { what: `UUID of the ${known.fileSystem.type} file system`, copies: [0, ...groups].map(superblock) };
  if ((head.u32(EXT_AT + 0x60) & META_GROUPS) !== 0) return;
  const descriptors = (group: number): Copy => ({
    label: group === 0 ? "group descriptors" : `copy of the group descriptors in group ${group}`,
    stretch: {
      offsetBytes: startOf(group) + blockBytes,
      lengthBytes: 512,
    },
    // Where the bitmaps and the inodes of the first group are, which never changes.
    idOf: (bytes) =>
      bytes.subarray(0, 12).some((byte) => byte !== 0) ? bytes.subarray(0, 12).toHex() : undefined,
  });
  const places = [0, ...groups].map(descriptors);
  yield { what: `first group descriptor of the ${known.fileSystem.type} file system`, copies: places };
}

/** Groups after the first with a copy of the superblock. */
function extBackups(head: Header, groups: number): number[] {
  const within = (group: number) => group > 0 && group < groups;
  if ((head.u32(EXT_AT + 0x5c) & SPARSE_SUPER_2) !== 0) {
    return [head.u32(EXT_AT + 0x24c), head.u32(EXT_AT + 0x250)].filter(within);
  }
  const isSparse = (head.u32(EXT_AT + 0x64) & SPARSE_SUPER) !== 0;
  // With that feature group 1 and the powers of 3, 5 and 7 have one.
  return (isSparse ? [1, 3, 5, 7, 9] : [1, 2, 3, 4, 5]).filter(within).slice(0, MAX_COPIES);
}

const XFS_MAGIC = "XFSB";
const XFS_META_UUID = 0x4;
const XFS_VERSION_5 = 5;

function* xfs(head: Header): Generator<Family> {
  const { bytes } = head;
  if (latinText(bytes.subarray(0, 4)) !== XFS_MAGIC) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const groupBytes = view.getUint32(84) * view.getUint32(4);
  const sectorBytes = view.getUint16(102);
  const groups = Math.min(MAX_COPIES, view.getUint32(88));
  if (groupBytes === 0 || sectorBytes < SECTOR_SIZE || sectorBytes > 32 * KIB) return;
  const copies = (label: string, at: { sector: number; magic: string; uuidAt: number }) =>
    Array.from({ length: groups }, (_, group): Copy => ({
      label: `${label} of allocation group ${group}`,
      stretch: { offsetBytes: group * groupBytes + at.sector * sectorBytes, lengthBytes: SECTOR_SIZE },
      idOf: (found) =>
        latinText(found.subarray(0, 4)) === at.magic
          ? uuidText(found.subarray(at.uuidAt, at.uuidAt + 16))
          : undefined,
    }));
  yield {
    what: "UUID of the XFS file system",
    copies: copies("superblock", { sector: 0, magic: XFS_MAGIC, uuidAt: 32 }),
  };
  // From version 5 on every block of metadata has the UUID of its file system.
  if ((view.getUint16(100) & 0xf) < XFS_VERSION_5 || (view.getUint32(216) & XFS_META_UUID) !== 0) return;
  yield {
    what: "UUID of the metadata of the XFS file system",
    copies: [
      ...copies("superblock", { sector: 0, magic: XFS_MAGIC, uuidAt: 32 }).slice(0, 1),
      ...copies("free space header", { sector: 1, magic: "XAGF", uuidAt: 64 }),
      ...copies("inode header", { sector: 2, magic: "XAGI", uuidAt: 296 }),
    ],
  };
}

const BTRFS_PLACES = [64 * KIB, 64 * MIB];

function* btrfs(head: Header): Generator<Family> {
  const magic = (bytes: Uint8Array) => latinText(bytes.subarray(0x40, 0x48)) === "_BHRfS_M";
  if (!magic(head.bytes.subarray(BTRFS_PLACES[0]!))) return;
  yield {
    what: "UUID of the Btrfs file system",
    copies: BTRFS_PLACES.map((offsetBytes, i): Copy => ({
      label: i === 0 ? "superblock" : `copy ${i} of the superblock`,
      stretch: { offsetBytes, lengthBytes: SECTOR_SIZE },
      idOf: (bytes) => magic(bytes) ? uuidText(bytes.subarray(0x20, 0x30)) : undefined,
    })),
  };
}

const RECORDS = 4;
const STANDARD_INFORMATION = 0x10;

function* ntfs(head: Header): Generator<Family> {
  if (!looksLikeNtfs(head)) return;
  const sectorBytes = head.u16(11);
  const shift = head.u8(13);
  const clusterBytes = sectorBytes * (shift > 128 ? 2 ** (256 - shift) : shift);
  const sectors = toSafe(head.u64(40));
  const boot = (label: string, offsetBytes: number): Copy => ({
    label,
    stretch: { offsetBytes, lengthBytes: SECTOR_SIZE },
    idOf: (bytes) => {
      const sector = new Header(bytes, "");
      return looksLikeNtfs(sector) ? sector.u64(72).toString(16).padStart(16, "0").toUpperCase() : undefined;
    },
  });
  if (sectors !== undefined) {
    yield {
      what: "serial number of the NTFS volume",
      copies: [boot("boot sector", 0), boot("copy of the boot sector", sectors * sectorBytes)],
    };
  }
  const size = head.u8(64);
  const recordBytes = size > 128 ? 2 ** (256 - size) : size * clusterBytes;
  if (recordBytes < SECTOR_SIZE || recordBytes > 4 * KIB) return;
  for (let record = 0; record < RECORDS; record++) {
    const copies = [["$MFT", head.u64(48)], ["$MFTMirr", head.u64(56)]] as const;
    yield {
      what: `time at which the NTFS volume was made, in record ${record}`,
      copies: copies.flatMap(([label, cluster]): Copy[] => {
        const start = toSafe(cluster);
        if (start === undefined || !Number.isSafeInteger(start * clusterBytes)) return [];
        const offsetBytes = start * clusterBytes + record * recordBytes;
        return [{ label, stretch: { offsetBytes, lengthBytes: SECTOR_SIZE }, idOf: creationTime }];
      }),
    };
  }
}

/** When the file of a record was made, as it is in its first attribute; the same in both copies, and for ever. */
function creationTime(bytes: Uint8Array): string | undefined {
  const record = new Header(bytes, "");
  const at = record.u16(20);
  if (latinText(bytes.subarray(0, 4)) !== "FILE" || at < 42 || at + 32 > SECTOR_SIZE - 2) return undefined;
  if (record.u32(at) !== STANDARD_INFORMATION || record.u8(at + 8) !== 0) return undefined;
  const content = at + record.u16(at + 20);
  return content + 8 <= SECTOR_SIZE - 2 ? record.u64(content).toString(16) : undefined;
}
