/**
 * Run lists, in sectors.
 *
 * A record is four f64: start, length, place, owner. Place is the file sector of the data (0 or more), or one of the
 * three kinds without data below. Owner names the file. f64 holds every sector number exactly (they are below 2^53)
 * and reaches JavaScript without a BigInt.
 */
import { LIST_RECORDS, RECORD_BYTES } from "./arena";

/** Known zeros; they mask the parent. */
export const ZERO: i64 = -1;
/** Nothing here: look at the parent. */
export const HOLE: i64 = -2;
/** An entry that cannot be used: nobody knows what was here. It masks the parent, whose bytes would be a guess. */
export const DAMAGED: i64 = -3;

let list: usize = 0;
let count: usize = 0;
let clipFrom: u64 = 0;
let clipTo: u64 = 0;
let shift: u64 = 0;
let owner: f64 = 0;
let overflow: bool = false;

let runStart: u64 = 0;
let runLength: u64 = 0;
let runPlace: i64 = 0;

/**
 * Starts a list. Pushes are clipped to `[from, to)` of their own coordinates, then moved by `by`: an extent counts
 * its sectors from 0 wherever it stands in the disk.
 */
export function openList(at: usize, from: f64, to: f64, by: f64, ofFile: f64): void {
  list = at;
  count = 0;
  clipFrom = <u64>from;
  clipTo = <u64>to;
  shift = <u64>by;
  owner = ofFile;
  overflow = false;
  runLength = 0;
}

/** Ends the list: the number of its records, or -1 when they did not fit. */
export function closeList(): i32 {
  flush();
  return overflow ? -1 : <i32>count;
}

/** Appends a run; one that continues the last becomes part of it. */
export function push(start: u64, length: u64, place: i64): void {
  if (start < clipFrom) {
    const cut = clipFrom - start;
    if (cut >= length) return;
    start += cut;
    length -= cut;
    if (place >= 0) place += cut;
  }
  if (start >= clipTo) return;
  if (length > clipTo - start) length = clipTo - start;
  if (
    runLength != 0 && runStart + runLength == start &&
    (place < 0 ? place == runPlace : runPlace >= 0 && place == runPlace + <i64>runLength)
  ) {
    runLength += length;
    return;
  }
  flush();
  runStart = start;
  runLength = length;
  runPlace = place;
}

/** `push` for JavaScript: place -1 is zero, -2 is hole, -3 is damaged. */
export function pushRun(start: f64, length: f64, place: f64): void {
  push(<u64>start, <u64>length, <i64>place);
}

function flush(): void {
  if (runLength == 0) return;
  if (count >= LIST_RECORDS) {
    overflow = true;
    return;
  }
  writeRecord(list + count * RECORD_BYTES, <f64>(runStart + shift), <f64>runLength, <f64>runPlace, owner);
  count++;
  runLength = 0;
}

// @ts-ignore: decorator
@inline
export function writeRecord(at: usize, a: f64, b: f64, c: f64, d: f64): void {
  store<f64>(at, a);
  store<f64>(at, b, 8);
  store<f64>(at, c, 16);
  store<f64>(at, d, 24);
}
