/** Columns that line up, for people. */
import { cutText, escapeToLine } from "../../core-as/host/mod.ts";

/** The longest path of Linux; all rows get as wide as the widest. */
const MOST_OF_CELL = 4096;

/** How a column stands. */
export type Align = "left" | "right";

/** Lays out rows; the last column is not padded. Cells must be free of colour. */
export function layoutTable(from: readonly (readonly string[])[], aligns: readonly Align[]): string[] {
  // Escaped before they are measured; and a row is a line, whatever a name holds.
  const rows = from.map((row) => row.map((cell) => escapeToLine(cutText(cell, MOST_OF_CELL))));
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, cell.length));
  }
  return rows.map((row) =>
    row.map((cell, i) => {
      if (aligns[i] === "right") return cell.padStart(widths[i]!);
      return i === row.length - 1 ? cell : cell.padEnd(widths[i]!);
    }).join("  ").trimEnd()
  );
}

/** Lays out `name: value` pairs with an indent. */
export function layoutPairs(pairs: readonly (readonly [string, string])[], indent = "  "): string[] {
  return layoutTable(pairs.map(([name, value]) => [name, value]), ["left", "left"]).map((line) =>
    indent + line
  );
}

/** Rows that are laid out together. */
const PAGE_ROWS = 4096;

/** A table of any length: columns line up within a page, and the whole list never stands in memory. */
export class PagedTable {
  private rows: (readonly string[])[];

  constructor(
    private readonly out: (line: string) => void,
    head: readonly string[],
    private readonly aligns: readonly Align[],
  ) {
    this.rows = [head];
  }

  add(row: readonly string[]): void {
    this.rows.push(row);
    if (this.rows.length >= PAGE_ROWS) this.end();
  }

  /** Prints what is left. */
  end(): void {
    for (const line of layoutTable(this.rows, this.aligns)) this.out(line);
    this.rows = [];
  }
}
