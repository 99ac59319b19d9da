/**
 * ext2, ext3 and ext4 by their superblock, at byte 1024.
 *
 * Source: the Linux kernel's Documentation/filesystems/ext4/super.rst.
 *
 * This module is browser compatible.
 */
import type { Header } from "../header.ts";
import { KIB } from "../units.ts";
import { claimedBytes, type Recognised } from "./file_system.ts";
import { nameText, uuidText } from "./text.ts";

const AT = 1024;
const MAGIC = 0xef53;
/** Blocks have 1 KiB to 64 KiB. */
const MAX_LOG_BLOCK_SIZE = 6;

/** `s_feature_compat` */
const HAS_JOURNAL = 0x4;
/** `s_feature_incompat` */
const JOURNAL_DEVICE = 0x8;
const IS_64_BIT = 0x80;
/** What ext3 knows of `s_feature_incompat` (filetype, recover, meta_bg), and of `s_feature_ro_compat`. */
const EXT3_INCOMPAT = 0x2 | 0x4 | 0x10;
const EXT3_RO_COMPAT = 0x1 | 0x2 | 0x4;

export function recogniseExt(head: Header): Recognised | undefined {
  if (head.u16(AT + 0x38) !== MAGIC) return undefined;
  const logBlockSize = head.u32(AT + 0x18);
  const [inodes, inodesPerGroup] = [head.u32(AT), head.u32(AT + 0x28)];
  if (logBlockSize > MAX_LOG_BLOCK_SIZE || inodes === 0 || inodesPerGroup === 0) return undefined;
  const incompatible = head.u32(AT + 0x60);
  // The journal of another file system has a superblock like this, and no files.
  if ((incompatible & JOURNAL_DEVICE) !== 0) return undefined;
  const high = (incompatible & IS_64_BIT) !== 0 ? head.u32(AT + 0x150) : 0;
  const blocks = high * 2 ** 32 + head.u32(AT + 4);
  return {
    fileSystem: {
      type: generation(head),
      label: nameText(head.bytes.subarray(AT + 0x78, AT + 0x88)),
      uuid: uuidText(head.bytes.subarray(AT + 0x68, AT + 0x78)),
      sizeBytes: claimedBytes({ units: blocks, unitBytes: KIB * 2 ** logBlockSize }),
    },
  };
}

/** The oldest of the three that knows all features; a journal makes ext2 ext3. */
function generation(head: Header): "ext2" | "ext3" | "ext4" {
  const isNewer = (head.u32(AT + 0x60) & ~EXT3_INCOMPAT) !== 0 ||
    (head.u32(AT + 0x64) & ~EXT3_RO_COMPAT) !== 0;
  if (isNewer) return "ext4";
  return (head.u32(AT + 0x5c) & HAS_JOURNAL) !== 0 ? "ext3" : "ext2";
}
