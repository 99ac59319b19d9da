/**
 * Which part of a disk a map shows, as numbers: from which sector, how many a cell, how large a cell is drawn.
 *
 * The whole disk is laid so that it fills the room: a cell covers whatever number of sectors that takes. Zoomed in, a
 * cell covers a grain or a power of two of them, and from one grain on the cells grow.
 *
 * This module is browser compatible.
 */

/** Side of a cell while it covers more than a grain, and at most; CSS pixels. */
export const CELL_PX = 4;
export const MAX_CELL_PX = 32;
/** A whole disk is laid in round cells when it fills that much of the room; then a cell may be larger. */
const WELL_FILLED = 0.85;
const MAX_WHOLE_PX = 48;
/** Cells of so few are fine enough to be drawn large, whatever a grain is. */
const FEW_SECTORS = 8;
/** A cell of the whole disk covers a number of sectors with at most so many steps up to its double. */
const STEPS = 16;
/** A level of the zoom that shows nearly as much as another is not one of its own. */
const ALIKE = 0.75;

export interface MapDisk {
  readonly capacitySectors: number;
  /** The least that a cell covers when zoomed in: a grain, or what stands for one in a raw disk. */
  readonly grainSectors: number;
}

/** Room for cells, in CSS pixels. */
export interface Room {
  readonly widthPx: number;
  readonly heightPx: number;
}

export interface MapWindow {
  readonly fromSector: number;
  readonly sectorsPerCell: number;
  readonly cellPx: number;
  readonly columns: number;
  readonly rows: number;
}

/** How finely a map shows the disk. */
interface Level {
  readonly sectorsPerCell: number;
  readonly cellPx: number;
}

/** Cells in a window, whether or not the disk reaches so far. */
export function cellCount(window: Pick<MapWindow, "columns" | "rows">): number {
  return window.columns * window.rows;
}

/** The whole disk: in cells of a grain, else of a half, a quarter and so on, else of whatever fills the room. */
export function fitWindow(disk: MapDisk, room: Room): MapWindow {
  const windows: MapWindow[] = [];
  for (let sectors = disk.grainSectors; Number.isInteger(sectors); sectors /= 2) {
    const level = largestFor(sectors, disk, room);
    if (level) windows.push(windowOf(level, disk, room));
  }
  windows.push(...oddlySized(disk, room), windowOf(finestFor(disk, room), disk, room));
  const share = ({ rows, cellPx }: MapWindow) => rows / grid(room, cellPx).rows;
  return windows.find((window) => share(window) >= WELL_FILLED) ??
    windows.reduce((best, window) => share(window) > share(best) ? window : best);
}

/** Cells of some sectors, as large as they can be; undefined where too many are needed. */
function largestFor(sectorsPerCell: number, disk: MapDisk, room: Room): Level | undefined {
  for (let cellPx = MAX_WHOLE_PX; cellPx >= CELL_PX; cellPx--) {
    if (fits(disk, room, { sectorsPerCell, cellPx })) return { sectorsPerCell, cellPx };
  }
}

/** A small disk in cells of any number of sectors, largest first. */
function oddlySized(disk: MapDisk, room: Room): MapWindow[] {
  const windows: MapWindow[] = [];
  for (let cellPx = MAX_WHOLE_PX; cellPx >= CELL_PX; cellPx--) {
    const sectorsPerCell = Math.ceil(disk.capacitySectors / cellCount(grid(room, cellPx)));
    const isFine = sectorsPerCell <= Math.max(FEW_SECTORS, disk.grainSectors);
    if (isFine) windows.push(windowOf({ sectorsPerCell, cellPx }, disk, room));
  }
  return windows;
}

/** The smallest cells, of the fewest sectors. */
function finestFor(disk: MapDisk, room: Room): Level {
  const least = Math.max(1, Math.ceil(disk.capacitySectors / cellCount(grid(room, CELL_PX))));
  const step = Math.max(1, 2 ** Math.floor(Math.log2(least)) / STEPS);
  return { sectorsPerCell: Math.ceil(least / step) * step, cellPx: CELL_PX };
}

/** All of the disk at a level; the last row alone may be part-empty. */
function windowOf({ sectorsPerCell, cellPx }: Level, { capacitySectors }: MapDisk, room: Room): MapWindow {
  const { columns } = grid(room, cellPx);
  const rows = Math.max(1, Math.ceil(capacitySectors / sectorsPerCell / columns));
  return { fromSector: 0, sectorsPerCell, cellPx, columns, rows };
}

/** A window like `wanted` that the disk and the room allow. */
export function settle(wanted: MapWindow, disk: MapDisk, room: Room): MapWindow {
  const whole = fitWindow(disk, room);
  const level = levelsOf(disk).findLast((level) => scaleOf(level) <= scaleOf(wanted)) ?? finestOf(disk);
  return isFiner(level, whole) && isFiner(wanted, whole)
    ? windowAt(wanted.fromSector, level, disk, room)
    : whole;
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
  const whole = fitWindow(disk, room);
  const levels = levelsOf(disk).filter((level) => isFiner(level, whole));
  const level = way === "in"
    ? levels.findLast((level) => isFiner(level, window))
    : levels.find((level) => isFiner(window, level));
  if (!level) return way === "in" ? settle(window, disk, room) : whole;
  const cells = cellCount(grid(room, level.cellPx));
  return windowAt(anchor.sector - Math.floor(anchor.share * cells) * level.sectorsPerCell, level, disk, room);
}

/** The window that shows a stretch of the disk as large as it can. */
export function zoomTo(
  part: { startSector: number; sectors: number },
  disk: MapDisk,
  room: Room,
): MapWindow {
  const whole = fitWindow(disk, room);
  const shows = ({ sectorsPerCell, cellPx }: Level) =>
    (cellCount(grid(room, cellPx)) - 1) * sectorsPerCell >= part.sectors;
  const level = levelsOf(disk).find(shows);
  return level && isFiner(level, whole) ? windowAt(part.startSector, level, disk, room) : whole;
}

/** The levels of the zoom below the whole disk, finest first. */
function levelsOf({ capacitySectors, grainSectors }: MapDisk): Level[] {
  const levels: Level[] = [];
  for (let cellPx = MAX_CELL_PX; cellPx > CELL_PX; cellPx /= 2) {
    levels.push({ sectorsPerCell: grainSectors, cellPx });
  }
  for (let sectors = grainSectors; sectors < capacitySectors; sectors *= 2) {
    levels.push({ sectorsPerCell: sectors, cellPx: CELL_PX });
  }
  return levels;
}

function finestOf({ grainSectors }: MapDisk): Level {
  return { sectorsPerCell: grainSectors, cellPx: MAX_CELL_PX };
}

/** Sectors that a pixel covers. */
function scaleOf({ sectorsPerCell, cellPx }: Level): number {
  return sectorsPerCell / cellPx ** 2;
}

function isFiner(level: Level, than: Level): boolean {
  return scaleOf(level) < scaleOf(than) * ALIKE;
}

/** A level from a sector on, as far as the disk reaches. */
function windowAt(
  fromSector: number,
  { sectorsPerCell, cellPx }: Level,
  disk: MapDisk,
  room: Room,
): MapWindow {
  const { columns, rows } = grid(room, cellPx);
  const lines = Math.ceil(disk.capacitySectors / sectorsPerCell / columns);
  const last = Math.max(0, (lines - rows) * columns) * sectorsPerCell;
  const from = Math.floor(fromSector / sectorsPerCell) * sectorsPerCell;
  return { fromSector: Math.min(last, Math.max(0, from)), sectorsPerCell, cellPx, columns, rows };
}

function fits(disk: MapDisk, room: Room, { sectorsPerCell, cellPx }: Level): boolean {
  return cellCount(grid(room, cellPx)) * sectorsPerCell >= disk.capacitySectors;
}

/** Whole cells in a room; rows of a round number of cells, so that offsets down the side are round, too. */
function grid(room: Room, cellPx: number): { columns: number; rows: number } {
  const columns = Math.max(1, Math.floor(room.widthPx / cellPx));
  const rows = Math.max(1, Math.floor(room.heightPx / cellPx));
  const round = columns >= 128 ? 16 : columns >= 32 ? 4 : 1;
  return { columns: columns - columns % round, rows };
}
