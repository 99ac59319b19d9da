/**
 * Reading fields of a binary header: little-endian, every value bounded before it is believed.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "./errors.ts";
import { readBytes, type Source } from "./source.ts";
import { MAX_DISK_SECTORS, SECTOR_SIZE, toSafe } from "./units.ts";

/** A header in memory with the path and offset that its errors name. */
export class Header {
  private readonly view: DataView;
  constructor(readonly bytes: Uint8Array, readonly path: string, readonly offsetBytes = 0) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(at: number): number {
    return this.view.getUint8(at);
  }
  u16(at: number): number {
    return this.view.getUint16(at, true);
  }
  u32(at: number): number {
    return this.view.getUint32(at, true);
  }
  u64(at: number): bigint {
    return this.view.getBigUint64(at, true);
  }

  /** A u64 count of sectors, at most the largest disk. */
  sectors(at: number, name: string): number {
    const value = toSafe(this.u64(at));
    if (value === undefined || value > MAX_DISK_SECTORS) {
      throw this.error(
        "LIMIT_EXCEEDED",
        `${name} is ${this.u64(at)} sectors, 62 TiB is the most there is`,
        at,
      );
    }
    return value;
  }

  error(
    code: "HEADER_INVALID" | "LIMIT_EXCEEDED" | "UNSUPPORTED" | "TRUNCATED",
    message: string,
    at: number,
    hint?: string,
  ): RegrainError {
    return new RegrainError(code, message, {
      path: this.path,
      offsetBytes: this.offsetBytes + at,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

/** Reads a header of `lengthBytes`, which a file that claims it by its magic must have. */
export async function readHeader(file: Source, lengthBytes: number, offsetBytes = 0): Promise<Header> {
  if (file.sizeBytes < offsetBytes + lengthBytes) {
    throw new RegrainError("TRUNCATED", `the file ends inside a header of ${lengthBytes} bytes`, {
      path: file.path,
      offsetBytes: file.sizeBytes,
    });
  }
  return new Header(await readBytes(file, offsetBytes, lengthBytes), file.path, offsetBytes);
}

/** Throws `TRUNCATED` unless a part of the file, named in sectors by a header field, lies inside the file. */
export function requireInside(
  file: Source,
  part: { label: string; sector: number; lengthBytes: number; fieldOffsetBytes: number },
): void {
  const end = part.sector * SECTOR_SIZE + part.lengthBytes;
  if (end <= file.sizeBytes) return;
  throw new RegrainError(
    "TRUNCATED",
    `${part.label} reaches to byte ${end}, the file ends at byte ${file.sizeBytes}; the field that says so is there`,
    { path: file.path, offsetBytes: part.fieldOffsetBytes },
  );
}
