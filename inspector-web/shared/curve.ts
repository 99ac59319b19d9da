/**
 * How a line of cells is laid on a rectangle: row by row, or along a generalised Hilbert curve, on which cells that are
 * near on the disk stay near on the screen. A square Hilbert curve wastes a wide window, so the rectangle is split
 * recursively into parts of any even size (the idea of Jakub Červený's "gilbert").
 *
 * This module is browser compatible.
 */

export type CurveName = "rows" | "hilbert";

/** Where each cell is, and which cell is where; a place is `y * width + x`. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly placeOf: Uint32Array;
  readonly cellAt: Uint32Array;
}

/** Lays `width * height` cells along a curve. Both sides are positive integers. */
export function layOut(curve: CurveName, size: { width: number; height: number }): Layout {
  const { width, height } = size;
  const placeOf = new Uint32Array(width * height);
  const cellAt = new Uint32Array(width * height);
  if (curve === "rows") {
    for (let i = 0; i < placeOf.length; i++) placeOf[i] = cellAt[i] = i;
    return { width, height, placeOf, cellAt };
  }
  let next = 0;
  const visit = (x: number, y: number) => {
    const place = y * width + x;
    cellAt[place] = next;
    placeOf[next++] = place;
  };
  if (width >= height) split(visit, { x: 0, y: 0, ax: width, ay: 0, bx: 0, by: height });
  else split(visit, { x: 0, y: 0, ax: 0, ay: height, bx: width, by: 0 });
  return { width, height, placeOf, cellAt };
}

/** A rectangle from a corner: `a` is the side to go along, `b` the side to end on; each along one axis. */
interface Part {
  readonly x: number;
  readonly y: number;
  readonly ax: number;
  readonly ay: number;
  readonly bx: number;
  readonly by: number;
}

function split(visit: (x: number, y: number) => void, part: Part): void {
  const { x, y, ax, ay, bx, by } = part;
  const along = Math.abs(ax + ay);
  const across = Math.abs(bx + by);
  const [dax, day, dbx, dby] = [Math.sign(ax), Math.sign(ay), Math.sign(bx), Math.sign(by)];
  if (across === 1) return line(visit, { x, y, dx: dax, dy: day, count: along });
  if (along === 1) return line(visit, { x, y, dx: dbx, dy: dby, count: across });

  let [ax2, ay2] = [half(ax), half(ay)];
  let [bx2, by2] = [half(bx), half(by)];
  if (2 * along > 3 * across) {
    // A long part: two halves one after the other. Odd halves would end on the wrong side.
    if (Math.abs(ax2 + ay2) % 2 && along > 2) [ax2, ay2] = [ax2 + dax, ay2 + day];
    split(visit, { x, y, ax: ax2, ay: ay2, bx, by });
    split(visit, { x: x + ax2, y: y + ay2, ax: ax - ax2, ay: ay - ay2, bx, by });
    return;
  }
  if (Math.abs(bx2 + by2) % 2 && across > 2) [bx2, by2] = [bx2 + dbx, by2 + dby];
  split(visit, { x, y, ax: bx2, ay: by2, bx: ax2, by: ay2 });
  split(visit, { x: x + bx2, y: y + by2, ax, ay, bx: bx - bx2, by: by - by2 });
  split(visit, {
    x: x + (ax - dax) + (bx2 - dbx),
    y: y + (ay - day) + (by2 - dby),
    ax: -bx2,
    ay: -by2,
    bx: -(ax - ax2),
    by: -(ay - ay2),
  });
}

interface Line {
  readonly x: number;
  readonly y: number;
  readonly dx: number;
  readonly dy: number;
  readonly count: number;
}

function line(visit: (x: number, y: number) => void, { x, y, dx, dy, count }: Line): void {
  for (let i = 0; i < count; i++) visit(x + i * dx, y + i * dy);
}

/** Half of a side, rounded down as a vector: towards minus infinity, as the recursion needs. */
function half(side: number): number {
  return Math.floor(side / 2);
}
