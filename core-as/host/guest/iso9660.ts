/**
 * ISO 9660 by its volume descriptors, from byte 32768 on.
 *
 * Sources: ECMA-119, 8.4 "Primary Volume Descriptor" and 8.5; the Joliet specification for longer labels.
 *
 * This module is browser compatible.
 */
import type { Header } from "../header.ts";
import { KIB } from "../units.ts";
import { HEAD_BYTES, type Recognised } from "./file_system.ts";
import { dashed, latinText, nameText } from "./text.ts";

const AT = 32 * KIB;
const DESCRIPTOR_BYTES = 2 * KIB;
const MAGIC = "CD001";
const PRIMARY = 1;
const SUPPLEMENTARY = 2;
const TERMINATOR = 255;
/** Escape sequences of UCS-2, levels 1 to 3. */
const JOLIET = ["%/@", "%/C", "%/E"];
/** Digits of a date, up to the hundredth of a second. */
const DATE_DIGITS = 16;

export function recogniseIso9660(head: Header): Recognised | undefined {
  if (!isDescriptor(head, AT, PRIMARY)) return undefined;
  const label = labelAt(head, AT, "utf-8");
  const joliet = jolietLabel(head);
  // Joliet has room for 16 characters only, so what merely begins the same is no better.
  const isBetter = joliet !== undefined && !label?.startsWith(joliet);
  return {
    fileSystem: {
      type: "iso9660",
      label: isBetter ? joliet : label,
      uuid: dateAt(head, AT + 830) ?? dateAt(head, AT + 813),
      sizeBytes: head.u32(AT + 80) * head.u16(AT + 128),
    },
  };
}

function isDescriptor(head: Header, at: number, type: number): boolean {
  return head.u8(at) === type && latinText(head.bytes.subarray(at + 1, at + 6)) === MAGIC;
}

function jolietLabel(head: Header): string | undefined {
  for (let at = AT + DESCRIPTOR_BYTES; at + DESCRIPTOR_BYTES <= HEAD_BYTES; at += DESCRIPTOR_BYTES) {
    if (head.u8(at) === TERMINATOR) return undefined;
    const escape = latinText(head.bytes.subarray(at + 88, at + 91));
    if (isDescriptor(head, at, SUPPLEMENTARY) && JOLIET.includes(escape)) {
      return labelAt(head, at, "utf-16be");
    }
  }
  return undefined;
}

function labelAt(head: Header, at: number, encoding: "utf-8" | "utf-16be"): string | undefined {
  return nameText(head.bytes.subarray(at + 40, at + 72), encoding);
}

/** A date as Linux makes a UUID of it: of the last change, or else of the making. */
function dateAt(head: Header, at: number): string | undefined {
  const digits = latinText(head.bytes.subarray(at, at + DATE_DIGITS));
  if (!/^\d{16}$/.test(digits) || /^0+$/.test(digits)) return undefined;
  return dashed(digits, [4, 2, 2, 2, 2, 2, 2]);
}
