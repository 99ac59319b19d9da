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
