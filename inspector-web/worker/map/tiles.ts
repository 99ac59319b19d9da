/** Cells of a map: from the pyramid, or, where the page looks closer than that, from the tables. */
import { type Run, SECTOR_SIZE } from "../../../core-as/host/mod.ts";
import { NEW_DATA, NEW_ZEROS, type Tile, type View } from "../../shared/protocol.ts";
import type { SectorRange } from "../disk/geometry.ts";
import { DAMAGED, DATA, HOLE, type PlacedRun, type Runs, walkRuns } from "../disk/runs.ts";
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

/** A walk for somebody, who asks for one thing at a time. */
interface Walk {
  readonly question: string;
  isWanted: boolean;
  readonly result: Promise<unknown>;
}

/**
 * Answers who asks for cells again and again, while the scan goes on and as the map is moved: tables are walked once
 * for the same question, and a walk ends when its asker wants something else.
 */
export class Tiles {
  private readonly walks = new Map<string, Walk>();
  /** What each asker looked at last. */
  private readonly places = new Map<string, string>();

  async tile(scan: Scan, asked: Cells & { readonly asker?: string }): Promise<Tile> {
    const cells = boundCells(asked);
    const tile = await this.filled(scan, cells, asked.asker);
    const end = cells.fromSector + cells.cells * cells.sectorsPerCell;
    for (const range of scan.damaged) {
      if (range.to > cells.fromSector && range.from < end) markDamage(tile.damage, range, cells);
    }
    return tile;
  }

  async owners(
    runs: Runs,
    asked: Cells & { readonly view: View; readonly asker?: string },
  ): Promise<Int16Array<ArrayBuffer>> {
    const cells = boundCells(asked);
    const owners = await this.once(
      asked.asker,
      { what: "owners", view: asked.view, ...cells },
      (goOn) => ownersOf(runs, cells, goOn),
    );
    return owners.slice();
  }

  /** Ends all walks. */
  stop(): void {
    for (const walk of this.walks.values()) walk.isWanted = false;
    this.walks.clear();
  }

  private async filled(scan: Scan, cells: Cells, asker: string | undefined): Promise<Tile> {
    const { fromSector, sectorsPerCell } = cells;
    if (asker !== undefined) this.attend(scan, asker, `${fromSector} ${sectorsPerCell}`);
    if (sectorsPerCell < scan.pyramid.spanSectors) {
      const question = { what: "tile", view: scan.view, ...cells } as const;
      const walked = await this.once(asker, question, (goOn) => tileFromTables(scan, cells, goOn));
      // The answer is handed over, and the next one may be the same.
      return {
        data: walked.data.slice(),
        zero: walked.zero.slice(),
        known: walked.known.slice(),
        damage: walked.damage.slice(),
      };
    }
    const end = fromSector + cells.cells * sectorsPerCell;
    const isPart = fromSector > 0 || end < scan.runs.capacitySectors;
    if (isPart && !scan.finished) scan.look({ from: fromSector, to: end });
    return tileFromPyramid(scan, cells);
  }

  /** The scan makes room for whoever looks around. */
  private attend(scan: Scan, asker: string, place: string): void {
    const before = this.places.get(asker);
    if (before !== undefined && before !== place) scan.attend();
    this.places.set(asker, place);
  }

  private once<T>(
    asker: string | undefined,
    asked: Cells & { readonly what: "tile" | "owners"; readonly view: View },
    walk: (goOn: () => boolean) => Promise<T>,
  ): Promise<T> {
    if (asker === undefined) return walk(() => true);
    const lane = `${asked.what} ${asker}`;
    const question = JSON.stringify([asked.view, asked.fromSector, asked.sectorsPerCell, asked.cells]);
    const last = this.walks.get(lane);
    if (last?.question === question) return last.result as Promise<T>;
    if (last) last.isWanted = false;
    const result: Promise<T> = walk(() => made.isWanted);
    const made: Walk = { question, isWanted: true, result };
    this.walks.set(lane, made);
    result.catch(() => {
      if (this.walks.get(lane) === made) this.walks.delete(lane);
    });
    return result;
  }
}

function emptyTile(cells: number): Tile {
  return {
    data: new Float32Array(cells),
    zero: new Float32Array(cells),
    known: new Uint8Array(cells),
    damage: new Uint8Array(cells),
  };
}

function tileFromPyramid(scan: Scan, { fromSector, sectorsPerCell, cells }: Cells): Tile {
  const { pyramid, tally, preview } = scan;
  const tile = emptyTile(cells);
  const sum = { data: 0, zero: 0, damaged: 0 };
  for (let i = 0; i < cells; i++) {
    const from = fromSector + i * sectorsPerCell;
    const to = Math.min(from + sectorsPerCell, pyramid.capacitySectors);
    if (from >= to) break;
    pyramid.sum(from, to, sum);
    let known = tally.known(from, to);
    if (known !== 2 && preview) {
      known = preview.needsReading(from, to) ? 1 : 2;
      if (known === 2 && preview.holesAreZeros) sum.zero = to - from;
    }
    tile.data[i] = sum.data / sectorsPerCell;
    tile.zero[i] = sum.zero / sectorsPerCell;
    if (sum.damaged > 0) tile.damage[i] = 1;
    tile.known[i] = known;
  }
  return tile;
}

async function tileFromTables(scan: Scan, cells: Cells, goOn: () => boolean): Promise<Tile> {
  const { fromSector, sectorsPerCell } = cells;
  const tile = emptyTile(cells.cells);
  const to = Math.min(scan.runs.capacitySectors, fromSector + cells.cells * sectorsPerCell);
  if (to <= fromSector) return tile;
  // Sums of many small parts: they are kept as sectors, which are exact.
  const add = ({ kind, start, length }: Pick<PlacedRun, "kind" | "start" | "length">) => {
    if (kind === HOLE) return;
    if (kind === DAMAGED) {
      markDamage(tile.damage, { from: start, to: start + length }, cells);
      return;
    }
    const parts = kind === DATA ? tile.data : tile.zero;
    const end = start + length;
    for (let at = start; at < end;) {
      const i = Math.floor((at - fromSector) / sectorsPerCell);
      const next = Math.min(end, fromSector + (i + 1) * sectorsPerCell);
      parts[i]! += next - at;
      at = next;
    }
  };
  for (const { from, to: end, kind } of stretchesOf(scan, { from: fromSector, to })) {
    if (kind === undefined) await walkRuns(scan.runs, { from, to: end, goOn }, add);
    else add({ kind, start: from, length: end - from });
  }
  const last = Math.ceil((to - fromSector) / sectorsPerCell);
  for (let i = 0; i < last; i++) {
    tile.data[i]! /= sectorsPerCell;
    tile.zero[i]! /= sectorsPerCell;
    tile.known[i] = 2;
  }
  return tile;
}

/** Cuts a range where the scan knows more: leaves of a single kind need no tables. The others have no kind. */
function stretchesOf(
  { pyramid, tally }: Scan,
  range: SectorRange,
): (SectorRange & { readonly kind: number | undefined })[] {
  const span = pyramid.spanSectors;
  const found: { from: number; to: number; kind: number | undefined }[] = [];
  for (let from = range.from; from < range.to;) {
    const leaf = Math.floor(from / span);
    const start = leaf * span;
    const isKnown = tally.known(start, Math.min(start + span, pyramid.capacitySectors)) === 2;
    const kind = isKnown ? pyramid.kindOf(leaf) : undefined;
    const to = Math.min(range.to, start + span);
    const last = found.at(-1);
    if (last && last.kind === kind) last.to = to;
    else found.push({ from, to, kind });
    from = to;
  }
  return found;
}

function markDamage(damage: Uint8Array, { from, to }: SectorRange, cells: Cells): void {
  const { fromSector, sectorsPerCell } = cells;
  const first = Math.max(0, Math.floor((from - fromSector) / sectorsPerCell));
  damage.fill(1, first, Math.ceil((to - fromSector) / sectorsPerCell));
}

/** Which link owns each cell: the newest of those that have data in it; -1 only zeros, -2 nothing. */
async function ownersOf(
  runs: Runs,
  { fromSector, sectorsPerCell, cells }: Cells,
  goOn: () => boolean,
): Promise<Int16Array<ArrayBuffer>> {
  const owners = new Int16Array(cells).fill(-2);
  const to = Math.min(runs.capacitySectors, fromSector + cells * sectorsPerCell);
  await walkRuns(runs, { from: Math.min(fromSector, to), to, goOn }, ({ kind, start, length, link }) => {
    if (kind === HOLE) return;
    const owner = kind === DATA || kind === DAMAGED ? link : -1;
    const first = Math.floor((start - fromSector) / sectorsPerCell);
    const end = Math.ceil((start + length - fromSector) / sectorsPerCell);
    for (let i = first; i < end; i++) {
      const before = owners[i]!;
      if (before < 0 ? owner > before : owner >= 0 && owner < before) owners[i] = owner;
    }
  });
  return owners;
}

/** How each cell of a snapshot compares: data that changed is told before zeros. */
export function changesOf(
  disk: { changedIn(range: SectorRange): readonly Run[] },
  asked: Cells,
): Uint8Array<ArrayBuffer> {
  const { fromSector, sectorsPerCell, cells } = boundCells(asked);
  const changes = new Uint8Array(cells);
  for (const run of disk.changedIn({ from: fromSector, to: fromSector + cells * sectorsPerCell })) {
    const first = Math.max(0, Math.floor((run.start / SECTOR_SIZE - fromSector) / sectorsPerCell));
    const end = Math.ceil(((run.start + run.length) / SECTOR_SIZE - fromSector) / sectorsPerCell);
    if (run.kind === "data") changes.fill(NEW_DATA, first, end);
    else for (let i = first; i < Math.min(end, cells); i++) changes[i] ||= NEW_ZEROS;
  }
  return changes;
}
