/**
 * Backups of the tool that came before: a bucket that holds one full copy of each disk.
 *
 * ```
 * vm-data-<VM>/disk-data-<DISK>/manifest.json
 * vm-data-<VM>/disk-data-<DISK>/full/000001       parts of 64 MiB, from 1 on; none for a part of zeros
 * ```
 *
 * A part is one zstd frame as a streaming writer makes it, without the size of its content; its sum in the manifest is
 * that of the packed bytes.
 */
import { MIB } from "../../../core-as/host/mod.ts";
import { Fields, type ObjectReader } from "../../../core-as/host/repo/mod.ts";

const PREFIX = "vm-data-";
const MANIFEST = /^vm-data-(.+)\/disk-data-([^/]+)\/manifest\.json$/;
const MAX_PART_BYTES = 64 * MIB;
/** What a document may take: 200 bytes for each of the parts of a disk of 64 TiB. */
export const MAX_SEED_MANIFEST_BYTES = 256 * MIB;
/** As large as any disk of vSphere. */
const MAX_DISK_BYTES = 64 * 1024 ** 4;

/** A disk in such a bucket, by its names there. */
export interface SeedDisk {
  readonly vm: string;
  readonly disk: string;
  /** `vm-data-<VM>/disk-data-<DISK>`. */
  readonly folder: string;
}

export interface SeedPart {
  readonly startBytes: number;
  readonly lengthBytes: number;
  readonly packing: "zstd" | "none" | "zeros";
  /** Key of the object. */
  readonly key: string;
  /** SHA-256 of the object, in hexadecimal digits; empty for zeros. */
  readonly sum: string;
}

export interface SeedManifest {
  readonly name: string;
  readonly sizeBytes: number;
  /** In the order of the disk, without gaps. */
  readonly parts: readonly SeedPart[];
}

/** Every disk that has a manifest, by name. */
export async function listSeedDisks(store: ObjectReader): Promise<SeedDisk[]> {
  const disks: SeedDisk[] = [];
  for await (const { key } of store.list(PREFIX)) {
    const [, vm, disk] = MANIFEST.exec(key) ?? [];
    if (vm === undefined || disk === undefined) continue;
    disks.push({ vm, disk, folder: key.slice(0, key.lastIndexOf("/")) });
  }
  return disks.sort((a, b) => a.folder < b.folder ? -1 : 1);
}

/**
 * Reads a manifest.
 *
 * @param folder Where its parts are.
 * @throws {RegrainError} `SNAPSHOT_DAMAGED` where it does not describe a whole disk.
 */
export function parseSeedManifest(
  bytes: Uint8Array,
  { path, folder }: { path: string; folder: string },
): SeedManifest {
  const about = { path, code: "SNAPSHOT_DAMAGED" } as const;
  const fields = Fields.parse(bytes, about);
  const sizeBytes = fields.count("size_bytes", { least: 1, most: MAX_DISK_BYTES });
  const records = fields.list("full_chunks_metadata").map((record, i) =>
    new Fields(asRecord(record), { ...about, path: `${path}, part record ${i + 1}` })
  );
  const parts = records.map((record) => readPart(record, folder)).sort((a, b) => a.startBytes - b.startBytes);
  let end = 0;
  for (const { startBytes, lengthBytes, key } of parts) {
    if (startBytes !== end) {
      fields.fail("full_chunks_metadata", `a part that starts at byte ${end} (not ${key})`);
    }
    end += lengthBytes;
  }
  if (end !== sizeBytes) fields.fail("full_chunks_metadata", `parts up to byte ${sizeBytes}, not ${end}`);
  return { name: fields.text("name"), sizeBytes, parts };
}

function readPart(record: Fields, folder: string): SeedPart {
  const number = record.count("PartNumber", { least: 1, most: 999_999_999 });
  const packing = record.text("Compression", /^(zstd|none|sparse)$/);
  return {
    startBytes: record.count("StartOffset"),
    lengthBytes: record.count("Length", { least: 1, most: MAX_PART_BYTES }),
    packing: packing === "sparse" ? "zeros" : packing as "zstd" | "none",
    key: `${folder}/full/${String(number).padStart(6, "0")}`,
    sum: packing === "sparse" ? "" : record.text("Checksum", /^[0-9a-f]{64}$/),
  };
}

function asRecord(value: unknown): Record<string, unknown> {
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
  return isRecord ? value as Record<string, unknown> : {};
}
