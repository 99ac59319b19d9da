/**
 * What the directories alone say: where no link has a table nothing can be, and the map shows that at once, a million
 * tables before the last of them is read.
 */
import { type PlacedExtent, readBytes, type Source } from "../../../core-as/host/mod.ts";
import { type Geometry, geometryOf } from "../disk/geometry.ts";
import type { Pyramid } from "./pyramid.ts";
import type { DiskRuns } from "../disk/disk_runs.ts";

/** Directory read at a time. */
const PIECE_BYTES = 4 * 1024 * 1024;
/** `Geometry.locate` of an entry that names no table; any other one is something to look at. */
const NO_TABLE = -1;

/** Leaves of a pyramid of which something must be read before it is known what they hold. */
export class Preview {
  /** 1 for such a leaf. */
  readonly unread: Uint8Array;

  private constructor(
    private readonly pyramid: Pyramid,
    /** True where nothing lies below: what no link has is zeros. */
    readonly holesAreZeros: boolean,
  ) {
    this.unread = new Uint8Array(pyramid.leafCount);
  }

  static async of({ disk }: DiskRuns, pyramid: Pyramid): Promise<Preview> {
    const preview = new Preview(pyramid, disk.isWhole);
    for (const link of disk.links) {
      for (const placed of link.extents) await preview.addExtent(placed);
      // Behind its end a link reads as zeros.
      preview.mark(link.capacitySectors, disk.capacitySectors);
    }
    return preview;
  }

  /** True when a leaf of `[from, to)` is to be read. */
  needsReading(from: number, to: number): boolean {
    const { leafShift } = this.pyramid;
    const end = Math.ceil(to / 2 ** leafShift);
    for (let leaf = Math.floor(from / 2 ** leafShift); leaf < end; leaf++) {
      if (this.unread[leaf] !== 0) return true;
    }
    return false;
  }

  private async addExtent(placed: PlacedExtent): Promise<void> {
    const { extent, startSector, lengthSectors } = placed;
    const { file } = extent;
    const geometry = geometryOf(extent);
    const isInside = geometry && file &&
      geometry.directoryOffsetBytes + geometry.directoryEntries * geometry.directoryEntryBytes <=
        file.sizeBytes;
    if (isInside) await this.addDirectory(placed, geometry, file);
    else this.mark(startSector, startSector + lengthSectors);
  }

  private async addDirectory(placed: PlacedExtent, geometry: Geometry, file: Source): Promise<void> {
    const { directoryOffsetBytes, directoryEntryBytes, directoryEntries } = geometry;
    const perPiece = PIECE_BYTES / directoryEntryBytes;
    for (let first = 0; first < directoryEntries; first += perPiece) {
      const count = Math.min(perPiece, directoryEntries - first);
      const offsetBytes = directoryOffsetBytes + first * directoryEntryBytes;
      const bytes = await readBytes(file, offsetBytes, count * directoryEntryBytes);
      this.addEntries(placed, geometry, { first, words: new Uint32Array(bytes.slice().buffer) });
    }
  }

  private addEntries(
    { startSector, lengthSectors }: PlacedExtent,
    geometry: Geometry,
    { first, words }: { first: number; words: Uint32Array },
  ): void {
    const wordsPerEntry = geometry.directoryEntryBytes / 4;
    const spanSectors = geometry.entriesPerTable * geometry.grainSectors;
    const count = words.length / wordsPerEntry;
    for (let i = 0; i < count; i++) {
      const low = words[i * wordsPerEntry]!;
      const high = wordsPerEntry === 1 ? 0 : words[i * 2 + 1]!;
      if ((low === 0 && high === 0) || geometry.locate(low, high) === NO_TABLE) continue;
      const from = (first + i) * spanSectors;
      this.mark(startSector + from, startSector + Math.min(lengthSectors, from + spanSectors));
    }
  }

  private mark(from: number, to: number): void {
    const span = this.pyramid.spanSectors;
    if (to > from) this.unread.fill(1, Math.floor(from / span), Math.ceil(to / span));
  }
}
