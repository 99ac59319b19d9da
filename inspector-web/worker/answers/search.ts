/**
 * Finds bytes in the data of a disk, piece by piece.
 *
 * Data that lies side by side is searched as one, whoever holds it; what holes and zeros read as is not searched.
 */
import { MIB, RegrainError, SECTOR_SIZE } from "../../../core-as/host/mod.ts";
import type { Answers, Searched } from "../../shared/protocol.ts";
import { breathe } from "../disk/lock.ts";
import type { DiskRuns } from "../disk/disk_runs.ts";
import { DATA, LENIENT } from "../disk/runs.ts";

/** No pattern is longer. */
const MAX_PATTERN_BYTES = 1024;
/** Read at a time. */
const PIECE_SECTORS = 2 * MIB / SECTOR_SIZE;
/** Between two notices. */
const NOTICE_MS = 100;

/** A place in a buffer, and the length of the pattern that stands there. */
interface Hit {
  readonly at: number;
  readonly lengthBytes: number;
}

export class Search {
  private readonly overlapBytes: number;
  private readonly buffer: Uint8Array;
  /** Bytes at the front of the buffer whose matches may go on in what comes next. */
  private kept = 0;
  /** Byte of the disk behind what is in the buffer. */
  private reachedBytes = -1;
  private toldMs = 0;
  private walkedBytes = 0;

  constructor(
    private readonly runs: DiskRuns,
    private readonly patterns: readonly Uint8Array[],
    private readonly tell: (searched: Searched) => void,
  ) {
    const lengths = patterns.map(({ length }) => length);
    if (lengths.length === 0 || Math.min(...lengths) === 0 || Math.max(...lengths) > MAX_PATTERN_BYTES) {
      throw new RegrainError("USAGE", `a search is for 1 to ${MAX_PATTERN_BYTES} bytes`);
    }
    this.overlapBytes = Math.max(...lengths) - 1;
    this.buffer = new Uint8Array(this.overlapBytes + PIECE_SECTORS * SECTOR_SIZE);
  }

  /** Searches from a byte to the end of the disk, and then what lies before it. */
  async run(fromBytes: number, goOn: () => boolean): Promise<Answers["search"]> {
    const end = this.runs.capacitySectors * SECTOR_SIZE;
    const isPlace = Number.isSafeInteger(fromBytes) && fromBytes >= 0;
    const from = isPlace ? Math.min(fromBytes, end) : 0;
    for (const [first, last] of [[from, end], [0, from]] as const) {
      const hit = await this.within(first, last, goOn);
      const stopped = !goOn();
      if (hit || stopped) {
        const foundBytes = stopped ? undefined : hit?.at;
        return { foundBytes, lengthBytes: hit?.lengthBytes ?? 0, wrapped: first !== from, stopped };
      }
    }
    return { foundBytes: undefined, lengthBytes: 0, wrapped: true, stopped: false };
  }

  /** The first match that begins in `[first, last)`, as a byte of the disk. */
  private async within(first: number, last: number, goOn: () => boolean): Promise<Hit | undefined> {
    this.reachedBytes = -1;
    const capacity = this.runs.capacitySectors;
    const before = this.walkedBytes;
    const to = Math.min(capacity, Math.ceil((last + this.overlapBytes) / SECTOR_SIZE));
    const accept = (hit: Hit | undefined) => hit && hit.at >= first && hit.at < last ? hit : undefined;
    for (let at = Math.floor(first / SECTOR_SIZE); at < to && goOn();) {
      const pieces: { start: number; length: number }[] = [];
      at = await this.runs.step(at, to, LENIENT, ({ kind, start, length }) => {
        if (kind === DATA) pieces.push({ start, length });
      });
      for (const { start, length } of pieces) {
        const end = start + length;
        for (let sector = start; sector < end; sector += PIECE_SECTORS) {
          if (!goOn()) return undefined;
          const hit = await this.piece(sector, Math.min(PIECE_SECTORS, end - sector), first);
          if (accept(hit)) return hit;
          this.walkedBytes = before + Math.min(last, sector * SECTOR_SIZE) - first;
          await this.report();
        }
      }
      this.walkedBytes = before + Math.min(last, at * SECTOR_SIZE) - first;
      await this.report();
    }
    return accept(this.flush(first));
  }

  /** Reads what comes next, and looks for matches that begin early enough to be whole in it. */
  private async piece(sector: number, sectors: number, first: number): Promise<Hit | undefined> {
    const startBytes = sector * SECTOR_SIZE;
    const lengthBytes = sectors * SECTOR_SIZE;
    if (startBytes !== this.reachedBytes) {
      const hit = this.flush(first);
      if (hit) return hit;
      this.kept = 0;
    }
    await this.runs.read(startBytes, this.buffer.subarray(this.kept, this.kept + lengthBytes));
    const filled = this.kept + lengthBytes;
    this.reachedBytes = startBytes + lengthBytes;
    const base = this.reachedBytes - filled;
    const sure = Math.max(0, filled - this.overlapBytes);
    const found = this.find(this.buffer.subarray(0, filled), Math.max(0, first - base), sure);
    this.buffer.copyWithin(0, sure, filled);
    this.kept = filled - sure;
    return found && { ...found, at: base + found.at };
  }

  /** Matches in what was kept, when nothing follows it. */
  private flush(first: number): Hit | undefined {
    if (this.reachedBytes < 0) return undefined;
    const base = this.reachedBytes - this.kept;
    const rest = this.buffer.subarray(0, this.kept);
    const found = this.find(rest, Math.max(0, first - base), this.kept);
    return found && { ...found, at: base + found.at };
  }

  /** The first match of any pattern that begins in `[from, to)`. */
  private find(bytes: Uint8Array, from: number, to: number): Hit | undefined {
    let best: Hit | undefined;
    for (const pattern of this.patterns) {
      const at = indexOf(bytes, pattern, from, best?.at ?? to);
      if (at >= 0) best = { at, lengthBytes: pattern.length };
    }
    return best;
  }

  private async report(): Promise<void> {
    const now = performance.now();
    if (now - this.toldMs < NOTICE_MS) return;
    this.toldMs = now;
    this.tell({ doneBytes: this.walkedBytes, totalBytes: this.runs.capacitySectors * SECTOR_SIZE });
    await breathe();
  }
}

/** Where a pattern begins in `[from, to)`; -1 where it does not. */
function indexOf(bytes: Uint8Array, pattern: Uint8Array, from: number, to: number): number {
  // Zeros are everywhere on a disk: a byte that is not zero is found faster.
  const anchor = Math.max(0, pattern.findIndex((byte) => byte !== 0));
  const letter = pattern[anchor]!;
  for (let at = from; at < to;) {
    const found = bytes.indexOf(letter, at + anchor);
    if (found < 0 || found - anchor >= to) return -1;
    at = found - anchor;
    let i = 0;
    while (i < pattern.length && bytes[at + i] === pattern[i]) i++;
    if (i === pattern.length) return at;
    at++;
  }
  return -1;
}
