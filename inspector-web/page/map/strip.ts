/**
 * The whole disk in one line: how full each column is, the partitions as bands below, and a frame around what the map
 * shows. Dragging moves the map; so do the arrow keys.
 */
import { cellColour, changeColour, hexOf } from "../../shared/palette.ts";
import type { AreaFacts, Tile } from "../../shared/protocol.ts";
import { formatShare } from "../../shared/units.ts";
import type { MapModel } from "./map_model.ts";
import { shownText } from "../model/shown_text.ts";

/** What the strip marks. */
export interface Look {
  readonly fromSector: number;
  readonly sectors: number;
  readonly areas: readonly AreaFacts[];
  readonly names: readonly string[];
}

const BAND_PX = 14;
const NOWHERE: Look = { fromSector: 0, sectors: 0, areas: [], names: [] };

export class Strip {
  readonly #canvas: HTMLCanvasElement;
  readonly #centre: (sector: number) => void;
  readonly #stop = new AbortController();
  readonly #resized: ResizeObserver;
  #model: MapModel;
  #look = NOWHERE;
  #tile: Tile | undefined;
  #changes: Uint8Array | undefined;
  #generation = 0;
  #frame = 0;

  constructor(canvas: HTMLCanvasElement, model: MapModel, centre: (sector: number) => void) {
    this.#canvas = canvas;
    this.#model = model;
    this.#centre = centre;
    this.#resized = new ResizeObserver(() => this.refresh());
    this.#resized.observe(canvas);
    const { signal } = this.#stop;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#drag(event);
    }, { signal });
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) this.#drag(event);
    }, { signal });
    canvas.addEventListener("keydown", (event) => this.#onKey(event), { signal });
  }

  show(model: MapModel): void {
    this.#model = model;
    this.refresh();
  }

  look(look: Look): void {
    this.#look = look;
    const middle = look.fromSector + look.sectors / 2;
    const percent = Math.min(100, Math.round(look.fromSector / this.#model.capacitySectors * 100));
    this.#canvas.setAttribute("aria-valuemin", "0");
    this.#canvas.setAttribute("aria-valuemax", "100");
    this.#canvas.setAttribute("aria-valuenow", String(percent));
    const at = formatShare(Math.min(middle, this.#model.capacitySectors), this.#model.capacitySectors);
    this.#canvas.setAttribute("aria-valuetext", `the map shows the part around ${at} of the disk`);
    this.#repaint();
  }

  refresh(): void {
    void this.#load();
  }

  destroy(): void {
    this.#stop.abort();
    this.#resized.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  /** A failure shows on the map, which asks the same; here the line stays as it is. */
  async #load(): Promise<void> {
    const width = this.#canvas.clientWidth;
    if (width === 0) return;
    const generation = ++this.#generation;
    const sectorsPerCell = Math.max(1, Math.ceil(this.#model.capacitySectors / width));
    const cells = Math.ceil(this.#model.capacitySectors / sectorsPerCell);
    const asked = { fromSector: 0, sectorsPerCell, cells, asker: "strip" };
    const [tile, changes] = await Promise.all([this.#model.tile(asked), this.#model.changes?.(asked)])
      .catch(() => [undefined, undefined]);
    if (generation !== this.#generation || this.#stop.signal.aborted) return;
    if (tile) [this.#tile, this.#changes] = [tile, changes];
    this.#repaint();
  }

  #repaint(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#paint());
  }

  #paint(): void {
    const [width, height, scale] = [this.#canvas.clientWidth, this.#canvas.clientHeight, devicePixelRatio];
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    const context = this.#canvas.getContext("2d");
    if (!context) return;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    this.#paintCells(context, width, height - BAND_PX);
    const style = getComputedStyle(this.#canvas);
    this.#paintAreas(context, { width, top: height - BAND_PX, ink: style.color });
    this.#paintWindow(context, {
      width,
      height,
      colour: style.getPropertyValue("--accent").trim() || style.color,
    });
  }

  #paintCells(context: CanvasRenderingContext2D, width: number, height: number): void {
    const { palette } = this.#model;
    context.fillStyle = hexOf(palette.unknown);
    context.fillRect(0, 0, width, height);
    const tile = this.#tile;
    if (!tile) return;
    const step = width / tile.data.length;
    for (let i = 0; i < tile.data.length; i++) {
      const [data, zero, known] = [tile.data[i] ?? 0, tile.zero[i] ?? 0, tile.known[i] ?? 0];
      const cell = { data, zero, known, damaged: tile.damage[i] === 1 };
      const change = this.#changes?.[i];
      context.fillStyle = hexOf(
        change === undefined ? cellColour(palette, cell) : changeColour(palette, cell, change),
      );
      context.fillRect(i * step, 0, Math.ceil(step), height);
    }
  }

  #paintAreas(
    context: CanvasRenderingContext2D,
    { width, top, ink }: { width: number; top: number; ink: string },
  ): void {
    const capacityBytes = this.#model.capacitySectors * 512;
    context.font = "10px system-ui, sans-serif";
    context.textBaseline = "middle";
    context.textAlign = "left";
    this.#look.areas.forEach(({ kind, startBytes, lengthBytes }, i) => {
      if (kind !== "partition") return;
      const x = startBytes / capacityBytes * width;
      const wide = Math.max(2, lengthBytes / capacityBytes * width - 1);
      context.globalAlpha = 0.14;
      context.fillStyle = ink;
      context.fillRect(x, top + 2, wide, BAND_PX - 2);
      context.globalAlpha = 1;
      if (wide > 18) {
        context.fillText(shownText(this.#look.names[i] ?? ""), x + 4, top + 1 + BAND_PX / 2, wide - 6);
      }
    });
  }

  #paintWindow(
    context: CanvasRenderingContext2D,
    { width, height, colour }: { width: number; height: number; colour: string },
  ): void {
    const x = this.#look.fromSector / this.#model.capacitySectors * width;
    const wide = Math.min(width - x, Math.max(4, this.#look.sectors / this.#model.capacitySectors * width));
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.strokeRect(x + 1, 1, Math.max(2, wide - 2), height - 2);
  }

  #drag(event: PointerEvent): void {
    const share = Math.min(1, Math.max(0, event.offsetX / this.#canvas.clientWidth));
    this.#centre(Math.floor(share * (this.#model.capacitySectors - 1)));
  }

  #onKey(event: KeyboardEvent): void {
    const way =
      ({ ArrowLeft: -0.5, ArrowRight: 0.5, ArrowUp: 0.5, ArrowDown: -0.5, PageUp: 1, PageDown: -1 } as const)[
        event.key
      ];
    if (way === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.#centre(Math.max(0, this.#look.fromSector + (0.5 + way) * this.#look.sectors));
  }
}
