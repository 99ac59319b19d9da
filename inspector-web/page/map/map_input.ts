/** What wheel, pointer and keys do on the map. */
import { cellCount, type MapWindow } from "./map_window.ts";
import type * as windows from "./map_window.ts";

/** A cell of the window, and the first sector that it covers. */
export interface CellPlace {
  readonly cell: number;
  readonly sector: number;
}

/** A map, as far as hands reach it. */
export interface Touched {
  readonly window: MapWindow | undefined;
  /** The cell at a place of the canvas; undefined beside the cells and beyond the end of the disk. */
  cellAt(x: number, y: number): CellPlace | undefined;
  zoomAt(way: "in" | "out", anchor: windows.Anchor): void;
  /** Shows what lies some cells further on than a window does. */
  panFrom(window: MapWindow, cells: number): void;
  /** Pans by parts of the window: 1 is a whole one. */
  panBy(share: number): void;
  hover(cell: CellPlace | undefined, event: PointerEvent | undefined): void;
  /** Moves the cursor to a sector, without bringing it into sight: it is. */
  press(sector: number): void;
  /** Moves the cursor over the picture as it is laid. */
  walk(dx: number, dy: number): void;
  goToEnd(end: "first" | "last"): void;
  /** Enter, or a double click; at the cursor when no sector is named. */
  choose(sector?: number): void;
  repaint(): void;
}

/** Zooms at most this often by wheel, so that a trackpad does not rush through all levels. */
const WHEEL_STEP_MS = 60;
/** A pointer that moved less was held still. */
const STILL_PX = 5;
const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export class MapInput {
  readonly #canvas: HTMLCanvasElement;
  readonly #map: Touched;
  #lastWheelMs = 0;
  #drag: { x: number; y: number; window: MapWindow; moved: boolean } | undefined;

  /** @param signal Ends it. */
  constructor(canvas: HTMLCanvasElement, map: Touched, signal: AbortSignal) {
    this.#canvas = canvas;
    this.#map = map;
    canvas.addEventListener("wheel", (event) => this.#onWheel(event), { signal, passive: false });
    canvas.addEventListener("pointerdown", (event) => this.#onDown(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.#onMove(event), { signal });
    canvas.addEventListener("pointerup", (event) => this.#onUp(event), { signal });
    canvas.addEventListener("pointercancel", () => this.#drag = undefined, { signal });
    canvas.addEventListener("pointerleave", () => map.hover(undefined, undefined), { signal });
    canvas.addEventListener("dblclick", (event) => {
      const place = map.cellAt(event.offsetX, event.offsetY);
      if (place) map.choose(place.sector);
    }, { signal });
    canvas.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    canvas.addEventListener("focus", () => map.repaint(), { signal });
    canvas.addEventListener("blur", () => map.repaint(), { signal });
  }

  #onWheel(event: WheelEvent): void {
    if (event.ctrlKey || event.deltaY === 0) return;
    event.preventDefault();
    if (event.timeStamp - this.#lastWheelMs < WHEEL_STEP_MS) return;
    this.#lastWheelMs = event.timeStamp;
    const { window } = this.#map;
    const place = this.#map.cellAt(event.offsetX, event.offsetY);
    if (!place || !window) return;
    const share = place.cell / cellCount(window);
    this.#map.zoomAt(event.deltaY < 0 ? "in" : "out", { sector: place.sector, share });
  }

  #onDown(event: PointerEvent): void {
    const { window } = this.#map;
    if (event.button !== 0 || !window) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#drag = { x: event.offsetX, y: event.offsetY, window, moved: false };
  }

  #onMove(event: PointerEvent): void {
    const drag = this.#drag;
    if (!drag) return this.#map.hover(this.#map.cellAt(event.offsetX, event.offsetY), event);
    const columns = Math.round((drag.x - event.offsetX) / drag.window.cellPx);
    const rows = Math.round((drag.y - event.offsetY) / drag.window.cellPx);
    const movedPx = Math.abs(drag.x - event.offsetX) + Math.abs(drag.y - event.offsetY);
    if (!drag.moved && movedPx < STILL_PX) return;
    drag.moved = true;
    this.#map.hover(undefined, undefined);
    this.#map.panFrom(drag.window, rows * drag.window.columns + columns);
  }

  #onUp(event: PointerEvent): void {
    const place = this.#drag?.moved === false ? this.#map.cellAt(event.offsetX, event.offsetY) : undefined;
    this.#drag = undefined;
    if (place) this.#map.press(place.sector);
  }

  /** Arrows walk over the picture as it is laid; Page and Home go along the disk. */
  #onKey(event: KeyboardEvent): void {
    const map = this.#map;
    if (!map.window || event.ctrlKey || event.altKey || event.metaKey) return;
    const step = ARROWS[event.key];
    if (step && !event.shiftKey) map.walk(step[0], step[1]);
    else if (event.key === "PageUp") map.panBy(-1);
    else if (event.key === "PageDown") map.panBy(1);
    else if (event.key === "Home") map.goToEnd("first");
    else if (event.key === "End") map.goToEnd("last");
    else if (event.key === "Enter") map.choose();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
