/**
 * Markers of streamOptimized files: what stands before each grain, table and directory.
 *
 * Source: VMware Virtual Disk Format 5.0, "Stream-Optimized Compressed Sparse Extents"; open-vmdk for the numbers.
 *
 * This module is browser compatible.
 */
import { readBytes, type Source } from "./source.ts";
import { SECTOR_SIZE } from "./units.ts";

/** Bytes of a grain's marker: u64 sector of the disk, u32 bytes that follow. */
export const MARKER_BYTES = 12;

/** Kinds of the markers that stand before what is no grain. */
export const MARKER_TYPE = { endOfStream: 0, grainTable: 1, grainDirectory: 2, footer: 3 } as const;

/** True when a marker of a kind stands in front of a part of the file that begins at `sector`. */
export async function hasMarker(file: Source, part: { sector: number; type: number }): Promise<boolean> {
  if (part.sector < 1) return false;
  const bytes = await readBytes(file, (part.sector - 1) * SECTOR_SIZE, MARKER_BYTES + 4);
  const view = new DataView(bytes.buffer);
  return view.getUint32(MARKER_BYTES - 4, true) === 0 && view.getUint32(MARKER_BYTES, true) === part.type;
}
