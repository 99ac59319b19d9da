/**
 * What is expected of the file that passes by: its pieces in the order of the file, wherever on the disk they belong.
 *
 * Grain tables list their grains in the order of the disk; here they are turned round. Each table's list is sorted
 * and becomes a level; levels of similar size are merged, so that there are few of them however many tables come,
 * and every piece is moved a logarithmic number of times. Pieces that continue each other in the file and on the
 * disk become one.
 *
 * More of them than memory is kept for go, sorted, where there is room, and come back a page at a time.
 *
 * This module is browser compatible.
 */
import type { MaybePromise } from "../source.ts";
import type { Scratch } from "./kept.ts";
import { append, emptyLevel, type Level, PIECE_BYTES, spillLevel } from "./level.ts";

/** Pieces held in memory, 20 bytes each and twice that while levels are merged: 96 MiB. */
export const MAX_WAITING = 2_500_000;
/** Pieces sorted at a time; 2^15 of them beside a sector below 2^38 fit the 53 bits of a key. */
const BATCH_PIECES = 32_768;

export class StretchQueue {
  /** File sector of the next piece. */
  place = 0;
  /** Its length in sectors. */
  length = 0;
  /** Its first sector on the disk; below 0 for the grain table number `-1 - target`. */
  target = 0;
  /** In memory; sizes descend. */
  private readonly levels: Level[] = [];
  /** Those of which one page is in memory. */
  private readonly spilled: Level[] = [];
  private spilledBytes = 0;
  private next: Level | undefined;
  private waiting = 0;
  private readonly batch = { place: new Float64Array(BATCH_PIECES), length: new Uint32Array(BATCH_PIECES) };
  private readonly batchTarget = new Float64Array(BATCH_PIECES);
  private batchCount = 0;
  private batchSorted = true;

  /**
   * @param scratch Room of this queue's own.
   * @param maxWaiting Pieces held in memory.
   */
  constructor(private readonly scratch: Scratch, private readonly maxWaiting = MAX_WAITING) {}

  /** False when nothing is expected any more. */
  get hasNext(): boolean {
    return this.next !== undefined;
  }

  /** Adds a piece; `commit` makes it count. Where it answers, that has to be awaited. */
  add(place: number, length: number, target: number): MaybePromise<void> {
    const { batch, batchTarget } = this;
    const last = this.batchCount - 1;
    if (last >= 0) {
      const end = batch.place[last]! + batch.length[last]!;
      if (place === end && target >= 0 && target === batchTarget[last]! + batch.length[last]!) {
        batch.length[last]! += length;
        return;
      }
      if (place < batch.place[last]!) this.batchSorted = false;
    }
    const full = this.batchCount === BATCH_PIECES ? this.commit() : undefined;
    batch.place[this.batchCount] = place;
    batch.length[this.batchCount] = length;
    batchTarget[this.batchCount++] = target;
    return full;
  }

  commit(): MaybePromise<void> {
    if (this.batchCount === 0) return;
    this.push(this.batchSorted ? this.batchAsLevel() : this.sortedBatch());
    this.batchCount = 0;
    this.batchSorted = true;
    if (this.waiting > this.maxWaiting) return this.spill();
    this.pickNext();
  }

  /** Takes `sectors` off the front of the next piece. Where it answers, that has to be awaited. */
  consume(sectors: number): MaybePromise<void> {
    const level = this.next!;
    if (sectors < this.length) {
      this.place += sectors;
      this.length -= sectors;
      this.target += sectors;
      level.place[level.head] = this.place;
      level.length[level.head] = this.length;
      level.target[level.head] = this.target;
      return;
    }
    level.head++;
    if (!level.isSpilled) this.waiting--;
    if (level.head === level.count) {
      if (level.more) return this.nextPage(level);
      this.drop(level);
    }
    this.pickNext();
  }

  private async nextPage(level: Level): Promise<void> {
    await level.more!();
    if (level.head === level.count) this.drop(level);
    this.pickNext();
  }

  private drop(level: Level): void {
    const levels = level.isSpilled ? this.spilled : this.levels;
    levels.splice(levels.indexOf(level), 1);
  }

  /** Puts everything that is in memory where there is room. */
  private async spill(): Promise<void> {
    let all = this.levels.pop()!;
    while (this.levels.length > 0) all = this.merge(this.levels.pop()!, all);
    const pieces = all.count - all.head;
    this.spilled.push(await spillLevel(all, this.scratch, this.spilledBytes));
    this.spilledBytes += pieces * PIECE_BYTES;
    this.waiting = 0;
    this.pickNext();
  }

  private batchAsLevel(): Level {
    const count = this.batchCount;
    return {
      place: this.batch.place.slice(0, count),
      length: this.batch.length.slice(0, count),
      target: this.batchTarget.slice(0, count),
      head: 0,
      count,
      isSpilled: false,
    };
  }

  private sortedBatch(): Level {
    const { batch, batchTarget, batchCount } = this;
    const keys = new Float64Array(batchCount);
    for (let i = 0; i < batchCount; i++) keys[i] = batch.place[i]! * BATCH_PIECES + i;
    keys.sort();
    const level = emptyLevel(batchCount);
    for (const key of keys) {
      const i = key % BATCH_PIECES;
      append(level, batch.place[i]!, batch.length[i]!, batchTarget[i]!);
    }
    return level;
  }

  private push(level: Level): void {
    this.waiting += level.count;
    this.levels.push(level);
    for (let i = this.levels.length - 2; i >= 0; i--) {
      const [a, b] = [this.levels[i]!, this.levels[i + 1]!];
      if (a.count - a.head > 2 * (b.count - b.head)) break;
      this.levels.length = i;
      this.levels.push(this.merge(a, b));
    }
  }

  private merge(a: Level, b: Level): Level {
    const out = emptyLevel(a.count - a.head + b.count - b.head);
    let i = a.head;
    let j = b.head;
    while (i < a.count || j < b.count) {
      const fromA = j === b.count || (i < a.count && a.place[i]! <= b.place[j]!);
      const from = fromA ? a : b;
      const k = fromA ? i++ : j++;
      append(out, from.place[k]!, from.length[k]!, from.target[k]!);
    }
    this.waiting += out.count - (a.count - a.head) - (b.count - b.head);
    return out;
  }

  private pickNext(): void {
    let best: Level | undefined;
    for (const level of this.levels) {
      if (!best || level.place[level.head]! < best.place[best.head]!) best = level;
    }
    for (const level of this.spilled) {
      if (!best || level.place[level.head]! < best.place[best.head]!) best = level;
    }
    this.next = best;
    if (!best) return;
    this.place = best.place[best.head]!;
    this.length = best.length[best.head]!;
    this.target = best.target[best.head]!;
  }
}
