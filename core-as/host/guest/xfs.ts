/**
 * XFS by its superblock, in the first sector. All of it is big-endian.
 *
 * Source: "XFS Algorithms & Data Structures", 3rd edition, `xfs_sb`.
 *
 * This module is browser compatible.
 */
import type { Header } from "../header.ts";
import { KIB, toSafe } from "../units.ts";
import { claimedBytes, type Recognised } from "./file_system.ts";
import { nameText, uuidText } from "./text.ts";

const MAGIC = 0x58465342;
const SUPERBLOCK_BYTES = 512;

export function recogniseXfs(head: Header): Recognised | undefined {
  const { bytes } = head;
  const view = new DataView(bytes.buffer, bytes.byteOffset, SUPERBLOCK_BYTES);
  if (view.getUint32(0) !== MAGIC) return undefined;
  const blockBytes = view.getUint32(4);
  const groups = view.getUint32(88);
  if (blockBytes < 512 || blockBytes > 64 * KIB || groups === 0) return undefined;
  return {
    fileSystem: {
      type: "xfs",
      label: nameText(bytes.subarray(108, 120)),
      uuid: uuidText(bytes.subarray(32, 48)),
      sizeBytes: claimedBytes({ units: toSafe(view.getBigUint64(8)), unitBytes: blockBytes }),
    },
  };
}
