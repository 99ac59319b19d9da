/**
 * A disk as a picture of characters: each cell is an equal stretch, row by row.
 *
 * One changed grain must never vanish: a cell is blank only when nothing at all in it changes, and the steps are
 * logarithmic, so that a single grain in a gigabyte still shows.
 */
import { ceilDiv, formatSize, type Run } from "../../core-as/host/mod.ts";

/** Shades by how much of a cell is data: the first is for any at all. */
const SHADES = [".", ":", "-", "=", "+", "*", "#", "@"] as const;
const ZERO_MARK = "0";
/** Wins over everything: one damaged entry must be seen. */
const DAMAGED_MARK = "!";
const HOLE_MARK = " ";
const DEFAULT_ROWS = 16;

/** Counts of a disk's bytes, cell by cell. */
export class HeatMap {
  readonly cellBytes: number;
  private readonly data: Float64Array;
  private readonly zero: Float64Array;
  private readonly damaged: Float64Array;

  /** @param columns Cells in a row. */
  constructor(private readonly diskBytes: number, private readonly columns: number, rows = DEFAULT_ROWS) {
    const SECTOR = 512;
    this.cellBytes = Math.max(SECTOR, ceilDiv(ceilDiv(diskBytes, columns * rows), SECTOR) * SECTOR);
    const cells = Math.max(1, ceilDiv(diskBytes, this.cellBytes));
    this.data = new Float64Array(cells);
    this.zero = new Float64Array(cells);
    this.damaged = new Float64Array(cells);
  }

  add(run: Run): void {
    if (run.kind === "hole") return;
    const cells = this[run.kind];
    const end = run.start + run.length;
    for (let at = run.start; at < end;) {
      const cell = Math.floor(at / this.cellBytes);
      const stop = Math.min(end, (cell + 1) * this.cellBytes);
      cells[cell]! += stop - at;
      at = stop;
    }
  }

  /** Lines with a ruler at the left and a legend below. */
  lines(): string[] {
    const lines: string[] = [];
    const rows = ceilDiv(this.data.length, this.columns);
    const labels = Array.from({ length: rows }, (_, row) => formatSize(row * this.columns * this.cellBytes));
    const width = Math.max(...labels.map((label) => label.length));
    for (let row = 0; row < rows; row++) {
      const from = row * this.columns;
      const cells = Array.from(
        { length: Math.min(this.columns, this.data.length - from) },
        (_, column) => this.mark(from + column),
      );
      lines.push(`${labels[row]!.padStart(width)} |${cells.join("").padEnd(this.columns)}|`);
    }
    lines.push("");
    lines.push(
      `1 cell = ${formatSize(this.cellBytes)}; blank: the parent shows; 0: zeros only;`,
      `data from ${SHADES[0]} (a trace) to ${SHADES.at(-1)} (full); ${DAMAGED_MARK}: damaged`,
    );
    return lines;
  }

  private mark(cell: number): string {
    if (this.damaged[cell]! > 0) return DAMAGED_MARK;
    const data = this.data[cell]!;
    if (data === 0) return this.zero[cell]! > 0 ? ZERO_MARK : HOLE_MARK;
    const size = Math.min(this.cellBytes, this.diskBytes - cell * this.cellBytes);
    const share = Math.min(1, data / size);
    const step = share === 1
      ? SHADES.length - 1
      : Math.max(0, SHADES.length - 2 + Math.ceil(Math.log2(share)));
    return SHADES[Math.min(step, SHADES.length - 1)]!;
  }
}
