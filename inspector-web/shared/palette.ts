/**
 * What colour a cell has. Density is lightness on a scale made after cividis, which people with any colour vision read
 * in the same order; what is there at all is never painted as nothing, however little it is.
 *
 * Colours are little-endian RGBA words, as a `Uint32Array` over the bytes of an `ImageData` takes them.
 *
 * This module is browser compatible.
 */
import { NEW_DATA, NEW_ZEROS } from "./protocol.ts";

export type ThemeName = "light" | "dark";

/** Number of steps of density above nothing. */
export const DENSITY_STEPS = 15;
/** Parts of a cell that are told apart: below 2^-14 everything has the first step. */
const FINEST = 14;

export interface Palette {
  /** `density[0]` is a hole; from 1 to {@link DENSITY_STEPS} ever more data. */
  readonly density: Uint32Array;
  /** A cell that holds zeros and no data: faint and full. */
  readonly zero: readonly [number, number];
  readonly unknown: number;
  /** A cell that has tables which were not read yet. */
  readonly unread: number;
  readonly outside: number;
  readonly damage: number;
  /** Chunks of a snapshot: new with zeros, new with data; and as they were, little and full. */
  readonly changes: {
    readonly zeros: number;
    readonly data: number;
    readonly kept: readonly [number, number];
  };
  /** Links, newest first; repeated from the start when there are more. */
  readonly links: readonly number[];
}

/** Step of density for a part of a cell: 0 only for exactly nothing, logarithmic above. */
export function densityStep(part: number): number {
  if (!(part > 0)) return 0;
  const depth = Math.min(FINEST, -Math.log2(Math.min(1, part)));
  return 1 + Math.round((1 - depth / FINEST) * (DENSITY_STEPS - 1));
}

/** `#rrggbb` as a word of an image. */
export function word(hex: string): number {
  const value = parseInt(hex.slice(1), 16);
  const [red, green, blue] = [value >>> 16, (value >>> 8) & 255, value & 255];
  return (255 << 24 | blue << 16 | green << 8 | red) >>> 0;
}

/** A word of an image as `#rrggbb`. */
export function hexOf(colour: number): string {
  const parts = [colour & 255, (colour >>> 8) & 255, (colour >>> 16) & 255];
  return "#" + parts.map((part) => part.toString(16).padStart(2, "0")).join("");
}

/** Steps between colours, evenly: `stops` are `#rrggbb`. */
function ramp(stops: readonly string[], count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const at = count === 1 ? 0 : i / (count - 1) * (stops.length - 1);
    const low = Math.min(stops.length - 2, Math.floor(at));
    return mix(word(stops[low] ?? "#000000"), word(stops[low + 1] ?? "#000000"), at - low);
  });
}

function mix(from: number, to: number, share: number): number {
  let mixed = 255 << 24;
  for (const shift of [0, 8, 16]) {
    const [a, b] = [(from >>> shift) & 255, (to >>> shift) & 255];
    mixed |= Math.round(a + (b - a) * share) << shift;
  }
  return mixed >>> 0;
}

/** Okabe and Ito's colours, which stay apart under colour blindness. */
const LINKS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#8a8a8a"].map(
  word,
);

export const PALETTES: Readonly<Record<ThemeName, Palette>> = {
  light: {
    density: Uint32Array.from([
      word("#e9ecf0"),
      ...ramp(["#d9c566", "#a69d75", "#7d7c78", "#4f5f73", "#123570", "#00204c"], DENSITY_STEPS),
    ]),
    zero: [word("#bfe0dc"), word("#5fb0a7")],
    unknown: word("#f7f8fa"),
    unread: word("#efe8d2"),
    outside: word("#ffffff"),
    damage: word("#c8102e"),
    changes: { zeros: word("#8fc7f0"), data: word("#e07b00"), kept: [word("#c3ccd6"), word("#7b8a9c")] },
    links: LINKS,
  },
  dark: {
    density: Uint32Array.from([
      word("#1d222b"),
      ...ramp(["#1f4a86", "#4c6184", "#7c7b78", "#aaa06f", "#d8c45c", "#fde737"], DENSITY_STEPS),
    ]),
    zero: [word("#1d4a4a"), word("#2f8f86")],
    unknown: word("#14181f"),
    unread: word("#2b2a2e"),
    outside: word("#0f1217"),
    damage: word("#ff5566"),
    changes: { zeros: word("#2f6f9f"), data: word("#ffab3d"), kept: [word("#39434f"), word("#66788c")] },
    links: LINKS,
  },
};

/** What is known of one cell, in parts of it. */
export interface CellParts {
  readonly data: number;
  readonly zero: number;
  readonly known: number;
  readonly damaged: boolean;
}

/** The colour of a cell; damage wins, then data, then zeros. */
export function cellColour(palette: Palette, cell: CellParts): number {
  if (cell.damaged) return palette.damage;
  if (cell.data > 0) return palette.density[densityStep(cell.data)] ?? palette.unknown;
  if (cell.zero > 0) return palette.zero[cell.zero >= 0.5 ? 1 : 0];
  if (cell.known === 1) return palette.unread;
  return cell.known === 0 ? palette.unknown : palette.density[0] ?? palette.unknown;
}

/** The colour of a cell of a snapshot by how it compares; damage wins, then what is new, however little of it. */
export function changeColour(palette: Palette, cell: CellParts, change: number): number {
  const { kept, data, zeros } = palette.changes;
  if (cell.damaged || cell.known !== 2) return cellColour(palette, cell);
  if (change === NEW_DATA && cell.data > 0) return data;
  if (cell.data > 0) return kept[cell.data >= 0.5 ? 1 : 0];
  return change === NEW_ZEROS ? zeros : cellColour(palette, cell);
}

/** The colour of a link, newest first. */
export function linkColour(palette: Palette, index: number): number {
  return palette.links[index % palette.links.length] ?? palette.unknown;
}
