/**
 * Pieces of a file that had to be kept while the rest of it passed by: what stands before the table that may name it.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import type { MaybePromise } from "../source.ts";
import { SECTOR_SIZE } from "../units.ts";

/** Room for bytes outside the memory of the kernels: a temporary file, or memory. */
export interface Scratch {
  /**
   * Appends bytes.
   *
   * @throws {RegrainError} `NO_SPACE` when there is no more room, `UNSUPPORTED` when nothing may be kept.
   */
  append(bytes: Uint8Array): MaybePromise<void>;
  /** Reads bytes that were appended, counted from the first one. */
  read(offsetBytes: number, into: Uint8Array): MaybePromise<void>;
}

/** Sectors that one page of the map of claims stands for. */
const CLAIM_PAGE_SECTORS = 8 * 65_536;
/** Pieces that are not neighbours; more than that come from no real file. */
const MAX_PIECES = 1_000_000;

export class Kept {
  /** Sectors kept so far. */
  sectors = 0;
  /** First file sector of each piece, and how many sectors had been kept before it; both ascend. */
  private readonly places: number[] = [];
  private readonly starts: number[] = [];
  /** One bit a kept sector: somebody has it. */
  private readonly claims: Uint8Array[] = [];

  constructor(private readonly path: string, private readonly scratch: Scratch) {}

  /** Keeps the bytes of whole sectors; they must stand behind all that were kept before. */
  async add(place: number, bytes: Uint8Array): Promise<void> {
    await this.scratch.append(bytes);
    const last = this.places.length - 1;
    const end = last < 0 ? -1 : this.places[last]! + this.sectors - this.starts[last]!;
    if (end !== place) {
      if (this.places.length === MAX_PIECES) {
        throw new RegrainError("LIMIT_EXCEEDED", "too many scattered pieces of the file had to be kept", {
          path: this.path,
          offsetBytes: place * SECTOR_SIZE,
          hint: "copy the file here and apply it by its name",
        });
      }
      this.places.push(place);
      this.starts.push(this.sectors);
    }
    this.sectors += bytes.length / SECTOR_SIZE;
  }

  /**
   * Reads sectors that were kept, and takes them: nobody else may have them.
   *
   * @returns false when some of them were not kept, or are taken.
   */
  async claim(place: number, into: Uint8Array): Promise<boolean> {
    const start = this.find(place, into.length / SECTOR_SIZE);
    if (start === undefined || !this.mark(start, into.length / SECTOR_SIZE)) return false;
    await this.scratch.read(start * SECTOR_SIZE, into);
    return true;
  }

  /** Number of the first of some sectors among those kept, `undefined` when they are not all there. */
  private find(place: number, lengthSectors: number): number | undefined {
    let low = 0;
    let high = this.places.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.places[middle]! <= place) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return undefined;
    const start = this.starts[low - 1]! + place - this.places[low - 1]!;
    const end = this.starts[low] ?? this.sectors;
    return start + lengthSectors <= end ? start : undefined;
  }

  private mark(start: number, lengthSectors: number): boolean {
    for (let sector = start; sector < start + lengthSectors; sector++) {
      const page = this.claims[Math.floor(sector / CLAIM_PAGE_SECTORS)] ??= new Uint8Array(
        CLAIM_PAGE_SECTORS / 8,
      );
      const within = sector % CLAIM_PAGE_SECTORS;
      const byte = Math.floor(within / 8);
      const bit = 1 << within % 8;
      if ((page[byte]! & bit) !== 0) return false;
      page[byte]! |= bit;
    }
    return true;
  }
}
