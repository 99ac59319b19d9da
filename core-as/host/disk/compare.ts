/**
 * Comparing two disks, whatever they are made of.
 *
 * Both walks go on side by side. Where neither disk has data both read as zeros, and nothing is read; what is left is
 * gathered in the two halves of the kernels' buffer, piece after piece, and compared there. So the work follows the
 * data, not the size, and the memory neither.
 *
 * This module is browser compatible.
 */
import { damagedRun, type Disk, type DiskWindow } from "./disk.ts";
import { Batch } from "../source.ts";
import { KIB, SECTOR_SIZE } from "../units.ts";
import { type Core, DAMAGED_PLACE } from "../wasm.ts";

/** Granularity in which differences are counted beside bytes: the block of most file systems. */
export const COMPARE_BLOCK_BYTES = 4 * KIB;

/** The first byte that differs. */
export interface FirstDifference {
  readonly offsetBytes: number;
  /** What the one and what the other has there. */
  readonly values: readonly [number, number];
}

/** What lies in both halves of `core.buffer`: where it stands on the disk, and where in each half. */
export interface Piece {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly at: number;
}

/** Differences between the two halves of `core.buffer`, added up piece by piece, in ascending order of the disk. */
export class Differences {
  /** Bytes that differ. */
  bytes = 0;
  /** Blocks of {@link COMPARE_BLOCK_BYTES} with a byte that differs. */
  blocks = 0;
  first: FirstDifference | undefined;
  private lastBlock = -1;

  constructor(private readonly core: Core) {}

  add(piece: Piece): void {
    if (this.count(piece.at, piece.lengthBytes) === 0) return;
    const end = piece.offsetBytes + piece.lengthBytes;
    for (let from = piece.offsetBytes; from < end;) {
      const block = Math.floor(from / COMPARE_BLOCK_BYTES);
      const to = Math.min(end, (block + 1) * COMPARE_BLOCK_BYTES);
      const at = piece.at + from - piece.offsetBytes;
      this.addBlock(block, { offsetBytes: from, lengthBytes: to - from, at });
      from = to;
    }
  }

  /** Pieces may share a block, which counts once. */
  private addBlock(block: number, piece: Piece): void {
    const differing = this.count(piece.at, piece.lengthBytes);
    if (differing === 0) return;
    this.bytes += differing;
    if (block !== this.lastBlock) this.blocks++;
    this.lastBlock = block;
    this.first ??= this.locate(piece);
  }

  private count(at: number, lengthBytes: number): number {
    const address = this.core.bufferAddress + at;
    return this.core.kernels.diffCount(address, address + this.core.buffer.length / 2, lengthBytes);
  }

  private locate({ offsetBytes, at }: Piece): FirstDifference {
    const { buffer } = this.core;
    const half = buffer.length / 2;
    let i = 0;
    while (buffer[at + i] === buffer[half + at + i]) i++;
    return { offsetBytes: offsetBytes + i, values: [buffer[at + i]!, buffer[half + at + i]!] };
  }
}

/** A byte for a person: `0x0a`. */
export function hexByte(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`;
}

/** What a comparison found. */
export interface Comparison {
  /** Bytes compared: those of the larger disk. The smaller one is taken as continued by zeros. */
  readonly comparedBytes: number;
  /** Of these, bytes where at least one disk has data. */
  readonly readBytes: number;
  readonly differingBytes: number;
  /** Blocks of {@link COMPARE_BLOCK_BYTES} that hold a difference. */
  readonly differingBlocks: number;
  readonly first: FirstDifference | undefined;
}

export interface CompareOptions {
  /** Called after every buffer, and where a window ends. */
  readonly onProgress?: (done: { comparedBytes: number; readBytes: number }) => void;
}

/**
 * Compares two disks of one core. Holes that no link fills, zeros, and what lies behind the end of the smaller disk are
 * all the same. Damage is equal to nothing.
 *
 * @throws {RegrainError} what reading either may; `DAMAGED` where nobody knows what one of them has.
 */
export async function compareDisks(a: Disk, b: Disk, options: CompareOptions = {}): Promise<Comparison> {
  if (a.core !== b.core) throw new Error("the two disks do not share their core");
  return await new Comparer(a, b, options).run();
}

class Comparer {
  private readonly core: Core;
  private readonly sides: readonly [Side, Side];
  private readonly endSector: number;
  private readonly halfSectors: number;
  private readonly pieces = new Batch();
  private readonly differences: Differences;
  private filledSectors = 0;
  private readBytes = 0;

  constructor(a: Disk, b: Disk, private readonly options: CompareOptions) {
    this.core = a.core;
    this.sides = [new Side(a), new Side(b)];
    this.endSector = Math.max(a.capacitySectors, b.capacitySectors);
    this.halfSectors = this.core.buffer.length / 2 / SECTOR_SIZE;
    this.differences = new Differences(this.core);
  }

  async run(): Promise<Comparison> {
    const [a, b] = this.sides;
    for (let from = 0; from < this.endSector;) {
      await a.reach(from);
      await b.reach(from);
      const to = Math.min(a.reachedSector, b.reachedSector, this.endSector);
      await this.take(from, to);
      from = to;
      this.report(from);
    }
    await this.compare();
    const { bytes, blocks, first } = this.differences;
    return {
      comparedBytes: this.endSector * SECTOR_SIZE,
      readBytes: this.readBytes,
      differingBytes: bytes,
      differingBlocks: blocks,
      first,
    };
  }

  /** Takes a stretch that both windows cover, cut where either side changes between data and zeros. */
  private async take(fromSector: number, toSector: number): Promise<void> {
    const [a, b] = this.sides;
    for (let sector = fromSector; sector < toSector;) {
      a.seek(sector);
      b.seek(sector);
      const end = Math.min(a.untilSector, b.untilSector, toSector);
      if (!a.isData && !b.isData) sector = end;
      while (sector < end) {
        if (this.filledSectors === this.halfSectors) {
          await this.compare();
          this.report(sector);
        }
        const sectors = Math.min(end - sector, this.halfSectors - this.filledSectors);
        this.gather(sector, sectors);
        sector += sectors;
      }
    }
  }

  private gather(sector: number, sectors: number): void {
    const at = this.filledSectors * SECTOR_SIZE;
    const lengthBytes = sectors * SECTOR_SIZE;
    const half = this.halfSectors * SECTOR_SIZE;
    this.sides.forEach((side, i) => side.put(sector, { lengthBytes, at: at + i * half }));
    this.pieces.add({ offsetBytes: sector * SECTOR_SIZE, lengthBytes, at });
    this.filledSectors += sectors;
  }

  /** Reads what is gathered, and compares it. */
  private async compare(): Promise<void> {
    for (const { disk } of this.sides) await disk.readQueued(this.core.buffer);
    const { pieces } = this;
    for (let i = 0; i < pieces.count; i++) {
      this.differences.add({
        offsetBytes: pieces.offsetBytes[i]!,
        lengthBytes: pieces.lengthBytes[i]!,
        at: pieces.at[i]!,
      });
    }
    this.readBytes += pieces.totalBytes;
    pieces.clear();
    this.filledSectors = 0;
  }

  private report(sector: number): void {
    this.options.onProgress?.({ comparedBytes: sector * SECTOR_SIZE, readBytes: this.readBytes });
  }
}

/** f64 words that are kept of a data run: start, length, place, owner. */
const WORDS = 4;

/**
 * One of the two walks: the data runs of its window, copied, since the other walk's next step uses the same lists. All
 * between them reads as zeros, and so does everything behind the end.
 */
class Side {
  /** Where the window ends; infinite behind the end of the disk. */
  reachedSector = 0;
  /** What `seek` found: whether there is data, and up to where that holds. */
  isData = false;
  untilSector = 0;
  private readonly walk: AsyncGenerator<DiskWindow>;
  private runs = new Float64Array(0);
  private count = 0;
  private index = 0;

  constructor(readonly disk: Disk) {
    this.walk = disk.walk();
  }

  /** Walks on until the window covers a sector. */
  async reach(sector: number): Promise<void> {
    while (this.reachedSector <= sector) {
      const step = await this.walk.next();
      this.count = 0;
      this.index = 0;
      if (step.done) this.reachedSector = Infinity;
      else this.copy(step.value);
    }
  }

  /** Moves to a sector of the window, never back. */
  seek(sector: number): void {
    const { runs } = this;
    while (this.index < this.count && this.endOf(this.index) <= sector) this.index++;
    if (this.index === this.count) {
      this.isData = false;
      this.untilSector = this.reachedSector;
      return;
    }
    const start = runs[this.index * WORDS]!;
    this.isData = start <= sector;
    this.untilSector = this.isData ? this.endOf(this.index) : start;
  }

  /** Puts what stands from the sought sector on into the buffer: zeros at once, data when the queue is read. */
  put(sector: number, to: { lengthBytes: number; at: number }): void {
    const { lengthBytes, at } = to;
    if (!this.isData) {
      this.disk.core.buffer.fill(0, at, at + lengthBytes);
      return;
    }
    const word = this.index * WORDS;
    const place = this.runs[word + 2]! + sector - this.runs[word]!;
    this.disk.queue(this.runs[word + 3]!, { offsetBytes: place * SECTOR_SIZE, lengthBytes, at });
  }

  private copy({ list, toSector }: DiskWindow): void {
    this.reachedSector = toSector;
    if (this.runs.length < list.count * WORDS) this.runs = new Float64Array(list.count * WORDS);
    let word = 0;
    for (let i = 0; i < list.count; i++) {
      if (list.place(i) === DAMAGED_PLACE) throw damagedRun(this.disk, list.start(i));
      if (list.place(i) < 0) continue;
      this.runs[word++] = list.start(i);
      this.runs[word++] = list.length(i);
      this.runs[word++] = list.place(i);
      this.runs[word++] = list.owner(i);
    }
    this.count = word / WORDS;
  }

  private endOf(index: number): number {
    return this.runs[index * WORDS]! + this.runs[index * WORDS + 1]!;
  }
}
