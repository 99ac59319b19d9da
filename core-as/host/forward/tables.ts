/**
 * COWD and SESparse on the way past: each grain table is decoded where it comes by, and its grains are waited for.
 *
 * A table stands before its grains in every file that a host writes; the formats do not promise it. As long as a table
 * is missing, what nobody has claimed may turn out to be its grains, and is kept.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
import { explainDamage, NO_TABLE, type TableExtent, type TableLayout } from "../formats/vmdk/grain_tables.ts";
import type { MaybePromise } from "../source.ts";
import { ceilDiv, SECTOR_SIZE } from "../units.ts";
import { type Core, HOLE_PLACE, ZERO_PLACE } from "../wasm.ts";
import { type ForwardInput, PIPE_NAME, UNKNOWN_SIZE_BYTES } from "./input.ts";
import { Kept, type Scratch } from "./kept.ts";
import { Loose, Passage, type Steps } from "./passage.ts";
import { StretchQueue } from "./queue.ts";
import { SharedScratch } from "./shared_scratch.ts";
import type { ForwardSink } from "./sink.ts";

export interface Tools {
  readonly core: Core;
  readonly input: ForwardInput;
  readonly sink: ForwardSink;
  readonly scratch: Scratch;
  /** Pieces that a queue holds in memory; tests make it small. */
  readonly maxWaiting?: number | undefined;
}

export class TablePassage implements Steps {
  private readonly layout: TableLayout;
  private readonly passage: Passage;
  private readonly kept: Kept;
  private readonly loose: Loose;
  private readonly tableBytes: number;
  private readonly tableSectors: number;
  private readonly spanSectors: number;
  /** Tables that the directory names and that have not come yet. */
  private tablesToCome = 0;
  private directoryPassed = false;
  /** Zeros by their sector on the disk, held back until all tables have come: nothing is written before that. */
  private readonly heldZeros: StretchQueue | undefined;

  constructor(private readonly extent: TableExtent, private readonly tools: Tools) {
    this.layout = extent.layout;
    const room = new SharedScratch(tools.scratch);
    const queue = () => new StretchQueue(room.part(), tools.maxWaiting);
    this.passage = new Passage(tools.input, tools.sink, this.layout.grainSectors, queue());
    const areTablesInFront = this.layout.tableFloorSector < this.layout.grainFloorSector;
    this.heldZeros = areTablesInFront ? queue() : undefined;
    this.kept = new Kept(PIPE_NAME, room.part());
    this.loose = new Loose(tools.core, tools.sink);
    this.tableBytes = this.layout.entriesPerTable * this.layout.entryBytes;
    this.tableSectors = ceilDiv(this.tableBytes, SECTOR_SIZE);
    this.spanSectors = this.layout.entriesPerTable * this.layout.grainSectors;
  }

  /** Passes the whole file up to the last byte that means anything. */
  async run(): Promise<void> {
    await this.passage.pass(this.layout.directoryOffsetBytes / SECTOR_SIZE - this.tools.input.sector, this);
    await this.directory();
    await this.passage.run(this);
  }

  /** Keeps what a table may name that has not come yet. */
  async gap(lengthSectors: number): Promise<void> {
    const { input } = this.tools;
    const { tableFloorSector, grainFloorSector } = this.layout;
    if (this.directoryPassed && this.tablesToCome === 0) return;
    const floor = this.directoryPassed ? grainFloorSector : Math.min(tableFloorSector, grainFloorSector);
    const end = input.sector + lengthSectors;
    for (let sector = Math.max(floor, input.sector); sector < end;) {
      const region = this.regionAt(sector);
      const stop = Math.min(end, region ? region.sector + region.lengthSectors : this.nextRegion(sector));
      if (!region) {
        const skipBytes = (sector - input.sector) * SECTOR_SIZE;
        await this.kept.add(sector, input.bytes((stop - sector) * SECTOR_SIZE, skipBytes));
      }
      sector = stop;
    }
  }

  async table(index: number): Promise<void> {
    const { input, core } = this.tools;
    const sector = input.sector;
    if (!await input.require(this.tableBytes)) throw input.truncated(`the end of grain table ${index}`);
    core.tables.set(input.bytes(this.tableBytes));
    await input.advancePadded(this.tableBytes);
    await this.passage.queue.consume(this.passage.queue.length);
    this.tablesToCome--;
    await this.decode(index, sector);
    if (this.tablesToCome === 0) await this.handZeros();
  }

  private zero(start: number, length: number): MaybePromise<void> {
    return this.heldZeros ? this.heldZeros.add(start, length, start) : this.tools.sink.zero(start, length);
  }

  private async handZeros(): Promise<void> {
    const { heldZeros } = this;
    while (heldZeros?.hasNext) {
      await this.tools.sink.zero(heldZeros.place, heldZeros.length);
      await heldZeros.consume(heldZeros.length);
    }
  }

  private async directory(): Promise<void> {
    const { input } = this.tools;
    const { directoryEntryBytes, capacitySectors } = this.layout;
    const count = ceilDiv(capacitySectors, this.spanSectors);
    const perSector = SECTOR_SIZE / directoryEntryBytes;
    const late: { index: number; sector: number }[] = [];
    const firstSector = input.sector;
    for (let index = 0; index < count;) {
      const needed = Math.min(SECTOR_SIZE, (count - index) * directoryEntryBytes);
      if (!await input.require(needed)) throw input.truncated("the end of the grain directory");
      const entries = Math.min(count - index, Math.max(1, input.availableSectors) * perSector);
      const view = input.view();
      for (let i = 0; i < entries; i++) {
        const low = view.getUint32(i * directoryEntryBytes, true);
        const high = directoryEntryBytes === 8 ? view.getUint32(i * 8 + 4, true) : 0;
        const sector = this.locate(low, high, input.position + i * directoryEntryBytes);
        if (sector === NO_TABLE) await this.hole(index + i);
        else if (sector < firstSector) late.push({ index: index + i, sector });
        else {
          this.requireOutside(sector, this.tableSectors, `grain table ${index + i}`);
          await this.passage.queue.add(sector, this.tableSectors, -1 - (index + i));
          this.tablesToCome++;
        }
      }
      index += entries;
      await input.advancePadded(entries * directoryEntryBytes);
    }
    this.directoryPassed = true;
    await this.passage.queue.commit();
    for (const { index, sector } of late) await this.lateTable(index, sector);
    if (this.tablesToCome === 0) await this.handZeros();
  }

  /** The stretch of a table that does not exist. */
  private hole(index: number): ReturnType<ForwardSink["hole"]> {
    const first = index * this.spanSectors;
    return this.tools.sink.hole(first, Math.min(this.spanSectors, this.layout.capacitySectors - first));
  }

  private locate(low: number, high: number, entryOffsetBytes: number): number {
    if (low === 0 && high === 0) return NO_TABLE;
    const sector = this.layout.locate(low, high);
    if (sector >= NO_TABLE) return sector;
    throw new RegrainError("DAMAGED", "a directory entry that cannot be", {
      path: PIPE_NAME,
      offsetBytes: entryOffsetBytes,
    });
  }

  private async lateTable(index: number, sector: number): Promise<void> {
    const { core } = this.tools;
    this.requireOutside(sector, this.tableSectors, `grain table ${index}`);
    const there = await this.kept.claim(sector, core.tables.subarray(0, this.tableSectors * SECTOR_SIZE));
    if (!there) throw this.shared(`grain table ${index}`, sector);
    await this.decode(index, sector);
  }

  /** Takes what a table says, which stands in the memory of the kernels. */
  private async decode(index: number, tableSector: number): Promise<void> {
    const { core, sink, input } = this.tools;
    const list = core.lists[0];
    const first = index * this.spanSectors;
    const end = Math.min(first + this.spanSectors, this.layout.capacitySectors);
    core.kernels.openList(list.address, first, end, 0, 0);
    this.layout.decode(core, core.tablesAddress, first);
    core.close(list);
    this.requireSound(index, tableSector);
    const late: { place: number; length: number; start: number }[] = [];
    const here = input.sector;
    for (let i = 0; i < list.count; i++) {
      const start = list.start(i);
      const length = list.length(i);
      const place = list.place(i);
      if (place === ZERO_PLACE) await this.zero(start, length);
      else if (place === HOLE_PLACE) await sink.hole(start, length);
      else {
        this.requireOutside(place, length, `the grain of sector ${start}`);
        const passed = Math.min(length, Math.max(0, here - place));
        if (passed > 0) late.push({ place, length: passed, start });
        if (passed < length) await this.passage.queue.add(place + passed, length - passed, start + passed);
      }
    }
    await this.passage.queue.commit();
    await this.heldZeros?.commit();
    for (const run of late) await this.lateGrains(run);
  }

  private requireSound(index: number, sector: number): void {
    const damage = this.tools.core.takeDamage();
    if (damage.length === 0) return;
    const fileBytes = this.tools.input.sizeBytes ?? UNKNOWN_SIZE_BYTES;
    const table = { index, sector, layout: this.layout, path: PIPE_NAME, fileBytes };
    const { message, offsetBytes } = explainDamage(damage[0]!, table);
    throw new RegrainError("DAMAGED", message, { path: PIPE_NAME, offsetBytes: offsetBytes! });
  }

  /** Hands over grains that came before their table. */
  private async lateGrains(run: { place: number; length: number; start: number }): Promise<void> {
    for (let done = 0; done < run.length;) {
      const length = Math.min(run.length - done, this.loose.roomSectors);
      const { bytes, bufferSector } = await this.loose.take(length);
      if (!await this.kept.claim(run.place + done, bytes)) {
        throw this.shared(`the grain of sector ${run.start + done}`, run.place + done);
      }
      this.tools.sink.data(run.start + done, length, bufferSector);
      done += length;
    }
  }

  /** Refuses what reaches into a part of the file that is no data. */
  private requireOutside(place: number, lengthSectors: number, what: string): void {
    for (const { label, sector, lengthSectors: length } of this.extent.regions) {
      if (place + lengthSectors <= sector || place >= sector + length) continue;
      throw new RegrainError("DAMAGED", `${what} reaches into the ${label}`, {
        path: PIPE_NAME,
        offsetBytes: place * SECTOR_SIZE,
      });
    }
  }

  private regionAt(at: number): { sector: number; lengthSectors: number } | undefined {
    return this.extent.regions.find(({ sector, lengthSectors }) =>
      at >= sector && at < sector + lengthSectors
    );
  }

  private nextRegion(at: number): number {
    let next = Infinity;
    for (const { sector } of this.extent.regions) if (sector > at) next = Math.min(next, sector);
    return next;
  }

  private shared(what: string, place: number): RegrainError {
    return new RegrainError("DAMAGED", `${what} overlaps something else in the file`, {
      path: PIPE_NAME,
      offsetBytes: place * SECTOR_SIZE,
    });
  }
}
