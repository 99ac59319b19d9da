/**
 * Btrfs by its superblock, at 64 KiB.
 *
 * Source: `btrfs_super_block` in the Linux kernel's include/uapi/linux/btrfs_tree.h.
 *
 * This module is browser compatible.
 */
import type { Header } from "../header.ts";
import { KIB, toSafe } from "../units.ts";
import type { Recognised } from "./file_system.ts";
import { nameText, uuidText } from "./text.ts";

const AT = 64 * KIB;
/** "_BHRfS_M" */
const MAGIC = 0x4d5f53665248425fn;

export function recogniseBtrfs(head: Header): Recognised | undefined {
  // A superblock says where it stands; one that was copied with a whole disk into a partition stands elsewhere.
  if (head.u64(AT + 0x40) !== MAGIC || head.u64(AT + 0x30) !== BigInt(AT)) return undefined;
  return {
    fileSystem: {
      type: "btrfs",
      label: nameText(head.bytes.subarray(AT + 0x12b, AT + 0x22b)),
      uuid: uuidText(head.bytes.subarray(AT + 0x20, AT + 0x30)),
      // Of this device: a file system may have several (dev_item.total_bytes).
      sizeBytes: toSafe(head.u64(AT + 0xd1)),
    },
  };
}
