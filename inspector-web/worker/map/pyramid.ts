/**
 * Sums over the disk, halved in resolution from level to level: a map of any scale costs what it shows, and the next
 * change is found by going down.
 */
import { DAMAGED, DATA, HOLE, type PlacedRun, ZERO } from "../disk/runs.ts";

const MAX_LEAVES = 2 ** 20;

/** Sectors of a stretch with data, with zeros, and damaged. */
export interface Sum {
  data: number;
  zero: number;
  damaged: number;
}

export class Pyramid {
  /** Sectors of a leaf: 2 to the power of `leafShift`. */
  readonly spanSectors: number;
  readonly leafShift: number;
  readonly leafCount: number;
  /** Sectors with data, with zeros and damaged, per leaf: a leaf is far below 2^32. */
  private readonly data: Uint32Array;
  private readonly zero: Uint32Array;
  private readonly damaged: Uint32Array;
  /** Sectors with any of them, per node; level 1 is the first. Doubles, since the sums outgrow 32 bits. */
  private readonly levels: Float64Array[] = [];
  private touchedFrom = Infinity;
  private touchedTo = 0;

  constructor(readonly capacitySectors: number) {
    let span = 1;
    while (capacitySectors / span > MAX_LEAVES) span *= 2;
    this.spanSectors = span;
    this.leafShift = Math.log2(span);
    this.leafCount = Math.max(1, Math.ceil(capacitySectors / span));
    this.data = new Uint32Array(this.leafCount);
    this.zero = new Uint32Array(this.leafCount);
    this.damaged = new Uint32Array(this.leafCount);
    for (let count = this.leafCount; count > 1;) {
      count = Math.ceil(count / 2);
      this.levels.push(new Float64Array(count));
    }
  }

  /** First sector of the leaf that holds a sector. */
  leafStart(sector: number): number {
    return Math.floor(sector / this.spanSectors) * this.spanSectors;
  }

  /** Adds a run; sums above the leaves are right after `settle`. */
  add(run: PlacedRun): void {
    if (run.kind === HOLE) return;
    const leaves = run.kind === DATA ? this.data : run.kind === DAMAGED ? this.damaged : this.zero;
    const span = this.spanSectors;
    const end = run.start + run.length;
    let leaf = Math.floor(run.start / span);
    this.touchedFrom = Math.min(this.touchedFrom, leaf);
    for (let from = run.start; from < end; leaf++) {
      const to = Math.min(end, (leaf + 1) * span);
      leaves[leaf]! += to - from;
      from = to;
    }
    this.touchedTo = Math.max(this.touchedTo, leaf);
  }

  /** Adds the same to each of some leaves, as a kernel has summed it. */
  addToLeaves(first: number, leaves: number, data: number, zero: number, damaged: number): void {
    const end = first + leaves;
    for (let leaf = first; leaf < end; leaf++) {
      this.data[leaf]! += data;
      this.zero[leaf]! += zero;
      this.damaged[leaf]! += damaged;
    }
    this.touchedFrom = Math.min(this.touchedFrom, first);
    this.touchedTo = Math.max(this.touchedTo, end);
  }

  /** Brings the upper levels up to date. */
  settle(): void {
    let [from, to] = [this.touchedFrom, this.touchedTo];
    if (from >= to) return;
    for (let level = 0; level < this.levels.length; level++) {
      const nodes = this.levels[level]!;
      from = Math.floor(from / 2);
      to = Math.ceil(to / 2);
      for (let i = from; i < to; i++) nodes[i] = this.node(level, i * 2) + this.node(level, i * 2 + 1);
    }
    this.touchedFrom = Infinity;
    this.touchedTo = 0;
  }

  /** All sectors with data or zeros, and damaged ones. */
  get total(): number {
    return this.node(this.levels.length, 0);
  }

  /**
   * Sectors with data, with zeros and damaged in `[from, to)`. A leaf that the border cuts is divided by its share, so
   * that sums are kept and nothing that is there becomes nothing.
   */
  sum(from: number, to: number, into: Sum): void {
    into.data = 0;
    into.zero = 0;
    into.damaged = 0;
    const span = this.spanSectors;
    const end = Math.min(to, this.capacitySectors);
    for (let leaf = Math.floor(from / span); leaf * span < end; leaf++) {
      const start = leaf * span;
      const length = Math.min(span, this.capacitySectors - start);
      const share = (Math.min(end, start + length) - Math.max(from, start)) / length;
      into.data += this.data[leaf]! * share;
      into.zero += this.zero[leaf]! * share;
      into.damaged += this.damaged[leaf]! * share;
    }
  }

  /** The kind of all sectors of a leaf, or undefined where they differ. */
  kindOf(leaf: number): number | undefined {
    const sectors = Math.min(this.spanSectors, this.capacitySectors - leaf * this.spanSectors);
    const [data, zero, damaged] = [this.data[leaf]!, this.zero[leaf]!, this.damaged[leaf]!];
    if (data === sectors) return DATA;
    if (zero === sectors) return ZERO;
    if (damaged === sectors) return DAMAGED;
    return data === 0 && zero === 0 && damaged === 0 ? HOLE : undefined;
  }

  /** As `sum`, in an object of its own. */
  sumOf({ from, to }: { readonly from: number; readonly to: number }): Sum {
    const sum = { data: 0, zero: 0, damaged: 0 };
    if (to > from) this.sum(from, to, sum);
    return sum;
  }

  /** First leaf at or behind one that holds anything; undefined when there is none. */
  nextLeaf(leaf: number): number | undefined {
    return this.search(leaf, 1);
  }

  /** Last leaf at or before one that holds anything. */
  previousLeaf(leaf: number): number | undefined {
    return this.search(leaf, -1);
  }

  /** Goes up until a neighbour on the way holds something, and down into it. */
  private search(leaf: number, way: 1 | -1): number | undefined {
    let level = 0;
    for (let index = leaf;;) {
      const count = level === 0 ? this.leafCount : this.levels[level - 1]!.length;
      if (index < 0 || index >= count) return undefined;
      if (this.node(level, index) > 0) return this.descend(level, index, way);
      const isLastChild = way === 1 ? index % 2 === 1 : index % 2 === 0;
      if (isLastChild && level < this.levels.length) {
        // Its whole parent lies behind: go on beside that.
        index = Math.floor(index / 2) + way;
        level++;
      } else index += way;
    }
  }

  private descend(level: number, index: number, way: 1 | -1): number {
    for (let at = index, l = level;; l--) {
      if (l === 0) return at;
      const first = way === 1 ? at * 2 : at * 2 + 1;
      at = this.node(l - 1, first) > 0 ? first : first + way;
    }
  }

  private node(level: number, index: number): number {
    if (level === 0) return (this.data[index] ?? 0) + (this.zero[index] ?? 0) + (this.damaged[index] ?? 0);
    return this.levels[level - 1]![index] ?? 0;
  }
}
