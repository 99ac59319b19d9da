/**
 * Totals of a walk that goes over the disk in any order: stretches that were walked are joined where they meet, and a
 * run that goes on over such a border counts once, as in `regrain map`.
 */
import { SECTOR_SIZE } from "../../../core-as/host/mod.ts";
import { LENGTH_CLASSES, type RunTally } from "../../../core-as/host/disk/run_tally.ts";
import type { Histogram, Totals } from "../../shared/protocol.ts";
import { continues, DAMAGED, DATA, HOLE, type PlacedRun } from "../disk/runs.ts";

/** A stretch that was walked. Its outermost runs may go on, so they are not counted yet. */
interface Stretch {
  from: number;
  to: number;
  head: PlacedRun | undefined;
  /** Undefined while all of the stretch is one run. */
  tail: PlacedRun | undefined;
}

/** Counts of runs that have ended. */
class Counts {
  readonly counts = new Array<number>(LENGTH_CLASSES).fill(0);
  readonly sectors = new Array<number>(LENGTH_CLASSES).fill(0);
  data = 0;
  zero = 0;
  hole = 0;
  damaged = 0;
  runs = 0;

  add(run: PlacedRun): void {
    if (run.kind === HOLE) {
      this.hole += run.length;
      return;
    }
    if (run.kind === DAMAGED) {
      this.damaged += run.length;
      return;
    }
    if (run.kind === DATA) this.data += run.length;
    else this.zero += run.length;
    this.runs++;
    const index = run.length < 2 ** 31 ? 31 - Math.clz32(run.length) : Math.floor(Math.log2(run.length));
    this.counts[index]!++;
    this.sectors[index]! += run.length;
  }

  /** Adds what lies between the first run and the last of a list. */
  addInner(tally: RunTally): void {
    this.data += tally.dataSectors;
    this.zero += tally.zeroSectors;
    this.hole += tally.holeSectors;
    this.damaged += tally.damagedSectors;
    this.runs += tally.innerRuns;
    for (let i = 0; i < LENGTH_CLASSES; i++) {
      this.counts[i]! += tally.countOf(i);
      this.sectors[i]! += tally.sectorsOf(i);
    }
  }

  copy(): Counts {
    const copy = new Counts();
    const { data, zero, hole, damaged, runs } = this;
    Object.assign(copy, { data, zero, hole, damaged, runs });
    this.counts.forEach((count, i) => copy.counts[i] = count);
    this.sectors.forEach((count, i) => copy.sectors[i] = count);
    return copy;
  }
}

/** Field by field: with tens of millions of runs `Object.assign` took more than half of a scan. */
function copyRun(from: PlacedRun, to: PlacedRun): void {
  to.start = from.start;
  to.length = from.length;
  to.kind = from.kind;
  to.file = from.file;
  to.place = from.place;
  to.link = from.link;
}

export class Tally {
  private readonly closed = new Counts();
  private stretches: Stretch[] = [];
  private current: Stretch | undefined;

  constructor(private readonly capacitySectors: number) {}

  /** Sectors that were walked. */
  get doneSectors(): number {
    return this.stretches.reduce((sum, { from, to }) => sum + to - from, 0);
  }

  get finished(): boolean {
    return this.doneSectors === this.capacitySectors;
  }

  /** Begins a stretch at a sector that was not walked yet. */
  begin(sector: number): void {
    const before = this.stretches.find(({ to }) => to === sector);
    this.current = before ?? { from: sector, to: sector, head: undefined, tail: undefined };
    if (before) return;
    this.stretches.push(this.current);
    this.stretches.sort((a, b) => a.from - b.from);
  }

  add(run: PlacedRun): void {
    const stretch = this.current;
    if (!stretch) throw new Error("no stretch was begun");
    stretch.to = run.start + run.length;
    const last = stretch.tail ?? stretch.head;
    if (!last) stretch.head = { ...run };
    else if (continues(last, run)) last.length += run.length;
    else if (!stretch.tail) stretch.tail = { ...run };
    else {
      this.closed.add(stretch.tail);
      copyRun(run, stretch.tail);
    }
  }

  /** Adds runs that a kernel has summed: the first, what is between them, and the last, where there are two. */
  addSummed(first: PlacedRun, inner: RunTally, last: PlacedRun | undefined): void {
    this.add(first);
    const stretch = this.current;
    if (!stretch || !last) return;
    this.closed.addInner(inner);
    // Never one with the run before it, even where it looks so: what lies between them was summed, not seen.
    if (stretch.tail) this.closed.add(stretch.tail);
    stretch.tail = { ...last };
    stretch.to = last.start + last.length;
  }

  /** Joins the stretch that grew with the one that it has reached. */
  end(): void {
    const stretch = this.current;
    this.current = undefined;
    if (stretch && stretch.to === stretch.from) {
      this.stretches = this.stretches.filter((each) => each !== stretch);
    }
    const next = stretch && this.stretches.find((other) => other !== stretch && other.from === stretch.to);
    if (stretch && next) this.join(stretch, next);
  }

  /** First stretch at or behind a sector that was not walked, up to where; from the front again when there is none. */
  gapFrom(sector: number): { from: number; to: number } | undefined {
    const gaps: { from: number; to: number }[] = [];
    let at = 0;
    for (const { from, to } of this.stretches) {
      if (from > at) gaps.push({ from: at, to: from });
      at = to;
    }
    if (at < this.capacitySectors) gaps.push({ from: at, to: this.capacitySectors });
    const here = gaps.find(({ to }) => to > sector);
    return here ? { from: Math.max(here.from, sector), to: here.to } : gaps[0];
  }

  /** 2 when all of `[from, to)` was walked, 1 when a part of it was, 0 otherwise. */
  known(from: number, to: number): 0 | 1 | 2 {
    let [low, high] = [0, this.stretches.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.stretches[middle]!.to <= from) low = middle + 1;
      else high = middle;
    }
    const stretch = this.stretches[low];
    if (!stretch || stretch.from >= to) return 0;
    return stretch.from <= from && stretch.to >= to ? 2 : 1;
  }

  report(): { totals: Totals; histogram: Histogram } {
    const all = this.closed.copy();
    for (const { head, tail } of this.stretches) {
      if (head) all.add(head);
      if (tail) all.add(tail);
    }
    return {
      totals: {
        dataBytes: all.data * SECTOR_SIZE,
        zeroBytes: all.zero * SECTOR_SIZE,
        holeBytes: all.hole * SECTOR_SIZE,
        damagedBytes: all.damaged * SECTOR_SIZE,
        runCount: all.runs,
      },
      histogram: { counts: all.counts, bytes: all.sectors.map((count) => count * SECTOR_SIZE) },
    };
  }

  private join(stretch: Stretch, next: Stretch): void {
    this.stretches = this.stretches.filter((each) => each !== next);
    stretch.to = next.to;
    const { head, tail } = next;
    const last = stretch.tail ?? stretch.head;
    if (!head || !last) return;
    if (!continues(last, head)) {
      if (stretch.tail) this.closed.add(stretch.tail);
      if (tail) this.closed.add(head);
      stretch.tail = tail ?? head;
      return;
    }
    last.length += head.length;
    if (!tail) return;
    if (stretch.tail) this.closed.add(stretch.tail);
    stretch.tail = tail;
  }
}
