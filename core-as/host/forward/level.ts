/**
 * Pieces of a file in the order of their places: in memory, or where there is room, of which a page is in memory.
 *
 * This module is browser compatible.
 */
import type { MaybePromise } from "../source.ts";
import type { Scratch } from "./kept.ts";

/** Pieces in a page of a spilled level: 80 KiB. */
const PAGE_PIECES = 4096;
export const PIECE_BYTES = 20;

export interface Level {
  /** True when only a page of it is in memory. */
  readonly isSpilled: boolean;
  readonly place: Float64Array;
  readonly length: Uint32Array;
  readonly target: Float64Array;
  head: number;
  count: number;
  /** Fetches the next page when this one is used up; `undefined` where there is none. */
  more?: (() => MaybePromise<void>) | undefined;
}

export function emptyLevel(room: number, isSpilled = false): Level {
  return {
    isSpilled,
    place: new Float64Array(room),
    length: new Uint32Array(room),
    target: new Float64Array(room),
    head: 0,
    count: 0,
  };
}

/** Adds a piece to a level; one that continues the last one in the file and on the disk makes that longer. */
export function append(level: Level, place: number, length: number, target: number): void {
  const last = level.count - 1;
  if (last >= 0 && target >= 0) {
    const lastLength = level.length[last]!;
    if (level.place[last]! + lastLength === place && level.target[last]! + lastLength === target) {
      level.length[last] = lastLength + length;
      return;
    }
  }
  level.place[level.count] = place;
  level.length[level.count] = length;
  level.target[level.count++] = target;
}

/** Puts a level where there is room; what comes back holds one page of it. */
export async function spillLevel(level: Level, scratch: Scratch, usedBytes: number): Promise<Level> {
  const { head, count } = level;
  for (let from = head; from < count; from += PAGE_PIECES) {
    await scratch.append(pageBytes(level, from, Math.min(count, from + PAGE_PIECES)));
  }
  const out = emptyLevel(Math.min(PAGE_PIECES, count - head), true);
  let next = head;
  out.more = async () => {
    const pieces = Math.min(PAGE_PIECES, count - next);
    if (pieces === 0) {
      out.more = undefined;
      return;
    }
    const bytes = new Uint8Array(pieces * PIECE_BYTES);
    await scratch.read(usedBytes + (next - head) * PIECE_BYTES, bytes);
    next += pieces;
    takePage(out, bytes, pieces);
  };
  await out.more();
  return out;
}

function pageBytes({ place, length, target }: Level, from: number, to: number): Uint8Array {
  const pieces = to - from;
  const bytes = new Uint8Array(pieces * PIECE_BYTES);
  new Float64Array(bytes.buffer, 0, pieces).set(place.subarray(from, to));
  new Float64Array(bytes.buffer, pieces * 8, pieces).set(target.subarray(from, to));
  new Uint32Array(bytes.buffer, pieces * 16, pieces).set(length.subarray(from, to));
  return bytes;
}

function takePage(level: Level, { buffer }: Uint8Array, pieces: number): void {
  level.place.set(new Float64Array(buffer as ArrayBuffer, 0, pieces));
  level.target.set(new Float64Array(buffer as ArrayBuffer, pieces * 8, pieces));
  level.length.set(new Uint32Array(buffer as ArrayBuffer, pieces * 16, pieces));
  level.head = 0;
  level.count = pieces;
}
