/** The runs of links, through the kernels: one by one, summed, or as the bytes that they stand for. */
import {
  DAMAGED_PLACE,
  type Disk,
  type DiskWindow,
  HOLE_PLACE,
  type Link,
  type Observer,
  type RunKind,
  SECTOR_SIZE,
  ZERO_PLACE,
} from "../../../core-as/host/mod.ts";
import { RunTally, TALLY_RECORDS, type TallyRun } from "../../../core-as/host/disk/run_tally.ts";
import type { Lock } from "./lock.ts";
import { DAMAGED, DATA, HOLE, LENIENT, type PlacedRun, type Runs, ZERO } from "./runs.ts";

/** Takes runs that a kernel has summed, part by part of a step. */
export interface SumTaker {
  /** Leaves are 2 to this many sectors. */
  readonly leafShift: number;
  /** `last` is undefined where all of the part is one run. */
  take(first: PlacedRun, tally: RunTally, last: PlacedRun | undefined): void;
}

/** What is told instead of a link where there is no data. */
const OWNERLESS: Readonly<Record<RunKind, number>> = { data: 0, zero: -1, hole: -2, damaged: -3 };

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
  private readonly tally: RunTally;
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
    this.tally = new RunTally(disk.core);
  }

  step(from: number, to: number, observer: Observer, visit: (run: PlacedRun) => void): Promise<number> {
    return this.lock.run(async () => {
      const { list, toSector } = await this.window(from, to, observer);
      const run: PlacedRun = { start: 0, length: 0, kind: HOLE, file: -1, place: NaN, link: -1 };
      for (let i = 0; i < list.count; i++) {
        run.start = list.start(i);
        run.length = list.length(i);
        this.settle(run, list.place(i), list.owner(i));
        visit(run);
      }
      return toSector;
    });
  }

  /** As `step`, for who needs no single runs: tens of millions of them are summed in a fraction of the time. */
  sum(from: number, to: number, observer: Observer, taker: SumTaker): Promise<number> {
    return this.lock.run(async () => {
      const { list, toSector } = await this.window(from, to, observer);
      const { leafShift } = taker;
      const holesAreZeros = this.disk.isWhole;
      const { tally } = this;
      for (let at = 0; at < list.count; at += TALLY_RECORDS) {
        const count = Math.min(TALLY_RECORDS, list.count - at);
        tally.sum(list, { from: at, count }, { holesAreZeros, leafShift });
        taker.take(this.placed(tally.first), tally, tally.runCount > 1 ? this.placed(tally.last) : undefined);
      }
      return toSector;
    });
  }

  /**
   * Reads the disk as a guest would, over damage too; says for each sector which link it is of (-1 zero, -2 hole,
   * -3 damaged).
   */
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

  /** One step of a walk over the links. */
  private async window(from: number, to: number, observer: Observer): Promise<DiskWindow> {
    const { disk } = this;
    const asked = Math.min(to, from + this.span);
    const { value, done } = await disk.walk(observer, { fromSector: from, toSector: asked }).next();
    if (done || !value) throw new Error("a walk ended before its range did");
    const { toSector } = value;
    if (disk.links.length > 1) this.span = toSector < asked ? (toSector - from) * 2 : this.span * 2;
    return value;
  }

  private placed({ start, length, place, owner }: TallyRun): PlacedRun {
    const run: PlacedRun = { start, length, kind: HOLE, file: -1, place: NaN, link: -1 };
    this.settle(run, place, owner);
    return run;
  }

  /** Fills in what a run is by its record. */
  private settle(run: PlacedRun, place: number, owner: number): void {
    const isHole = place === HOLE_PLACE;
    run.kind = this.kindAt(place);
    const medium = isHole ? undefined : this.media[owner];
    run.link = medium?.link ?? -1;
    run.file = place >= 0 ? medium!.file : -1;
    run.place = place >= 0 && medium!.hasPlace ? place : NaN;
  }

  private kindAt(place: number): number {
    if (place >= 0) return DATA;
    if (place === DAMAGED_PLACE) return DAMAGED;
    return place === ZERO_PLACE || this.disk.isWhole ? ZERO : HOLE;
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
        const owned = place >= 0 ? this.linkOf(owner) : OWNERLESS[disk.kindOf(place)];
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
