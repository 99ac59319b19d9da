/**
 * Hosted sparse (KDMV): Workstation, Fusion, VirtualBox, qemu; and streamOptimized, which is the same header over
 * compressed grains.
 *
 * Source: VMware Virtual Disk Format 5.0, "Hosted Sparse Extents" and "Stream-Optimized Compressed Sparse Extents";
 * flag and marker numbers: open-vmdk. A second directory with tables of its own stands beside the first in most files.
 *
 * This module is browser compatible.
 */
import { MAX_DESCRIPTOR_BYTES } from "./descriptor.ts";
import { RegrainError } from "../../errors.ts";
import type { Extent, Finding, Region } from "../../extent.ts";
import { GrainTables, NO_TABLE } from "./grain_tables.ts";
import { HOSTED_FIELDS } from "./header_fields.ts";
import { type Header, readHeader, requireInside } from "../../header.ts";
import type { Inflater } from "../../inflate.ts";
import { readBytes, type Source } from "../../source.ts";
import { hasMarker, MARKER_TYPE, streamShape } from "./marker.ts";
import { CompressedGrains, maxPackedBytes } from "./stream_optimized.ts";
import { findFooter } from "./stream_walk.ts";
import { ceilDiv, formatCount, SECTOR_SIZE } from "../../units.ts";

/** "KDMV" as a little-endian u32. */
export const HOSTED_MAGIC = 0x564d444b;

const FLAG_NEWLINE_TEST = 1 << 0;
const FLAG_REDUNDANT = 1 << 1;
const FLAG_ZERO_GRAIN = 1 << 2;
const FLAG_COMPRESSED = 1 << 16;
const FLAG_MARKERS = 1 << 17;
/** Flags in the upper half say what a reader must know. */
const KNOWN_INCOMPATIBLE = FLAG_COMPRESSED | FLAG_MARKERS;
const GD_AT_END = 0xffffffffffffffffn;
const FOOTER_SECTORS_FROM_END = 2;
const MAX_GRAIN_SECTORS = 2048;
const MAX_ENTRIES_PER_TABLE = 4096;
/** Entries of a directory: 62 TiB in grains of 4 KiB and common tables need fewer. */
export const MAX_DIRECTORY_ENTRIES = 1 << 25;

/** What the header of a hosted sparse file says. */
export interface HostedHeader {
  readonly version: number;
  readonly flags: number;
  readonly capacitySectors: number;
  readonly grainSectors: number;
  readonly descriptorSector: number;
  readonly descriptorSectors: number;
  readonly entriesPerTable: number;
  readonly redundantSector: number;
  /** `undefined`: at the end, the footer knows. */
  readonly directorySector: number | undefined;
  readonly overheadSectors: number;
  readonly unclean: boolean;
  readonly compressed: boolean;
}

export interface HostedOptions {
  readonly inflate: Inflater;
  /** True: packed grains are left packed, and the places of runs are where they stand in the file. */
  readonly packed?: boolean;
}

/**
 * Opens a hosted sparse or streamOptimized extent.
 *
 * @throws {RegrainError} `TRUNCATED`, `UNSUPPORTED`, `HEADER_INVALID`, `LIMIT_EXCEEDED`.
 */
export async function openHosted(file: Source, options: HostedOptions): Promise<Extent> {
  const first = await readHeader(file, SECTOR_SIZE);
  const front = parseHosted(first);
  // Of a file that passes by the end has not come when its tables in front are looked at.
  const isPassing = options.packed === true && front.directorySector !== undefined;
  const end = front.compressed && !isPassing ? await readFooter(file, front) : undefined;
  const footer = end?.header;
  const header = footer ?? front;
  const { directorySector, capacitySectors, grainSectors, entriesPerTable } = header;
  if (directorySector === undefined || capacitySectors === 0) {
    throw new RegrainError("TRUNCATED", "the header says that a footer ends the file, there is none", {
      path: file.path,
      offsetBytes: Math.max(0, file.sizeBytes - FOOTER_SECTORS_FROM_END * SECTOR_SIZE),
      hint: "the stream was cut short; copy the file again",
    });
  }
  const directoryEntries = ceilDiv(capacitySectors, grainSectors * entriesPerTable);
  const directory = {
    label: "the grain directory",
    sector: directorySector,
    lengthBytes: directoryEntries * 4,
    fieldOffsetBytes: 56,
  };
  requireInside(file, directory);
  const redundant = usableRedundant(header, {
    ...directory,
    label: "the redundant directory",
    fieldOffsetBytes: 48,
  }, file);

  const leavePacked = header.compressed && options.packed === true;
  // A packed grain may end the file, and is shorter than a grain.
  const fileSectors = Math.floor(file.sizeBytes / SECTOR_SIZE) + (leavePacked ? grainSectors : 0);
  const floor = header.compressed ? 1 : Math.max(1, header.overheadSectors);
  const tables = new GrainTables(file, {
    grainSectors,
    entriesPerTable,
    entryBytes: 4,
    capacitySectors,
    directoryOffsetBytes: directorySector * SECTOR_SIZE,
    directoryEntryBytes: 4,
    redundantOffsetBytes: redundant.offsetBytes,
    markers: footer !== undefined,
    tableFloorSector: 1,
    grainFloorSector: floor,
    locate: (low) => low === 0 ? NO_TABLE : low,
    decode: (core, address, start) =>
      core.kernels.decodeTable32(
        address,
        entriesPerTable,
        start,
        grainSectors,
        capacitySectors,
        floor,
        fileSectors,
        header.compressed && !leavePacked ? 1 : 0,
      ),
  });
  const grains = header.compressed && !leavePacked
    ? new CompressedGrains(file, tables, {
      grainSectors,
      capacitySectors,
      markers: (header.flags & FLAG_MARKERS) !== 0,
      inflate: options.inflate,
    })
    : undefined;
  return {
    ...shapeOf(header),
    path: file.path,
    capacitySectors,
    grainSectors,
    file,
    data: grains ?? file,
    regions: regionsOf(header, directoryEntries, redundant.offsetBytes),
    facts: factsOf(header, footer !== undefined),
    findings: [
      ...oddities(header, file.path),
      ...redundant.findings,
      ...(end?.findings ?? []),
      ...(footer ? await requireDirectoryMarker(file, directorySector) : []),
    ],
    fill: (core, list, window, observer) => (grains ?? tables).fill(core, list, window, observer),
    entryOffset: (sector) => tables.entryOffset(sector),
    ...(grains
      ? { verifyGrain: (sector: number) => grains.verify(sector), damagedGrains: grains.damaged }
      : {}),
  };
}

/** The text embedded behind the header, or `undefined` when there is none, or nothing in it. */
export async function readEmbeddedDescriptor(file: Source): Promise<Uint8Array | undefined> {
  const header = await readHeader(file, SECTOR_SIZE);
  const sector = header.sectors(28, "descriptorOffset");
  const lengthSectors = header.sectors(36, "descriptorSize");
  if (sector === 0 || lengthSectors === 0) return undefined;
  const lengthBytes = lengthSectors * SECTOR_SIZE;
  if (lengthBytes > MAX_DESCRIPTOR_BYTES) {
    throw header.error(
      "LIMIT_EXCEEDED",
      `an embedded descriptor of ${lengthBytes} bytes, at most 1 MiB is believed`,
      36,
    );
  }
  requireInside(file, { label: "the embedded descriptor", sector, lengthBytes, fieldOffsetBytes: 28 });
  const text = await readBytes(file, sector * SECTOR_SIZE, lengthBytes);
  // Pieces of a split disk have room for a text and none in it.
  const end = text.indexOf(0);
  const hasText = text.subarray(0, end < 0 ? text.length : end).some((byte) => byte > 0x20);
  return hasText ? text : undefined;
}

/**
 * True when the header holds no disk of its own: its descriptor names the extents (capacity 0). In front of a stream
 * such a header means that only the footer knows the capacity.
 */
export async function holdsDescriptorOnly(file: Source): Promise<boolean> {
  const header = await readHeader(file, SECTOR_SIZE);
  return header.u64(12) === 0n && header.u64(28) !== 0n && header.u16(77) === 0;
}

/**
 * What a header says, bounded. The capacity is 0 in front of a stream whose footer alone knows it.
 *
 * @throws {RegrainError} `UNSUPPORTED`, `HEADER_INVALID`, `LIMIT_EXCEEDED`.
 */
export function parseHosted(header: Header): HostedHeader {
  if (header.u32(0) !== HOSTED_MAGIC) {
    throw header.error("HEADER_INVALID", "the header does not start with KDMV", 0);
  }
  const version = header.u32(4);
  if (version < 1 || version > 3) {
    throw unknownVersion(header, version);
  }
  const flags = header.u32(8);
  const unknown = (flags & ~KNOWN_INCOMPATIBLE) >>> 16;
  if (unknown !== 0) {
    throw header.error("UNSUPPORTED", `flags 0x${flags.toString(16)} ask for something unknown`, 8);
  }
  requireNewlines(header, flags);
  const capacitySectors = header.sectors(12, "capacity");
  const needsFooter = header.u16(77) === 1 && (flags & FLAG_MARKERS) !== 0;
  if (capacitySectors === 0 && !needsFooter) throw header.error("HEADER_INVALID", "capacity is 0", 12);
  const grainSectors = powerOfTwo(header, {
    name: "grainSize",
    value: header.u64(20),
    max: MAX_GRAIN_SECTORS,
    at: 20,
  });
  const entriesPerTable = powerOfTwo(header, {
    name: "numGTEsPerGT",
    value: BigInt(header.u32(44)),
    max: MAX_ENTRIES_PER_TABLE,
    at: 44,
  });
  requireDirectorySize(header, ceilDiv(capacitySectors, grainSectors * entriesPerTable));
  const algorithm = header.u16(77);
  if (algorithm > 1) {
    throw header.error("UNSUPPORTED", `compressAlgorithm ${algorithm}, 0 and 1 are known`, 77);
  }
  if ((algorithm === 1) !== ((flags & FLAG_COMPRESSED) !== 0)) {
    throw header.error(
      "HEADER_INVALID",
      `compressAlgorithm ${algorithm} contradicts flags 0x${flags.toString(16)}`,
      77,
    );
  }
  return {
    version,
    flags,
    capacitySectors,
    grainSectors,
    entriesPerTable,
    descriptorSector: header.sectors(28, "descriptorOffset"),
    descriptorSectors: header.sectors(36, "descriptorSize"),
    redundantSector: header.u64(48) === GD_AT_END ? 0 : header.sectors(48, "rgdOffset"),
    directorySector: header.u64(56) === GD_AT_END ? undefined : header.sectors(56, "gdOffset"),
    overheadSectors: header.sectors(64, "overHead"),
    unclean: header.u8(72) !== 0,
    compressed: algorithm === 1,
  };
}

/** What Workstation writes for an encrypted disk is not public; a version beyond the public ones may be that. */
function unknownVersion(header: Header, version: number): RegrainError {
  const message = `hosted sparse version ${version}, 1 to 3 are known`;
  if (version < 4) return header.error("UNSUPPORTED", message, 4);
  const maybe = `${message}: it may be a disk that Workstation or Fusion has encrypted`;
  const hint =
    "if the VM is encrypted, decrypt it there first, and copy the disk again; nothing else reads it";
  return header.error("UNSUPPORTED", maybe, 4, hint);
}

/** A sparse file costs nothing and may be as large as it likes: its directory is bounded by what disks need. */
function requireDirectorySize({ path }: Header, entries: number): void {
  if (entries <= MAX_DIRECTORY_ENTRIES) return;
  const most = `${formatCount(MAX_DIRECTORY_ENTRIES)} is the most that is read`;
  throw new RegrainError("LIMIT_EXCEEDED", `a grain directory of ${formatCount(entries)} entries, ${most}`, {
    path,
    offsetBytes: 44,
    hint: "no known program writes such a file: the header is damaged, copy the file again",
  });
}

/** Four bytes that a transfer in text mode would have changed. */
function requireNewlines(header: Header, flags: number): void {
  if ((flags & FLAG_NEWLINE_TEST) === 0) return;
  const expected = [0x0a, 0x20, 0x0d, 0x0a];
  if (expected.every((byte, i) => header.u8(73 + i) === byte)) return;
  throw new RegrainError(
    "HEADER_INVALID",
    "the newline test fails: the file went through a text-mode transfer",
    {
      path: header.path,
      offsetBytes: 73,
      hint: "copy the file again in binary mode",
    },
  );
}

function powerOfTwo(header: Header, field: { name: string; value: bigint; max: number; at: number }): number {
  const { name, value, max, at } = field;
  if (value > 0n && value <= BigInt(max) && (value & (value - 1n)) === 0n) return Number(value);
  throw header.error("HEADER_INVALID", `${name} is ${value}, expected a power of two up to ${max}`, at);
}

/** What ends a stream. */
interface StreamEnd {
  readonly header: HostedHeader;
  readonly findings: readonly Finding[];
}

/**
 * The footer is a header with the right offsets, 1024 bytes before the end; where there is one it wins. Where a footer
 * must be and something follows it, it is looked for.
 */
async function readFooter(file: Source, front: HostedHeader): Promise<StreamEnd | undefined> {
  const expectedBytes = file.sizeBytes - FOOTER_SECTORS_FROM_END * SECTOR_SIZE;
  const atEnd = await footerAt(file, front, expectedBytes);
  if (atEnd) return { header: atEnd, findings: footerNotes(file, front) };
  const isNeeded = front.directorySector === undefined || front.capacitySectors === 0;
  if (!isNeeded || !hasGrainMarkers(front)) return undefined;
  const sector = await findFooter(file, {
    start: Math.max(1, front.descriptorSector + front.descriptorSectors),
    shape: streamShape(front),
    maxGrainBytes: maxPackedBytes(front.grainSectors),
  });
  const offsetBytes = sector === undefined ? -1 : sector * SECTOR_SIZE;
  const header = await footerAt(file, front, offsetBytes);
  return header && { header, findings: [...footerNotes(file, front), afterFooter(file, offsetBytes)] };
}

async function footerAt(
  file: Source,
  front: HostedHeader,
  offsetBytes: number,
): Promise<HostedHeader | undefined> {
  if (offsetBytes < SECTOR_SIZE || offsetBytes % SECTOR_SIZE !== 0) return undefined;
  if (offsetBytes + SECTOR_SIZE > file.sizeBytes) return undefined;
  const header = await readHeader(file, SECTOR_SIZE, offsetBytes);
  return header.u32(0) === HOSTED_MAGIC ? parseFooter(header, front) : undefined;
}

function footerNotes(file: Source, front: HostedHeader): Finding[] {
  return front.capacitySectors === 0 ? [capacityInFooter(file.path)] : [];
}

/** Said of a stream whose header leaves its capacity to the footer. */
export function capacityInFooter(path: string): Finding {
  const message = "the header says capacity 0, that of the footer is taken";
  return { severity: "note", kind: "capacity-in-footer", path, offsetBytes: 12, message };
}

function afterFooter(file: Source, footerBytes: number): Finding {
  const endBytes = footerBytes + FOOTER_SECTORS_FROM_END * SECTOR_SIZE;
  const restBytes = file.sizeBytes - endBytes;
  const message = restBytes > 0
    ? `${restBytes} bytes follow the end of the stream; they are left out`
    : "the marker that ends the stream is missing";
  return { severity: "note", kind: "stream-goes-on", path: file.path, offsetBytes: endBytes, message };
}

/**
 * What a footer says.
 *
 * @throws {RegrainError} `HEADER_INVALID` when it is not that of the header.
 */
export function parseFooter(header: Header, front: HostedHeader): HostedHeader {
  const footer = parseHosted(header);
  if (footer.capacitySectors === 0) throw header.error("HEADER_INVALID", "capacity is 0", 12);
  const same = [footer.capacitySectors, 0].includes(front.capacitySectors) &&
    footer.grainSectors === front.grainSectors &&
    footer.entriesPerTable === front.entriesPerTable && footer.flags === front.flags;
  if (same) return footer;
  throw header.error("HEADER_INVALID", "the footer contradicts the header", 0);
}

/** An extent of which only the header has come yet: it tells what it is, and cannot be walked. */
export function extentOfHeader(header: HostedHeader, file: Source): Extent {
  return {
    ...shapeOf(header),
    path: file.path,
    capacitySectors: header.capacitySectors,
    grainSectors: header.grainSectors,
    file,
    data: undefined,
    regions: [],
    facts: factsOf({ ...header, directorySector: header.directorySector ?? 0 }, false),
    findings: oddities(header, file.path),
    fill: () => Promise.reject(new Error("the tables of this extent have not come yet")),
  };
}

/** True when every packed grain says where on the disk it belongs. */
export function hasGrainMarkers(header: HostedHeader): boolean {
  return (header.flags & FLAG_MARKERS) !== 0;
}

/** True when the flags say that there is a second directory, wherever it is. */
export function announcesRedundant(header: HostedHeader): boolean {
  return (header.flags & FLAG_REDUNDANT) !== 0;
}

/** True when the header promises a second directory. */
export function hasRedundant(header: HostedHeader): boolean {
  const sector = header.redundantSector;
  return (header.flags & FLAG_REDUNDANT) !== 0 && sector !== 0 && sector !== header.directorySector;
}

/** What has a footer was written front to back, with a marker before the directory. */
async function requireDirectoryMarker(file: Source, sector: number): Promise<Finding[]> {
  if (await hasMarker(file, { sector, type: MARKER_TYPE.grainDirectory })) return [];
  return [{
    severity: "doubt",
    kind: "marker-missing",
    path: file.path,
    offsetBytes: sector * SECTOR_SIZE,
    message: "no marker stands before the grain directory that the footer names",
  }];
}

function usableRedundant(
  header: HostedHeader,
  part: { label: string; lengthBytes: number; fieldOffsetBytes: number },
  file: Source,
): { offsetBytes: number | undefined; findings: Finding[] } {
  if (!hasRedundant(header)) return { offsetBytes: undefined, findings: [] };
  const offsetBytes = header.redundantSector * SECTOR_SIZE;
  if (offsetBytes + part.lengthBytes <= file.sizeBytes) return { offsetBytes, findings: [] };
  const message = `${part.label} reaches past the end of the file and is not used`;
  return {
    offsetBytes: undefined,
    findings: [{
      severity: "note",
      kind: "redundant-bad",
      path: file.path,
      offsetBytes: part.fieldOffsetBytes,
      message,
    }],
  };
}

function regionsOf(
  header: HostedHeader,
  directoryEntries: number,
  redundantOffsetBytes: number | undefined,
): Region[] {
  const lengthSectors = ceilDiv(directoryEntries * 4, SECTOR_SIZE);
  const regions: Region[] = [
    { label: "header", sector: 0, lengthSectors: 1 },
    { label: "grain directory", sector: header.directorySector!, lengthSectors },
  ];
  if (header.descriptorSector > 0 && header.descriptorSectors > 0) {
    regions.push({
      label: "descriptor",
      sector: header.descriptorSector,
      lengthSectors: header.descriptorSectors,
    });
  }
  if (redundantOffsetBytes !== undefined) {
    regions.push({ label: "redundant directory", sector: redundantOffsetBytes / SECTOR_SIZE, lengthSectors });
  }
  return regions;
}

function factsOf(header: HostedHeader, footer: boolean): Record<string, string | number | boolean> {
  return {
    version: header.version,
    flags: `0x${header.flags.toString(16)}`,
    capacity: header.capacitySectors,
    grainSize: header.grainSectors,
    numGTEsPerGT: header.entriesPerTable,
    rgdOffset: header.redundantSector,
    gdOffset: header.directorySector!,
    overHead: header.overheadSectors,
    uncleanShutdown: header.unclean,
    ...(header.compressed ? { compressAlgorithm: "deflate", footer } : {}),
  };
}

function oddities(header: HostedHeader, path: string): Finding[] {
  if (!header.unclean) return [];
  return [{
    severity: "note",
    kind: "unclean",
    path,
    offsetBytes: 72,
    message: "the disk was not closed cleanly",
  }];
}

/** What is the same of every extent with such a header. */
function shapeOf({ compressed, flags }: HostedHeader) {
  return {
    format: compressed ? "stream" : "hosted",
    formatName: compressed ? "streamOptimized" : "hosted sparse",
    header: { fields: HOSTED_FIELDS, lengthBytes: SECTOR_SIZE },
    // Without the flag an entry of 1 is taken as a zero grain with a note.
    announcesZeros: (flags & FLAG_ZERO_GRAIN) !== 0,
  };
}
