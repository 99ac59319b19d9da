/**
 * Every format that images are read in: one record each.
 *
 * This module is browser compatible.
 */
import type { FormatRecord } from "./format.ts";
import type { ImageFormat } from "./image_format.ts";
import { QCOW2 } from "./qcow2/qcow2.ts";
import { RAW } from "./raw/raw.ts";
import { VMDK } from "./vmdk/vmdk.ts";

const FORMATS: Readonly<Record<ImageFormat, FormatRecord>> = { raw: RAW, vmdk: VMDK, qcow2: QCOW2 };

/** The record of a format. */
export function formatNamed(name: ImageFormat): FormatRecord {
  return FORMATS[name];
}

/** What a name says. */
export function formatByName(path: string): ImageFormat {
  return Object.values(FORMATS).find((format) => format.hasName(path))?.name ?? "raw";
}
