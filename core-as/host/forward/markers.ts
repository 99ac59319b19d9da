/**
 * streamOptimized files whose tables follow their grains: every grain says where on the disk it belongs, and is taken
 * when it comes.
 *
 * The tables come afterwards, and are what other readers go by; so they are compared with the grains that were seen,
 * each table when it comes, the directory at the end. Zero grains and holes stand in the tables alone.
 * Source: VMware Virtual Disk Format 5.0, "Stream-Optimized Compressed Sparse Extents".
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import { Header } from "../header.ts";
import { type HostedHeader, parseFooter } from "../hosted_sparse.ts";
import type { Inflater } from "../inflate.ts";
import { MARKER_TYPE } from "../marker.ts";
import { ceilDiv, MIB, SECTOR_SIZE } from "../units.ts";
import { PIPE_NAME } from "./input.ts";
import { PackedGrains } from "./packed.ts";
import { Loose } from "./passage.ts";
import type { Tools } from "./tables.ts";

/** Bytes of tables that come or were foretold, and wait: one table in every file that is written in order. */
const MAX_OPEN_BYTES = 64 * MIB;
/** Bytes of a directory; that of a disk of 62 TiB in common grains has 8 MiB. */
const MAX_DIRECTORY_BYTES = 16 * MIB;
const MAX_DIRECTORIES = 2;
/** Value of an entry without a grain, and of one that reads as zeros. */
const HOLE_ENTRY = 0;
const ZERO_ENTRY = 1;

/** Entries of a table: the sector of each grain's marker. */
type Entries = Uint32Array;

export class MarkerPassage {
  private readonly grains: PackedGrains;
  private readonly spanSectors: number;
  private readonly tableCount: number;
  /** What the markers said so far, by number of the table that must confirm it. */
  private readonly open = new Map<number, Entries>();
  /** Sector of each table that was confirmed, 0 where none was. */
  private readonly confirmed: Uint32Array;
  /** Tables that nobody could tell the number of, by sector. */
  private readonly unplaced = new Map<number, Entries>();
  /** Directories by sector. */
  private readonly directories = new Map<number, Entries>();
  /** Sector of the directory that rules; the footer wins. */
  private directorySector: number | undefined;
  private footerSeen = false;

  constructor(
    private readonly header: HostedHeader,
    private readonly tools: Tools,
    options: { inflate: Inflater },
  ) {
    const { grainSectors, capacitySectors, entriesPerTable } = header;
    const { core, sink } = tools;
    const shape = { grainSectors, capacitySectors, markers: true, inflate: options.inflate };
    this.grains = new PackedGrains(shape, { sink, loose: new Loose(core, sink) });
    this.spanSectors = grainSectors * entriesPerTable;
    this.tableCount = ceilDiv(capacitySectors, this.spanSectors);
    if (this.tableCount * 4 > MAX_DIRECTORY_BYTES) {
      throw new RegrainError("LIMIT_EXCEEDED", `a grain directory of ${this.tableCount} entries`, {
        path: PIPE_NAME,
        offsetBytes: 44,
        hint: "copy the file here and apply it by its name",
      });
    }
    this.confirmed = new Uint32Array(this.tableCount);
    this.directorySector = header.directorySector;
  }

  async run(): Promise<void> {
    const { input } = this.tools;
    await this.skip(Math.max(1, this.header.descriptorSector + this.header.descriptorSectors));
    while (await input.require(SECTOR_SIZE)) {
      const view = input.view();
      const value = view.getBigUint64(0, true);
      if (view.getUint32(8, true) > 0) await this.grain(value);
      else if (await this.metadata(view.getUint32(12, true), value)) return await this.confirmAll();
    }
    if (this.footerSeen || this.directory() === undefined) throw input.truncated("the end of the stream");
    await this.confirmAll();
  }

  /** Takes a grain and remembers where it stood. */
  private async grain(value: bigint): Promise<void> {
    const { input } = this.tools;
    const { grainSectors, capacitySectors } = this.header;
    const place = input.sector;
    const sector = Number(value);
    if (sector >= capacitySectors || sector % grainSectors !== 0) {
      throw this.damaged(`a marker says sector ${value}, where no grain of this disk begins`, place);
    }
    const number = Math.floor(sector / this.spanSectors);
    const entries = this.confirmed[number] === 0 ? this.entriesOf(number) : undefined;
    const entry = (sector - number * this.spanSectors) / grainSectors;
    if (!entries || entries[entry] !== 0 || place > 0xffffffff) {
      throw this.damaged(`the grain of sector ${sector} comes a second time, or behind its table`, place);
    }
    entries[entry] = place;
    await this.grains.take(input, sector);
  }

  private entriesOf(number: number): Entries {
    let entries = this.open.get(number);
    if (entries) return entries;
    this.requireRoom();
    entries = new Uint32Array(this.header.entriesPerTable);
    this.open.set(number, entries);
    return entries;
  }

  /** Takes what is no grain; true at the end of the stream. */
  private async metadata(type: number, value: bigint): Promise<boolean> {
    const { input } = this.tools;
    if (type === MARKER_TYPE.endOfStream) {
      input.advance(SECTOR_SIZE);
      // Before anything is known of the tables it is padding.
      return this.footerSeen || this.directory() !== undefined;
    }
    input.advance(SECTOR_SIZE);
    const sectors = Number(value);
    const end = input.sector + sectors;
    const { entriesPerTable } = this.header;
    if (type === MARKER_TYPE.grainTable && sectors === ceilDiv(entriesPerTable * 4, SECTOR_SIZE)) {
      await this.table(await this.entries(entriesPerTable, sectors));
    } else if (
      type === MARKER_TYPE.grainDirectory && sectors === ceilDiv(this.tableCount * 4, SECTOR_SIZE) &&
      this.directories.size < MAX_DIRECTORIES
    ) {
      const place = input.sector;
      this.directories.set(place, await this.entries(this.tableCount, sectors));
    } else if (type === MARKER_TYPE.footer && sectors === 1) await this.footer();
    await this.skip(end);
    return false;
  }

  /** Passes sectors up to one. */
  private async skip(end: number): Promise<void> {
    const { input } = this.tools;
    while (input.sector < end) {
      if (!await input.require(SECTOR_SIZE)) throw input.truncated("the end of the stream");
      input.advance(Math.min(end - input.sector, input.availableSectors) * SECTOR_SIZE);
    }
  }

  /** Reads entries that may be more than the window holds, and passes them. */
  private async entries(count: number, sectors: number): Promise<Entries> {
    const { input } = this.tools;
    const bytes = new Uint8Array(sectors * SECTOR_SIZE);
    for (let at = 0; at < bytes.length;) {
      if (!await input.require(SECTOR_SIZE)) throw input.truncated("the end of the stream");
      const length = Math.min(bytes.length - at, input.availableSectors * SECTOR_SIZE);
      bytes.set(input.bytes(length), at);
      input.advance(length);
      at += length;
    }
    return new Uint32Array(bytes.buffer, 0, count);
  }

  /** Finds the number of a table by its first grain. */
  private async table(entries: Entries): Promise<void> {
    const place = this.tools.input.sector - ceilDiv(entries.length * 4, SECTOR_SIZE);
    const first = entries.findIndex((entry) => entry > ZERO_ENTRY);
    for (const [number, seen] of this.open) {
      if (first < 0 || seen[first] !== entries[first] || !this.equal(number, seen, entries)) continue;
      this.open.delete(number);
      this.confirmed[number] = place;
      await this.handRest(number, entries);
      return;
    }
    this.requireRoom();
    this.unplaced.set(place, entries);
  }

  private async footer(): Promise<void> {
    const { input } = this.tools;
    if (!await input.require(SECTOR_SIZE)) throw input.truncated("the end of the footer");
    const footer = parseFooter(new Header(input.bytes(SECTOR_SIZE), PIPE_NAME, input.position), this.header);
    this.directorySector = footer.directorySector;
    this.footerSeen = true;
  }

  private directory(): Entries | undefined {
    return this.directorySector === undefined ? undefined : this.directories.get(this.directorySector);
  }

  /** Compares the directory with everything that has come. */
  private async confirmAll(): Promise<void> {
    const directory = this.directory();
    if (!directory) throw this.damaged("the directory that the footer names has not come", 0);
    for (let number = 0; number < this.tableCount; number++) {
      const place = directory[number]!;
      if (this.confirmed[number] !== 0) {
        if (this.confirmed[number] !== place) throw this.contradiction(number);
        continue;
      }
      const entries = place === 0 ? new Uint32Array(this.header.entriesPerTable) : this.unplaced.get(place);
      const seen = this.open.get(number) ?? new Uint32Array(this.header.entriesPerTable);
      if (!entries || !this.equal(number, seen, entries)) throw this.contradiction(number);
      await this.handRest(number, entries);
    }
  }

  /** Hands over what is no data: a table's holes and zero grains. */
  private async handRest(number: number, entries: Entries): Promise<void> {
    const { sink } = this.tools;
    const { grainSectors, capacitySectors } = this.header;
    const first = number * this.spanSectors;
    const count = this.entryCount(number);
    for (let i = 0; i < count;) {
      const entry = entries[i]!;
      let next = i + 1;
      while (next < count && entries[next] === entry && entry <= ZERO_ENTRY) next++;
      const start = first + i * grainSectors;
      const length = Math.min((next - i) * grainSectors, capacitySectors - start);
      if (entry === HOLE_ENTRY) await sink.hole(start, length);
      else if (entry === ZERO_ENTRY) await sink.zero(start, length);
      i = next;
    }
  }

  /** True when a table names the grains that were seen, no more and no fewer. */
  private equal(number: number, seen: Entries, entries: Entries): boolean {
    const count = this.entryCount(number);
    for (let i = 0; i < count; i++) {
      if (seen[i] !== (entries[i]! > ZERO_ENTRY ? entries[i] : 0)) return false;
    }
    return true;
  }

  /** Entries of a table that mean something: those behind the end of the disk do not. */
  private entryCount(number: number): number {
    const { grainSectors, capacitySectors, entriesPerTable } = this.header;
    return Math.min(entriesPerTable, ceilDiv(capacitySectors - number * this.spanSectors, grainSectors));
  }

  private requireRoom(): void {
    const bytes = (this.open.size + this.unplaced.size + 1) * this.header.entriesPerTable * 4;
    if (bytes <= MAX_OPEN_BYTES) return;
    throw new RegrainError("LIMIT_EXCEEDED", "the grains of too many tables come mixed for one pass", {
      path: PIPE_NAME,
      offsetBytes: this.tools.input.position,
      hint: "copy the file here and apply it by its name",
    });
  }

  private contradiction(number: number): RegrainError {
    const from = number * this.spanSectors;
    return this.damaged(
      `the grains that came and the table of sectors ${from} to ${
        from + this.spanSectors
      } contradict each other`,
      this.tools.input.sector,
    );
  }

  private damaged(message: string, sector: number): RegrainError {
    return new RegrainError("DAMAGED", message, { path: PIPE_NAME, offsetBytes: sector * SECTOR_SIZE });
  }
}
