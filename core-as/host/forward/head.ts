/**
 * Hosted sparse files, and streamOptimized files with their tables in front: the tables are kept as they pass, then
 * looked at as those of any file, and only then the grains are taken.
 *
 * Where tables stand behind grains, all before the last table is kept. Where nothing but the end of the file says where
 * the tables are, that is the whole file.
 *
 * This module is browser compatible.
 */
import type { Descriptor } from "../formats/vmdk/descriptor.ts";
import { damagedRun, Disk, STRICT } from "../disk/disk.ts";
import { RegrainError } from "../errors.ts";
import type { Extent } from "../extent.ts";
import { Header } from "../header.ts";
import {
  hasGrainMarkers,
  hasRedundant,
  HOSTED_MAGIC,
  type HostedHeader,
  openHosted,
  parseFooter,
} from "../formats/vmdk/hosted_sparse.ts";
import type { Inflater } from "../inflate.ts";
import type { Link } from "../disk/link.ts";
import { linkOfExtent } from "../formats/vmdk/link.ts";
import { readBytes } from "../source.ts";
import { type LinkSurvey, surveyLink } from "../disk/survey.ts";
import { ceilDiv, GIB, KIB, roundUp, SECTOR_SIZE } from "../units.ts";
import { DAMAGED_PLACE, HOLE_PLACE, ZERO_PLACE } from "../wasm.ts";
import { MAX_SLACK_BYTES, PIPE_NAME, UNKNOWN_SIZE_BYTES } from "./input.ts";
import { PackedGrains } from "./packed.ts";
import { Loose, Passage, type Steps } from "./passage.ts";
import { PassedBytes } from "./passed.ts";
import { StretchQueue } from "./queue.ts";
import { SharedScratch } from "./shared_scratch.ts";
import type { Tools } from "./tables.ts";

const FOOTER_FROM_END_BYTES = 2 * SECTOR_SIZE;
const DIRECTORY_PAGE_BYTES = 64 * KIB;
/** More than a file may hold of what nothing names, beyond twice its disk. */
const SLACK_SECTORS = GIB / SECTOR_SIZE;

/** A part of the file that is no grain, in sectors. */
interface Part {
  readonly sector: number;
  readonly lengthSectors: number;
}

export class HeadPassage implements Steps {
  readonly link: Link;
  readonly survey: LinkSurvey;
  private readonly header: HostedHeader;
  private readonly extent: Extent;
  private readonly loose: Loose;
  private readonly grains: PackedGrains | undefined;
  /** Runs that have passed already. */
  private readonly late: StretchQueue;

  private constructor(
    private readonly tools: Tools,
    private readonly passed: PassedBytes,
    private readonly room: SharedScratch,
    opened: { header: HostedHeader; link: Link; survey: LinkSurvey; inflate: Inflater },
  ) {
    const { header, link, survey, inflate } = opened;
    const { sink, core } = tools;
    this.header = header;
    this.link = link;
    this.survey = survey;
    this.extent = link.extents[0]!.extent;
    this.loose = new Loose(core, sink);
    this.late = new StretchQueue(room.part(), tools.maxWaiting);
    const { grainSectors, capacitySectors } = header;
    const shape = { grainSectors, capacitySectors, markers: hasGrainMarkers(header), inflate };
    this.grains = header.compressed ? new PackedGrains(shape, { sink, loose: this.loose }) : undefined;
  }

  /**
   * Passes everything up to the last table, and looks at all of them.
   *
   * @param header The one at the front of the file.
   */
  static async open(
    header: HostedHeader,
    tools: Tools,
    options: { inflate: Inflater; descriptor: Descriptor | undefined },
  ): Promise<HeadPassage> {
    const { input, core } = tools;
    const room = new SharedScratch(tools.scratch);
    const passed = new PassedBytes(core, room.part(), Math.max(1, header.overheadSectors));
    const limitSectors = await passHead(header, tools, passed);
    passed.sizeBytes = input.sizeBytes ?? Math.min(UNKNOWN_SIZE_BYTES, limitSectors * SECTOR_SIZE);
    const extent = await openHosted(passed, { inflate: options.inflate, packed: true });
    const link = linkOfExtent(extent, options.descriptor, "the file holds no descriptor");
    const survey = await surveyLink(core, link, { overlaps: false });
    return new HeadPassage(tools, passed, room, { header, link, survey, ...options });
  }

  async run(): Promise<void> {
    const { input, sink } = this.tools;
    const queue = new StretchQueue(this.room.part(), this.tools.maxWaiting);
    const passage = new Passage(input, sink, this.extent.grainSectors!, queue);
    // All that is waited for has found its room before the first write.
    const parts = await this.turnRound(queue);
    await this.handRest();
    await this.takeLate(parts);
    await passage.run(this);
    if (this.grains) await this.requireNoOtherFooter();
  }

  gap(): Promise<void> {
    return Promise.resolve();
  }

  table(): Promise<void> {
    throw new Error("all tables have passed");
  }

  get packed(): Steps["packed"] {
    const { grains, tools } = this;
    return grains && ((sector) => grains.take(tools.input, sector));
  }

  /** Where a footer ends the file it rules, and it must not name other tables than those that were taken. */
  private async requireNoOtherFooter(): Promise<void> {
    const { input } = this.tools;
    await input.drain(MAX_SLACK_BYTES, FOOTER_FROM_END_BYTES);
    // Where another disk follows, the end is that one's.
    if (input.stray.at !== undefined) return;
    if (!input.ended || input.availableBytes !== FOOTER_FROM_END_BYTES) return;
    const header = new Header(input.bytes(SECTOR_SIZE), PIPE_NAME, input.position);
    if (header.u32(0) !== HOSTED_MAGIC) return;
    const { directorySector } = parseFooter(header, this.header);
    if (this.header.directorySector === undefined || directorySector === this.header.directorySector) return;
    throw header.error("HEADER_INVALID", "the footer names another directory than the header", 56);
  }

  /** Walks the tables and sorts their runs by place; returns the parts of the file that are no grains. */
  private async turnRound(queue: StretchQueue): Promise<Part[]> {
    const parts: Part[] = [...this.extent.regions];
    const here = this.tools.input.sector;
    const observer = { ...STRICT, table: (part: Part) => parts.push(part) };
    const disk = new Disk(this.tools.core, [this.link]);
    for await (const { list } of disk.walk(observer)) {
      for (let i = 0; i < list.count; i++) {
        const place = list.place(i);
        if (place === DAMAGED_PLACE) throw damagedRun(disk, list.start(i));
        if (place < 0) continue;
        await this.addRun(queue, { place, start: list.start(i), length: list.length(i), here });
      }
      await queue.commit();
      await this.late.commit();
    }
    return requireApart(parts);
  }

  /** Hands over what is no data. */
  private async handRest(): Promise<void> {
    const { core, sink } = this.tools;
    for await (const { list } of new Disk(core, [this.link]).walk(STRICT)) {
      for (let i = 0; i < list.count; i++) {
        if (list.place(i) === ZERO_PLACE) await sink.zero(list.start(i), list.length(i));
        else if (list.place(i) === HOLE_PLACE) await sink.hole(list.start(i), list.length(i));
      }
    }
  }

  private async addRun(
    queue: StretchQueue,
    run: { place: number; start: number; length: number; here: number },
  ): Promise<void> {
    const { place, start, length, here } = run;
    const unit = this.grains ? this.extent.grainSectors! : 1;
    const passed = Math.min(length, roundUp(Math.max(0, here - place), unit));
    if (passed > 0) await this.late.add(place, passed, start);
    if (passed < length) await queue.add(place + passed, length - passed, start + passed);
  }

  /** Hands over what was kept, in the order of the file, so that what overlaps shows. */
  private async takeLate(parts: readonly Part[]): Promise<void> {
    const { late } = this;
    let reached = 0;
    for (let next = 0; late.hasNext;) {
      while (next < parts.length && parts[next]!.sector < late.place) {
        reached = Math.max(reached, parts[next]!.sector + parts[next]!.lengthSectors);
        next++;
      }
      if (late.place < reached) throw overlap(`the grain of sector ${late.target}`, late.place);
      const taken = await this.takeLatePiece();
      reached = late.place + taken.fileSectors;
      const part = parts[next];
      if (part && part.sector < reached) throw overlap(`the grain of sector ${late.target}`, part.sector);
      await late.consume(taken.diskSectors);
    }
  }

  private async takeLatePiece(): Promise<{ fileSectors: number; diskSectors: number }> {
    const { late, passed, loose, tools } = this;
    const offsetBytes = late.place * SECTOR_SIZE;
    if (this.grains) {
      const read = (from: number, length: number) => readPassed(passed, from, length);
      const takenBytes = await this.grains.takeKept(read, late.target, offsetBytes);
      const diskSectors = Math.min(late.length, this.extent.grainSectors!);
      return { fileSectors: ceilDiv(takenBytes, SECTOR_SIZE), diskSectors };
    }
    const length = Math.min(late.length, loose.roomSectors);
    const { bytes, bufferSector } = await loose.take(length);
    bytes.set(await readPassed(passed, offsetBytes, bytes.length));
    tools.sink.data(late.target, length, bufferSector);
    return { fileSectors: length, diskSectors: length };
  }
}

/**
 * Passes everything up to the end of the last table that can be one.
 *
 * @returns sectors that the file can have at most, should every grain of the disk stand in it twice.
 */
async function passHead(header: HostedHeader, tools: Tools, passed: PassedBytes): Promise<number> {
  const { capacitySectors, grainSectors, entriesPerTable } = header;
  const entries = ceilDiv(capacitySectors, grainSectors * entriesPerTable);
  const lengthSectors = ceilDiv(entries * 4, SECTOR_SIZE);
  const tableSectors = ceilDiv(entriesPerTable * 4, SECTOR_SIZE);
  const directory = header.directorySector ?? Infinity;
  const descriptorEnd = header.descriptorSector + header.descriptorSectors;
  const limit = Math.max(header.overheadSectors, descriptorEnd) + SLACK_SECTORS +
    2 * (roundUp(capacitySectors, grainSectors) + entries * tableSectors + lengthSectors);
  const directories = [directory, ...(hasRedundant(header) ? [header.redundantSector] : [])]
    .filter((sector) => sector === directory || sector + lengthSectors <= limit);
  let end = Math.max(1, descriptorEnd, ...directories.map((sector) => sector + lengthSectors));
  if (!await passTo(end, tools, passed)) return limit;
  for (const sector of directories) {
    end = Math.max(end, await lastTableEnd(passed, { sector, entries, tableSectors, limit }));
  }
  await passTo(end, tools, passed);
  return limit;
}

/** Keeps everything in front of a sector; false when the file ends before it. */
async function passTo(sector: number, { input }: Tools, passed: PassedBytes): Promise<boolean> {
  while (input.sector < sector) {
    if (!await input.require(SECTOR_SIZE)) return false;
    await passed.take(input, Math.min(sector - input.sector, input.availableSectors));
  }
  return true;
}

/** The sector behind the last table of a directory, not counting what lies where no file reaches. */
async function lastTableEnd(
  passed: PassedBytes,
  directory: { sector: number; entries: number; tableSectors: number; limit: number },
): Promise<number> {
  const { sector, entries, tableSectors, limit } = directory;
  let end = 0;
  for (let at = 0; at < entries * 4; at += DIRECTORY_PAGE_BYTES) {
    const lengthBytes = Math.min(DIRECTORY_PAGE_BYTES, entries * 4 - at);
    const words = new Uint32Array((await readPassed(passed, sector * SECTOR_SIZE + at, lengthBytes)).buffer);
    for (const table of words) {
      if (table !== 0 && table + tableSectors <= limit) end = Math.max(end, table + tableSectors);
    }
  }
  return end;
}

async function readPassed(
  passed: PassedBytes,
  offsetBytes: number,
  lengthBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (offsetBytes + lengthBytes <= passed.sizeBytes) return await readBytes(passed, offsetBytes, lengthBytes);
  throw new RegrainError("TRUNCATED", "the pipe ended before the end of a piece of data", {
    path: PIPE_NAME,
    offsetBytes: passed.sizeBytes,
  });
}

/** Sorts parts of the file, and refuses those that overlap. */
function requireApart(parts: Part[]): Part[] {
  parts.sort((a, b) => a.sector - b.sector);
  for (const [i, part] of parts.entries()) {
    const before = parts[i - 1];
    if (before && before.sector + before.lengthSectors > part.sector) {
      throw overlap("a grain table", part.sector);
    }
  }
  return parts;
}

function overlap(what: string, sector: number): RegrainError {
  return new RegrainError("DAMAGED", `${what} overlaps something else in the file`, {
    path: PIPE_NAME,
    offsetBytes: sector * SECTOR_SIZE,
  });
}
