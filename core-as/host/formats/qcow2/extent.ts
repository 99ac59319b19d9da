/**
 * The extent of a qcow2 image: all of the disk that is in the file.
 *
 * This module is browser compatible.
 */
import { DamagedGrains } from "../damaged_grains.ts";
import { RegrainError } from "../../errors.ts";
import type { Extent, Finding, HeaderField, Region } from "../../extent.ts";
import type { Inflater, Unpackers } from "../../inflate.ts";
import { readBytes, type Source } from "../../source.ts";
import { ceilDiv, SECTOR_SIZE, toSafe } from "../../units.ts";
import { ClusterData } from "./clusters.ts";
import { SUBCLUSTERS } from "./entries.ts";
import { type Qcow2Header, V2_HEADER_BYTES } from "./header.ts";
import { snapshotFindings } from "./snapshots.ts";
import { ClusterTables } from "./tables.ts";
import { zstdFrame } from "./zstd_frame.ts";

const FIELDS: readonly (readonly [string, number])[] = [
  ...[["magic", 4], ["version", 4], ["backing_file_offset", 8], ["backing_file_size", 4]] as const,
  ...[["cluster_bits", 4], ["size", 8], ["crypt_method", 4], ["l1_size", 4], ["l1_table_offset", 8]] as const,
  ...[["refcount_table_offset", 8], ["refcount_table_clusters", 4], ["nb_snapshots", 4]] as const,
  ...[["snapshots_offset", 8], ["incompatible_features (flags)", 8], [
    "compatible_features (flags)",
    8,
  ]] as const,
  ...[["autoclear_features (flags)", 8], ["refcount_order", 4], ["header_length", 4]] as const,
  ...[["compression_type", 1]] as const,
];

/** The fields of a header of so many bytes, one after the other. */
function fieldsOf(headerBytes: number): HeaderField[] {
  let next = 0;
  const fields = FIELDS.map(([name, lengthBytes]) => {
    const field = { name, at: next, lengthBytes };
    next += lengthBytes;
    return field;
  });
  return fields.filter(({ at, lengthBytes }) => at + lengthBytes <= headerBytes);
}

/**
 * Opens the extent of an image whose header was read.
 *
 * @throws {RegrainError} `UNSUPPORTED` where zstd is needed and is not here, `TRUNCATED`, `LIMIT_EXCEEDED`.
 */
export async function openQcow2(
  file: Source,
  header: Qcow2Header,
  unpackers: Unpackers,
): Promise<Extent> {
  const { capacitySectors, clusterBytes, isExtended, headerBytes } = header;
  const tables = new ClusterTables(file, header);
  const data = new ClusterData(file, tables, {
    capacitySectors,
    unpack: unpackerOf(file, header, unpackers),
  });
  const blocks = await refcountBlocks(file, header);
  const damaged = new DamagedGrains();
  const grainSectors = clusterBytes / SECTOR_SIZE / (isExtended ? SUBCLUSTERS : 1);
  return {
    format: "qcow2",
    formatName: "qcow2",
    path: file.path,
    capacitySectors,
    grainSectors,
    file,
    data,
    regions: [...regionsOf(header), ...blocks.regions],
    facts: factsOf(header),
    header: {
      fields: fieldsOf(header.version === 2 ? V2_HEADER_BYTES : headerBytes),
      lengthBytes: headerBytes,
      isBigEndian: true,
    },
    findings: [
      ...flagFindings(file.path, header),
      ...blocks.findings,
      ...await snapshotFindings(file, header),
    ],
    async fill(core, list, window, observer) {
      const reached = await tables.fill(core, list, window, observer);
      if (!observer.unpacks) {
        for (const { sector, lengthSectors } of damaged.mask(core, list, { ...window, to: reached })) {
          const message = `the clusters of sectors ${sector} to ${
            sector + lengthSectors - 1
          } cannot be unpacked`;
          observer.finding({ severity: "damage", kind: "grain-damaged", path: file.path, message });
        }
      }
      return reached;
    },
    entryOffset: (sector) => tables.entryOffset(sector),
    verifyGrain: (sector) => data.verify(sector),
    fileOffset: (place) => place < tables.packedSector ? place * SECTOR_SIZE : undefined,
    damagedGrains: damaged,
  };
}

function unpackerOf(file: Source, { compression }: Qcow2Header, unpackers: Unpackers): Inflater {
  if (compression === "zlib") return unpackers.inflateRaw;
  const { zstd } = unpackers;
  if (zstd) return (packed, maxBytes) => zstd(zstdFrame(packed), maxBytes);
  throw new RegrainError(
    "UNSUPPORTED",
    "its clusters are compressed by zstd, which cannot be unpacked here",
    {
      path: file.path,
      offsetBytes: 104,
      hint:
        "the command line reads it; or qemu-img convert -O qcow2 -o compression_type=zlib makes one that is read here",
    },
  );
}

function regionsOf({ clusterBytes, l1, refcounts, ...header }: Qcow2Header): Region[] {
  const part = (label: string, offsetBytes: number, lengthBytes: number): Region => ({
    label,
    sector: offsetBytes / SECTOR_SIZE,
    lengthSectors: ceilDiv(lengthBytes, SECTOR_SIZE),
  });
  return [
    part("header", 0, clusterBytes),
    part("L1 table", l1.offsetBytes, l1.lengthBytes),
    part("refcount table", refcounts.offsetBytes, refcounts.lengthBytes),
    ...header.snapshotCount > 0 ? [part("snapshot table", header.snapshotsOffsetBytes, clusterBytes)] : [],
  ];
}

/** Blocks of reference counts, neighbours as one. Counts are not needed to read: a block that cannot be is a note. */
async function refcountBlocks(
  file: Source,
  { refcounts, clusterBytes }: Qcow2Header,
): Promise<{ regions: Region[]; findings: Finding[] }> {
  const regions: { label: string; sector: number; lengthSectors: number }[] = [];
  const bytes = await readBytes(file, refcounts.offsetBytes, refcounts.lengthBytes);
  const view = new DataView(bytes.buffer);
  let [bad, firstBad] = [0, 0];
  for (let at = 0; at < bytes.length; at += 8) {
    if (view.getUint32(at) === 0 && view.getUint32(at + 4) === 0) continue;
    const offsetBytes = toSafe(view.getBigUint64(at));
    if (offsetBytes === undefined || offsetBytes % clusterBytes !== 0 || offsetBytes >= file.sizeBytes) {
      if (bad++ === 0) firstBad = refcounts.offsetBytes + at;
      continue;
    }
    const [sector, lengthSectors] = [offsetBytes / SECTOR_SIZE, clusterBytes / SECTOR_SIZE];
    const last = regions.at(-1);
    if (last && last.sector + last.lengthSectors === sector) last.lengthSectors += lengthSectors;
    else regions.push({ label: "refcount block", sector, lengthSectors });
  }
  if (bad === 0) return { regions, findings: [] };
  const message = `${bad} entries of the refcount table cannot be; counts are not needed to read`;
  const finding = { kind: "refcounts-bad", path: file.path, offsetBytes: firstBad, message };
  return { regions, findings: [{ severity: "note", ...finding }] };
}

function flagFindings(path: string, { isDirty, isCorrupt }: Qcow2Header): Finding[] {
  const findings: Finding[] = [];
  const at = { path, offsetBytes: 72 };
  if (isCorrupt) {
    const message = "qemu has marked the image as corrupt: what its tables say may be wrong";
    findings.push({ severity: "doubt", kind: "marked-corrupt", ...at, message });
  }
  if (isDirty) {
    const message =
      "it was not closed cleanly: its reference counts may be wrong, which reading does not need";
    findings.push({ severity: "note", kind: "unclean", ...at, message });
  }
  return findings;
}

function factsOf(header: Qcow2Header): Extent["facts"] {
  const { version, clusterBytes, compression, isExtended, refcountBits, snapshotCount, backing } = header;
  return {
    version,
    clusterBytes,
    l1Size: header.l1.lengthBytes / 8,
    refcountBits,
    compression,
    extendedL2: isExtended,
    dirty: header.isDirty,
    corrupt: header.isCorrupt,
    internalSnapshots: snapshotCount,
    ...(backing ? { backingFile: backing.name, backingFormat: backing.format ?? "none" } : {}),
  };
}
