/** A few of the records of an undo file, so that at the end some of what they cover can be looked at. */
import { KIB, SECTOR_SIZE } from "../../core-as/host/mod.ts";
import { Thinned } from "./untouched.ts";

/** A stretch of the disk. */
export interface Stretch {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** Most that is looked at, and at once: 32 MiB in all. A delta below that is looked at nearly whole. */
const MAX_PIECES = 512;
const MAX_PIECE_BYTES = 64 * KIB;

export class RecordOutline {
  private readonly records = new Thinned<Stretch>(MAX_PIECES);

  add({ offsetBytes, lengthBytes }: Stretch): void {
    this.records.add({ offsetBytes, lengthBytes });
  }

  /** Stretches inside the records, spread over them. */
  pieces(): Stretch[] {
    const { items } = this.records;
    const perRecord = Math.max(1, Math.floor(MAX_PIECES / Math.max(1, items.length)));
    return items.flatMap((record) => piecesOf(record, perRecord));
  }
}

function piecesOf({ offsetBytes, lengthBytes }: Stretch, count: number): Stretch[] {
  const step = Math.ceil(lengthBytes / count / SECTOR_SIZE) * SECTOR_SIZE;
  const pieces: Stretch[] = [];
  for (let at = 0; at < lengthBytes; at += step) {
    const length = Math.min(step, MAX_PIECE_BYTES, lengthBytes - at);
    pieces.push({ offsetBytes: offsetBytes + at, lengthBytes: length });
  }
  return pieces;
}
