/**
 * What an area holds when it is no file system itself: a physical volume of LVM, an encrypted volume, swap.
 *
 * Sources: label_header and pv_header in LVM2's lib/format_text/layout.h; the LUKS1 and LUKS2 on-disk format
 * specifications; include/linux/swap.h of the Linux kernel.
 *
 * This module is browser compatible.
 */
import type { Header } from "../header.ts";
import { KIB, SECTOR_SIZE, toSafe } from "../units.ts";
import { crc32Register } from "./crc32.ts";
import type { Recognised } from "./file_system.ts";
import { dashed, latinText, nameText, uuidText } from "./text.ts";

const LVM_LABEL = "LABELONE";
const LVM_TYPE = "LVM2 001";
/** A label may be in any of the first four sectors; mostly it is in the second. */
const LVM_LABEL_SECTORS = 4;
const LVM_CRC_START = 0xf597a6cf;
const LVM_UUID_BYTES = 32;
const LVM_HEADER_BYTES = LVM_UUID_BYTES + 8;

export function recogniseLvm(head: Header): Recognised | undefined {
  for (let sector = 0; sector < LVM_LABEL_SECTORS; sector++) {
    const at = sector * SECTOR_SIZE;
    const header = lvmHeader(head, at);
    if (header === undefined) continue;
    const uuid = latinText(head.bytes.subarray(header, header + LVM_UUID_BYTES));
    if (!/^[0-9A-Za-z!#]{32}$/.test(uuid)) continue;
    return {
      fileSystem: {
        type: "lvm",
        label: undefined,
        uuid: dashed(uuid, [6, 4, 4, 4, 4, 4, 6]),
        sizeBytes: toSafe(head.u64(header + LVM_UUID_BYTES)),
      },
    };
  }
  return undefined;
}

/** Where the header is that the label in a sector names; undefined when there is no label, or a wrong one. */
function lvmHeader(head: Header, at: number): number | undefined {
  const text = (from: number) => latinText(head.bytes.subarray(at + from, at + from + 8));
  if (text(0) !== LVM_LABEL || text(24) !== LVM_TYPE || head.u64(at + 8) !== BigInt(at / SECTOR_SIZE)) {
    return undefined;
  }
  const checked = head.bytes.subarray(at + 20, at + SECTOR_SIZE);
  const offset = head.u32(at + 20);
  if (crc32Register(checked, LVM_CRC_START) !== head.u32(at + 16)) return undefined;
  return offset <= SECTOR_SIZE - LVM_HEADER_BYTES ? at + offset : undefined;
}

const LUKS_MAGIC = "LUKS\xba\xbe";

export function recogniseLuks(head: Header): Recognised | undefined {
  const { bytes } = head;
  if (latinText(bytes.subarray(0, 6)) !== LUKS_MAGIC || head.u8(6) !== 0) return undefined;
  const version = head.u8(7);
  if (version !== 1 && version !== 2) return undefined;
  const isSecond = version === 2;
  return {
    fileSystem: {
      type: isSecond ? "luks2" : "luks1",
      label: isSecond ? nameText(bytes.subarray(24, 72)) : undefined,
      uuid: nameText(bytes.subarray(168, 208)),
      sizeBytes: undefined,
    },
  };
}

/** Its signature ends the first page, whose size depends on the machine. */
const PAGE_SIZES = [4, 8, 16, 32, 64].map((kib) => kib * KIB);
const SWAP_MAGIC = "SWAPSPACE2";
/** Stands in place of the other while the machine is asleep on disk. */
const SUSPENDED_MAGIC = "S1SUSPEND\0";
const SWAP_HEADER_AT = 1024;
const SWAP_VERSION = 1;

export function recogniseSwap(head: Header): Recognised | undefined {
  const { bytes } = head;
  const pageBytes = PAGE_SIZES.find((size) => {
    const magic = latinText(bytes.subarray(size - SWAP_MAGIC.length, size));
    return magic === SWAP_MAGIC || magic === SUSPENDED_MAGIC;
  });
  const [version, lastPage] = [head.u32(SWAP_HEADER_AT), head.u32(SWAP_HEADER_AT + 4)];
  if (pageBytes === undefined || version !== SWAP_VERSION || lastPage === 0) return undefined;
  return {
    fileSystem: {
      type: "swap",
      label: nameText(bytes.subarray(SWAP_HEADER_AT + 28, SWAP_HEADER_AT + 44)),
      uuid: uuidText(bytes.subarray(SWAP_HEADER_AT + 12, SWAP_HEADER_AT + 28)),
      sizeBytes: (lastPage + 1) * pageBytes,
    },
  };
}
