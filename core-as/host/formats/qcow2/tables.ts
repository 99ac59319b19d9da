/**
 * From the L1 table over the L2 tables to clusters, streamed: a page of the first, one of the second is kept. Any
 * number of calls may be under way.
 *
 * This module is browser compatible.
 */
import type { Finding, Observer, Window } from "../../extent.ts";
import { readBytes, type Source } from "../../source.ts";
import { ceilDiv, KIB, SECTOR_SIZE } from "../../units.ts";
import { type Core, DAMAGED_PLACE, HOLE_PLACE, type RunList, ZERO_PLACE } from "../../wasm.ts";
import { type Entry, type EntryRules, HOLE, readEntry, SUBCLUSTERS } from "./entries.ts";
import type { Qcow2Header } from "./header.ts";

/** Runs of one step, and what one more entry adds to them; a list has room for more. */
const STEP_RUNS = 60_000;
/** L2 tables of one step, so that one over many of them says how far it is. */
const STEP_TABLES = 64;
const PAGE_BYTES = 64 * KIB;
const NO_TABLE = -1;
const BAD_TABLE = -2;

/** A piece of the L1 table. */
interface Page {
  /** Index of its first entry. */
  readonly first: number;
  readonly view: DataView;
}

/** Runs in order; what continues the last becomes part of it. */
class Runs {
  readonly starts: number[] = [];
  readonly lengths: number[] = [];
  readonly places: number[] = [];

  add(start: number, length: number, place: number): void {
    const last = this.starts.length - 1;
    const before = this.places[last];
    // A run without a place in the file is followed by none: -2 + 141 sectors of hole is not sector 139.
    const goesOn = before !== undefined &&
      (place < 0 || before < 0 ? place === before : before + this.lengths[last]! === place);
    if (goesOn) {
      this.lengths[last]! += length;
      return;
    }
    this.starts.push(start);
    this.lengths.push(length);
    this.places.push(place);
  }
}

export class ClusterTables {
  readonly rules: EntryRules;
  readonly clusterSectors: number;
  /** Packed clusters have places from here on: this, and the sector of the disk. */
  readonly packedSector: number;
  private readonly entryBytes: 8 | 16;
  private readonly entriesPerTable: number;
  /** Sectors of the disk that one L2 table covers. */
  private readonly spanSectors: number;
  private page: Page | undefined;
  private table: { readonly offsetBytes: number; readonly view: DataView } | undefined;

  constructor(private readonly file: Source, private readonly header: Qcow2Header) {
    const { clusterBytes, isExtended, version, l1, refcounts } = header;
    this.entryBytes = isExtended ? 16 : 8;
    this.entriesPerTable = clusterBytes / this.entryBytes;
    this.clusterSectors = clusterBytes / SECTOR_SIZE;
    this.spanSectors = this.entriesPerTable * this.clusterSectors;
    this.packedSector = ceilDiv(file.sizeBytes, SECTOR_SIZE) + this.clusterSectors;
    this.rules = {
      clusterBytes,
      fileBytes: file.sizeBytes,
      isExtended,
      hasZeros: version >= 3,
      metadata: [{ offsetBytes: 0, lengthBytes: clusterBytes }, l1, refcounts],
    };
  }

  /** Lists the runs of a window; see `Extent.fill`. */
  async fill(core: Core, list: RunList, window: Window, observer: Observer): Promise<number> {
    const runs = new Runs();
    let sector = window.from;
    for (let tables = 0; sector < window.to && runs.starts.length < STEP_RUNS && tables < STEP_TABLES;) {
      const index = Math.floor(sector / this.spanSectors);
      const first = index * this.spanSectors;
      const to = Math.min(window.to, first + this.spanSectors);
      const page = this.pageWith(index) ?? await this.loadPage(index);
      const table = this.locate(page, index, sector === first ? observer : undefined);
      if (table < 0) {
        runs.add(sector, to - sector, table === NO_TABLE ? HOLE_PLACE : DAMAGED_PLACE);
        sector = to;
        continue;
      }
      const view = await this.load(table);
      tables++;
      if (sector === first) {
        const entryOffsetBytes = this.header.l1.offsetBytes + index * 8;
        observer.table?.({
          sector: table / SECTOR_SIZE,
          lengthSectors: this.clusterSectors,
          entryOffsetBytes,
        });
      }
      sector = this.decode(runs, { view, table, first, from: sector, to }, observer);
    }
    core.kernels.openList(list.address, window.from, sector, window.shift, window.owner);
    runs.starts.forEach((start, i) => core.kernels.pushRun(start, runs.lengths[i]!, runs.places[i]!));
    core.close(list);
    return sector;
  }

  /** Where the L2 entry of a sector is, or `undefined` when no table covers it. */
  async entryOffset(sector: number): Promise<number | undefined> {
    const { table, at } = await this.find(sector);
    return table < 0 ? undefined : table + at;
  }

  /** What the L2 entry of a sector says. */
  async entry(sector: number): Promise<Entry> {
    const { table, at } = await this.find(sector);
    if (table < 0) return HOLE;
    return readEntry(
      await this.load(table),
      at,
      this.rules,
      this.neededBytes(sector - sector % this.clusterSectors),
    );
  }

  private async find(sector: number): Promise<{ table: number; at: number }> {
    const index = Math.floor(sector / this.spanSectors);
    const page = this.pageWith(index) ?? await this.loadPage(index);
    const within = Math.floor((sector - index * this.spanSectors) / this.clusterSectors);
    return { table: this.locate(page, index, undefined), at: within * this.entryBytes };
  }

  /** Lists the clusters of a table up to `to`; returns the sector reached. */
  private decode(
    runs: Runs,
    step: { view: DataView; table: number; first: number; from: number; to: number },
    observer: Observer,
  ): number {
    const { view, table, first, from, to } = step;
    let sector = from - (from - first) % this.clusterSectors;
    for (; sector < to && runs.starts.length < STEP_RUNS; sector += this.clusterSectors) {
      const at = (sector - first) / this.clusterSectors * this.entryBytes;
      const entry = readEntry(view, at, this.rules, this.neededBytes(sector));
      if (entry.is === "bad") observer.finding(this.explain(entry, table + at));
      if (entry.is === "parts") this.addParts(runs, sector, entry);
      else runs.add(sector, this.clusterSectors, this.placeOf(entry, sector));
    }
    return Math.min(sector, to);
  }

  private placeOf(entry: Exclude<Entry, { is: "parts" }>, sector: number): number {
    if (entry.is === "data") return entry.offsetBytes / SECTOR_SIZE;
    if (entry.is === "packed") return this.packedSector + sector;
    if (entry.is === "bad") return DAMAGED_PLACE;
    return entry.is === "zero" ? ZERO_PLACE : HOLE_PLACE;
  }

  private addParts(runs: Runs, sector: number, entry: Extract<Entry, { is: "parts" }>): void {
    const length = this.clusterSectors / SUBCLUSTERS;
    const place = entry.offsetBytes / SECTOR_SIZE;
    for (let i = 0; i < SUBCLUSTERS; i++) {
      const isThere = (entry.allocated >>> i & 1) === 1;
      const isZero = (entry.zeros >>> i & 1) === 1;
      runs.add(sector + i * length, length, isThere ? place + i * length : isZero ? ZERO_PLACE : HOLE_PLACE);
    }
  }

  /** Of the cluster at a sector, the bytes that are on the disk. */
  private neededBytes(sector: number): number {
    return Math.min(this.clusterSectors, this.header.capacitySectors - sector) * SECTOR_SIZE;
  }

  private explain(entry: Extract<Entry, { is: "bad" }>, offsetBytes: number): Finding {
    const { kind, message, untilByte } = entry;
    const { clusterBytes, fileBytes } = this.rules;
    return {
      severity: "damage",
      kind,
      path: this.file.path,
      offsetBytes,
      message,
      ...(untilByte === undefined ? {} : { needs: { untilByte, lengthBytes: clusterBytes, fileBytes } }),
    };
  }

  /** The page that is kept, if it has an entry. */
  private pageWith(index: number): Page | undefined {
    const { page } = this;
    const has = page !== undefined && index >= page.first && (index - page.first) * 8 < page.view.byteLength;
    return has ? page : undefined;
  }

  /** Reads a page and keeps it. Others may replace it before the caller goes on, so it is handed back too. */
  private async loadPage(index: number): Promise<Page> {
    const perPage = PAGE_BYTES / 8;
    const first = index - index % perPage;
    const lengthBytes = Math.min(perPage, this.header.l1Entries - first) * 8;
    const bytes = await readBytes(this.file, this.header.l1.offsetBytes + first * 8, lengthBytes);
    return this.page = { first, view: new DataView(bytes.buffer) };
  }

  /** Byte of the L2 table that an entry names, {@link NO_TABLE}, or {@link BAD_TABLE}, which is a finding. */
  private locate({ first, view }: Page, index: number, observer: Observer | undefined): number {
    const [high, low] = [view.getUint32((index - first) * 8), view.getUint32((index - first) * 8 + 4)];
    if (high === 0 && low === 0) return NO_TABLE;
    const offsetBytes = (high & 0xffffff) * 2 ** 32 + low;
    const { clusterBytes, fileBytes } = this.rules;
    const isOdd = (high & 0x7f000000) !== 0 || offsetBytes % clusterBytes !== 0 || offsetBytes === 0;
    const endBytes = offsetBytes + clusterBytes;
    if (!isOdd && endBytes <= fileBytes) return offsetBytes;
    observer?.finding({
      severity: "damage",
      kind: isOdd ? "directory-entry-bad" : "table-past-end",
      path: this.file.path,
      offsetBytes: this.header.l1.offsetBytes + index * 8,
      message: isOdd
        ? "an entry of the L1 table that cannot be"
        : `an L2 table at byte ${offsetBytes}, past the end of the file at byte ${fileBytes}`,
      ...(isOdd ? {} : { needs: { untilByte: endBytes, lengthBytes: clusterBytes, fileBytes } }),
    });
    return BAD_TABLE;
  }

  /** An L2 table; the last one is kept. */
  private async load(offsetBytes: number): Promise<DataView> {
    if (this.table?.offsetBytes === offsetBytes) return this.table.view;
    const { buffer } = await readBytes(this.file, offsetBytes, this.header.clusterBytes);
    const view = new DataView(buffer);
    this.table = { offsetBytes, view };
    return view;
  }
}
