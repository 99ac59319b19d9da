/**
 * Which part of a disk a map shows, as numbers: from which sector, how many a cell, how large a cell is drawn. Zooming
 * in halves the sectors of a cell until a cell is a grain; from there on the cells grow.
 *
 * This module is browser compatible.
 */

/** Side of a cell while it covers more than a grain, and at most; CSS pixels. */
export const CELL_PX = 4;
export const MAX_CELL_PX = 32;

export interface MapDisk {
  readonly capacitySectors: number;
  /** The least that a cell covers: a grain, or what stands for one in a raw disk. */
  readonly grainSectors: number;
}

/** Room for cells, in CSS pixels. */
export interface Room {
  readonly widthPx: number;
  readonly heightPx: number;
}

export interface MapWindow {
  /** A multiple of `sectorsPerCell`. */
  readonly fromSector: number;
  readonly sectorsPerCell: number;
  readonly cellPx: number;
  readonly columns: number;
  readonly rows: number;
}

/** Cells in a window, whether or not the disk reaches so far. */
export function cellCount(window: MapWindow): number {
  return window.columns * window.rows;
}

/** The whole disk, in cells as small as they must be and as large as they can be. */
export function fitWindow(disk: MapDisk, room: Room): MapWindow {
  let sectorsPerCell = disk.grainSectors;
  while (!fits(disk, grid(room, CELL_PX), sectorsPerCell)) sectorsPerCell *= 2;
  let cellPx = CELL_PX;
  while (cellPx < MAX_CELL_PX && fits(disk, grid(room, cellPx * 2), sectorsPerCell)) cellPx *= 2;
  return { fromSector: 0, sectorsPerCell, cellPx, ...grid(room, cellPx) };
}

/** A window like `wanted` that the disk and the room allow. */
export function settle(wanted: MapWindow, disk: MapDisk, room: Room): MapWindow {
  const whole = fitWindow(disk, room);
  if (wanted.sectorsPerCell > whole.sectorsPerCell) return whole;
  let sectorsPerCell = disk.grainSectors;
  while (sectorsPerCell < wanted.sectorsPerCell) sectorsPerCell *= 2;
  if (sectorsPerCell === whole.sectorsPerCell && wanted.cellPx <= whole.cellPx) return whole;
  const cellPx = sectorsPerCell > disk.grainSectors
    ? CELL_PX
    : Math.min(MAX_CELL_PX, Math.max(CELL_PX, wanted.cellPx));
  const { columns, rows } = grid(room, cellPx);
  const lines = Math.ceil(disk.capacitySectors / sectorsPerCell / columns);
  const last = Math.max(0, (lines - rows) * columns) * sectorsPerCell;
  const from = Math.floor(wanted.fromSector / sectorsPerCell) * sectorsPerCell;
  return { fromSector: Math.min(last, Math.max(0, from)), sectorsPerCell, cellPx, columns, rows };
}

/** Moves a window along the disk by cells, backwards when negative. */
export function pan(window: MapWindow, cells: number, disk: MapDisk, room: Room): MapWindow {
  return settle({ ...window, fromSector: window.fromSector + cells * window.sectorsPerCell }, disk, room);
}

/** Where a zoom holds still: `sector` stays about `share` (0 to 1) into the window. */
export interface Anchor {
  readonly sector: number;
  readonly share: number;
}

/** Zooms one step around an anchor. */
export function zoom(
  window: MapWindow,
  way: "in" | "out",
  anchor: Anchor,
  disk: MapDisk,
  room: Room,
): MapWindow {
  const { sectorsPerCell, cellPx } = way === "in" ? finer(window, disk) : coarser(window);
  const cells = cellCount({ ...window, ...grid(room, cellPx) });
  const fromSector = anchor.sector - Math.floor(anchor.share * cells) * sectorsPerCell;
  return settle({ ...window, fromSector, sectorsPerCell, cellPx }, disk, room);
}

/** The window that shows a stretch of the disk as large as it can. */
export function zoomTo(
  part: { startSector: number; sectors: number },
  disk: MapDisk,
  room: Room,
): MapWindow {
  const fitted = fitWindow({ ...disk, capacitySectors: Math.max(1, part.sectors) }, room);
  return settle({ ...fitted, fromSector: part.startSector }, disk, room);
}

function finer({ sectorsPerCell, cellPx }: MapWindow, disk: MapDisk) {
  if (sectorsPerCell > disk.grainSectors) return { sectorsPerCell: sectorsPerCell / 2, cellPx: CELL_PX };
  return { sectorsPerCell, cellPx: Math.min(MAX_CELL_PX, cellPx * 2) };
}

function coarser({ sectorsPerCell, cellPx }: MapWindow) {
  if (cellPx > CELL_PX) return { sectorsPerCell, cellPx: cellPx / 2 };
  return { sectorsPerCell: sectorsPerCell * 2, cellPx };
}

function fits(disk: MapDisk, { columns, rows }: { columns: number; rows: number }, sectorsPerCell: number) {
  return columns * rows * sectorsPerCell >= disk.capacitySectors;
}

/** Whole cells in a room; rows of 16 where there is room for some, so that offsets down the side are round. */
function grid(room: Room, cellPx: number): { columns: number; rows: number } {
  const columns = Math.max(1, Math.floor(room.widthPx / cellPx));
  const rows = Math.max(1, Math.floor(room.heightPx / cellPx));
  return { columns: columns >= 32 ? columns - columns % 16 : columns, rows };
}
