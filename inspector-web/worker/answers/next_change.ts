/**
 * The next or previous change of a view: the first byte of a stretch of sectors that differ from the parent's. Data
 * that a delta holds and that equals the parent's is no change, and neither are zeros over zeros.
 *
 * Where the parent is not here, or not all of it, everything that the delta holds there counts as a change.
 */
import { MIB, SECTOR_SIZE } from "../../../core-as/host/mod.ts";
import { breathe } from "../disk/lock.ts";
import type { DiskRuns } from "../disk/disk_runs.ts";
import { HOLE, LENIENT, type PlacedRun, ZERO } from "../disk/runs.ts";

/** Compared at a time, of each side. */
const PIECE_SECTORS = 4 * MIB / SECTOR_SIZE;
/** Runs of the view are listed for this much of the disk at a time. */
const SPAN_SECTORS = 1024 * MIB / SECTOR_SIZE;
/** Owners of a sector that no link holds, and of one that is damaged; see `DiskRuns.read`. */
const NO_OWNER = -2;
const DAMAGED_OWNER = -3;
/** Of a sector that equals the parent's. */
const SAME = -1;

/** What is known to hold nothing, so that no table of it is read. */
export interface Skips {
  /** The first sector at or after this one that may hold something. */
  forwards(sector: number): number;
  /** The end of the last stretch before this sector that may hold something. */
  backwards(sector: number): number;
}

/** Sectors that were compared: per sector the first byte that differs, or {@link SAME}. */
interface Piece {
  readonly from: number;
  readonly first: Int16Array;
}

/** A stretch of changes: its first sector, and the byte in it that differs first. */
interface Change {
  readonly sector: number;
  readonly byte: number;
}

export class ChangeFinder {
  /**
   * @param upper  The view.
   * @param lower  All below it.
   * @param goOn   False when nobody waits for the answer any more.
   */
  constructor(
    private readonly upper: DiskRuns,
    private readonly lower: DiskRuns,
    private readonly skips: Skips,
    private readonly goOn: () => boolean,
  ) {}

  /** The first change after a byte of the disk; undefined where there is none, or nobody waits. */
  async next(fromBytes: number): Promise<number | undefined> {
    const here = Math.floor(fromBytes / SECTOR_SIZE);
    /** True while the sectors that were passed belong to the change at the start. */
    let isInside = false;
    for (let at = here; at < this.upper.capacitySectors && await this.mayGoOn();) {
      const held = await this.heldFrom(at);
      if (held === undefined) return undefined;
      if (held > at) isInside = false;
      const { from, first } = await this.compare(
        held,
        Math.min(held + PIECE_SECTORS, this.upper.capacitySectors),
      );
      for (let i = 0; i < first.length; i++) {
        const byte = first[i]!;
        const place = (from + i) * SECTOR_SIZE + byte;
        if (byte === SAME) isInside = false;
        else if (place > fromBytes && !isInside) return place;
        else isInside = true;
      }
      at = from + first.length;
    }
    return undefined;
  }

  /** The last change that begins before a byte of the disk. */
  async previous(fromBytes: number): Promise<number | undefined> {
    let change: Change | undefined;
    const answer = () => change && change.sector * SECTOR_SIZE + change.byte;
    const isBefore = () => change !== undefined && answer()! < fromBytes;
    for (let to = Math.min(this.upper.capacitySectors, Math.floor(fromBytes / SECTOR_SIZE) + 1); to > 0;) {
      if (!(await this.mayGoOn())) return undefined;
      const end = await this.heldUntil(to);
      if (end < to) {
        if (isBefore()) return answer();
        change = undefined;
      }
      if (end === 0) return undefined;
      const { from, first } = await this.compare(Math.max(0, end - PIECE_SECTORS), end);
      for (let i = first.length - 1; i >= 0; i--) {
        if (first[i] !== SAME) change = { sector: from + i, byte: first[i]! };
        else if (isBefore()) return answer();
        else change = undefined;
      }
      to = from;
    }
    return isBefore() ? answer() : undefined;
  }

  private async mayGoOn(): Promise<boolean> {
    await breathe();
    return this.goOn();
  }

  /** The first sector at or after one that may be changed: not in a hole, and no zeros over zeros. */
  private async heldFrom(sector: number): Promise<number | undefined> {
    const { upper } = this;
    for (let at = sector; at < upper.capacitySectors && await this.mayGoOn();) {
      at = this.skips.forwards(at);
      let held: PlacedRun | undefined;
      const to = Math.min(upper.capacitySectors, at + SPAN_SECTORS);
      if (to <= at) return undefined;
      const reached = await upper.step(at, to, LENIENT, (run) => {
        if (!held && run.kind !== HOLE) held = { ...run };
      });
      if (!held) at = reached;
      else if (held.kind !== ZERO) return held.start;
      else {
        const zeros = await this.zerosFrom(held.start, held.start + held.length);
        if (zeros === held.start) return held.start;
        at = zeros;
      }
    }
    return undefined;
  }

  /** Where zeros of the parent end that begin at a sector. */
  private async zerosFrom(sector: number, to: number): Promise<number> {
    const end = Math.min(to, this.lower.capacitySectors);
    // Past its end the parent reads as zeros.
    if (sector >= end) return to;
    let zeros = sector;
    await this.lower.step(sector, end, LENIENT, ({ kind, start, length }) => {
      if (kind === ZERO && start === zeros) zeros = start + length;
    });
    return zeros;
  }

  /** The end of the last stretch before a sector that may be changed; 0 when there is none. */
  private async heldUntil(sector: number): Promise<number> {
    for (let to = sector, span = PIECE_SECTORS; to > 0 && await this.mayGoOn(); span *= 2) {
      to = this.skips.backwards(to);
      const from = Math.max(0, to - Math.min(span, SPAN_SECTORS));
      let held = 0;
      for (let at = from; at < to;) {
        at = await this.upper.step(at, to, LENIENT, ({ kind, start, length }) => {
          if (kind !== HOLE) held = start + length;
        });
      }
      if (held > 0) return held;
      to = from;
    }
    return 0;
  }

  /** Compares all that the view holds of `[from, to)`. */
  private async compare(from: number, to: number): Promise<Piece> {
    const bytes = (to - from) * SECTOR_SIZE;
    const [upper, lower] = [new Uint8Array(bytes), new Uint8Array(bytes)];
    const [upperOwners, lowerOwners] = [new Int16Array(to - from), new Int16Array(to - from)];
    await this.upper.read(from * SECTOR_SIZE, upper, upperOwners);
    const below = Math.min(to, this.lower.capacitySectors) - from;
    if (below > 0) {
      const part = lower.subarray(0, below * SECTOR_SIZE);
      await this.lower.read(from * SECTOR_SIZE, part, lowerOwners.subarray(0, below));
    }
    const first = new Int16Array(to - from).fill(SAME);
    const [words, parents] = [new Uint32Array(upper.buffer), new Uint32Array(lower.buffer)];
    for (let i = 0; i < first.length; i++) {
      // Of what is damaged nobody knows whether it is a change; of what the parent has nobody knows what was there.
      if (upperOwners[i]! <= NO_OWNER) continue;
      const isUnknown = lowerOwners[i]! === NO_OWNER || lowerOwners[i] === DAMAGED_OWNER;
      first[i] = isUnknown ? 0 : firstDifference(words, parents, i);
    }
    return { from, first };
  }
}

/** The first byte of a sector in which two buffers differ, or {@link SAME}. */
function firstDifference(upper: Uint32Array, lower: Uint32Array, sector: number): number {
  const start = sector * (SECTOR_SIZE / 4);
  const end = start + SECTOR_SIZE / 4;
  let at = start;
  while (at < end && upper[at] === lower[at]) at++;
  if (at === end) return SAME;
  // The lowest bits of a word are its first byte.
  const bits = (upper[at]! ^ lower[at]!) >>> 0;
  return (at - start) * 4 + ((31 - Math.clz32(bits & -bits)) >> 3);
}
