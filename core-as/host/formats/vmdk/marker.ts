/**
 * Markers of streamOptimized files: what stands before each grain, table and directory.
 *
 * Source: VMware Virtual Disk Format 5.0, "Stream-Optimized Compressed Sparse Extents"; open-vmdk for the numbers. A
 * marker before what is no grain says how many sectors follow. Xen Orchestra says 0 there, and writes one marker in
 * front of all tables.
 *
 * This module is browser compatible.
 */
import { readBytes, type Source } from "../../source.ts";
import { ceilDiv, SECTOR_SIZE } from "../../units.ts";

/** Bytes of a grain's marker: u64 sector of the disk, u32 bytes that follow. */
export const MARKER_BYTES = 12;

/** Kinds of the markers that stand before what is no grain. */
export const MARKER_TYPE = { endOfStream: 0, grainTable: 1, grainDirectory: 2, footer: 3 } as const;

/** What the tables of a stream come to. */
export interface StreamShape {
  readonly tableCount: number;
  readonly tableSectors: number;
  readonly directorySectors: number;
}

/** A marker as it is in its sector. */
export interface Marker {
  /** Sector of the disk of a grain; number of sectors that follow, before anything else. */
  readonly value: bigint;
  /** Bytes of a packed grain, 0 before anything else. */
  readonly sizeBytes: number;
  readonly type: number;
}

/** The marker at the start of a sector. */
export function markerAt(view: DataView): Marker {
  return {
    value: view.getBigUint64(0, true),
    sizeBytes: view.getUint32(MARKER_BYTES - 4, true),
    type: view.getUint32(MARKER_BYTES, true),
  };
}

/** What the tables of a disk come to. */
export function streamShape(
  disk: { capacitySectors: number; grainSectors: number; entriesPerTable: number },
): StreamShape {
  const { capacitySectors, grainSectors, entriesPerTable } = disk;
  const tableCount = ceilDiv(capacitySectors, grainSectors * entriesPerTable);
  return {
    tableCount,
    tableSectors: ceilDiv(entriesPerTable * 4, SECTOR_SIZE),
    directorySectors: ceilDiv(tableCount * 4, SECTOR_SIZE),
  };
}

/** Tables that follow a marker; `undefined` where it announces something else than whole tables. */
export function tablesAnnounced({ value }: Marker, { tableCount, tableSectors }: StreamShape): {
  readonly count: number;
  /** Not that many when the marker before a directory comes first. */
  readonly atMost: boolean;
} | undefined {
  if (value === 0n) return { count: tableCount, atMost: true };
  const sectors = Number(value);
  if (sectors % tableSectors !== 0 || sectors > tableCount * tableSectors) return undefined;
  return { count: sectors / tableSectors, atMost: false };
}

/** True when a whole sector is the marker before a directory, and cannot be part of a table. */
export function isDirectoryMarker(sector: Uint8Array, { directorySectors }: StreamShape): boolean {
  const { value, sizeBytes, type } = markerAt(
    new DataView(sector.buffer, sector.byteOffset, sector.byteLength),
  );
  return type === MARKER_TYPE.grainDirectory && sizeBytes === 0 &&
    (value === 0n || value === BigInt(directorySectors)) &&
    sector.subarray(MARKER_BYTES + 4, SECTOR_SIZE).every((byte) => byte === 0);
}

/** True when a marker of a kind stands in front of a part of the file that begins at `sector`. */
export async function hasMarker(file: Source, part: { sector: number; type: number }): Promise<boolean> {
  if (part.sector < 1) return false;
  const bytes = await readBytes(file, (part.sector - 1) * SECTOR_SIZE, MARKER_BYTES + 4);
  const { sizeBytes, type } = markerAt(new DataView(bytes.buffer));
  return sizeBytes === 0 && type === part.type;
}
