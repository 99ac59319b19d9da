/**
 * The walk that all table formats share: directory -> table -> grain.
 *
 * Directories of large disks are themselves large (a 62 TiB SESparse disk has 32 MiB of it, a 2 TiB COWD disk may
 * have 16 GiB of tables), so both are streamed: a page of the directory, then as many tables as one step may
 * decode. A table that does not exist costs one look at its directory entry.
 *
 * This module is browser compatible.
 */
import type { Extent, Finding, Observer, Window } from "../../extent.ts";
import { Batch, type Source } from "../../source.ts";
import { hasMarker, MARKER_TYPE } from "./marker.ts";
import { ceilDiv, SECTOR_SIZE } from "../../units.ts";
import {
  type Core,
  DAMAGE_KIND,
  DAMAGED_PLACE,
  type DamageRecord,
  HOLE_PLACE,
  type RunList,
} from "../../wasm.ts";

/** A directory entry that names no table. */
export const NO_TABLE = -1;
/** A directory entry that cannot be. */
export const BAD_TABLE = -2;

/** Entries decoded in one step. */
const STEP_ENTRIES = 65_536;
/** Runs that a step may yield, if each entry is one and a hole is before each table; a list has room for more. */
const STEP_RUNS = 69_000;
/** Bytes of directory kept in memory. */
const PAGE_BYTES = 64 * 1024;

/** What differs between the formats. */
export interface TableLayout {
  readonly grainSectors: number;
  readonly entriesPerTable: number;
  readonly entryBytes: 4 | 8;
  readonly capacitySectors: number;
  readonly directoryOffsetBytes: number;
  readonly directoryEntryBytes: 4 | 8;
  /** A second directory with tables of its own, where the format has one. */
  readonly redundantOffsetBytes?: number | undefined;
  /** First file sector at which a table may stand. */
  readonly tableFloorSector: number;
  /** First file sector at which a grain may stand. */
  readonly grainFloorSector: number;
  /** True where a marker stands before every table. */
  readonly markers?: boolean;
  /** File sector of the table that a directory entry names, {@link NO_TABLE} or {@link BAD_TABLE}. */
  locate(low: number, high: number): number;
  /** Decodes a table at `address`, whose entry 0 is at sector `first`, into the open run list. */
  decode(core: Core, address: number, first: number): void;
}

/** An extent that lets others decode its tables. */
export interface TableExtent extends Extent {
  readonly layout: TableLayout;
}

/** A page of a directory, as u32 words. */
class DirectoryPage {
  private first = 0;
  private count = 0;
  private words = new Uint32Array(0);

  constructor(
    private readonly file: Source,
    private readonly offsetBytes: number,
    private readonly entryBytes: number,
    private readonly entries: number,
  ) {}

  has(index: number): boolean {
    return index >= this.first && index < this.first + this.count;
  }

  async load(index: number): Promise<void> {
    const perPage = PAGE_BYTES / this.entryBytes;
    this.first = index - index % perPage;
    this.count = Math.min(perPage, this.entries - this.first);
    const bytes = new Uint8Array(this.count * this.entryBytes);
    const batch = new Batch();
    batch.add({ offsetBytes: this.entryOffset(this.first), lengthBytes: bytes.length, at: 0 });
    await this.file.read(batch, bytes);
    this.words = new Uint32Array(bytes.buffer);
  }

  entryOffset(index: number): number {
    return this.offsetBytes + index * this.entryBytes;
  }

  low(index: number): number {
    return this.words[(index - this.first) * (this.entryBytes / 4)]!;
  }

  high(index: number): number {
    return this.entryBytes === 4 ? 0 : this.words[(index - this.first) * 2 + 1]!;
  }
}

/** A table of a step. */
interface Slot {
  readonly index: number;
  /** Where it starts in the file, or {@link BAD_TABLE} of one that cannot be read: all that it covers is damaged. */
  readonly sector: number;
}

export class GrainTables {
  readonly tableCount: number;
  /** Sectors of the disk that one table covers. */
  readonly spanSectors: number;
  private readonly tableBytes: number;
  private readonly stepTables: number;
  private readonly directory: DirectoryPage;
  private readonly redundant: DirectoryPage | undefined;
  /** Tables for which the redundant copy is used, because the first one is damaged. */
  private readonly replaced = new Set<number>();
  /** Decoded last, for `entry`. */
  private lastTable: { index: number; bytes: DataView } | undefined;

  constructor(private readonly file: Source, private readonly layout: TableLayout) {
    this.spanSectors = layout.entriesPerTable * layout.grainSectors;
    this.tableCount = ceilDiv(layout.capacitySectors, this.spanSectors);
    this.tableBytes = layout.entriesPerTable * layout.entryBytes;
    // Before each table there may be the hole of tables that are missing, and one more at the end.
    this.stepTables = Math.max(1, Math.floor((STEP_ENTRIES - 1) / (layout.entriesPerTable + 1)));
    const page = (offsetBytes: number) =>
      new DirectoryPage(file, offsetBytes, layout.directoryEntryBytes, this.tableCount);
    this.directory = page(layout.directoryOffsetBytes);
    this.redundant = layout.redundantOffsetBytes === undefined
      ? undefined
      : page(layout.redundantOffsetBytes);
  }

  /** Lists the runs of a window; see `Extent.fill`. */
  async fill(core: Core, list: RunList, window: Window, observer: Observer): Promise<number> {
    const { reached, tables } = await this.gather(window, observer);
    const slots = tables.filter(({ sector }) => sector >= 0);
    await this.readTables(core, slots);
    const damaged = this.decode(core, list, { window, reached, tables });
    let replaced = false;
    for (const { slot, damage } of damaged) replaced = await this.replace(slot, damage, observer) || replaced;
    if (replaced) return await this.fill(core, list, window, observer);
    for (const { slot, damage } of damaged) {
      for (const record of damage) observer.finding(this.explain(record, slot));
    }
    const lengthSectors = ceilDiv(this.tableBytes, SECTOR_SIZE);
    for (const { index, sector } of slots) {
      observer.table?.({ sector, lengthSectors, entryOffsetBytes: this.directory.entryOffset(index) });
    }
    if (observer.compareCopies && this.redundant) {
      await this.compareCopies(core, slots, observer);
      await this.compareAbsent({ from: window.from, to: reached }, slots, observer);
    }
    if (observer.compareCopies && this.layout.markers) await this.requireMarkers(slots, observer);
    return reached;
  }

  /** Turns the tables in the arena into the run list; returns what is wrong with each. */
  private decode(
    core: Core,
    list: RunList,
    step: { window: Window; reached: number; tables: readonly Slot[] },
  ): { slot: Slot; damage: DamageRecord[] }[] {
    const { window, reached, tables } = step;
    const damaged: { slot: Slot; damage: DamageRecord[] }[] = [];
    core.kernels.openList(list.address, window.from, reached, window.shift, window.owner);
    let at = Math.floor(window.from / this.spanSectors) * this.spanSectors;
    let address = core.tablesAddress;
    for (const slot of tables) {
      const first = slot.index * this.spanSectors;
      if (first > at) core.kernels.pushRun(at, first - at, HOLE_PLACE);
      at = first + this.spanSectors;
      if (slot.sector < 0) {
        core.kernels.pushRun(first, this.spanSectors, DAMAGED_PLACE);
        continue;
      }
      this.layout.decode(core, address, first);
      address += this.tableBytes;
      if (core.kernels.damageCount() > 0) damaged.push({ slot, damage: core.takeDamage() });
    }
    if (at < reached) core.kernels.pushRun(at, reached - at, HOLE_PLACE);
    core.close(list);
    return damaged;
  }

  /** Where the entry of a sector stands, or `undefined` when no table covers it. */
  async entryOffset(sector: number): Promise<number | undefined> {
    const index = Math.floor(sector / this.spanSectors);
    const table = await this.locate(index, undefined);
    if (table < 0) return undefined;
    return table * SECTOR_SIZE + this.entryIndex(sector) * this.layout.entryBytes;
  }

  /** The raw 32-bit entry of a sector, 0 when no table covers it. Keeps the last table. */
  async entry32(sector: number): Promise<number> {
    const index = Math.floor(sector / this.spanSectors);
    if (this.lastTable?.index !== index) {
      const table = await this.locate(index, undefined);
      if (table < 0) return 0;
      const bytes = new Uint8Array(this.tableBytes);
      const batch = new Batch();
      batch.add({ offsetBytes: table * SECTOR_SIZE, lengthBytes: bytes.length, at: 0 });
      await this.file.read(batch, bytes);
      this.lastTable = { index, bytes: new DataView(bytes.buffer) };
    }
    return this.lastTable.bytes.getUint32(this.entryIndex(sector) * 4, true);
  }

  private entryIndex(sector: number): number {
    return Math.floor((sector % this.spanSectors) / this.layout.grainSectors);
  }

  /** Finds the tables of a window, as many as one step may decode and a list has room for. */
  private async gather(window: Window, observer: Observer): Promise<{ reached: number; tables: Slot[] }> {
    const tables: Slot[] = [];
    let readable = 0;
    let runs = 1;
    let index = Math.floor(window.from / this.spanSectors);
    const end = Math.min(this.tableCount, ceilDiv(window.to, this.spanSectors));
    for (; index < end && readable < this.stepTables && runs < STEP_RUNS; index++) {
      if (!this.directory.has(index)) await this.directory.load(index);
      // The common case, an entry without a table, must not cost a promise.
      if (this.directory.low(index) === 0 && this.directory.high(index) === 0 && !this.replaced.has(index)) {
        continue;
      }
      const sector = await this.locate(index, observer);
      if (sector === NO_TABLE) continue;
      tables.push({ index, sector });
      if (sector >= 0) readable++;
      runs += sector < 0 ? 2 : this.layout.entriesPerTable + 1;
    }
    const reached = Math.min(window.to, this.layout.capacitySectors, index * this.spanSectors);
    return { reached, tables };
  }

  private async readTables(core: Core, slots: readonly Slot[]): Promise<void> {
    const batch = new Batch();
    for (const [i, slot] of slots.entries()) {
      batch.add({
        offsetBytes: slot.sector * SECTOR_SIZE,
        lengthBytes: this.tableBytes,
        at: i * this.tableBytes,
      });
    }
    if (batch.count > 0) await this.file.read(batch, core.tables);
  }

  /** File sector of a table that can be read whole, {@link NO_TABLE}, or {@link BAD_TABLE}, which is a finding. */
  private async locate(index: number, observer: Observer | undefined): Promise<number> {
    if (this.replaced.has(index)) return await this.locateRedundant(index);
    const sector = await this.entryOf(this.directory, index);
    if (sector === NO_TABLE || (sector >= 0 && this.fits(sector))) return sector;
    const redundant = await this.locateRedundant(index);
    const what = sector === BAD_TABLE
      ? "a directory entry that cannot be"
      : `a grain table at byte ${
        sector * SECTOR_SIZE
      }, past the end of the file at byte ${this.file.sizeBytes}`;
    if (redundant >= 0) {
      this.replaced.add(index);
      observer?.finding({
        severity: "note",
        kind: "directory-repaired",
        path: this.file.path,
        offsetBytes: this.directory.entryOffset(index),
        message: `${what}; the redundant directory is used instead`,
      });
      return redundant;
    }
    observer?.finding({
      severity: "damage",
      kind: sector === BAD_TABLE ? "directory-entry-bad" : "table-past-end",
      path: this.file.path,
      offsetBytes: this.directory.entryOffset(index),
      message: what,
      ...(sector === BAD_TABLE ? {} : { needs: this.needsOf(sector) }),
    });
    return BAD_TABLE;
  }

  private needsOf(sector: number): NonNullable<Finding["needs"]> {
    const lengthBytes = this.tableBytes;
    return { untilByte: sector * SECTOR_SIZE + lengthBytes, lengthBytes, fileBytes: this.file.sizeBytes };
  }

  private async locateRedundant(index: number): Promise<number> {
    if (!this.redundant) return NO_TABLE;
    const sector = await this.entryOf(this.redundant, index);
    return sector >= 0 && this.fits(sector) ? sector : NO_TABLE;
  }

  /** What a directory says, be it possible or not. */
  private async entryOf(directory: DirectoryPage, index: number): Promise<number> {
    if (!directory.has(index)) await directory.load(index);
    return this.layout.locate(directory.low(index), directory.high(index));
  }

  private fits(sector: number): boolean {
    return sector * SECTOR_SIZE + this.tableBytes <= this.file.sizeBytes;
  }

  /** Switches a damaged table to its redundant copy; false when there is none or it was tried. */
  private async replace(slot: Slot, damage: readonly DamageRecord[], observer: Observer): Promise<boolean> {
    if (this.replaced.has(slot.index) || (await this.locateRedundant(slot.index)) < 0) return false;
    this.replaced.add(slot.index);
    const first = this.explain(damage[0]!, slot);
    observer.finding({
      ...first,
      severity: "note",
      kind: "table-repaired",
      message: `${first.message} (${damage.length} in this table); the redundant table is used instead`,
    });
    return true;
  }

  private explain(record: DamageRecord, slot: Slot): Finding {
    const { path, sizeBytes } = this.file;
    return explainDamage(record, { ...slot, layout: this.layout, path, fileBytes: sizeBytes });
  }

  /** Tells directory entries without a table whose redundant copy names one. */
  private async compareAbsent(
    range: { from: number; to: number },
    slots: readonly Slot[],
    observer: Observer,
  ): Promise<void> {
    const present = new Set(slots.map(({ index }) => index));
    const end = ceilDiv(range.to, this.spanSectors);
    for (let index = Math.floor(range.from / this.spanSectors); index < end; index++) {
      if (present.has(index) || (await this.entryOf(this.directory, index)) !== NO_TABLE) continue;
      if ((await this.entryOf(this.redundant!, index)) === NO_TABLE) continue;
      observer.finding({
        severity: "doubt",
        kind: "copies-disagree",
        path: this.file.path,
        offsetBytes: this.directory.entryOffset(index),
        message: `the entry names no grain table, its redundant copy at byte ${
          this.redundant!.entryOffset(index)
        } does`,
      });
    }
  }

  /**
   * A table without its marker is something else: the directory is wrong, or bytes before it were lost. One marker may
   * stand before several tables, the next of which begins where the one before it ends.
   */
  private async requireMarkers(slots: readonly Slot[], observer: Observer): Promise<void> {
    const lengthSectors = ceilDiv(this.tableBytes, SECTOR_SIZE);
    for (const { index, sector } of slots) {
      if (await hasMarker(this.file, { sector, type: MARKER_TYPE.grainTable })) continue;
      if (index > 0 && await this.entryOf(this.directory, index - 1) + lengthSectors === sector) continue;
      observer.finding({
        severity: "doubt",
        kind: "marker-missing",
        path: this.file.path,
        offsetBytes: this.directory.entryOffset(index),
        message: `no marker stands before the grain table at byte ${sector * SECTOR_SIZE}`,
      });
    }
  }

  /** Reads the other copy of the tables just decoded and tells where the two disagree. */
  private async compareCopies(core: Core, slots: readonly Slot[], observer: Observer): Promise<void> {
    if (!this.redundant) return;
    const half = core.tables.length / 2;
    for (const [i, slot] of slots.entries()) {
      if (this.replaced.has(slot.index)) continue;
      const copy = await this.locateRedundant(slot.index);
      if (copy === slot.sector) continue;
      const at = { path: this.file.path, severity: "doubt" as const };
      if (copy < 0) {
        const offsetBytes = this.redundant.entryOffset(slot.index);
        observer.finding({
          ...at,
          kind: "redundant-bad",
          offsetBytes,
          message: "the redundant directory entry cannot be",
        });
        continue;
      }
      const batch = new Batch();
      batch.add({ offsetBytes: copy * SECTOR_SIZE, lengthBytes: this.tableBytes, at: half });
      await this.file.read(batch, core.tables);
      const byte = firstDifference(core.tables, i * this.tableBytes, half, this.tableBytes);
      if (byte < 0) continue;
      const entry = Math.floor(byte / this.layout.entryBytes) * this.layout.entryBytes;
      const offsetBytes = slot.sector * SECTOR_SIZE + entry;
      observer.finding({
        ...at,
        kind: "copies-disagree",
        offsetBytes,
        message: `the entry differs from its redundant copy at byte ${copy * SECTOR_SIZE + entry}`,
      });
    }
  }
}

/** First index at which two tables in a buffer differ, or -1. Tables are whole words, and stand as such. */
function firstDifference(buffer: Uint8Array, a: number, b: number, length: number): number {
  const [left, right] = [a, b].map((at) =>
    new Uint32Array(buffer.buffer, buffer.byteOffset + at, length / 4)
  );
  for (let word = 0; word < left!.length; word++) {
    if (left![word] === right![word]) continue;
    for (let i = word * 4;; i++) if (buffer[a + i] !== buffer[b + i]) return i;
  }
  return -1;
}

/** Words for what a kernel found wrong in a table. */
export function explainDamage(
  record: DamageRecord,
  table: { index: number; sector: number; layout: TableLayout; path: string; fileBytes: number },
): Finding {
  const { layout } = table;
  const at = {
    severity: "damage" as const,
    path: table.path,
    offsetBytes: table.sector * SECTOR_SIZE + record.entry * layout.entryBytes,
  };
  const first = table.index * layout.entriesPerTable * layout.grainSectors;
  const grain = `the entry of sector ${first + record.entry * layout.grainSectors}`;
  if (record.kind === DAMAGE_KIND.inMetadata) {
    return {
      ...at,
      kind: "entry-in-metadata",
      message: `${grain} points to file sector ${record.value}, which is part of the header or directory`,
    };
  }
  if (record.kind === DAMAGE_KIND.reserved) {
    return {
      ...at,
      kind: "entry-reserved",
      message: `${grain} is of a kind that the format does not have`,
    };
  }
  const { fileBytes } = table;
  const lengthBytes = record.lengthSectors * SECTOR_SIZE;
  const untilByte = record.value * SECTOR_SIZE + lengthBytes;
  return {
    ...at,
    kind: "entry-past-end",
    message: `${grain} needs the file up to byte ${untilByte}, it ends at byte ${fileBytes}`,
    needs: { untilByte, lengthBytes, fileBytes },
  };
}
