/**
 * The sparse formats, read the slow and obvious way: one entry after another, every rule written out. Tests hold the
 * real readers against these, so nothing here may be shared with them.
 */
import { inflateSync } from "node:zlib";
import { SECTOR_SIZE } from "../../core-as/host/units.ts";
import {
  Bytes,
  Claims,
  extentOfGrains,
  isPowerOfTwo,
  type ReferenceExtent,
  Refusal,
  refuse,
  rule,
  sectorCount,
  type Stored,
} from "./reference_file.ts";

export type SparseFormat = "cowd" | "sesparse" | "hosted";

/** The format by the first bytes, or `undefined`. */
export function sparseFormatOf(all: Uint8Array): SparseFormat | undefined {
  if (all.length < 8) return undefined;
  const magic = new TextDecoder("latin1").decode(all.subarray(0, 4));
  if (magic === "COWD") return "cowd";
  if (magic === "KDMV") return "hosted";
  return new Bytes(all).u64(0) === 0xcafebaben ? "sesparse" : undefined;
}

/** Reads a sparse extent of any format. */
export function readSparse(all: Uint8Array): ReferenceExtent {
  const format = sparseFormatOf(all);
  if (format === "cowd") return readCowd(new Bytes(all));
  if (format === "sesparse") return readSeSparse(new Bytes(all));
  if (format === "hosted") return readHosted(new Bytes(all));
  refuse("no magic of a sparse extent");
}

const COWD_TABLE_ENTRIES = 4096;

function readCowd(file: Bytes): ReferenceExtent {
  rule(file.sizeBytes >= 2048, "the file ends in its header");
  rule(file.sizeBytes % SECTOR_SIZE === 0, "the file is no whole number of sectors");
  rule(file.u32(4) === 1, "version");
  const capacitySectors = file.u32(12);
  const grainSectors = file.u32(16);
  const directory = file.u32(20);
  const directoryEntries = file.u32(24);
  rule(capacitySectors > 0, "numSectors is 0");
  rule(isPowerOfTwo(grainSectors) && grainSectors <= 2048, "grainSize");
  rule(directory >= 4, "gdOffset lies in the header");
  const needed = Math.ceil(capacitySectors / (COWD_TABLE_ENTRIES * grainSectors));
  const padded = Math.ceil(needed * 4 / SECTOR_SIZE) * SECTOR_SIZE / 4;
  rule(
    directoryEntries >= needed && directoryEntries <= padded,
    "numGDEntries is not what the capacity needs",
  );
  rule(file.holds({ at: directory * SECTOR_SIZE, lengthBytes: needed * 4 }), "directory out of the file");

  const directorySectors = Math.ceil(needed * 4 / SECTOR_SIZE);
  const floor = directory + directorySectors;
  const claims = new Claims(file);
  claims.claim("header", { sector: 0, sectors: 4 });
  claims.claim("directory", { sector: directory, sectors: directorySectors });
  const grains = new Map<number, "zero" | Stored>();
  for (let table = 0; table < needed; table++) {
    const sector = file.u32(directory * SECTOR_SIZE + table * 4);
    if (sector === 0) continue;
    rule(sector >= floor, "directory entry names the header or the directory");
    const lengthBytes = COWD_TABLE_ENTRIES * 4;
    rule(file.holds({ at: sector * SECTOR_SIZE, lengthBytes }), "table out of the file");
    claims.claim("table", { sector, sectors: lengthBytes / SECTOR_SIZE });
    const from = table * COWD_TABLE_ENTRIES;
    for (let entry = 0; entry < COWD_TABLE_ENTRIES; entry++) {
      const needs = Math.min(grainSectors, capacitySectors - (from + entry) * grainSectors);
      if (needs <= 0) break;
      const place = file.u32(sector * SECTOR_SIZE + entry * 4);
      if (place === 0) continue;
      if (place === 1) {
        grains.set(from + entry, "zero");
        continue;
      }
      rule(place >= floor, "entry names the header or the directory");
      rule(place + needs <= file.sectors, "entry past the end of the file");
      claims.claim("grain", { sector: place, sectors: grainSectors });
      grains.set(from + entry, { bytes: file.all, at: place * SECTOR_SIZE });
    }
  }
  return extentOfGrains({ capacitySectors, grainSectors }, grains);
}

const SE_GRAIN = 8;
const SE_TABLE_ENTRIES = 4096;
const SE_TABLE_SECTORS = 64;
const SE_REGIONS = [
  { name: "volatile header", at: 80 },
  { name: "journal header", at: 96 },
  { name: "journal", at: 112 },
  { name: "grain directory", at: 128 },
  { name: "grain tables", at: 144 },
  { name: "free bitmap", at: 160 },
  { name: "backmap", at: 176 },
  { name: "grains", at: 192 },
] as const;

function readSeSparse(file: Bytes): ReferenceExtent {
  rule(file.sizeBytes >= SECTOR_SIZE, "the file ends in its header");
  rule(file.sizeBytes % SECTOR_SIZE === 0, "the file is no whole number of sectors");
  rule(file.u64(8) === 0x0000000200000001n, "version");
  const capacitySectors = sectorCount(file, { at: 16, name: "capacity" });
  rule(capacitySectors > 0, "capacity is 0");
  rule(file.u64(24) === 8n, "grainSize");
  rule(file.u64(32) === 64n, "grainTableSize");
  rule(file.u64(40) === 0n, "flags");
  for (let at = 48; at < 80; at++) rule(file.u8(at) === 0, "reserved field in use");
  for (let at = 208; at < SECTOR_SIZE; at++) rule(file.u8(at) === 0, "padding in use");
  const region = seRegions(file);
  const directory = region("grain directory");
  const tables = region("grain tables");
  const data = region("grains");

  const volatileAt = region("volatile header").sector * SECTOR_SIZE;
  rule(file.holds({ at: volatileAt, lengthBytes: SECTOR_SIZE }), "volatile header out of the file");
  rule(file.u64(volatileAt) === 0xcafecafen, "magic of the volatile header");
  rule(file.u64(volatileAt + 24) === 0n, "the journal is dirty");

  const tableCount = Math.ceil(capacitySectors / (SE_TABLE_ENTRIES * SE_GRAIN));
  rule(tableCount * 8 <= directory.sectors * SECTOR_SIZE, "directory smaller than the disk needs");
  const directoryAt = directory.sector * SECTOR_SIZE;
  rule(file.holds({ at: directoryAt, lengthBytes: tableCount * 8 }), "directory out of the file");

  const claims = new Claims(file);
  const grains = new Map<number, "zero" | Stored>();
  for (let table = 0; table < tableCount; table++) {
    const named = file.u64(directoryAt + table * 8);
    if (named === 0n) continue;
    rule(named >> 32n === 0x10000000n, "directory entry of an unknown kind");
    const index = Number(named & 0xffffffffn);
    rule((index + 1) * SE_TABLE_SECTORS <= tables.sectors, "directory entry past the grain tables");
    const sector = tables.sector + index * SE_TABLE_SECTORS;
    rule(
      file.holds({ at: sector * SECTOR_SIZE, lengthBytes: SE_TABLE_ENTRIES * 8 }),
      "table out of the file",
    );
    claims.claim("table", { sector, sectors: SE_TABLE_SECTORS });
    for (let i = 0; i < SE_TABLE_ENTRIES; i++) {
      const grain = table * SE_TABLE_ENTRIES + i;
      const needs = Math.min(SE_GRAIN, capacitySectors - grain * SE_GRAIN);
      if (needs <= 0) break;
      const entry = file.u64(sector * SECTOR_SIZE + i * 8);
      if (entry === 0n) continue;
      const kind = entry >> 60n;
      rule(kind >= 1n && kind <= 3n, "entry of an unknown kind");
      if (kind !== 3n) {
        grains.set(grain, "zero");
        continue;
      }
      const slot = Number(((entry >> 48n) & 0xfffn) + ((entry & 0xffffffffffffn) << 12n));
      rule((slot + 1) * SE_GRAIN <= data.sectors, "entry past the grains");
      const place = data.sector + slot * SE_GRAIN;
      rule(place + needs <= file.sectors, "entry past the end of the file");
      claims.claim("grain", { sector: place, sectors: SE_GRAIN });
      grains.set(grain, { bytes: file.all, at: place * SECTOR_SIZE });
    }
  }
  return extentOfGrains({ capacitySectors, grainSectors: SE_GRAIN }, grains);
}

type SeRegionName = typeof SE_REGIONS[number]["name"];

/** The regions of the header, none of which may touch another. */
function seRegions(file: Bytes): (name: SeRegionName) => { sector: number; sectors: number } {
  const found = SE_REGIONS.map(({ name, at }) => ({
    name,
    sector: sectorCount(file, { at, name }),
    sectors: sectorCount(file, { at: at + 8, name }),
  }));
  for (const one of found) {
    rule(one.sector > 0, "a region begins in the header");
    for (const other of found) {
      const apart = one === other || one.sector + one.sectors <= other.sector ||
        other.sector + other.sectors <= one.sector;
      rule(apart, `the regions ${one.name} and ${other.name} overlap`);
    }
  }
  return (name) => found.find((one) => one.name === name)!;
}

const NO_DIRECTORY = 0xffffffffffffffffn;

interface HostedHeader {
  readonly flags: number;
  readonly capacitySectors: number;
  readonly grainSectors: number;
  readonly tableEntries: number;
  readonly descriptor: { readonly sector: number; readonly sectors: number };
  readonly directory: number | undefined;
  readonly redundant: number | undefined;
  readonly overHead: number;
  readonly compressed: boolean;
}

function hostedHeader(file: Bytes, at: number): HostedHeader {
  rule(file.holds({ at, lengthBytes: SECTOR_SIZE }), "the file ends in its header");
  const version = file.u32(at + 4);
  rule(version >= 1 && version <= 3, "version");
  const flags = file.u32(at + 8);
  const has = (bit: number) => Math.floor(flags / 2 ** bit) % 2 === 1;
  for (let bit = 18; bit < 32; bit++) rule(!has(bit), "unknown flag");
  if (has(0)) {
    const lineEnds = [10, 32, 13, 10];
    lineEnds.forEach((byte, i) => rule(file.u8(at + 73 + i) === byte, "newline test"));
  }
  const capacitySectors = sectorCount(file, { at: at + 12, name: "capacity" });
  const grainSectors = sectorCount(file, { at: at + 20, name: "grainSize" });
  rule(isPowerOfTwo(grainSectors) && grainSectors <= 2048, "grainSize");
  const tableEntries = file.u32(at + 44);
  rule(isPowerOfTwo(tableEntries) && tableEntries <= 4096, "numGTEsPerGT");
  const algorithm = file.u16(at + 77);
  rule(algorithm === (has(16) ? 1 : 0), "compressAlgorithm");
  const place = (field: number, name: string) =>
    file.u64(at + field) === NO_DIRECTORY ? undefined : sectorCount(file, { at: at + field, name });
  const redundant = place(48, "rgdOffset");
  return {
    flags,
    capacitySectors,
    grainSectors,
    tableEntries,
    descriptor: {
      sector: sectorCount(file, { at: at + 28, name: "descriptorOffset" }),
      sectors: sectorCount(file, { at: at + 36, name: "descriptorSize" }),
    },
    directory: place(56, "gdOffset"),
    redundant: has(1) && redundant !== 0 ? redundant : undefined,
    overHead: sectorCount(file, { at: at + 64, name: "overHead" }),
    compressed: algorithm === 1,
  };
}

/** The text inside a hosted sparse file, and whether there is anything beside it. */
export function embeddedText(all: Uint8Array): { text: Uint8Array | undefined; alone: boolean } {
  const file = new Bytes(all);
  rule(file.sizeBytes >= SECTOR_SIZE, "the file ends in its header");
  const sector = sectorCount(file, { at: 28, name: "descriptorOffset" });
  const sectors = sectorCount(file, { at: 36, name: "descriptorSize" });
  if (sector === 0 || sectors === 0) return { text: undefined, alone: false };
  const at = sector * SECTOR_SIZE;
  const lengthBytes = sectors * SECTOR_SIZE;
  rule(lengthBytes <= 1024 * 1024, "an embedded descriptor of more than 1 MiB");
  rule(file.holds({ at, lengthBytes }), "embedded descriptor out of the file");
  const text = all.subarray(at, at + lengthBytes);
  const end = text.indexOf(0);
  const isEmpty = text.subarray(0, end < 0 ? lengthBytes : end).every((byte) => byte <= 0x20);
  // A stream may leave its capacity to its footer.
  const alone = file.u64(12) === 0n && file.u16(77) === 0;
  return { text: isEmpty ? undefined : text, alone };
}

/** One grain table of a hosted file, as far as it can be believed. */
interface HostedTable {
  readonly sector: number;
  readonly entries: readonly number[];
}

/** A hosted file on its way through the reader. */
interface HostedWork {
  readonly file: Bytes;
  readonly header: HostedHeader;
  readonly directoryAt: number | undefined;
  readonly redundantAt: number | undefined;
}

function readHosted(file: Bytes): ReferenceExtent {
  const front = hostedHeader(file, 0);
  const footerAt = front.compressed ? footerPlace(file, front) : undefined;
  const header = footerAt === undefined ? front : hostedHeader(file, footerAt);
  for (const field of ["flags", "capacitySectors", "grainSectors", "tableEntries"] as const) {
    const isLeftToFooter = field === "capacitySectors" && front.capacitySectors === 0;
    rule(isLeftToFooter || header[field] === front[field], "the footer contradicts the header");
  }
  const { capacitySectors, grainSectors, tableEntries } = header;
  rule(capacitySectors > 0, "capacity is 0");
  rule(header.directory !== undefined, "no footer tells where the directory is");
  const tableCount = Math.ceil(capacitySectors / (grainSectors * tableEntries));
  const inside = (sector: number | undefined) => {
    if (sector === undefined) return undefined;
    const at = sector * SECTOR_SIZE;
    return file.holds({ at, lengthBytes: tableCount * 4 }) ? at : undefined;
  };
  const redundantAt = header.redundant === header.directory ? undefined : inside(header.redundant);
  const directoryAt = inside(header.directory);
  rule(directoryAt !== undefined || redundantAt !== undefined, "directory out of the file");
  const work: HostedWork = { file, header, directoryAt, redundantAt };

  const claims = new Claims(file);
  claims.claim("header", { sector: 0, sectors: 1 });
  if (footerAt !== undefined) claims.claim("footer", { sector: footerAt / SECTOR_SIZE, sectors: 1 });
  if (header.descriptor.sector > 0) claims.claim("descriptor", header.descriptor);
  const directorySectors = Math.ceil(tableCount * 4 / SECTOR_SIZE);
  for (const at of [directoryAt, redundantAt]) {
    if (at !== undefined) claims.claim("directory", { sector: at / SECTOR_SIZE, sectors: directorySectors });
  }
  if (footerAt !== undefined) {
    requireMarker(file, { sector: header.directory, sectors: directorySectors, type: 2 });
  }
  const tableSectors = Math.ceil(tableEntries * 4 / SECTOR_SIZE);
  const grains = new Map<number, "zero" | Stored>();
  let tableEnd = 0;
  for (let number = 0; number < tableCount; number++) {
    const table = hostedTable(work, number);
    if (!table) continue;
    for (const sector of tablePlaces(work, number, table)) {
      claims.claim("table", { sector, sectors: tableSectors });
    }
    // One marker may be in front of several tables.
    if (footerAt !== undefined && table.sector !== tableEnd) {
      requireMarker(file, { sector: table.sector, sectors: tableSectors, type: 1 });
    }
    tableEnd = table.sector + tableSectors;
    for (const [i, place] of table.entries.entries()) {
      const grain = number * tableEntries + i;
      if (place === 1) grains.set(grain, "zero");
      else if (place > 1) grains.set(grain, hostedGrain(work, claims, { grain, place }));
    }
  }
  return extentOfGrains({ capacitySectors, grainSectors }, grains);
}

/** Byte offset of the footer, if the file has one. */
function footerPlace(file: Bytes, front: HostedHeader): number | undefined {
  const at = file.sizeBytes - 2 * SECTOR_SIZE;
  if (at >= SECTOR_SIZE && at % SECTOR_SIZE === 0 && file.u32(at) === 0x564d444b) return at;
  const isNeeded = front.directory === undefined || front.capacitySectors === 0;
  return isNeeded && hasMarkers(front) ? footerBehindMarkers(file, front) : undefined;
}

/** Bytes may follow the end of a stream, so that only its markers, one after another, lead to the footer. */
function footerBehindMarkers(file: Bytes, front: HostedHeader): number | undefined {
  const { sector: textSector, sectors: textSectors } = front.descriptor;
  let sector = Math.max(1, textSector + textSectors);
  while (sector < file.sectors) {
    const at = sector * SECTOR_SIZE;
    const packedBytes = file.u32(at + 8);
    const kind = file.u32(at + 12);
    if (packedBytes > 0) {
      sector += Math.ceil((12 + packedBytes) / SECTOR_SIZE);
    } else if (kind === 3) {
      const footerAt = at + SECTOR_SIZE;
      const isThere = file.holds({ at: footerAt, lengthBytes: SECTOR_SIZE }) &&
        file.u32(footerAt) === 0x564d444b;
      return isThere ? footerAt : undefined;
    } else {
      const follow = file.u64(at);
      if (follow > BigInt(file.sectors)) return undefined;
      sector += 1;
      if (follow > 0n) sector += Number(follow);
      else if (kind === 1) sector = endOfUncountedTables(file, front, sector);
      else if (kind === 2) sector += sectorsOfTables(front).directory;
    }
  }
  return undefined;
}

/** Sectors of one table, and of the directory. */
function sectorsOfTables(header: HostedHeader): { table: number; directory: number } {
  const { capacitySectors, grainSectors, tableEntries } = header;
  const tables = Math.ceil(capacitySectors / (grainSectors * tableEntries));
  return {
    table: Math.ceil(tableEntries * 4 / SECTOR_SIZE),
    directory: Math.ceil(tables * 4 / SECTOR_SIZE),
  };
}

/** Xen Orchestra writes one marker that counts nothing in front of all tables; the next marker is the directory's. */
function endOfUncountedTables(file: Bytes, header: HostedHeader, first: number): number {
  const { table, directory } = sectorsOfTables(header);
  let sector = first + table;
  for (; sector < file.sectors; sector += table) {
    const at = sector * SECTOR_SIZE;
    const isMarker = [0n, BigInt(directory)].includes(file.u64(at)) && file.u32(at + 8) === 0 &&
      file.u32(at + 12) === 2;
    const isBlank = file.all.subarray(at + 16, at + SECTOR_SIZE).every((byte) => byte === 0);
    if (isMarker && isBlank) break;
  }
  return sector;
}

function hasMarkers({ flags }: HostedHeader): boolean {
  return Math.floor(flags / 2 ** 17) % 2 === 1;
}

/** In front of the tables of a stream that ends with a footer there is a marker of their kind. */
function requireMarker(file: Bytes, part: { sector: number; sectors: number; type: number }): void {
  const at = (part.sector - 1) * SECTOR_SIZE;
  rule(at >= 0, "a table without its marker");
  // Xen Orchestra counts nothing.
  const right = [0n, BigInt(part.sectors)].includes(file.u64(at)) && file.u32(at + 8) === 0 &&
    file.u32(at + 12) === part.type;
  rule(right, "a table without its marker");
}

/** The table of a number, from whichever directory can be believed. */
function hostedTable(work: HostedWork, number: number): HostedTable | undefined {
  const first = tableOrWhy(work, { directoryAt: work.directoryAt, number });
  if (work.redundantAt === undefined) {
    if (first instanceof Refusal) throw first;
    return first;
  }
  const second = tableOrWhy(work, { directoryAt: work.redundantAt, number });
  if (first instanceof Refusal) {
    if (second instanceof Refusal || second === undefined) throw first;
    return second;
  }
  rule(!(second instanceof Refusal), "the redundant table cannot be read, the first one can");
  rule((first === undefined) === (second === undefined), "one directory names a table, the other none");
  if (first && second) requireEqualTables(work, first, second);
  return first;
}

function requireEqualTables({ file, header }: HostedWork, first: HostedTable, second: HostedTable): void {
  for (let i = 0; i < header.tableEntries; i++) {
    const same = file.u32(first.sector * SECTOR_SIZE + i * 4) ===
      file.u32(second.sector * SECTOR_SIZE + i * 4);
    rule(same, "a table and its redundant copy disagree");
  }
}

/** Reads a table and judges each of its entries. */
function tableOrWhy(
  { file, header }: HostedWork,
  place: { directoryAt: number | undefined; number: number },
): HostedTable | undefined | Refusal {
  const { directoryAt, number } = place;
  if (directoryAt === undefined) return new Refusal("directory out of the file");
  const sector = file.u32(directoryAt + number * 4);
  if (sector === 0) return undefined;
  const at = sector * SECTOR_SIZE;
  if (!file.holds({ at, lengthBytes: header.tableEntries * 4 })) return new Refusal("table out of the file");
  const entries: number[] = [];
  for (let i = 0; i < header.tableEntries; i++) {
    const startSector = (number * header.tableEntries + i) * header.grainSectors;
    const needs = Math.min(header.grainSectors, header.capacitySectors - startSector);
    if (needs <= 0) break;
    const entry = file.u32(at + i * 4);
    entries.push(entry);
    if (entry < 2) continue;
    if (!header.compressed && entry < header.overHead) return new Refusal("entry below overHead");
    if (entry + (header.compressed ? 1 : needs) > file.sectors) {
      return new Refusal("entry past the end of the file");
    }
  }
  return { sector, entries };
}

/** File sectors of a table and of its redundant copy, where that is another one. */
function tablePlaces(work: HostedWork, number: number, table: HostedTable): number[] {
  if (work.redundantAt === undefined) return [table.sector];
  const copy = work.file.u32(work.redundantAt + number * 4);
  return copy === table.sector ? [table.sector] : [table.sector, copy];
}

function hostedGrain(work: HostedWork, claims: Claims, at: { grain: number; place: number }): Stored {
  const { file, header } = work;
  if (header.compressed) return packedGrain(work, claims, at);
  claims.claim("grain", { sector: at.place, sectors: header.grainSectors });
  return { bytes: file.all, at: at.place * SECTOR_SIZE };
}

function packedGrain(work: HostedWork, claims: Claims, grain: { grain: number; place: number }): Stored {
  const { file, header } = work;
  const at = grain.place * SECTOR_SIZE;
  const markers = hasMarkers(header);
  const prefix = markers ? 12 : 4;
  rule(file.holds({ at, lengthBytes: prefix }), "grain marker out of the file");
  const startSector = grain.grain * header.grainSectors;
  if (markers) rule(file.u64(at) === BigInt(startSector), "marker names another sector than the table");
  const packedBytes = file.u32(at + prefix - 4);
  rule(packedBytes > 0, "a packed grain without a byte");
  rule(file.holds({ at: at + prefix, lengthBytes: packedBytes }), "packed grain out of the file");
  claims.claim("grain", { sector: grain.place, sectors: Math.ceil((prefix + packedBytes) / SECTOR_SIZE) });
  const packed = file.all.subarray(at + prefix, at + prefix + packedBytes);
  const bytes = unpack(packed, header.grainSectors * SECTOR_SIZE);
  const needs = Math.min(header.grainSectors, header.capacitySectors - startSector) * SECTOR_SIZE;
  rule(bytes.length >= needs, "a grain unpacks to too little");
  return { bytes, at: 0 };
}

function unpack(packed: Uint8Array, maxOutputLength: number): Uint8Array {
  try {
    return inflateSync(packed, { maxOutputLength });
  } catch (error) {
    refuse(`zlib: ${error instanceof Error && "code" in error ? error.code : error}`);
  }
}
