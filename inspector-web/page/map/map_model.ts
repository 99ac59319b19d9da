/** What a map shows, and whom it asks for it. */
import type { CurveName } from "../../shared/curve.ts";
import { type Palette, PALETTES, type ThemeName } from "../../shared/palette.ts";
import type { Tile } from "../../shared/protocol.ts";
import type { Inspector } from "../actions/inspector.ts";
import type { PageState } from "../model/store.ts";
import { linkOf } from "../model/words.ts";
import type { MapDisk } from "./map_window.ts";

export interface Cells {
  readonly fromSector: number;
  readonly sectorsPerCell: number;
  readonly cells: number;
  /** What the same one asked before may be given up. */
  readonly asker?: string;
}

/** What a map shows and how. */
export interface MapModel extends MapDisk {
  readonly curve: CurveName;
  readonly palette: Palette;
  /** True: cells are coloured by the link that owns them. */
  readonly byOwner: boolean;
  /** How each cell compares with another snapshot, where cells are coloured by that. */
  readonly changes: ((cells: Cells) => Promise<Uint8Array>) | undefined;
  tile(cells: Cells): Promise<Tile>;
  owners(cells: Cells): Promise<Int16Array>;
}

/** A raw disk has no grains; its cells go down to this many sectors. */
const RAW_GRAIN_SECTORS = 8;

export function modelOf(
  { opened, view, curve, byOwner, byChange, difference }: PageState,
  inspector: Inspector,
  theme: ThemeName,
): MapModel {
  const link = linkOf(opened, view);
  return {
    capacitySectors: opened?.capacitySectors ?? 1,
    grainSectors: Math.max(1, (link?.grainBytes ?? RAW_GRAIN_SECTORS * 512) / 512),
    curve,
    byOwner,
    palette: PALETTES[theme],
    changes: opened?.snapshot && byChange && difference
      ? async (cells) => (await inspector.client.ask({ type: "changes", ...cells })).changes
      : undefined,
    tile: (cells) => inspector.client.ask({ type: "tile", view, ...cells }),
    owners: async (cells) => (await inspector.client.ask({ type: "owners", view, ...cells })).owners,
  };
}
