/**
 * The map of a disk on a canvas: it keeps the window and the cursor. What it knows of the disk is in `map_sheets.ts`,
 * the painting is `map_painter.ts`, the arithmetic `map_window.ts`, wheel, pointer and keys are `map_input.ts`; what
 * the map finds out it tells its listener.
 */
import type { DiskMap } from "../actions/disk_map.ts";
import type { Cell } from "../model/sector_words.ts";
import { type CellPlace, MapInput, type Touched } from "./map_input.ts";
import type { MapModel } from "./map_model.ts";
import { MapPainter, RULER_PX } from "./map_painter.ts";
import { MapSheets } from "./map_sheets.ts";
import * as windows from "./map_window.ts";
import type { MapWindow } from "./map_window.ts";

export interface MapListener {
  moved(window: MapWindow): void;
  /** A cell that the pointer is over, with where on the page; undefined when it left. */
  hovered(cell: { sector: number; x: number; y: number } | undefined): void;
  /** The cursor was moved, by keys or a click. */
  pointed(sector: number): void;
  /** Enter, or a double click. */
  chosen(sector: number): void;
  failed(error: unknown): void;
}

const NARROW_PX = 520;

export class GrainMap implements DiskMap, Touched {
  readonly #canvas: HTMLCanvasElement;
  readonly #listener: MapListener;
  readonly #painter: MapPainter;
  readonly #sheets = new MapSheets();
  readonly #stop = new AbortController();
  readonly #resized: ResizeObserver;
  #model: MapModel;
  #window: MapWindow | undefined;
  #wanted: { fromSector: number; sectorsPerCell: number } | undefined;
  #frame = 0;
  #cursorSector = 0;
  #hoverCell: number | undefined;

  constructor(canvas: HTMLCanvasElement, model: MapModel, listener: MapListener) {
    this.#canvas = canvas;
    this.#model = model;
    this.#listener = listener;
    this.#painter = new MapPainter(canvas);
    this.#resized = new ResizeObserver(() => this.#resize());
    this.#resized.observe(canvas);
    new MapInput(canvas, this, this.#stop.signal);
  }

  /** Takes a new model; with another disk, everything known is forgotten. */
  show(model: MapModel, isOther: boolean): void {
    this.#model = model;
    if (isOther) {
      this.#sheets.forget();
      this.#window = undefined;
      this.#cursorSector = 0;
    }
    this.#resize();
  }

  get window(): MapWindow | undefined {
    return this.#window;
  }

  /** Goes to a place as a link has it; before the canvas has a size it is kept. */
  place(fromSector: number, sectorsPerCell: number): void {
    this.#wanted = { fromSector, sectorsPerCell };
    this.#resize();
  }

  /** Asks for the cells again, since more is known now. */
  refresh(): void {
    if (this.#window) void this.#load(this.#window);
  }

  fit(): void {
    this.#move(windows.fitWindow(this.#model, this.#room()));
  }

  zoomBy(way: "in" | "out"): void {
    const window = this.#window;
    if (!window) return;
    const cursor = this.#cellOf(this.#cursorSector);
    const seen = cursor >= 0 && cursor < windows.cellCount(window);
    const share = seen ? cursor / windows.cellCount(window) : 0.5;
    this.zoomAt(way, { share, sector: seen ? this.#cursorSector : this.#sectorAt(share) });
  }

  zoomTo(startSector: number, sectors: number): void {
    this.#cursorSector = startSector;
    this.#move(windows.zoomTo({ startSector, sectors }, this.#model, this.#room()));
  }

  panBy(share: number): void {
    const window = this.#window;
    if (window) this.panFrom(window, Math.round(share * window.rows) * window.columns);
  }

  /** Centres a sector without zooming. */
  centre(sector: number): void {
    const window = this.#window;
    if (!window) return;
    const back = Math.floor(window.rows / 2) * window.columns * window.sectorsPerCell;
    this.#move(windows.settle({ ...window, fromSector: sector - back }, this.#model, this.#room()));
  }

  /** Puts the cursor on a sector and brings it into sight. */
  point(sector: number): void {
    this.#cursorSector = Math.max(0, Math.min(this.#model.capacitySectors - 1, sector));
    const cell = this.#cellOf(this.#cursorSector);
    if (this.#window && (cell < 0 || cell >= windows.cellCount(this.#window))) {
      this.centre(this.#cursorSector);
    }
    this.repaint();
  }

  /** The cell under the cursor, from what is known. */
  cursorCell(): Cell | undefined {
    return this.#sheets.cellAt(this.#cursorSector);
  }

  /** The picture as it stands, as PNG. */
  toPng(): Promise<Blob | null> {
    this.#paint();
    return new Promise((resolve) => this.#canvas.toBlob(resolve, "image/png"));
  }

  destroy(): void {
    this.#stop.abort();
    this.#sheets.forget();
    this.#resized.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  #rulerPx(): number {
    return this.#model.curve === "rows" && this.#canvas.clientWidth >= NARROW_PX ? RULER_PX : 0;
  }

  #room(): windows.Room {
    return { widthPx: this.#canvas.clientWidth - this.#rulerPx(), heightPx: this.#canvas.clientHeight };
  }

  #resize(): void {
    const [width, height] = [this.#canvas.clientWidth, this.#canvas.clientHeight];
    if (width === 0 || height === 0) return;
    const [widthPx, heightPx] = [width * devicePixelRatio, height * devicePixelRatio].map(Math.round);
    if (widthPx !== undefined && this.#canvas.width !== widthPx) this.#canvas.width = widthPx;
    if (heightPx !== undefined && this.#canvas.height !== heightPx) this.#canvas.height = heightPx;
    const whole = windows.fitWindow(this.#model, this.#room());
    const wanted = { ...(this.#window ?? whole), ...this.#wanted };
    this.#wanted = undefined;
    this.#move(windows.settle(wanted, this.#model, this.#room()));
  }

  #move(window: MapWindow): void {
    this.#window = window;
    this.repaint();
    this.#listener.moved(window);
    void this.#load(window);
  }

  panFrom(window: MapWindow, cells: number): void {
    this.#move(windows.pan(window, cells, this.#model, this.#room()));
  }

  zoomAt(way: "in" | "out", anchor: windows.Anchor): void {
    if (this.#window) this.#move(windows.zoom(this.#window, way, anchor, this.#model, this.#room()));
  }

  async #load(window: MapWindow): Promise<void> {
    try {
      if (await this.#sheets.load(this.#model, window)) this.repaint();
    } catch (error) {
      this.#listener.failed(error);
    }
  }

  repaint(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#paint());
  }

  #paint(): void {
    if (!this.#window) return;
    const style = getComputedStyle(this.#canvas);
    this.#painter.paint({
      window: this.#window,
      capacitySectors: this.#model.capacitySectors,
      curve: this.#model.curve,
      palette: this.#model.palette,
      sheets: this.#sheets.known,
      cursorCell: this.#cellOf(this.#cursorSector),
      hoverCell: this.#hoverCell,
      hasFocus: document.activeElement === this.#canvas,
      rulerPx: this.#rulerPx(),
      ink: style.color,
      accent: style.getPropertyValue("--accent").trim() || style.color,
    });
  }

  #cellOf(sector: number): number {
    const window = this.#window;
    return window ? Math.floor((sector - window.fromSector) / window.sectorsPerCell) : -1;
  }

  #sectorAt(share: number): number {
    const window = this.#window;
    if (!window) return 0;
    const sector = window.fromSector + Math.floor(share * windows.cellCount(window)) * window.sectorsPerCell;
    return Math.min(sector, this.#model.capacitySectors - 1);
  }

  cellAt(x: number, y: number): CellPlace | undefined {
    const window = this.#window;
    if (!window) return undefined;
    const column = Math.floor((x - this.#rulerPx()) / window.cellPx);
    const row = Math.floor(y / window.cellPx);
    if (column < 0 || row < 0 || column >= window.columns || row >= window.rows) return undefined;
    const cell = this.#painter.layout(window, this.#model.curve).cellAt[row * window.columns + column];
    if (cell === undefined) return undefined;
    const sector = window.fromSector + cell * window.sectorsPerCell;
    return sector < this.#model.capacitySectors ? { cell, sector } : undefined;
  }

  hover(place: CellPlace | undefined, event: PointerEvent | undefined): void {
    if (place?.cell !== this.#hoverCell) {
      this.#hoverCell = place?.cell;
      this.repaint();
    }
    const at = place && event && { sector: place.sector, x: event.clientX, y: event.clientY };
    this.#listener.hovered(at);
  }

  press(sector: number): void {
    this.#cursorSector = sector;
    this.repaint();
    this.#listener.pointed(sector);
  }

  choose(sector = this.#cursorSector): void {
    this.#listener.chosen(sector);
  }

  goToEnd(end: "first" | "last"): void {
    this.#pointAt(end === "first" ? 0 : this.#model.capacitySectors - 1);
  }

  walk(dx: number, dy: number): void {
    const window = this.#window;
    if (!window) return;
    const cell = this.#cellOf(this.#cursorSector);
    if (this.#model.curve === "rows") {
      return this.#pointAt(this.#cursorSector + (dy * window.columns + dx) * window.sectorsPerCell);
    }
    const layout = this.#painter.layout(window, this.#model.curve);
    const place = layout.placeOf[cell] ?? 0;
    const column = Math.min(window.columns - 1, Math.max(0, place % window.columns + dx));
    const row = Math.min(window.rows - 1, Math.max(0, Math.floor(place / window.columns) + dy));
    const next = layout.cellAt[row * window.columns + column] ?? 0;
    this.#pointAt(window.fromSector + next * window.sectorsPerCell);
  }

  #pointAt(sector: number): void {
    this.point(sector);
    this.#listener.pointed(this.#cursorSector);
  }
}
