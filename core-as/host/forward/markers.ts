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
import { announcesRedundant, type HostedHeader, parseFooter } from "../formats/vmdk/hosted_sparse.ts";
import type { Inflater } from "../inflate.ts";
import {
  isDirectoryMarker,
  type Marker,
  MARKER_TYPE,
  markerAt,
  type StreamShape,
  streamShape,
  tablesAnnounced,
} from "../formats/vmdk/marker.ts";
import { ceilDiv, MIB, SECTOR_SIZE } from "../units.ts";
import { PIPE_NAME } from "./input.ts";
import { PackedGrains } from "./packed.ts";
import { Loose } from "./passage.ts";
import type { Tools } from "./tables.ts";
import { WaitingTables } from "./waiting_tables.ts";

/** Bytes of tables that were foretold and have not come: one table in every file that is written in order. */
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
  private readonly shape: StreamShape;
  private readonly tableCount: number;
  /** Tables come twice, and only the footer says which of the two rules. */
  private readonly comeTwice: boolean;
  /** What the markers said so far, by number of the table that must confirm it. */
  private readonly open = new Map<number, Entries>();
  /** Sector of each table that was confirmed, 0 where none was. */
  private readonly confirmed: Uint32Array;
  /** Tables that the directory will tell the number of, by sector. */
  private readonly unplaced: WaitingTables;
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
    this.shape = streamShape(header);
    this.tableCount = this.shape.tableCount;
    this.comeTwice = announcesRedundant(header);
    this.unplaced = new WaitingTables(tools.scratch, {
      entriesPerTable,
      max: this.tableCount * MAX_DIRECTORIES,
    });
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
      const marker = markerAt(input.view());
      if (marker.sizeBytes > 0) await this.grain(marker.value);
      else if (await this.metadata(marker)) return await this.confirmAll();
    }
    // The marker that ends the stream may be missing; what it ends must not.
    if (this.directory() === undefined) throw input.truncated("the end of the stream");
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
  private async metadata(marker: Marker): Promise<boolean> {
    const { input } = this.tools;
    const { type, value } = marker;
    input.advance(SECTOR_SIZE);
    if (type === MARKER_TYPE.endOfStream) {
      // Before anything is known of the tables it is padding.
      return this.footerSeen || this.directory() !== undefined;
    }
    const isAs = (sectors: number) => value === 0n || value === BigInt(sectors);
    const end = input.sector + Number(value);
    if (type === MARKER_TYPE.grainTable) await this.tables(marker);
    else if (
      type === MARKER_TYPE.grainDirectory && isAs(this.shape.directorySectors) &&
      this.directories.size < MAX_DIRECTORIES
    ) {
      const place = input.sector;
      this.directories.set(place, await this.entries(this.tableCount, this.shape.directorySectors));
    } else if (type === MARKER_TYPE.footer && isAs(1)) await this.footer();
    await this.skip(end);
    return false;
  }

  /** Takes the tables that a marker announces. */
  private async tables(marker: Marker): Promise<void> {
    const { input } = this.tools;
    const { entriesPerTable } = this.header;
    const announced = tablesAnnounced(marker, this.shape);
    if (!announced) return;
    for (let i = 0; i < announced.count; i++) {
      if (i > 0 && announced.atMost) {
        if (!await input.require(SECTOR_SIZE)) throw input.truncated("the end of the stream");
        if (isDirectoryMarker(input.bytes(SECTOR_SIZE), this.shape)) return;
      }
      await this.table(await this.entries(entriesPerTable, this.shape.tableSectors));
    }
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
    const place = this.tools.input.sector - this.shape.tableSectors;
    const first = entries.findIndex((entry) => entry > ZERO_ENTRY);
    if (first >= 0 && !this.comeTwice) {
      for (const [number, seen] of this.open) {
        if (seen[first] !== entries[first] || !this.equal(number, seen, entries)) continue;
        this.open.delete(number);
        this.confirmed[number] = place;
        await this.handRest(number, entries);
        return;
      }
    }
    await this.unplaced.add(place, entries);
  }

  private async footer(): Promise<void> {
    const { input } = this.tools;
    if (!await input.require(SECTOR_SIZE)) throw input.truncated("the end of the footer");
    const footer = parseFooter(new Header(input.bytes(SECTOR_SIZE), PIPE_NAME, input.position), this.header);
    this.directorySector = footer.directorySector;
    this.footerSeen = true;
    input.advance(SECTOR_SIZE);
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
      const entries = place === 0
        ? new Uint32Array(this.header.entriesPerTable)
        : await this.unplaced.get(place);
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
    const bytes = (this.open.size + 1) * this.header.entriesPerTable * 4;
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
