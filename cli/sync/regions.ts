/** Which regions of a disk will be written: what an undo file must know before the first of them is. */
import { MIB, SECTOR_SIZE, type Stretch } from "../../core-as/host/mod.ts";
import type { SectorRange } from "./side_by_side.ts";

const REGION_BYTES = MIB;

/** A set of regions of {@link REGION_BYTES}: a bit each, so that a disk of 64 TiB takes 8 MiB. */
export class Regions {
  private readonly bits: Uint8Array;
  private readonly regionCount: number;

  constructor(private readonly sizeBytes: number) {
    this.regionCount = Math.ceil(sizeBytes / REGION_BYTES);
    this.bits = new Uint8Array(Math.ceil(this.regionCount / 8));
  }

  /** All that is in one of them. */
  static union(sets: readonly Regions[]): Regions {
    const all = new Regions(sets[0]!.sizeBytes);
    for (const { bits } of sets) for (let i = 0; i < bits.length; i++) all.bits[i]! |= bits[i]!;
    return all;
  }

  add({ offsetBytes, lengthBytes }: Stretch): void {
    const last = Math.floor((offsetBytes + lengthBytes - 1) / REGION_BYTES);
    for (let region = Math.floor(offsetBytes / REGION_BYTES); region <= last; region++) {
      this.bits[region >> 3]! |= 1 << (region & 7);
    }
  }

  has(region: number): boolean {
    return (this.bits[region >> 3]! & 1 << (region & 7)) !== 0;
  }

  /** Bytes of all its regions. */
  get totalBytes(): number {
    let sum = 0;
    for (const { lengthBytes } of this.stretches()) sum += lengthBytes;
    return sum;
  }

  /** Its regions as stretches, neighbours as one, in ascending order. */
  *stretches(): Generator<Stretch> {
    for (let region = 0; region < this.regionCount;) {
      if (!this.has(region)) {
        region++;
        continue;
      }
      const offsetBytes = region * REGION_BYTES;
      while (region < this.regionCount && this.has(region)) region++;
      yield { offsetBytes, lengthBytes: Math.min(region * REGION_BYTES, this.sizeBytes) - offsetBytes };
    }
  }

  /** The same as sectors, from a byte on. */
  *ranges(fromBytes: number): Generator<SectorRange> {
    for (const { offsetBytes, lengthBytes } of this.stretches()) {
      const from = Math.max(offsetBytes, fromBytes);
      const to = offsetBytes + lengthBytes;
      if (from < to) yield { fromSector: from / SECTOR_SIZE, toSector: Math.ceil(to / SECTOR_SIZE) };
    }
  }

  /** The first byte of a region that is here and not there, below `endBytes`. */
  firstBeside(other: Regions, endBytes: number): number | undefined {
    for (let region = 0; (region + 1) * REGION_BYTES <= endBytes; region++) {
      if (this.has(region) && !other.has(region)) return region * REGION_BYTES;
    }
    return undefined;
  }
}
