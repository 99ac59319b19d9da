/**
 * Sums of a run list, for a map of a whole disk: JavaScript would have to look at each of tens of millions of runs.
 *
 * The result is f64 words. From word 0: sectors of data, of zeros and of holes, and the number of runs of data and
 * zeros; word 90: damaged sectors. From word 4, for each power of two, how many of those runs are that long, and from
 * word 42 their sectors. The
 * first and the last run are in none of these, since the neighbouring lists may go on with them: they stand at words 80
 * and 84 as records. Word 88 is the number of all runs with these two, word 89 that of the pieces.
 *
 * Pieces follow from word 96, each five words: first leaf, number of leaves, and what every one of them has of data, of
 * zeros and of damage. A leaf is 2^k sectors of the disk. Several pieces may be of the same leaf.
 */
import { RECORD_BYTES } from "./arena";
import { DAMAGED, HOLE, writeRecord, ZERO } from "./runs";

const COUNTS: usize = 4 * 8;
const SECTORS: usize = 42 * 8;
const FIRST: usize = 80 * 8;
const LAST: usize = 84 * 8;
const RUNS: usize = 88 * 8;
const PIECES: usize = 89 * 8;
const DAMAGED_SECTORS: usize = 90 * 8;
const PIECE_LIST: usize = 96 * 8;
const PIECE_BYTES: usize = 5 * 8;
const NO_LEAF: u64 = u64.MAX_VALUE;

let out: usize = 0;
let runs: u32 = 0;

let pieceAt: usize = 0;
let leaf: u64 = NO_LEAF;
let leafData: u64 = 0;
let leafZero: u64 = 0;
let leafDamaged: u64 = 0;

/**
 * Sums `count` records at `list`; neighbours that continue each other are one run.
 *
 * @param holesAreZeros 1 for a disk that nothing lies below.
 * @param leafShift     A leaf is 2 to this many sectors.
 * @param at            Where the result goes: 96 words, and ten more for each record and another one.
 */
export function tallyRuns(list: usize, count: u32, holesAreZeros: i32, leafShift: u32, at: usize): void {
  out = at;
  runs = 0;
  memory.fill(out, 0, PIECE_LIST);
  pieceAt = out + PIECE_LIST;
  leaf = NO_LEAF;
  leafData = leafZero = leafDamaged = 0;
  let start: u64 = 0;
  let length: u64 = 0;
  let place: i64 = 0;
  let owner: f64 = 0;
  for (let i: u32 = 0; i < count; i++, list += RECORD_BYTES) {
    const nextStart = <u64>load<f64>(list);
    const nextLength = <u64>load<f64>(list, 8);
    let nextPlace = <i64>load<f64>(list, 16);
    const nextOwner = load<f64>(list, 24);
    if (nextPlace == HOLE && holesAreZeros) nextPlace = ZERO;
    if (nextPlace != HOLE) addToLeaves(nextStart, nextLength, nextPlace, leafShift);
    const goesOn = nextPlace < 0
      ? nextPlace == place
      : place >= 0 && nextOwner == owner && nextPlace == place + <i64>length;
    if (length != 0 && goesOn) {
      length += nextLength;
      continue;
    }
    if (length != 0) endRun(start, length, place, owner);
    start = nextStart;
    length = nextLength;
    place = nextPlace;
    owner = nextOwner;
  }
  if (length != 0) {
    writeRecord(out + (runs == 0 ? FIRST : LAST), <f64>start, <f64>length, <f64>place, owner);
    runs++;
  }
  flushLeaf();
  store<f64>(out + RUNS, <f64>runs);
  store<f64>(out + PIECES, <f64>((pieceAt - out - PIECE_LIST) / PIECE_BYTES));
}

/** Counts a run that another one follows. */
// @ts-ignore: decorator
@inline
function endRun(start: u64, length: u64, place: i64, owner: f64): void {
  if (runs++ == 0) {
    writeRecord(out + FIRST, <f64>start, <f64>length, <f64>place, owner);
    return;
  }
  const sectors = <f64>length;
  if (place == HOLE) {
    increase(out + 16, sectors);
    return;
  }
  if (place == DAMAGED) {
    increase(out + DAMAGED_SECTORS, sectors);
    return;
  }
  increase(place == ZERO ? out + 8 : out, sectors);
  increase(out + 24, 1);
  const at = out + (<usize>(63 - clz(length)) << 3);
  increase(at + COUNTS, 1);
  increase(at + SECTORS, sectors);
}

// @ts-ignore: decorator
@inline
function increase(at: usize, by: f64): void {
  store<f64>(at, load<f64>(at) + by);
}

/** Cuts a run at the leaves: a part of one, whole ones, a part of one. */
// @ts-ignore: decorator
@inline
function addToLeaves(start: u64, length: u64, place: i64, shift: u32): void {
  const end = start + length;
  const first = start >> shift;
  if (first != leaf) {
    flushLeaf();
    leaf = first;
  }
  const border = (first + 1) << shift;
  addToLeaf(min(end, border) - start, place);
  if (end < border) return;
  flushLeaf();
  const whole = (end >> shift) - first - 1;
  const span = <f64>(<u64>1 << shift);
  if (whole > 0) {
    writePiece(
      <f64>(first + 1),
      <f64>whole,
      place >= 0 ? span : 0,
      place == ZERO ? span : 0,
      place == DAMAGED ? span : 0,
    );
  }
  const rest = end - ((end >> shift) << shift);
  if (rest == 0 || end == border) return;
  leaf = end >> shift;
  addToLeaf(rest, place);
}

// @ts-ignore: decorator
@inline
function addToLeaf(sectors: u64, place: i64): void {
  if (place >= 0) leafData += sectors;
  else if (place == ZERO) leafZero += sectors;
  else leafDamaged += sectors;
}

function flushLeaf(): void {
  if (leaf != NO_LEAF) writePiece(<f64>leaf, 1, <f64>leafData, <f64>leafZero, <f64>leafDamaged);
  leaf = NO_LEAF;
  leafData = leafZero = leafDamaged = 0;
}

// @ts-ignore: decorator
@inline
function writePiece(first: f64, leaves: f64, data: f64, zero: f64, damaged: f64): void {
  writeRecord(pieceAt, first, leaves, data, zero);
  store<f64>(pieceAt, damaged, 32);
  pieceAt += PIECE_BYTES;
}
