/**
 * COWD, which ESXi calls vmfsSparse: the delta of VMFS 3 to 5 and of NFS.
 *
 * Source: VMware Virtual Disk Format 5.0, "ESX Server Sparse Extents". Directory and tables have no second copy. A
 * table is allocated at the first write into its range, its grains after it.
 *
 * This module is browser compatible.
 */
import type { Finding, Region } from "../../extent.ts";
import { COWD_FIELDS } from "./header_fields.ts";
import { BAD_TABLE, GrainTables, NO_TABLE, type TableExtent, type TableLayout } from "./grain_tables.ts";
import { readHeader, requireInside } from "../../header.ts";
import type { Source } from "../../source.ts";
import { ceilDiv, roundUp, SECTOR_SIZE } from "../../units.ts";
import { oddSizeFindings } from "./whole_sectors.ts";

/** "COWD" as a little-endian u32. */
export const COWD_MAGIC = 0x44574f43;

const HEADER_SECTORS = 4;
const ENTRIES_PER_TABLE = 4096;
/** 1 MiB, the most that the format's description allows. */
const MAX_GRAIN_SECTORS = 2048;
/** Directory entries of a disk of 2 TiB at one sector a grain, twice over. */
const MAX_DIRECTORY_ENTRIES = 1 << 22;
const ENTRIES_PER_SECTOR = SECTOR_SIZE / 4;

/**
 * Opens a COWD extent.
 *
 * @throws {RegrainError} `TRUNCATED`, `UNSUPPORTED`, `HEADER_INVALID`, `LIMIT_EXCEEDED`.
 */
export async function openCowd(file: Source): Promise<TableExtent> {
  const header = await readHeader(file, HEADER_SECTORS * SECTOR_SIZE);
  const version = header.u32(4);
  if (version !== 1) throw header.error("UNSUPPORTED", `COWD version ${version}, only 1 is known`, 4);
  const capacitySectors = header.u32(12);
  if (capacitySectors === 0) throw header.error("HEADER_INVALID", "numSectors is 0", 12);
  const grainSectors = header.u32(16);
  if (grainSectors > MAX_GRAIN_SECTORS || !Number.isInteger(Math.log2(grainSectors))) {
    const expected = `a power of two up to ${MAX_GRAIN_SECTORS}`;
    throw header.error("HEADER_INVALID", `grainSize is ${grainSectors} sectors, expected ${expected}`, 16);
  }
  const directorySector = header.u32(20);
  if (directorySector < HEADER_SECTORS) {
    throw header.error("HEADER_INVALID", `gdOffset is ${directorySector}, inside the header`, 20);
  }
  const directoryEntries = header.u32(24);
  const needed = ceilDiv(capacitySectors, ENTRIES_PER_TABLE * grainSectors);
  if (directoryEntries > MAX_DIRECTORY_ENTRIES) {
    throw header.error("LIMIT_EXCEEDED", `numGDEntries is ${directoryEntries}, ${needed} are needed`, 24);
  }
  if (directoryEntries < needed || directoryEntries > roundUp(needed, ENTRIES_PER_SECTOR)) {
    throw header.error("HEADER_INVALID", `numGDEntries is ${directoryEntries}, ${needed} are needed`, 24);
  }
  requireInside(file, {
    label: "the grain directory",
    sector: directorySector,
    lengthBytes: directoryEntries * 4,
    fieldOffsetBytes: 20,
  });

  const directorySectors = ceilDiv(directoryEntries, ENTRIES_PER_SECTOR);
  const floor = directorySector + directorySectors;
  const fileSectors = Math.floor(file.sizeBytes / SECTOR_SIZE);
  const layout: TableLayout = {
    grainSectors,
    entriesPerTable: ENTRIES_PER_TABLE,
    entryBytes: 4,
    capacitySectors,
    directoryOffsetBytes: directorySector * SECTOR_SIZE,
    directoryEntryBytes: 4,
    tableFloorSector: floor,
    grainFloorSector: floor,
    locate: (low) => low === 0 ? NO_TABLE : low < floor ? BAD_TABLE : low,
    decode: (core, address, first) =>
      core.kernels.decodeTable32(
        address,
        ENTRIES_PER_TABLE,
        first,
        grainSectors,
        capacitySectors,
        floor,
        fileSectors,
        0,
      ),
  };
  const tables = new GrainTables(file, layout);
  const facts = {
    version,
    flags: header.u32(8),
    numSectors: capacitySectors,
    grainSize: grainSectors,
    gdOffset: directorySector,
    numGDEntries: directoryEntries,
    freeSector: header.u32(28),
    generation: header.u32(1060),
    savedGeneration: header.u32(1636),
    uncleanShutdown: header.u32(1648) !== 0,
  };
  const regions: Region[] = [
    { label: "header", sector: 0, lengthSectors: HEADER_SECTORS },
    { label: "grain directory", sector: directorySector, lengthSectors: directorySectors },
  ];
  return {
    format: "cowd",
    formatName: "COWD (vmfsSparse)",
    isDeltaFormat: true,
    header: { fields: COWD_FIELDS, lengthBytes: HEADER_SECTORS * SECTOR_SIZE },
    layout,
    path: file.path,
    capacitySectors,
    grainSectors,
    file,
    data: file,
    regions,
    facts,
    findings: [...oddSizeFindings(file), ...oddities(facts, fileSectors, file.path)],
    fill: (core, list, window, observer) => tables.fill(core, list, window, observer),
    entryOffset: (sector) => tables.entryOffset(sector),
  };
}

interface Facts {
  flags: number;
  freeSector: number;
  generation: number;
  savedGeneration: number;
  uncleanShutdown: boolean;
}

function oddities(facts: Facts, fileSectors: number, path: string): Finding[] {
  const found: Finding[] = [];
  const note = (kind: string, offsetBytes: number, message: string) =>
    found.push({ severity: "note", kind, path, offsetBytes, message });
  if (facts.flags !== 3) note("flags-odd", 8, `flags is ${facts.flags}, ESXi writes 3`);
  if (facts.freeSector > fileSectors) {
    const untilByte = facts.freeSector * SECTOR_SIZE;
    const fileBytes = fileSectors * SECTOR_SIZE;
    found.push({
      severity: "note",
      kind: "file-short",
      path,
      offsetBytes: 28,
      message: `freeSector says that ${untilByte} bytes are used, the file ends at byte ${fileBytes}`,
      needs: { untilByte, lengthBytes: untilByte - fileBytes, fileBytes },
    });
  }
  if (facts.uncleanShutdown) note("unclean", 1648, "the disk was not closed cleanly");
  if (facts.savedGeneration !== 0 && facts.savedGeneration !== facts.generation) {
    note(
      "unclean",
      1636,
      `savedGeneration ${facts.savedGeneration} is not generation ${facts.generation}: not closed cleanly`,
    );
  }
  return found;
}
