/** What the slow reference readers share: how they refuse, how they see a file, how they find shared sectors. */
import { SECTOR_SIZE } from "../../core-as/host/units.ts";

/** Thrown inside the reference readers: the rule that a file breaks. */
export class Refusal extends Error {}

/** Ends the reading. */
export function refuse(why: string): never {
  throw new Refusal(why);
}

/** Refuses unless `holds`. */
export function rule(holds: boolean, why: string): asserts holds {
  if (!holds) refuse(why);
}

/** Bytes that a sector is read from, from byte `at` on. */
export interface Stored {
  readonly bytes: Uint8Array;
  readonly at: number;
}

/** What stands in a sector of an extent. */
export type Place = "hole" | "zero" | Stored;

/** An extent as the reference sees it. */
export interface ReferenceExtent {
  readonly capacitySectors: number;
  /** @param sector Counted from the start of the extent. */
  at(sector: number): Place;
}

/** Grains of an extent by number; what is missing is a hole. */
export function extentOfGrains(
  disk: { capacitySectors: number; grainSectors: number },
  grains: ReadonlyMap<number, "zero" | Stored>,
): ReferenceExtent {
  const { capacitySectors, grainSectors } = disk;
  return {
    capacitySectors,
    at(sector) {
      if (sector >= capacitySectors) return "hole";
      const grain = grains.get(Math.floor(sector / grainSectors)) ?? "hole";
      if (typeof grain === "string") return grain;
      return { bytes: grain.bytes, at: grain.at + (sector % grainSectors) * SECTOR_SIZE };
    },
  };
}

/** A file, read one integer at a time. */
export class Bytes {
  private readonly view: DataView;

  constructor(readonly all: Uint8Array) {
    this.view = new DataView(all.buffer, all.byteOffset, all.byteLength);
  }

  get sizeBytes(): number {
    return this.all.length;
  }
  /** Whole sectors. */
  get sectors(): number {
    return Math.floor(this.all.length / SECTOR_SIZE);
  }
  u8(at: number): number {
    return this.view.getUint8(at);
  }
  u16(at: number): number {
    return this.view.getUint16(at, true);
  }
  u32(at: number): number {
    return this.view.getUint32(at, true);
  }
  u64(at: number): bigint {
    return this.view.getBigUint64(at, true);
  }
  holds(stretch: { at: number; lengthBytes: number }): boolean {
    return stretch.at + stretch.lengthBytes <= this.all.length;
  }
}

/** Remembers who has which sector of a file. */
export class Claims {
  private readonly taken: Uint8Array;

  constructor(private readonly file: Bytes) {
    this.taken = new Uint8Array(Math.ceil(file.sizeBytes / SECTOR_SIZE));
  }

  /** Refuses when any of the sectors belongs to somebody else; what lies past the end of the file is nobody's. */
  claim(owner: string, stretch: { sector: number; sectors: number }): void {
    const end = Math.min(stretch.sector + stretch.sectors, this.taken.length);
    for (let sector = stretch.sector; sector < end; sector++) {
      rule(this.taken[sector] === 0, `${owner} shares file sectors with something else`);
      this.taken[sector] = 1;
    }
  }
}

/** A u64 of sectors that a disk can have. */
export function sectorCount(file: Bytes, field: { at: number; name: string }): number {
  const value = file.u64(field.at);
  rule(value <= 62n * 2n ** 31n, `${field.name} is more than 62 TiB`);
  return Number(value);
}

export function isPowerOfTwo(value: number): boolean {
  for (let power = 1; power <= value; power *= 2) if (power === value) return true;
  return false;
}
