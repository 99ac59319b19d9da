/** What the newest link holds, beside what lies below it: how much of it is a change at all. */
import { MIB, SECTOR_SIZE } from "../../../core-as/host/mod.ts";
import type { ByteRange, Compared, Comparisons } from "../../shared/protocol.ts";
import type { DiskRuns } from "../disk/disk_runs.ts";
import { DATA, LENIENT } from "../disk/runs.ts";

/** Read at a time, of each side. */
const PIECE_SECTORS = 4 * MIB / SECTOR_SIZE;
/** Between two notices. */
const NOTICE_MS = 100;
const SECTOR_WORDS = SECTOR_SIZE / 4;
/** Stretches of each kind that are told. */
const MAX_FIRST = 50;

/** Whole sectors up to `endBytes`, from the byte that counts on. */
interface Range {
  readonly startBytes: number;
  endBytes: number;
}

export class Comparison {
  private readonly upperWords = new Uint32Array(PIECE_SECTORS * SECTOR_WORDS);
  private readonly lowerWords = new Uint32Array(PIECE_SECTORS * SECTOR_WORDS);
  private compared = 0;
  private identical = 0;
  private zero = 0;
  private toldMs = 0;
  private readonly first: Record<Comparisons, Range[]> = { changed: [], identical: [], zero: [] };

  /**
   * @param upper The newest link.
   * @param lower All below it.
   */
  constructor(
    private readonly upper: DiskRuns,
    private readonly lower: DiskRuns,
    private readonly tell: (compared: Compared) => void,
  ) {}

  /** @returns the result, or what there is of it when `goOn` became false. */
  async run(goOn: () => boolean): Promise<Compared> {
    const { upper } = this;
    for (let from = 0; from < upper.capacitySectors && goOn();) {
      const pieces: { start: number; length: number }[] = [];
      from = await upper.step(from, upper.capacitySectors, LENIENT, ({ kind, start, length }) => {
        if (kind !== DATA) return;
        const last = pieces.at(-1);
        if (last && last.start + last.length === start) last.length += length;
        else pieces.push({ start, length });
      });
      for (const { start, length } of pieces) {
        const end = start + length;
        for (let at = start; at < end && goOn(); at += PIECE_SECTORS) {
          await this.piece(at, Math.min(PIECE_SECTORS, end - at));
        }
      }
    }
    return this.state(goOn());
  }

  private async piece(sector: number, sectors: number): Promise<void> {
    const bytesOf = (words: Uint32Array<ArrayBuffer>) =>
      new Uint8Array(words.buffer, 0, sectors * SECTOR_SIZE);
    await this.upper.read(sector * SECTOR_SIZE, bytesOf(this.upperWords));
    await this.readLower(sector, bytesOf(this.lowerWords));
    for (let i = 0; i < sectors; i++) this.sector(i * SECTOR_WORDS, (sector + i) * SECTOR_SIZE);
    this.compared += sectors;
    const now = performance.now();
    if (now - this.toldMs < NOTICE_MS) return;
    this.toldMs = now;
    this.tell(this.state(false));
  }

  /** The base may be smaller than a disk that was grown. */
  private async readLower(sector: number, bytes: Uint8Array): Promise<void> {
    const present = Math.max(0, Math.min(bytes.length, (this.lower.capacitySectors - sector) * SECTOR_SIZE));
    bytes.fill(0, present);
    if (present > 0) await this.lower.read(sector * SECTOR_SIZE, bytes.subarray(0, present));
  }

  private sector(word: number, offsetBytes: number): void {
    const { upperWords: upper, lowerWords: lower } = this;
    const end = word + SECTOR_WORDS;
    let at = word;
    while (at < end && upper[at] === lower[at]) at++;
    if (at === end) {
      this.identical++;
      note(this.first.identical, offsetBytes, offsetBytes);
    } else {
      // The lowest bits of a word are its first byte.
      const bits = (upper[at]! ^ lower[at]!) >>> 0;
      const within = (31 - Math.clz32(bits & -bits)) >> 3;
      note(this.first.changed, offsetBytes + (at - word) * 4 + within, offsetBytes);
    }
    at = word;
    while (at < end && upper[at] === 0) at++;
    if (at < end) return;
    this.zero++;
    note(this.first.zero, offsetBytes, offsetBytes);
  }

  private state(finished: boolean): Compared {
    return {
      comparedBytes: this.compared * SECTOR_SIZE,
      identicalBytes: this.identical * SECTOR_SIZE,
      zeroBytes: this.zero * SECTOR_SIZE,
      changedBytes: (this.compared - this.identical) * SECTOR_SIZE,
      first: {
        changed: this.first.changed.map(told),
        identical: this.first.identical.map(told),
        zero: this.first.zero.map(told),
      },
      finished,
    };
  }
}

/** Adds a sector to the last stretch, when it follows on it, or begins another while there is room. */
function note(ranges: Range[], startBytes: number, sectorBytes: number): void {
  const last = ranges.at(-1);
  if (last?.endBytes === sectorBytes) last.endBytes += SECTOR_SIZE;
  else if (ranges.length < MAX_FIRST) ranges.push({ startBytes, endBytes: sectorBytes + SECTOR_SIZE });
}

function told({ startBytes, endBytes }: Range): ByteRange {
  return { startBytes, lengthBytes: endBytes - startBytes };
}
