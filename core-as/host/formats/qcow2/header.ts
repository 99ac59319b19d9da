/**
 * The header of a qcow2 image, its extensions, and what it says of its parent; every field bounded before it is
 * believed.
 *
 * Source: "qcow2 specification", docs/interop/qcow2.txt of qemu. Numbers are big-endian.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../../errors.ts";
import { type Header, readHeader } from "../../header.ts";
import type { Source } from "../../source.ts";
import { ceilDiv, formatCount, KIB, MAX_DISK_BYTES, MIB, roundUp, SECTOR_SIZE, toSafe } from "../../units.ts";

/** "QFI" and 0xfb as a big-endian u32. */
export const QCOW2_MAGIC = 0x514649fb;
export const V2_HEADER_BYTES = 72;
const V3_HEADER_BYTES = 104;
const MIN_CLUSTER_BITS = 9;
const MAX_CLUSTER_BITS = 21;
/** 32 subclusters of a sector each. */
const MIN_EXTENDED_CLUSTER_BITS = 14;
/** What qemu takes at most. */
const MAX_L1_BYTES = 32 * MIB;
const MAX_REFCOUNT_TABLE_BYTES = 8 * MIB;
const MAX_REFCOUNT_ORDER = 6;
export const MAX_SNAPSHOTS = 65_536;
const MAX_BACKING_NAME_BYTES = 1023;
/** Beyond this a header names no offset of a file that there can be. */
const MAX_FIRST_BYTES = 64 * KIB;

const INCOMPATIBLE = { dirty: 0, corrupt: 1, externalData: 2, compression: 3, extendedL2: 4 } as const;
const EXTENSION = {
  end: 0,
  backingFormat: 0xe2792aca,
  featureNames: 0x6803f857,
  dataFile: 0x44415441,
  bitmaps: 0x23852875,
} as const;
const FEATURE_BYTES = 48;

/** A table of the image. */
export interface TablePlace {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

export interface Qcow2Header {
  readonly version: number;
  readonly clusterBytes: number;
  readonly capacitySectors: number;
  /** Entries of the L1 table that the disk needs; there may be more. */
  readonly l1Entries: number;
  readonly l1: TablePlace;
  readonly refcounts: TablePlace;
  readonly refcountBits: number;
  readonly snapshotCount: number;
  readonly snapshotsOffsetBytes: number;
  readonly headerBytes: number;
  readonly compression: "zlib" | "zstd";
  /** L2 entries with 32 subclusters. */
  readonly isExtended: boolean;
  readonly isDirty: boolean;
  readonly isCorrupt: boolean;
  /** Names of the file's own dirty bitmaps and where they are; they count as used, and are not read. */
  readonly bitmaps: BitmapPlace | undefined;
  readonly backing:
    | { readonly name: string; readonly format: string | undefined; readonly at: number }
    | undefined;
}

/** The directory of persistent bitmaps. */
export interface BitmapPlace extends TablePlace {
  readonly count: number;
}

/** The front of a file, as far as the header and its extensions may reach. */
class Front {
  private readonly view: DataView;
  constructor(readonly header: Header) {
    const { bytes } = header;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get lengthBytes(): number {
    return this.view.byteLength;
  }
  u32(at: number): number {
    return this.view.getUint32(at);
  }
  u64(at: number): bigint {
    return this.view.getBigUint64(at);
  }
  text(at: number, lengthBytes: number): string {
    return new TextDecoder("utf-8", { fatal: true }).decode(this.header.bytes.subarray(at, at + lengthBytes));
  }
  invalid(message: string, at: number): RegrainError {
    return this.header.error("HEADER_INVALID", message, at);
  }
  limit(message: string, at: number): RegrainError {
    return this.header.error("LIMIT_EXCEEDED", message, at);
  }
  unsupported(message: string, at: number, hint: string): RegrainError {
    return this.header.error("UNSUPPORTED", message, at, hint);
  }
}

/**
 * Reads a header.
 *
 * @throws {RegrainError} `TRUNCATED`, `UNSUPPORTED`, `ENCRYPTED`, `HEADER_INVALID`, `LIMIT_EXCEEDED`.
 */
export async function readQcow2Header(file: Source): Promise<Qcow2Header> {
  await readHeader(file, V2_HEADER_BYTES);
  const front = new Front(await readHeader(file, Math.min(MAX_FIRST_BYTES, file.sizeBytes)));
  const version = requireVersion(front);
  const clusterBytes = clusterSize(front);
  const headerBytes = headerSize(front, version, clusterBytes);
  const features = version === 2 ? 0n : front.u64(72);
  const has = (bit: number) => (features >> BigInt(bit) & 1n) === 1n;
  const extensions = readExtensions(front, { headerBytes, clusterBytes });
  requireKnown(front, features, extensions);
  if (has(INCOMPATIBLE.externalData)) throw externalData(front, extensions);
  requirePlain(front);
  const isExtended = has(INCOMPATIBLE.extendedL2);
  if (isExtended && clusterBytes < 2 ** MIN_EXTENDED_CLUSTER_BITS) {
    throw front.invalid(
      `extended L2 entries with clusters of ${clusterBytes} bytes, at least 16 KiB are needed`,
      20,
    );
  }
  const refcountOrder = version === 2 ? 4 : front.u32(96);
  if (refcountOrder > MAX_REFCOUNT_ORDER) {
    throw front.invalid(`refcount_order is ${refcountOrder}, at most ${MAX_REFCOUNT_ORDER} can be`, 96);
  }
  const capacitySectors = capacity(front);
  const tableSectors = clusterBytes / SECTOR_SIZE * (clusterBytes / (isExtended ? 16 : 8));
  const header: Qcow2Header = {
    version,
    clusterBytes,
    capacitySectors,
    l1Entries: ceilDiv(capacitySectors, tableSectors),
    l1: l1Place(front, file, { clusterBytes, needed: ceilDiv(capacitySectors, tableSectors) }),
    refcounts: refcountPlace(front, file, clusterBytes),
    refcountBits: 2 ** refcountOrder,
    ...snapshotPlace(front, file, clusterBytes),
    headerBytes,
    compression: compressionOf(front, { headerBytes, isSaid: has(INCOMPATIBLE.compression) }),
    isExtended,
    isDirty: has(INCOMPATIBLE.dirty),
    isCorrupt: has(INCOMPATIBLE.corrupt),
    // Where the bit is not set, somebody who does not know bitmaps has written since.
    bitmaps: version === 3 && (front.u64(88) & 1n) === 1n ? extensions.bitmaps : undefined,
    backing: backingOf(front, { headerBytes, clusterBytes, format: extensions.backingFormat }),
  };
  requireApart(front, header);
  return header;
}

function requireVersion(front: Front): number {
  if (front.u32(0) !== QCOW2_MAGIC) throw front.invalid("the header does not start with QFI", 0);
  const version = front.u32(4);
  if (version !== 2 && version !== 3) {
    const hint = `qemu-img convert -O qcow2 makes one that is read, where qemu knows it`;
    throw front.unsupported(`qcow version ${version}, 2 and 3 are known`, 4, hint);
  }
  if (version === 3 && front.lengthBytes < V3_HEADER_BYTES) {
    throw front.header.error("TRUNCATED", `the file ends inside a header of ${V3_HEADER_BYTES} bytes`, 4);
  }
  return version;
}

function clusterSize(front: Front): number {
  const bits = front.u32(20);
  if (bits >= MIN_CLUSTER_BITS && bits <= MAX_CLUSTER_BITS) return 2 ** bits;
  throw front.invalid(`cluster_bits is ${bits}, expected ${MIN_CLUSTER_BITS} to ${MAX_CLUSTER_BITS}`, 20);
}

function headerSize(front: Front, version: number, clusterBytes: number): number {
  if (version === 2) return V2_HEADER_BYTES;
  const bytes = front.u32(100);
  const most = Math.min(clusterBytes, front.lengthBytes);
  if (bytes >= V3_HEADER_BYTES && bytes % 8 === 0 && bytes <= most) return bytes;
  throw front.invalid(
    `header_length is ${bytes}, expected a multiple of 8 from ${V3_HEADER_BYTES} to ${most}`,
    100,
  );
}

function capacity(front: Front): number {
  const bytes = front.u64(24);
  const safe = toSafe(bytes);
  if (safe === undefined || safe > MAX_DISK_BYTES) {
    throw front.limit(`size is ${bytes} bytes, 62 TiB is the most that is read`, 24);
  }
  if (safe > 0 && safe % SECTOR_SIZE === 0) return safe / SECTOR_SIZE;
  throw front.invalid(
    `size is ${bytes} bytes, expected a whole number of sectors of ${SECTOR_SIZE} bytes`,
    24,
  );
}

interface Extensions {
  readonly backingFormat: string | undefined;
  readonly dataFile: string | undefined;
  readonly bitmaps: BitmapPlace | undefined;
  /** Names of incompatible features, by bit. */
  readonly featureNames: ReadonlyMap<number, string>;
}

function readExtensions(
  front: Front,
  { headerBytes, clusterBytes }: { headerBytes: number; clusterBytes: number },
): Extensions {
  const featureNames = new Map<number, string>();
  let [backingFormat, dataFile]: (string | undefined)[] = [];
  let bitmaps: BitmapPlace | undefined;
  const nameAt = toSafe(front.u64(8)) ?? Infinity;
  const end = Math.min(nameAt >= headerBytes ? nameAt : clusterBytes, clusterBytes, front.lengthBytes);
  for (let at = headerBytes; at + 8 <= end;) {
    const [type, lengthBytes] = [front.u32(at), front.u32(at + 4)];
    if (type === EXTENSION.end) break;
    const from = at + 8;
    if (from + lengthBytes > end) {
      throw front.invalid(`a header extension of ${lengthBytes} bytes, ${end - from} are there`, at + 4);
    }
    if (type === EXTENSION.backingFormat) backingFormat = textOf(front, from, lengthBytes);
    if (type === EXTENSION.dataFile) dataFile = textOf(front, from, lengthBytes);
    if (type === EXTENSION.bitmaps && lengthBytes >= 24) {
      const [size, offset] = [toSafe(front.u64(from + 8)), toSafe(front.u64(from + 16))];
      bitmaps = { count: front.u32(from), lengthBytes: size ?? Infinity, offsetBytes: offset ?? Infinity };
    }
    if (type === EXTENSION.featureNames) addFeatureNames(front, { from, lengthBytes }, featureNames);
    at = from + roundUp(lengthBytes, 8);
  }
  return { backingFormat, dataFile, bitmaps, featureNames };
}

function addFeatureNames(
  front: Front,
  { from, lengthBytes }: { from: number; lengthBytes: number },
  names: Map<number, string>,
): void {
  for (let at = from; at + FEATURE_BYTES <= from + lengthBytes; at += FEATURE_BYTES) {
    const [type, bit] = front.header.bytes.subarray(at, at + 2);
    if (type === 0) names.set(bit!, textOf(front, at + 2, FEATURE_BYTES - 2));
  }
}

/** Text up to its first zero byte. */
function textOf(front: Front, at: number, lengthBytes: number): string {
  try {
    return front.text(at, lengthBytes).split("\0", 1)[0]!;
  } catch (error) {
    if (error instanceof TypeError) throw front.invalid("a text in the header is no UTF-8", at);
    throw error;
  }
}

function requireKnown(front: Front, features: bigint, { featureNames }: Extensions): void {
  const known = Object.values(INCOMPATIBLE).reduce((bits, bit) => bits | 1n << BigInt(bit), 0n);
  const unknown = features & ~known;
  if (unknown === 0n) return;
  const bits = [...Array(64).keys()].filter((bit) => (unknown >> BigInt(bit) & 1n) === 1n);
  const named = bits.map((bit) =>
    featureNames.has(bit) ? `${JSON.stringify(featureNames.get(bit))}` : `bit ${bit}`
  );
  throw front.unsupported(`it needs features that are not known: ${named.join(", ")}`, 72, CONVERT);
}

const CONVERT = "qemu-img convert -f qcow2 -O qcow2 makes a plain one of it, where qemu knows it";

function externalData(front: Front, { dataFile }: Extensions): RegrainError {
  const name = dataFile === undefined ? "" : ` (${JSON.stringify(dataFile)})`;
  return front.unsupported(`its data is in a file of its own${name}, an external data file`, 72, CONVERT);
}

function requirePlain(front: Front): void {
  const method = front.u32(32);
  if (method === 0) return;
  const name = ["", "AES", "LUKS"][method];
  if (name === undefined) throw front.invalid(`crypt_method is ${method}, 0 to 2 are known`, 32);
  throw new RegrainError("ENCRYPTED", `the image is encrypted (${name})`, {
    path: front.header.path,
    offsetBytes: 32,
    hint: "qemu-img convert with its secret (--object secret,... --image-opts ...) makes a plain image of it",
  });
}

function compressionOf(
  front: Front,
  { headerBytes, isSaid }: { headerBytes: number; isSaid: boolean },
): "zlib" | "zstd" {
  const type = headerBytes > V3_HEADER_BYTES ? front.header.bytes[V3_HEADER_BYTES]! : 0;
  if (type > 1) {
    throw front.unsupported(`compression type ${type}, 0 (zlib) and 1 (zstd) are known`, 104, CONVERT);
  }
  if ((type !== 0) !== isSaid) {
    throw front.invalid(`compression type ${type} contradicts the incompatible features`, 104);
  }
  return type === 1 ? "zstd" : "zlib";
}

function l1Place(
  front: Front,
  file: Source,
  { clusterBytes, needed }: { clusterBytes: number; needed: number },
): TablePlace {
  const entries = front.u32(36);
  if (entries * 8 > MAX_L1_BYTES || needed * 8 > MAX_L1_BYTES) {
    const count = formatCount(Math.max(entries, needed));
    throw front.limit(
      `an L1 table of ${count} entries, ${formatCount(MAX_L1_BYTES / 8)} is the most that is read`,
      36,
    );
  }
  if (entries < needed) throw front.invalid(`l1_size is ${entries}, the disk needs ${needed}`, 36);
  return placed(front, file, { label: "the L1 table", at: 40, lengthBytes: entries * 8, clusterBytes });
}

function refcountPlace(front: Front, file: Source, clusterBytes: number): TablePlace {
  const clusters = front.u32(56);
  const lengthBytes = clusters * clusterBytes;
  if (clusters === 0) throw front.invalid("refcount_table_clusters is 0", 56);
  if (lengthBytes > MAX_REFCOUNT_TABLE_BYTES) {
    throw front.limit(`a refcount table of ${lengthBytes} bytes, 8 MiB is the most that is read`, 56);
  }
  return placed(front, file, { label: "the refcount table", at: 48, lengthBytes, clusterBytes });
}

function snapshotPlace(
  front: Front,
  file: Source,
  clusterBytes: number,
): { snapshotCount: number; snapshotsOffsetBytes: number } {
  const snapshotCount = front.u32(60);
  if (snapshotCount === 0) return { snapshotCount, snapshotsOffsetBytes: 0 };
  if (snapshotCount > MAX_SNAPSHOTS) {
    throw front.limit(`${snapshotCount} internal snapshots, ${MAX_SNAPSHOTS} is the most that is read`, 60);
  }
  const part = { label: "the snapshot table", at: 64, lengthBytes: 40, clusterBytes };
  return { snapshotCount, snapshotsOffsetBytes: placed(front, file, part).offsetBytes };
}

/** The place of a table that a field at `at` names: whole clusters, past the header, within the file. */
function placed(
  front: Front,
  file: Source,
  part: { label: string; at: number; lengthBytes: number; clusterBytes: number },
): TablePlace {
  const { label, at, lengthBytes, clusterBytes } = part;
  const said = front.u64(at);
  const offsetBytes = toSafe(said);
  if (offsetBytes === undefined || offsetBytes + lengthBytes > file.sizeBytes) {
    const message =
      `${label} of ${lengthBytes} bytes at byte ${said} reaches past the end of the file at byte ` +
      `${file.sizeBytes}; the field that says so is there`;
    throw front.header.error("TRUNCATED", message, at);
  }
  if (offsetBytes % clusterBytes !== 0 || offsetBytes === 0) {
    throw front.invalid(`${label} is said to be at byte ${said}, which is no cluster of its own`, at);
  }
  return { offsetBytes, lengthBytes };
}

function requireApart(front: Front, { clusterBytes, l1, refcounts, ...rest }: Qcow2Header): void {
  const parts = [
    { label: "header", at: 0, offsetBytes: 0, lengthBytes: clusterBytes },
    { label: "L1 table", at: 40, ...l1 },
    { label: "refcount table", at: 48, ...refcounts },
    ...rest.snapshotCount > 0
      ? [{
        label: "snapshot table",
        at: 64,
        offsetBytes: rest.snapshotsOffsetBytes,
        lengthBytes: clusterBytes,
      }]
      : [],
  ].sort((a, b) => a.offsetBytes - b.offsetBytes);
  for (const [i, part] of parts.entries()) {
    const before = parts[i - 1];
    if (!before || before.offsetBytes + before.lengthBytes <= part.offsetBytes) continue;
    throw front.invalid(
      `the ${part.label} overlaps the ${before.label}; the field that says so is there`,
      part.at,
    );
  }
}

function backingOf(
  front: Front,
  known: { headerBytes: number; clusterBytes: number; format: string | undefined },
): Qcow2Header["backing"] {
  const { headerBytes, clusterBytes, format } = known;
  const said = front.u64(8);
  const lengthBytes = front.u32(16);
  if (said === 0n || lengthBytes === 0) return undefined;
  if (lengthBytes > MAX_BACKING_NAME_BYTES) {
    throw front.limit(`backing_file_size is ${lengthBytes}, at most ${MAX_BACKING_NAME_BYTES} can be`, 16);
  }
  const at = toSafe(said) ?? Infinity;
  const end = Math.min(clusterBytes, front.lengthBytes);
  if (at < headerBytes || at + lengthBytes > end) {
    throw front.invalid(
      `the name of the backing file is said to be at byte ${said}, outside of the header`,
      8,
    );
  }
  const name = textOf(front, at, lengthBytes);
  if (new TextEncoder().encode(name).length !== lengthBytes) {
    throw front.invalid("the name of the backing file holds a zero byte", at);
  }
  return { name, format: format === "" ? undefined : format, at };
}
