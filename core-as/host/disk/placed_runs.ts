/**
 * The runs of a disk, each with where its data lies.
 *
 * This module is browser compatible.
 */
import type { Observer } from "../extent.ts";
import type { Run } from "../source.ts";
import { SECTOR_SIZE } from "../units.ts";
import type { Disk } from "./disk.ts";

/** A run with where its data lies. */
export interface PlacedRun extends Run {
  /** File of the data. */
  readonly file?: string;
  /** Byte in that file; absent for compressed grains, which have no place of their own. */
  readonly fileOffset?: number;
}

/** Walks over damage, which is a run like any other. */
const LENIENT: Observer = { finding: () => undefined };

/** Runs one by one; what continues from window to window is one run. */
export class PlacedRuns {
  /** Bytes of the damaged runs that came by. */
  damagedBytes = 0;

  constructor(private readonly disk: Disk) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<PlacedRun> {
    let last: PlacedRun | undefined;
    for await (const { list } of this.disk.walk(LENIENT)) {
      for (let i = 0; i < list.count; i++) {
        const run = placedRun(this.disk, {
          start: list.start(i) * SECTOR_SIZE,
          length: list.length(i) * SECTOR_SIZE,
          place: list.place(i),
          owner: list.owner(i),
        });
        if (run.kind === "damaged") this.damagedBytes += run.length;
        if (last && continues(last, run)) last = { ...last, length: last.length + run.length };
        else {
          if (last) yield last;
          last = run;
        }
      }
    }
    if (last) yield last;
  }
}

function placedRun(
  disk: Disk,
  record: { start: number; length: number; place: number; owner: number },
): PlacedRun {
  const { start, length, place, owner } = record;
  const kind = disk.kindOf(place);
  if (kind !== "data") return { start, length, kind };
  const medium = disk.media[owner]!;
  const extent = disk.links.flatMap(({ extents }) => extents).find((each) => each.extent.data === medium)
    ?.extent;
  const isPlain = extent?.file === medium;
  const fileOffset = extent?.fileOffset
    ? extent.fileOffset(place)
    : isPlain
    ? place * SECTOR_SIZE
    : undefined;
  return { start, length, kind, file: medium.path, ...(fileOffset === undefined ? {} : { fileOffset }) };
}

function continues(last: PlacedRun, next: PlacedRun): boolean {
  if (last.kind !== next.kind || last.file !== next.file) return false;
  return last.fileOffset === undefined || last.fileOffset + last.length === next.fileOffset;
}
