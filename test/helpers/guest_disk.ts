/**
 * Disks with partition tables, made by hand for the tests of the code that reads them: no code is shared with it, and
 * checksums are those of zlib.
 */
import { gzipSync } from "node:zlib";
import { type Batch, RegrainError, type Source } from "../../core-as/host/mod.ts";

export const LINUX_GUID = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";
export const EFI_GUID = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";
export const DISK_GUID = "6F3C2A10-0000-4000-8000-0123456789AB";

/** A source that is zeros but for some patches, and counts what is asked of it. */
export class PatchedSource implements Source {
  readonly path = "disk.img";
  batches = 0;
  transfers = 0;
  readBytes = 0;

  constructor(readonly sizeBytes: number, readonly patches: Readonly<Record<number, Uint8Array>>) {}

  read(batch: Batch, buffer: Uint8Array): void {
    this.batches++;
    this.transfers += batch.count;
    this.readBytes += batch.totalBytes;
    for (let i = 0; i < batch.count; i++) {
      const [from, length, at] = [batch.offsetBytes[i]!, batch.lengthBytes[i]!, batch.at[i]!];
      if (from < 0 || length <= 0 || from + length > this.sizeBytes) {
        throw new RegrainError("READ_SHORT", `${length} bytes at ${from}`, { path: this.path });
      }
      buffer.fill(0, at, at + length);
      for (const [place, bytes] of Object.entries(this.patches)) {
        const start = Math.max(from, Number(place));
        const end = Math.min(from + length, Number(place) + bytes.length);
        if (start >= end) continue;
        buffer.set(bytes.subarray(start - Number(place), end - Number(place)), at + start - from);
      }
    }
  }

  close(): void {}
}

/** The CRC-32 of zlib, from where gzip puts it. */
export function zlibCrc32(bytes: Uint8Array): number {
  const packed = gzipSync(bytes, { level: 1 });
  return packed.readUInt32LE(packed.length - 8);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Puts characters up to 0xff at a place. */
export function putText(bytes: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
}

/** The same in two bytes a character, little-endian. */
export function putWide(bytes: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) viewOf(bytes).setUint16(at + 2 * i, text.charCodeAt(i), true);
}

/** An entry of an MBR or of a link of the chain, in sectors. */
export interface MbrEntry {
  readonly type: number;
  readonly start: number;
  readonly sectors: number;
  readonly flag?: number;
}

/** A sector with up to four entries; undefined leaves one empty. */
export function mbrSector(entries: readonly (MbrEntry | undefined)[], id = 0): Uint8Array {
  const bytes = new Uint8Array(512);
  const view = viewOf(bytes);
  view.setUint32(440, id, true);
  view.setUint16(510, 0xaa55, true);
  for (const [i, entry] of entries.entries()) {
    if (!entry) continue;
    const at = 446 + 16 * i;
    bytes[at] = entry.flag ?? 0;
    bytes[at + 4] = entry.type;
    view.setUint32(at + 8, entry.start, true);
    view.setUint32(at + 12, entry.sectors, true);
  }
  return bytes;
}

/** The MBR that protects a GPT. */
export function protectiveMbr(): Uint8Array {
  return mbrSector([{ type: 0xee, start: 1, sectors: 0xffffffff }]);
}

/** 16 bytes of a GUID as they stand on disk. */
export function guidBytes(text: string): Uint8Array {
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  const digits = text.replaceAll("-", "");
  const bytes = new Uint8Array(16);
  for (const [i, place] of order.entries()) bytes[place] = parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** An entry of a GPT, in sectors; `last` is part of it. */
export interface GptEntry {
  readonly index: number;
  readonly first: bigint | number;
  readonly last: bigint | number;
  readonly type?: string;
  readonly name?: string;
  readonly attributes?: bigint;
}

export interface GptOptions {
  readonly sizeBytes: number;
  readonly entries: readonly GptEntry[];
  readonly sectorBytes?: number;
  readonly count?: number;
  readonly entryBytes?: number;
}

/** Both copies of a GPT with an MBR that protects it, as patches of a disk of zeros. */
export interface GptParts {
  readonly mbr: Uint8Array;
  readonly primary: Uint8Array;
  readonly array: Uint8Array;
  readonly backup: Uint8Array;
  readonly places: {
    readonly primary: number;
    readonly array: number;
    readonly backup: number;
    readonly backupArray: number;
  };
}

export function gptParts(options: GptOptions): GptParts {
  const { sizeBytes, entries, sectorBytes = 512, count = 128, entryBytes = 128 } = options;
  const array = new Uint8Array(count * entryBytes);
  for (const entry of entries) array.set(gptEntry(entry), (entry.index - 1) * entryBytes);
  const last = Math.floor(sizeBytes / sectorBytes) - 1;
  const arraySectors = Math.ceil(array.length / sectorBytes);
  const header = (my: number, other: number, arraySector: number) => {
    const bytes = new Uint8Array(sectorBytes);
    const view = viewOf(bytes);
    putText(bytes, 0, "EFI PART");
    view.setUint32(8, 0x10000, true);
    view.setUint32(12, 92, true);
    view.setBigUint64(24, BigInt(my), true);
    view.setBigUint64(32, BigInt(other), true);
    view.setBigUint64(40, BigInt(2 + arraySectors), true);
    view.setBigUint64(48, BigInt(last - arraySectors - 1), true);
    bytes.set(guidBytes(DISK_GUID), 56);
    view.setBigUint64(72, BigInt(arraySector), true);
    view.setUint32(80, count, true);
    view.setUint32(84, entryBytes, true);
    view.setUint32(88, zlibCrc32(array), true);
    return sealed(bytes);
  };
  const backupArray = last - arraySectors;
  return {
    mbr: protectiveMbr(),
    primary: header(1, last, 2),
    array,
    backup: header(last, 1, backupArray),
    places: {
      primary: sectorBytes,
      array: 2 * sectorBytes,
      backup: last * sectorBytes,
      backupArray: backupArray * sectorBytes,
    },
  };
}

function gptEntry(entry: GptEntry): Uint8Array {
  const bytes = new Uint8Array(128);
  const view = viewOf(bytes);
  bytes.set(guidBytes(entry.type ?? LINUX_GUID));
  bytes.set(guidBytes(DISK_GUID), 16);
  bytes[31] = entry.index % 256;
  view.setBigUint64(32, BigInt(entry.first), true);
  view.setBigUint64(40, BigInt(entry.last), true);
  view.setBigUint64(48, entry.attributes ?? 0n, true);
  putWide(bytes, 56, entry.name ?? "");
  return bytes;
}

/** Gives a header the checksum of what it holds. */
export function sealed(header: Uint8Array): Uint8Array {
  const view = viewOf(header);
  const length = Math.min(view.getUint32(12, true), header.length);
  view.setUint32(16, 0, true);
  view.setUint32(16, zlibCrc32(header.subarray(0, length)), true);
  return header;
}

/** A disk of zeros with these parts on it, and with others over them. */
export function gptSource(
  sizeBytes: number,
  parts: GptParts,
  over: Readonly<Record<number, Uint8Array>> = {},
): PatchedSource {
  const { places } = parts;
  return new PatchedSource(sizeBytes, {
    0: parts.mbr,
    [places.primary]: parts.primary,
    [places.array]: parts.array,
    [places.backup]: parts.backup,
    [places.backupArray]: parts.array,
    ...over,
  });
}
