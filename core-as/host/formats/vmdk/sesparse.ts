/**
 * SESparse: the delta of VMFS 6, and of disks over 2 TiB on VMFS 5.
 *
 * VMware has published nothing about it. Source: the black-box research behind qemu's reader (commit 98eb9733f),
 * checked against files of real hosts by dissect.hypervisor and xen-orchestra.
 *
 * This module is browser compatible.
 */
import { SESPARSE_FIELDS } from "./header_fields.ts";
import { RegrainError } from "../../errors.ts";
import type { Finding, Region } from "../../extent.ts";
import { BAD_TABLE, GrainTables, NO_TABLE, type TableExtent, type TableLayout } from "./grain_tables.ts";
import { type Header, readHeader, requireInside } from "../../header.ts";
import type { Source } from "../../source.ts";
import { ceilDiv, SECTOR_SIZE } from "../../units.ts";
import { oddSizeFindings } from "./whole_sectors.ts";

/** First u64 of the file. */
export const SESPARSE_MAGIC = 0xcafebaben;

const VOLATILE_MAGIC = 0xcafecafen;
/** "2.1": major in the upper half, minor in the lower. */
const VERSION = 0x0000000200000001n;
const GRAIN_SECTORS = 8;
const TABLE_SECTORS = 64;
const ENTRIES_PER_TABLE = 4096;
/** Upper half of a directory entry that names a table. */
const TABLE_PRESENT = 0x10000000;
const FIRST_PAD_BYTE = 208;

/** Header fields that come as a pair of u64: offset and size, in sectors. */
const PARTS = [
  { label: "volatile header", at: 80 },
  { label: "journal header", at: 96 },
  { label: "journal", at: 112 },
  { label: "grain directory", at: 128 },
  { label: "grain tables", at: 144 },
  { label: "free bitmap", at: 160 },
  { label: "backmap", at: 176 },
  { label: "grains", at: 192 },
] as const;
type PartLabel = typeof PARTS[number]["label"];

/**
 * Opens an SESparse extent.
 *
 * @param ignoreJournal Reads on although the journal holds changes that were never written to the tables.
 * @throws {RegrainError} `TRUNCATED`, `UNSUPPORTED`, `HEADER_INVALID`, `LIMIT_EXCEEDED`, `JOURNAL_DIRTY`.
 */
export async function openSeSparse(file: Source, options: { ignoreJournal: boolean }): Promise<TableExtent> {
  const header = await readHeader(file, SECTOR_SIZE);
  requireKnownVariant(header);
  const capacitySectors = header.sectors(16, "capacity");
  if (capacitySectors === 0) throw header.error("HEADER_INVALID", "capacity is 0", 16);
  const parts = readParts(header);
  const directory = parts.get("grain directory")!;
  const tablesPart = parts.get("grain tables")!;
  const grains = parts.get("grains")!;

  const tableCount = ceilDiv(capacitySectors, ENTRIES_PER_TABLE * GRAIN_SECTORS);
  if (directory.lengthSectors * SECTOR_SIZE < tableCount * 8) {
    throw header.error(
      "HEADER_INVALID",
      `the grain directory has ${directory.lengthSectors} sectors, ${tableCount} entries are needed`,
      136,
    );
  }
  requireInside(file, {
    label: "the grain directory",
    sector: directory.sector,
    lengthBytes: tableCount * 8,
    fieldOffsetBytes: 128,
  });
  const { facts, findings } = await readVolatile(file, parts.get("volatile header")!, options);

  const fileSectors = Math.floor(file.sizeBytes / SECTOR_SIZE);
  const tableSlots = Math.floor(tablesPart.lengthSectors / TABLE_SECTORS);
  const layout: TableLayout = {
    grainSectors: GRAIN_SECTORS,
    entriesPerTable: ENTRIES_PER_TABLE,
    entryBytes: 8,
    capacitySectors,
    directoryOffsetBytes: directory.sector * SECTOR_SIZE,
    directoryEntryBytes: 8,
    tableFloorSector: tablesPart.sector,
    grainFloorSector: grains.sector,
    locate: (low, high) => {
      if (low === 0 && high === 0) return NO_TABLE;
      if (high !== TABLE_PRESENT || low >= tableSlots) return BAD_TABLE;
      return tablesPart.sector + low * TABLE_SECTORS;
    },
    decode: (core, address, first) =>
      core.kernels.decodeTableSe(
        address,
        ENTRIES_PER_TABLE,
        first,
        GRAIN_SECTORS,
        capacitySectors,
        grains.sector,
        Math.floor(grains.lengthSectors / GRAIN_SECTORS),
        fileSectors,
      ),
  };
  const tables = new GrainTables(file, layout);
  return {
    format: "sesparse",
    formatName: "SESparse",
    isDeltaFormat: true,
    header: { fields: SESPARSE_FIELDS, lengthBytes: SECTOR_SIZE },
    layout,
    path: file.path,
    capacitySectors,
    grainSectors: GRAIN_SECTORS,
    file,
    data: file,
    regions: [
      { label: "header", sector: 0, lengthSectors: 1 },
      ...[...parts].filter(([label]) => label !== "grains" && label !== "grain tables").map(([, part]) =>
        part
      ),
    ],
    facts: {
      version: `${header.u32(12)}.${header.u32(8)}`,
      capacity: capacitySectors,
      grainSize: GRAIN_SECTORS,
      grainTableSize: TABLE_SECTORS,
      ...Object.fromEntries(
        [...parts].map(([label, part]) => [label, `${part.sector}:${part.lengthSectors}`]),
      ),
      ...facts,
    },
    findings: [...oddSizeFindings(file), ...findings],
    fill: (core, list, window, observer) => tables.fill(core, list, window, observer),
    entryOffset: (sector) => tables.entryOffset(sector),
  };
}

/** Refuses every geometry that no file has shown: its tables would be read wrong. */
function requireKnownVariant(header: Header): void {
  if (header.u64(8) !== VERSION) {
    throw header.error(
      "UNSUPPORTED",
      `SESparse version ${header.u32(12)}.${header.u32(8)}, only 2.1 is known`,
      8,
    );
  }
  const fixed = [["grainSize", 24, GRAIN_SECTORS], ["grainTableSize", 32, TABLE_SECTORS], [
    "flags",
    40,
    0,
  ]] as const;
  for (const [name, at, expected] of fixed) {
    if (header.u64(at) !== BigInt(expected)) {
      throw header.error("UNSUPPORTED", `${name} is ${header.u64(at)}, only ${expected} is known`, at);
    }
  }
  const pad = header.bytes.findIndex((byte, at) =>
    byte !== 0 && (at >= FIRST_PAD_BYTE || (at >= 48 && at < 80))
  );
  if (pad >= 0) throw header.error("UNSUPPORTED", "a reserved field of the header is in use", pad);
}

function readParts(header: Header): Map<PartLabel, Region> {
  const parts = new Map<PartLabel, Region>();
  for (const { label, at } of PARTS) {
    const sector = header.sectors(at, `the offset of the ${label}`);
    const lengthSectors = header.sectors(at + 8, `the size of the ${label}`);
    if (sector === 0) {
      throw header.error("HEADER_INVALID", `the ${label} starts at sector 0, where the header is`, at);
    }
    parts.set(label, { label, sector, lengthSectors });
  }
  requireApart(header, [...parts.values()]);
  return parts;
}

/** A region that reaches into another one has a wrong offset, and tables would be read from the wrong place. */
function requireApart(header: Header, parts: readonly Region[]): void {
  const sorted = [...parts].sort((a, b) => a.sector - b.sector || a.lengthSectors - b.lengthSectors);
  for (const [i, part] of sorted.entries()) {
    const next = sorted[i + 1];
    if (!next || part.sector + part.lengthSectors <= next.sector) continue;
    const at = PARTS.find(({ label }) => label === part.label)!.at;
    throw header.error("HEADER_INVALID", `the ${part.label} reaches into the ${next.label}`, at);
  }
}

async function readVolatile(
  file: Source,
  part: Region,
  options: { ignoreJournal: boolean },
): Promise<{ facts: Record<string, string | number | boolean>; findings: Finding[] }> {
  requireInside(file, {
    label: "the volatile header",
    sector: part.sector,
    lengthBytes: SECTOR_SIZE,
    fieldOffsetBytes: 80,
  });
  const header = await readHeader(file, SECTOR_SIZE, part.sector * SECTOR_SIZE);
  if (header.u64(0) !== VOLATILE_MAGIC) {
    throw header.error(
      "HEADER_INVALID",
      `the volatile header starts with 0x${header.u64(0).toString(16)}, expected 0xcafecafe`,
      0,
    );
  }
  const dirty = header.u64(24) !== 0n;
  const facts = {
    freeGTNumber: String(header.u64(8)),
    nextTxnSeqNumber: String(header.u64(16)),
    replayJournal: dirty,
  };
  if (!dirty) return { facts, findings: [] };
  const offsetBytes = header.offsetBytes + 24;
  if (!options.ignoreJournal) {
    throw new RegrainError("JOURNAL_DIRTY", "the journal holds changes that are not in the tables yet", {
      path: file.path,
      offsetBytes,
      hint:
        "let the host close the disk (stop the VM, or open and close the disk once); --ignore-journal reads it as it " +
        "is, without those changes",
    });
  }
  return {
    facts,
    findings: [{
      severity: "note",
      kind: "journal-ignored",
      path: file.path,
      offsetBytes,
      message:
        "the journal is dirty and was ignored: the last changes before the host stopped may be missing",
    }],
  };
}
