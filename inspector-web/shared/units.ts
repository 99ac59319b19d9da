/**
 * Numbers in words for the page, and places as people type them.
 *
 * This module is browser compatible.
 */
import { formatCount, formatSize, parseSize, SECTOR_SIZE } from "../../core-as/host/units.ts";

/** An offset as `0x10000`. */
export function formatOffset(offsetBytes: number): string {
  return `0x${offsetBytes.toString(16)}`;
}

/** Size for people, with the exact count where it says more: `1.5 GiB (1,610,612,736 bytes)`. */
export function formatExact(bytes: number): string {
  return bytes < 1024 ? formatSize(bytes) : `${formatSize(bytes)} (${formatCount(bytes)} bytes)`;
}

/** A share as `12.3 %`; what is there at all never reads `0 %`, what is missing at all never `100 %`. */
export function formatShare(part: number, whole: number): string {
  if (whole <= 0 || part <= 0) return "0 %";
  const percent = part / whole * 100;
  if (percent < 0.01) return "< 0.01 %";
  if (percent > 99.99 && part < whole) return "> 99.99 %";
  return `${percent < 1 ? percent.toFixed(2) : percent.toFixed(1)} %`.replace(".0 %", " %");
}

/** A duration for people: `less than a second`, `42 s`, `7 min`, `1 h 05 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 1) return "less than a second";
  if (seconds < 100) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** What a place may be said in terms of. */
export interface Landmarks {
  readonly capacityBytes: number;
  /** Bytes that one grain table covers, or why places cannot be said so. */
  readonly tables: number | string;
  /** Bytes of a grain; undefined where there are none. */
  readonly grainBytes: number | undefined;
  /** Starts of the partitions, the first is `p1`. */
  readonly partitions: readonly number[];
}

/** A place found, as a byte of the disk, or why there is none. */
export type Found = { readonly offsetBytes: number } | { readonly reason: string };

/** Every form that {@link findPlace} takes, for the help and for error messages. */
export const PLACE_FORMS = "0x7e00, 1.5G, sector 63, grain 40, GT 12, p2, p2+1M";

/** Finds the place that somebody typed: {@link PLACE_FORMS}. */
export function findPlace(text: string, marks: Landmarks): Found {
  const offsetBytes = placeOf(text.trim().toLowerCase(), marks);
  if (typeof offsetBytes === "string") return { reason: offsetBytes };
  if (offsetBytes >= marks.capacityBytes) {
    return { reason: `${formatOffset(offsetBytes)} is beyond the end, ${formatOffset(marks.capacityBytes)}` };
  }
  return { offsetBytes };
}

function placeOf(text: string, marks: Landmarks): number | string {
  const counted = /^(sector|s|grain|gt|table)\s*(\d{1,15}|0x[0-9a-f]{1,12})$/.exec(text);
  if (counted) return countedPlace(counted[1] ?? "", Number(counted[2]), marks);
  const within = /^p(\d{1,4})(?:\s*\+\s*(.+))?$/.exec(text);
  if (within) {
    const start = marks.partitions[Number(within[1]) - 1];
    if (start === undefined) return `there is no partition ${within[1]}`;
    const distance = within[2] === undefined ? 0 : plainOffset(within[2]);
    return distance === undefined ? `not a distance: ${within[2]}` : start + distance;
  }
  return plainOffset(text) ?? `not a place; try ${PLACE_FORMS}`;
}

function countedPlace(unit: string, count: number, marks: Landmarks): number | string {
  if (unit === "s" || unit === "sector") return count * SECTOR_SIZE;
  const unitBytes = unit === "grain" ? marks.grainBytes ?? "this disk has no grains" : marks.tables;
  return typeof unitBytes === "string" ? unitBytes : count * unitBytes;
}

function plainOffset(text: string): number | undefined {
  if (/^0x[0-9a-f]{1,13}$/.test(text)) return Number(text);
  return parseSize(text);
}
