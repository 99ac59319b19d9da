/**
 * A disk: links merged into one source.
 *
 * The merge goes window by window: each link lists its runs of the window, the kernel lays the upper over the lower,
 * and what is left of the upper's holes asks the next link down. Memory is three run lists however long the chain or
 * large the disk is.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import type { Observer } from "../extent.ts";
import type { Link } from "./link.ts";
import { Lookups, runAt } from "./lookups.ts";
import { readAtOnce } from "./read_at_once.ts";
import { Batch, type Medium, mediumOf, type Run, type RunKind, type Source } from "../source.ts";
import { SECTOR_SIZE } from "../units.ts";
import { type Core, DAMAGED_PLACE, HOLE_PLACE, type RunList, ZERO_PLACE } from "../wasm.ts";

/** A stretch of the walk. Its list is valid until the next step of any walk on the same core. */
export interface DiskWindow {
  readonly fromSector: number;
  readonly toSector: number;
  readonly list: RunList;
  /** The two lists that the walk does not need until its next step. */
  readonly scratch: readonly [RunList, RunList];
}

/** A stretch of a disk, in sectors. */
export interface SectorRange {
  readonly fromSector: number;
  readonly toSector: number;
}

/** Refuses damage; for walks after a survey that found none. */
export const STRICT: Observer = {
  finding(finding) {
    if (finding.severity !== "damage") return;
    const { path, offsetBytes, message } = finding;
    throw new RegrainError("DAMAGED", message, offsetBytes === undefined ? { path } : { path, offsetBytes });
  },
};

export class Disk implements Source {
  readonly path: string;
  readonly capacitySectors: number;
  readonly sizeBytes: number;
  /** What the owners of the runs stand for. */
  readonly media: readonly (Source | undefined)[];
  private readonly firstOwners: readonly number[];
  private readonly batches = new Map<number, Batch>();
  /** For reads. */
  private readonly lookups: Lookups;
  /** Whoever looks at the tables has the kernels to itself: the next one begins when this ends. */
  private turn: Promise<unknown> = Promise.resolve();

  /**
   * @param links Newest first. Holes of the last one are zeros if it is a base, otherwise holes.
   */
  constructor(readonly core: Core, readonly links: readonly Link[]) {
    const top = links[0];
    if (!top) throw new Error("a disk has at least one link");
    this.path = top.path;
    this.capacitySectors = top.capacitySectors;
    this.sizeBytes = top.capacitySectors * SECTOR_SIZE;
    const firstOwners: number[] = [];
    const media: (Source | undefined)[] = [];
    for (const link of links) {
      firstOwners.push(media.length);
      media.push(...link.extents.map(({ extent }) => extent.data));
    }
    this.firstOwners = firstOwners;
    this.media = media;
    this.lookups = new Lookups((from, to) => this.step(from, to, STRICT), this.capacitySectors);
  }

  /**
   * What the files below ask for. Reads may be under way at once: each looks at the tables in its turn, and only the
   * data is read beside others.
   */
  get medium(): Medium {
    return mediumOf(this.media.filter((each) => each !== undefined));
  }

  /** True when every sector is known: the last link has no parent. */
  get isWhole(): boolean {
    return this.links.at(-1)!.isBase;
  }

  /** Walks `[fromSector, toSector)` window by window, in order, without gaps. */
  async *walk(
    observer: Observer = STRICT,
    range: SectorRange = { fromSector: 0, toSector: this.capacitySectors },
  ): AsyncGenerator<DiskWindow> {
    let from = range.fromSector;
    // A lower link may reach less far than an upper one; what the last window reached says how much to ask for.
    let span = Infinity;
    while (from < range.toSector) {
      const window = await this.step(from, Math.min(range.toSector, from + span), observer);
      span = this.links.length > 1 ? (window.toSector - from) * 2 : Infinity;
      yield window;
      from = window.toSector;
    }
  }

  /** Runs of a stretch in bytes, neighbours of equal kind merged. */
  runs(fromBytes: number, toBytes: number): Promise<Run[]> {
    return this.inTurn(() => this.listRuns(fromBytes, toBytes));
  }

  private async listRuns(fromBytes: number, toBytes: number): Promise<Run[]> {
    const runs: Run[] = [];
    const range = {
      fromSector: Math.floor(fromBytes / SECTOR_SIZE),
      toSector: Math.ceil(Math.min(toBytes, this.sizeBytes) / SECTOR_SIZE),
    };
    for await (const { list } of this.walk(STRICT, range)) {
      for (let i = 0; i < list.count; i++) {
        const start = Math.max(fromBytes, list.start(i) * SECTOR_SIZE);
        const end = Math.min(toBytes, (list.start(i) + list.length(i)) * SECTOR_SIZE);
        if (end <= start) continue;
        const kind = this.kindOf(list.place(i));
        const last = runs.at(-1);
        if (last?.kind === kind) runs[runs.length - 1] = { ...last, length: end - last.start };
        else runs.push({ start, length: end - start, kind });
      }
    }
    return runs;
  }

  /** What a place means here: below a base there is nothing, so its holes are zeros. */
  kindOf(place: number): RunKind {
    if (place >= 0) return "data";
    if (place === DAMAGED_PLACE) return "damaged";
    return place === ZERO_PLACE || this.isWhole ? "zero" : "hole";
  }

  /** Reads the disk as a guest would; holes that no link fills read as zeros. */
  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    const reads = await this.inTurn(async () => {
      const reads = new Map<number, Batch>();
      for (let i = 0; i < batch.count; i++) {
        const stretch = { from: batch.offsetBytes[i]!, length: batch.lengthBytes[i]!, at: batch.at[i]! };
        await this.lookUp(stretch, buffer, reads);
      }
      return reads;
    });
    for (const [owner, transfers] of reads) await this.media[owner]!.read(transfers, buffer);
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work);
    // The caller hears of a failure; the next one begins all the same.
    this.turn = done.catch(() => undefined);
    return done;
  }

  /** Adds to `reads` what a stretch needs of each medium, and fills what is zeros. */
  private async lookUp(
    stretch: { from: number; length: number; at: number },
    buffer: Uint8Array,
    reads: Map<number, Batch>,
  ): Promise<void> {
    const end = stretch.from + stretch.length;
    if (end > this.sizeBytes) {
      throw new RegrainError("READ_SHORT", `the disk ends at byte ${this.sizeBytes}`, {
        path: this.path,
        offsetBytes: this.sizeBytes,
      });
    }
    const toSector = Math.ceil(end / SECTOR_SIZE);
    for (let sector = Math.floor(stretch.from / SECTOR_SIZE); sector < toSector;) {
      const known = await this.lookups.at(sector, toSector);
      const { list } = known;
      for (let i = runAt(known, sector); i < list.count && list.start(i) < toSector; i++) {
        const startBytes = list.start(i) * SECTOR_SIZE;
        const from = Math.max(stretch.from, startBytes);
        const length = Math.min(end, startBytes + list.length(i) * SECTOR_SIZE) - from;
        const at = stretch.at + from - stretch.from;
        const place = list.place(i);
        if (place === DAMAGED_PLACE) throw damagedRun(this, list.start(i));
        if (place < 0) buffer.fill(0, at, at + length);
        else {
          const offsetBytes = place * SECTOR_SIZE + from - startBytes;
          addTo(reads, list.owner(i), { offsetBytes, lengthBytes: length, at });
        }
      }
      sector = known.toSector;
    }
  }

  /** Adds a transfer to the batch of its medium; `readQueued` carries them out. */
  queue(owner: number, transfer: { offsetBytes: number; lengthBytes: number; at: number }): void {
    addTo(this.batches, owner, transfer);
  }

  async readQueued(buffer: Uint8Array): Promise<void> {
    try {
      for (const [owner, batch] of this.batches) {
        if (batch.count > 0) await readAtOnce(this.media[owner]!, batch, buffer);
      }
    } finally {
      // What failed must not be carried out by the next read, whose buffer is another.
      for (const batch of this.batches.values()) batch.clear();
    }
  }

  close(): void {
    for (const link of this.links) link.close();
  }

  private async step(from: number, to: number, observer: Observer): Promise<DiskWindow> {
    const { core } = this;
    let [merged, lower, spare] = core.lists;
    let reached = await this.links[0]!.fill(merged, { core, from, to, firstOwner: 0 }, observer);
    for (let i = 1; i < this.links.length && merged.hasHole(); i++) {
      const firstOwner = this.firstOwners[i]!;
      reached = Math.min(
        reached,
        await this.links[i]!.fill(lower, { core, from, to: reached, firstOwner }, observer),
      );
      core.overlay(merged, lower, spare);
      [merged, lower, spare] = [spare, merged, lower];
      reached = merged.end(reached);
    }
    return { fromSector: from, toSector: reached, list: merged, scratch: [lower, spare] };
  }
}

function addTo(batches: Map<number, Batch>, owner: number, transfer: Parameters<Batch["add"]>[0]): void {
  let batch = batches.get(owner);
  if (!batch) batches.set(owner, batch = new Batch());
  batch.add(transfer);
}

/** What whoever needs the content of a damaged run throws: strict walks end before one, so this is the second lock. */
export function damagedRun(disk: Disk, sector: number): RegrainError {
  return new RegrainError("DAMAGED", `what the tables say of sector ${sector} cannot be`, {
    path: disk.path,
  });
}

/** Totals of a disk by kind, in bytes; holes are counted as holes even where nothing lies below. */
export interface RunTotals {
  dataBytes: number;
  zeroBytes: number;
  holeBytes: number;
  /** Nobody knows what is there. */
  damagedBytes: number;
  /** Runs of data and zeros. */
  runCount: number;
  /** Runs of holes. */
  holeCount: number;
}

/** Adds up a whole walk. */
export async function totalsOf(disk: Disk, observer: Observer = STRICT): Promise<RunTotals> {
  const totals = noRuns();
  for await (const { list } of disk.walk(observer)) {
    for (let i = 0; i < list.count; i++) {
      addRun(totals, { place: list.place(i), lengthBytes: list.length(i) * SECTOR_SIZE });
    }
  }
  return totals;
}

/** Totals of nothing. */
export function noRuns(): RunTotals {
  return { dataBytes: 0, zeroBytes: 0, holeBytes: 0, damagedBytes: 0, runCount: 0, holeCount: 0 };
}

/** Counts one run; `place` as in a run list. */
export function addRun(totals: RunTotals, run: { place: number; lengthBytes: number }): void {
  const { place, lengthBytes } = run;
  if (place === HOLE_PLACE) {
    totals.holeBytes += lengthBytes;
    totals.holeCount++;
    return;
  }
  if (place === DAMAGED_PLACE) {
    totals.damagedBytes += lengthBytes;
    return;
  }
  if (place === ZERO_PLACE) totals.zeroBytes += lengthBytes;
  else totals.dataBytes += lengthBytes;
  totals.runCount++;
}
