/**
 * Another disk behind the one that passes by: two files that were sent down one pipe. What lies there may also be
 * padding, or room that was never used.
 *
 * This module is browser compatible.
 */
import { COWD_MAGIC } from "../formats/vmdk/cowd.ts";
import { HOSTED_MAGIC } from "../formats/vmdk/hosted_sparse.ts";
import { MARKER_TYPE, markerAt } from "../formats/vmdk/marker.ts";
import { SESPARSE_MAGIC } from "../formats/vmdk/sesparse.ts";
import { SECTOR_SIZE } from "../units.ts";

/** Bytes by which the start of a disk is known. */
const START_BYTES = 16;
const NEWEST_HOSTED = 3;
const FIRST_BYTES = [COWD_MAGIC & 0xff, HOSTED_MAGIC & 0xff, Number(SESPARSE_MAGIC & 0xffn)];

/** Looks for the start of a disk in bytes that come piece by piece. */
export class StrayDisk {
  /** Byte of the stream at which the first one begins. */
  at: number | undefined;
  private lookedTo = 0;

  /**
   * @param bytes What can be looked at; the last sector that was seen before, if any was, is in front of what is new.
   * @param position Byte of the stream at which they begin.
   */
  look(bytes: Uint8Array, position: number): void {
    if (this.at !== undefined) return;
    const from = Math.max(0, this.lookedTo - position);
    const places = FIRST_BYTES.map((first) => firstStart(bytes, first, from)).filter((place) => place >= 0);
    if (places.length > 0) this.at = position + Math.min(...places);
    this.lookedTo = Math.max(this.lookedTo, position + bytes.length - START_BYTES + 1);
  }
}

/** A disk may begin at any byte, since a file of any length may be in front of it. */
function firstStart(bytes: Uint8Array, first: number, from: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = bytes.indexOf(first, from); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (at + START_BYTES > bytes.length) return -1;
    if (isStart(view, at) && !isFooter(view, at)) return at;
  }
  return -1;
}

/** The magic alone may stand anywhere; a version must follow it. */
function isStart(view: DataView, at: number): boolean {
  const magic = view.getUint32(at, true);
  const version = view.getUint32(at + 4, true);
  if (magic === COWD_MAGIC) return version === 1;
  if (magic === HOSTED_MAGIC) return version >= 1 && version <= NEWEST_HOSTED;
  return view.getBigUint64(at, true) === SESPARSE_MAGIC;
}

/** A footer is a header too, behind a marker that says so. */
function isFooter(view: DataView, at: number): boolean {
  if (at < SECTOR_SIZE) return false;
  const { type, sizeBytes } = markerAt(
    new DataView(view.buffer, view.byteOffset + at - SECTOR_SIZE, SECTOR_SIZE),
  );
  return sizeBytes === 0 && type === MARKER_TYPE.footer;
}
