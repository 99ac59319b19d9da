/**
 * Paints a window of a disk: one pixel a cell into an image, drawn larger without smoothing, and over it what
 * needs lines.
 */
import { type CurveName, type Layout, layOut } from "../../shared/curve.ts";
import { cellColour, changeColour, hexOf, linkColour, type Palette } from "../../shared/palette.ts";
import { NEW_DATA, type Tile } from "../../shared/protocol.ts";
import { formatOffset } from "../../shared/units.ts";
import { cellCount, type MapWindow } from "./map_window.ts";

/** What is known of a stretch of the disk, from one answer of the worker. */
export interface Sheet {
  readonly fromSector: number;
  readonly sectorsPerCell: number;
  readonly tile: Tile;
  /** Link that owns each cell, when the map is coloured by link. */
  readonly owners: Int16Array | undefined;
  /** How each cell of a snapshot compares, when the map is coloured by that. */
  readonly changes: Uint8Array | undefined;
}

/** Room that the offsets down the side take, in CSS pixels. */
export const RULER_PX = 84;
/** Cells of this size and more carry a pattern beside their colour. */
const PATTERN_PX = 6;

export interface Picture {
  readonly window: MapWindow;
  readonly capacitySectors: number;
  readonly curve: CurveName;
  readonly palette: Palette;
  /** The best first. */
  readonly sheets: readonly Sheet[];
  readonly cursorCell: number | undefined;
  readonly hoverCell: number | undefined;
  readonly hasFocus: boolean;
  readonly rulerPx: number;
  readonly ink: string;
  readonly accent: string;
}

export class MapPainter {
  readonly #canvas: HTMLCanvasElement;
  readonly #image = document.createElement("canvas");
  #layout: Layout | undefined;
  #curve: CurveName | undefined;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
  }

  /** How the cells of a window are laid; kept until the window changes its sides. */
  layout({ columns: width, rows: height }: MapWindow, curve: CurveName): Layout {
    const kept = this.#layout;
    if (kept && kept.width === width && kept.height === height && this.#curve === curve) return kept;
    this.#curve = curve;
    return this.#layout = layOut(curve, { width, height });
  }

  paint(picture: Picture): void {
    const context = this.#canvas.getContext("2d");
    if (!context) return;
    const { window, rulerPx } = picture;
    const scale = devicePixelRatio;
    const layout = this.layout(window, picture.curve);
    this.#paintCells(picture, layout);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, this.#canvas.width / scale, this.#canvas.height / scale);
    context.imageSmoothingEnabled = false;
    const [width, height] = [window.columns * window.cellPx, window.rows * window.cellPx];
    context.drawImage(this.#image, rulerPx, 0, width, height);
    if (window.cellPx >= PATTERN_PX) paintPatterns(context, picture, layout);
    if (rulerPx > 0) paintRuler(context, picture);
    outline(context, picture, layout, picture.hoverCell, picture.ink);
    outline(context, picture, layout, picture.cursorCell, picture.hasFocus ? picture.accent : picture.ink);
  }

  #paintCells({ window, capacitySectors, palette, sheets }: Picture, layout: Layout): void {
    const { columns, rows, fromSector, sectorsPerCell } = window;
    if (this.#image.width !== columns) this.#image.width = columns;
    if (this.#image.height !== rows) this.#image.height = rows;
    const context = this.#image.getContext("2d");
    if (!context) return;
    const image = context.createImageData(columns, rows);
    const words = new Uint32Array(image.data.buffer);
    const count = cellCount(window);
    for (let i = 0; i < count; i++) {
      const sector = fromSector + i * sectorsPerCell;
      const colour = sector < capacitySectors ? sectorColour(sector, sheets, palette) : palette.outside;
      words[layout.placeOf[i] ?? 0] = colour;
    }
    context.putImageData(image, 0, 0);
  }
}

/** Colour of the cell at a sector, from the best sheet that knows it. */
function sectorColour(sector: number, sheets: readonly Sheet[], palette: Palette): number {
  for (const { fromSector, sectorsPerCell, tile, owners, changes } of sheets) {
    const i = Math.floor((sector - fromSector) / sectorsPerCell);
    if (i < 0 || i >= tile.data.length) continue;
    const damaged = tile.damage[i] === 1;
    const owner = owners?.[i] ?? -1;
    if (owners && owner >= 0 && !damaged) return linkColour(palette, owner);
    const [data, zero, known] = [tile.data[i] ?? 0, tile.zero[i] ?? 0, tile.known[i] ?? 0];
    const cell = { data, zero, known, damaged };
    return changes ? changeColour(palette, cell, changes[i] ?? 0) : cellColour(palette, cell);
  }
  return palette.unknown;
}

/** Zeros carry a ring, damage a cross and new chunks a stroke: none is told by colour alone. */
function paintPatterns(context: CanvasRenderingContext2D, picture: Picture, layout: Layout): void {
  const { window, palette, sheets, rulerPx } = picture;
  const best = sheets[0];
  if (!best || best.sectorsPerCell !== window.sectorsPerCell) return;
  const size = window.cellPx;
  const shift = (window.fromSector - best.fromSector) / window.sectorsPerCell;
  context.lineWidth = 1;
  for (let i = 0; i < cellCount(window); i++) {
    const place = layout.placeOf[i] ?? 0;
    const x = rulerPx + place % window.columns * size;
    const y = Math.floor(place / window.columns) * size;
    const [zero, data, damage] = [
      best.tile.zero[i + shift],
      best.tile.data[i + shift],
      best.tile.damage[i + shift],
    ];
    context.strokeStyle = hexOf(palette.outside);
    if (size >= 8) context.strokeRect(x + 0.5, y + 0.5, size, size);
    if (damage) cross(context, x, y, size);
    else if (zero && !data) {
      context.beginPath();
      context.arc(x + size / 2, y + size / 2, size / 5, 0, 2 * Math.PI);
      context.stroke();
    } else if (data && best.changes?.[i + shift] === NEW_DATA) {
      context.beginPath();
      context.moveTo(x + 2, y + size - 2);
      context.lineTo(x + size - 2, y + 2);
      context.stroke();
    }
  }
}

function cross(context: CanvasRenderingContext2D, x: number, y: number, size: number): void {
  context.beginPath();
  context.moveTo(x + 2, y + 2);
  context.lineTo(x + size - 1, y + size - 1);
  context.moveTo(x + size - 1, y + 2);
  context.lineTo(x + 2, y + size - 1);
  context.stroke();
}

/** Offsets of rows down the side, about one every three lines of text. */
function paintRuler(
  context: CanvasRenderingContext2D,
  { window, capacitySectors, ink, rulerPx }: Picture,
): void {
  const step = Math.max(1, Math.ceil(42 / window.cellPx));
  context.font = "11px ui-monospace, monospace";
  context.fillStyle = ink;
  context.textAlign = "right";
  context.textBaseline = "top";
  for (let row = 0; row < window.rows; row += step) {
    const sector = window.fromSector + row * window.columns * window.sectorsPerCell;
    if (sector >= capacitySectors) return;
    context.fillText(formatOffset(sector * 512), rulerPx - 8, row * window.cellPx, rulerPx - 8);
  }
}

function outline(
  context: CanvasRenderingContext2D,
  { window, rulerPx }: Picture,
  layout: Layout,
  cell: number | undefined,
  colour: string,
): void {
  if (cell === undefined || cell < 0 || cell >= cellCount(window)) return;
  const place = layout.placeOf[cell] ?? 0;
  const size = window.cellPx;
  const x = rulerPx + place % window.columns * size;
  const y = Math.floor(place / window.columns) * size;
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.strokeRect(x - 1.5, y - 1.5, size + 3, size + 3);
}
