/**
 * Sums of a run list, typed: what `assembly/tally.ts` writes, read without copying.
 *
 * This module is browser compatible.
 */
import type { Core, RunList } from "../wasm.ts";

/** Powers of two that lengths are told apart by: 62 TiB are fewer than 2^37 sectors. */
export const LENGTH_CLASSES = 38;
/** Records summed at a time: for that many the kernel's pieces fit into the room that is lent. */
export const TALLY_RECORDS = 13_000;

/** Where the kernel puts what, in f64 words. */
const COUNTS = 4;
const SECTORS = COUNTS + LENGTH_CLASSES;
const FIRST = 80;
const LAST = 84;
const RUNS = 88;
const PIECES = 89;
const DAMAGED = 90;
const PIECE_LIST = 96;
const PIECE_WORDS = 5;
const RECORD_WORDS = 4;
const RECORD_BYTES = RECORD_WORDS * 8;

/** A run as records have it. */
export interface TallyRun {
  readonly start: number;
  readonly length: number;
  readonly place: number;
  readonly owner: number;
}

/** The sums of a part of a list, valid until the next one is summed. */
export class RunTally {
  private readonly words: Float64Array;

  constructor(private readonly core: Core) {
    const { buffer, byteOffset, byteLength } = core.spare;
    this.words = new Float64Array(buffer, byteOffset, byteLength / 8);
  }

  /**
   * Sums at most {@link TALLY_RECORDS} records of a list.
   *
   * @param leafShift Leaves are 2 to this many sectors.
   */
  sum(
    list: RunList,
    part: { readonly from: number; readonly count: number },
    options: { readonly holesAreZeros: boolean; readonly leafShift: number },
  ): void {
    if (part.count > TALLY_RECORDS) throw new Error("more records than can be summed at once");
    const { kernels, spareAddress } = this.core;
    const address = list.address + part.from * RECORD_BYTES;
    kernels.tallyRuns(address, part.count, options.holesAreZeros ? 1 : 0, options.leafShift, spareAddress);
  }

  /** All runs, the two outermost too. */
  get runCount(): number {
    return this.words[RUNS]!;
  }
  get first(): TallyRun {
    return this.record(FIRST);
  }
  /** Meaningful when there are two runs or more. */
  get last(): TallyRun {
    return this.record(LAST);
  }

  /** Sectors between the first run and the last, and their runs of data and zeros. */
  get dataSectors(): number {
    return this.words[0]!;
  }
  get zeroSectors(): number {
    return this.words[1]!;
  }
  get holeSectors(): number {
    return this.words[2]!;
  }
  get damagedSectors(): number {
    return this.words[DAMAGED]!;
  }
  get innerRuns(): number {
    return this.words[3]!;
  }
  /** How many of those runs have 2^index sectors or more, and fewer than twice that. */
  countOf(index: number): number {
    return this.words[COUNTS + index]!;
  }
  sectorsOf(index: number): number {
    return this.words[SECTORS + index]!;
  }

  /** Hands on what each leaf has, all runs counted; a leaf may come more than once. */
  forEachPiece(
    visit: (leaf: number, leaves: number, data: number, zero: number, damaged: number) => void,
  ): void {
    const end = PIECE_LIST + this.words[PIECES]! * PIECE_WORDS;
    for (let at = PIECE_LIST; at < end; at += PIECE_WORDS) {
      const { words } = this;
      visit(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!, words[at + 4]!);
    }
  }

  private record(at: number): TallyRun {
    const { words } = this;
    return { start: words[at]!, length: words[at + 1]!, place: words[at + 2]!, owner: words[at + 3]! };
  }
}
