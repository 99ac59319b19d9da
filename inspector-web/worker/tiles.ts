/** Cells of a map: from the pyramid, or, where the page looks closer than that, from the tables. */
import type { Tile } from "../shared/protocol.ts";
import type { SectorRange } from "./geometry.ts";
import { DATA, HOLE, type Runs, walkRuns } from "./runs.ts";
import type { Scan } from "./scan.ts";

/** More cells than any screen has. */
const MAX_CELLS = 4 * 1024 * 1024;

export interface Cells {
  readonly fromSector: number;
  readonly sectorsPerCell: number;
  readonly cells: number;
}

/** Cuts what is asked for down to what can be answered. */
export function boundCells({ fromSector, sectorsPerCell, cells }: Cells): Cells {
  const count = (value: number) => Number.isFinite(value) ? Math.max(0, Math.floor(value)) : 0;
  return {
    fromSector: count(fromSector),
    sectorsPerCell: Math.max(1, count(sectorsPerCell)),
    cells: Math.min(MAX_CELLS, count(cells)),
  };
}

export async function tileOf(scan: Scan, asked: Cells): Promise<Tile> {
  const cells = boundCells(asked);
  const tile: Tile = {
    data: new Float32Array(cells.cells),
    zero: new Float32Array(cells.cells),
    known: new Uint8Array(cells.cells),
    damage: new Uint8Array(cells.cells),
  };
  if (cells.sectorsPerCell < scan.pyramid.spanSectors) await fillFromTables(tile, scan.runs, cells);
  else fillFromPyramid(tile, scan, cells);
  const end = cells.fromSector + cells.cells * cells.sectorsPerCell;
  for (const range of scan.damaged) {
    if (range.to > cells.fromSector && range.from < end) markDamage(tile.damage, range, cells);
  }
  return tile;
}

function fillFromPyramid(tile: Tile, scan: Scan, { fromSector, sectorsPerCell, cells }: Cells): void {
  const { pyramid, tally } = scan;
  const sum = { data: 0, zero: 0 };
  for (let i = 0; i < cells; i++) {
    const from = fromSector + i * sectorsPerCell;
    const to = Math.min(from + sectorsPerCell, pyramid.capacitySectors);
    if (from >= to) break;
    pyramid.sum(from, to, sum);
    tile.data[i] = sum.data / sectorsPerCell;
    tile.zero[i] = sum.zero / sectorsPerCell;
    tile.known[i] = tally.known(from, to);
  }
}

async function fillFromTables(tile: Tile, runs: Runs, cells: Cells): Promise<void> {
  const { fromSector, sectorsPerCell } = cells;
  const to = Math.min(runs.capacitySectors, fromSector + cells.cells * sectorsPerCell);
  if (to <= fromSector) return;
  // Sums of many small parts: they are kept as sectors, which are exact.
  await walkRuns(runs, { from: fromSector, to }, ({ kind, start, length }) => {
    if (kind === HOLE) return;
    const parts = kind === DATA ? tile.data : tile.zero;
    const end = start + length;
    for (let at = start; at < end;) {
      const i = Math.floor((at - fromSector) / sectorsPerCell);
      const next = Math.min(end, fromSector + (i + 1) * sectorsPerCell);
      parts[i]! += next - at;
      at = next;
    }
  });
  const last = Math.ceil((to - fromSector) / sectorsPerCell);
  for (let i = 0; i < last; i++) {
    tile.data[i]! /= sectorsPerCell;
    tile.zero[i]! /= sectorsPerCell;
    tile.known[i] = 2;
  }
}

function markDamage(damage: Uint8Array, { from, to }: SectorRange, cells: Cells): void {
  const { fromSector, sectorsPerCell } = cells;
  const first = Math.max(0, Math.floor((from - fromSector) / sectorsPerCell));
  damage.fill(1, first, Math.ceil((to - fromSector) / sectorsPerCell));
}

/** Which link owns each cell: the newest of those that have data in it; -1 only zeros, -2 nothing. */
export async function ownersOf(runs: Runs, asked: Cells): Promise<Int16Array<ArrayBuffer>> {
  const { fromSector, sectorsPerCell, cells } = boundCells(asked);
  const owners = new Int16Array(cells).fill(-2);
  const to = Math.min(runs.capacitySectors, fromSector + cells * sectorsPerCell);
  await walkRuns(runs, { from: Math.min(fromSector, to), to }, ({ kind, start, length, link }) => {
    if (kind === HOLE) return;
    const owner = kind === DATA ? link : -1;
    const first = Math.floor((start - fromSector) / sectorsPerCell);
    const end = Math.ceil((start + length - fromSector) / sectorsPerCell);
    for (let i = first; i < end; i++) {
      const before = owners[i]!;
      if (before < 0 ? owner > before : owner >= 0 && owner < before) owners[i] = owner;
    }
  });
  return owners;
}
