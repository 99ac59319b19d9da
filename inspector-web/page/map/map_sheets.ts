/** What is known of the disk that a map shows: asked for as the window moves, kept while nothing newer was asked. */
import type { Cell } from "../model/sector_words.ts";
import type { MapModel } from "./map_model.ts";
import type { Sheet } from "./map_painter.ts";
import { cellCount, type MapWindow } from "./map_window.ts";

export class MapSheets {
  #sheet: Sheet | undefined;
  /** The last that covered the whole disk: it shows where the sheet of a new window is not here yet. */
  #overview: Sheet | undefined;
  #generation = 0;

  /** The best first. */
  get known(): readonly Sheet[] {
    return [this.#sheet, this.#overview].filter((sheet) => sheet !== undefined);
  }

  /** Knows nothing any more, and takes no answer to what was asked before. */
  forget(): void {
    this.#generation++;
    this.#sheet = this.#overview = undefined;
  }

  /** Asks for the cells of a window; true when the answer is the newest, and is kept. */
  async load(model: MapModel, window: MapWindow): Promise<boolean> {
    const generation = ++this.#generation;
    const { fromSector, sectorsPerCell } = window;
    const left = Math.ceil((model.capacitySectors - fromSector) / sectorsPerCell);
    const cells = Math.max(1, Math.min(cellCount(window), left));
    const asked = { fromSector, sectorsPerCell, cells, asker: "map" };
    try {
      const [tile, owners, changes] = await Promise.all([
        model.tile(asked),
        model.byOwner ? model.owners(asked) : undefined,
        model.changes?.(asked),
      ]);
      if (generation !== this.#generation) return false;
      this.#sheet = { fromSector, sectorsPerCell, tile, owners, changes };
      if (fromSector === 0 && tile.data.length === left) this.#overview = this.#sheet;
      return true;
    } catch (error) {
      if (generation !== this.#generation) return false;
      throw error;
    }
  }

  /** The cell that a sector is in, if it is known. */
  cellAt(sector: number): Cell | undefined {
    const sheet = this.#sheet;
    const i = sheet ? Math.floor((sector - sheet.fromSector) / sheet.sectorsPerCell) : -1;
    if (!sheet || i < 0 || i >= sheet.tile.data.length) return undefined;
    const { data, zero, known, damage } = sheet.tile;
    return {
      sector,
      data: data[i] ?? 0,
      zero: zero[i] ?? 0,
      known: known[i] ?? 0,
      damaged: damage[i] === 1,
      change: sheet.changes?.[i],
    };
  }
}
