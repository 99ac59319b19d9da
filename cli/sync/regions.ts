/** Which regions of a disk will be written: what an undo file must know before the first of them is. */
import { ChunkSet } from "../../core-as/host/chunk_set.ts";
import { MIB, SECTOR_SIZE, type SectorRange, type Stretch } from "../../core-as/host/mod.ts";

const REGION_BYTES = MIB;

/** A set of regions of {@link REGION_BYTES}. */
export class Regions {
  private readonly set: ChunkSet;

  constructor(private readonly sizeBytes: number) {
    this.set = new ChunkSet(Math.ceil(sizeBytes / REGION_BYTES));
  }

  /** All that is in one of them. */
  static union(sets: readonly Regions[]): Regions {
    const all = new Regions(sets[0]!.sizeBytes);
    for (const { set } of sets) for (const region of set) all.set.add(region);
    return all;
  }

  add({ offsetBytes, lengthBytes }: Stretch): void {
    this.set.addBytes({ start: offsetBytes, length: lengthBytes }, REGION_BYTES);
  }

  /** Bytes of all its regions. */
  get totalBytes(): number {
    let sum = 0;
    for (const { lengthBytes } of this.stretches()) sum += lengthBytes;
    return sum;
  }

  /** Its regions as stretches, neighbours as one, in ascending order. */
  *stretches(): Generator<Stretch> {
    let open: { from: number; to: number } | undefined;
    for (const region of this.set) {
      if (open?.to === region) open.to++;
      else {
        if (open) yield this.stretchOf(open);
        open = { from: region, to: region + 1 };
      }
    }
    if (open) yield this.stretchOf(open);
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
    for (const region of this.set) {
      if ((region + 1) * REGION_BYTES > endBytes) return undefined;
      if (!other.set.has(region)) return region * REGION_BYTES;
    }
    return undefined;
  }

  private stretchOf({ from, to }: { from: number; to: number }): Stretch {
    const offsetBytes = from * REGION_BYTES;
    return { offsetBytes, lengthBytes: Math.min(to * REGION_BYTES, this.sizeBytes) - offsetBytes };
  }
}
