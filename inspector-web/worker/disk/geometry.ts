/** Where the directory and the tables of an extent stand, whichever format it has. */
import { type Extent, type Link, type PlacedExtent, SECTOR_SIZE } from "../../../core-as/host/mod.ts";

export interface Geometry {
  readonly directoryOffsetBytes: number;
  readonly directoryEntryBytes: 4 | 8;
  readonly directoryEntries: number;
  readonly entriesPerTable: number;
  readonly entryBytes: 4 | 8;
  readonly grainSectors: number;
  /** File sector of the table that a directory entry names; negative where it names none. */
  locate(low: number, high: number): number;
}

/** A stretch of the disk. */
export interface SectorRange {
  readonly from: number;
  readonly to: number;
}

interface Layout extends Omit<Geometry, "directoryEntries"> {
  readonly capacitySectors: number;
}

/** Undefined for extents without tables. */
export function geometryOf(extent: Extent): Geometry | undefined {
  const layout = "layout" in extent ? extent.layout as Layout : hostedLayout(extent);
  if (!layout) return undefined;
  const span = layout.entriesPerTable * layout.grainSectors;
  const { directoryOffsetBytes, directoryEntryBytes, entriesPerTable, entryBytes, grainSectors } = layout;
  return {
    directoryOffsetBytes,
    directoryEntryBytes,
    directoryEntries: Math.ceil(extent.capacitySectors / span),
    entriesPerTable,
    entryBytes,
    grainSectors,
    locate: (low, high) => layout.locate(low, high),
  };
}

function hostedLayout({ format, facts, grainSectors, capacitySectors }: Extent): Layout | undefined {
  if ((format !== "hosted" && format !== "stream") || grainSectors === undefined) return undefined;
  return {
    directoryOffsetBytes: Number(facts["gdOffset"]) * SECTOR_SIZE,
    directoryEntryBytes: 4,
    entriesPerTable: Number(facts["numGTEsPerGT"]),
    entryBytes: 4,
    grainSectors,
    capacitySectors,
    locate: (low) => low === 0 ? -1 : low,
  };
}

/** The extent that holds a sector of a link. */
export function extentAt(link: Link, sector: number): PlacedExtent | undefined {
  return link.extents[link.extentAt(sector)];
}
