/**
 * Runs of a view, step by step, whatever they come from: links through the kernels, or a map that was saved.
 *
 * A run is handed on as plain numbers, since a disk may have tens of millions.
 */
import {
  type Disk,
  HOLE_PLACE,
  type Link,
  type Observer,
  type RunKind,
  SECTOR_SIZE,
  ZERO_PLACE,
} from "../../core-as/host/mod.ts";
import type { Lock } from "./lock.ts";

export const HOLE = 0;
export const DATA = 1;
export const ZERO = 2;
const KINDS: readonly RunKind[] = ["hole", "data", "zero"];

/** Mutable on purpose: one of these is filled again for every run. */
export interface PlacedRun {
  /** In sectors, like `length`. */
  start: number;
  length: number;
  kind: number;
  /** Index in `files`, -1 where there is no data. */
  file: number;
  /** Sector in that file; NaN where there is no data, and for packed grains, which have no place of their own. */
  place: number;
  /** Index of the link that owns it, -1 where none does. */
  link: number;
}

export interface Runs {
  readonly capacitySectors: number;
  /** How messages and exports name the disk. */
  readonly name: string;
  readonly files: readonly string[];
  /** Hands on runs of `[from, to)` in order; returns the sector reached, which is more than `from`. */
  step(from: number, to: number, observer: Observer, visit: (run: PlacedRun) => void): Promise<number>;
}

export function kindName(kind: number): RunKind {
  return KINDS[kind]!;
}

/** True when `next` goes on with `last`, so that a map shows the two as one. */
export function continues(last: PlacedRun, next: PlacedRun): boolean {
  if (last.kind !== next.kind || last.file !== next.file) return false;
  return Number.isNaN(last.place) || last.place + last.length === next.place;
}

/** Walks over damage; what it is, the survey tells. */
export const LENIENT: Observer = {
  finding: () => undefined,
};

/** Hands on all runs of `[from, to)`. */
export async function walkRuns(
  runs: Runs,
  range: { readonly from: number; readonly to: number; readonly observer?: Observer },
  visit: (run: PlacedRun) => void,
): Promise<void> {
  const to = Math.min(range.to, runs.capacitySectors);
  for (let from = range.from; from < to;) {
    from = await runs.step(from, to, range.observer ?? LENIENT, visit);
  }
}

/** What the owner of a run in a list stands for. */
interface Medium {
  readonly file: number;
  readonly link: number;
  readonly hasPlace: boolean;
}

/** The runs of links, merged. */
export class DiskRuns implements Runs {
  readonly disk: Disk;
  readonly capacitySectors: number;
  readonly name: string;
  readonly files: readonly string[];
  private readonly media: readonly Medium[];
  /** What the last step of several links reached says how much to ask for: a lower link may reach less far. */
  private span = Infinity;

  /** @param firstLink Index in the chain of the first of the links. */
  constructor(disk: Disk, private readonly lock: Lock, private readonly firstLink: number) {
    this.disk = disk;
    this.capacitySectors = disk.capacitySectors;
    this.name = disk.path;
    const files: string[] = [];
    this.media = disk.links.flatMap((link, i) => mediaOf(link, firstLink + i, files));
    this.files = files;
  }

  step(from: number, to: number, observer: Observer, visit: (run: PlacedRun) => void): Promise<number> {
    return this.lock.run(() => this.stepAlone(from, to, observer, visit));
  }

  /** Reads the disk as a guest would, over damage too; says for each sector which link it is of (-1 zero, -2 hole). */
  read(offsetBytes: number, buffer: Uint8Array, owners?: Int16Array): Promise<void> {
    return this.lock.run(() => this.readAlone(offsetBytes, buffer, owners));
  }

  /** Does something with the links while no walk goes on. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.lock.run(work);
  }

  /** Which link of the disk a link of the chain is. */
  positionOf(link: number): number {
    return link - this.firstLink;
  }

  /** Index of the link that holds the data of an owner. */
  linkOf(owner: number): number {
    return this.media[owner]?.link ?? -1;
  }

  private async stepAlone(
    from: number,
    to: number,
    observer: Observer,
    visit: (run: PlacedRun) => void,
  ): Promise<number> {
    const { disk } = this;
    const asked = Math.min(to, from + this.span);
    const range = { fromSector: from, toSector: asked };
    const { value, done } = await disk.walk(observer, range).next();
    if (done || !value) throw new Error("a walk ended before its range did");
    const { list, toSector } = value;
    if (disk.links.length > 1) this.span = toSector < asked ? (toSector - from) * 2 : this.span * 2;
    const run: PlacedRun = { start: 0, length: 0, kind: HOLE, file: -1, place: NaN, link: -1 };
    const holeKind = disk.isWhole ? ZERO : HOLE;
    for (let i = 0; i < list.count; i++) {
      const place = list.place(i);
      run.start = list.start(i);
      run.length = list.length(i);
      run.kind = place >= 0 ? DATA : place === ZERO_PLACE ? ZERO : holeKind;
      const medium = place === HOLE_PLACE ? undefined : this.media[list.owner(i)];
      run.link = medium?.link ?? -1;
      run.file = place >= 0 ? medium!.file : -1;
      run.place = place >= 0 && medium!.hasPlace ? place : NaN;
      visit(run);
    }
    return toSector;
  }

  private async readAlone(
    offsetBytes: number,
    buffer: Uint8Array,
    owners: Int16Array | undefined,
  ): Promise<void> {
    const { disk } = this;
    const end = offsetBytes + buffer.length;
    const firstSector = Math.floor(offsetBytes / SECTOR_SIZE);
    const range = { fromSector: firstSector, toSector: Math.ceil(end / SECTOR_SIZE) };
    for await (const { list } of disk.walk(LENIENT, range)) {
      for (let i = 0; i < list.count; i++) {
        const start = list.start(i) * SECTOR_SIZE;
        const from = Math.max(offsetBytes, start);
        const to = Math.min(end, start + list.length(i) * SECTOR_SIZE);
        const place = list.place(i);
        const owner = list.owner(i);
        const owned = place >= 0 ? this.linkOf(owner) : disk.kindOf(place) === "zero" ? -1 : -2;
        owners?.fill(owned, list.start(i) - firstSector, list.start(i) - firstSector + list.length(i));
        if (place < 0) buffer.fill(0, from - offsetBytes, to - offsetBytes);
        else {
          const at = from - offsetBytes;
          disk.queue(owner, { offsetBytes: place * SECTOR_SIZE + from - start, lengthBytes: to - from, at });
        }
      }
      await disk.readQueued(buffer);
    }
  }
}

function mediaOf(link: Link, index: number, files: string[]): Medium[] {
  return link.extents.map(({ extent }) => {
    const { data } = extent;
    if (!data) return { file: -1, link: index, hasPlace: false };
    let file = files.indexOf(data.path);
    if (file < 0) file = files.push(data.path) - 1;
    return { file, link: index, hasPlace: link.files.includes(data) };
  });
}
