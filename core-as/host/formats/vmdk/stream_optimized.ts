/**
 * Compressed grains as plain data.
 *
 * A grain table of a streamOptimized file names where a grain's marker stands, and only the marker knows how long the
 * packed grain is. So runs of such an extent point into this view, whose bytes are those of the extent itself.
 * Source: VMware Virtual Disk Format 5.0, "Stream-Optimized Compressed Sparse Extents".
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../../errors.ts";
import { DamagedGrains } from "../damaged_grains.ts";
import type { Observer, Region, Window } from "../../extent.ts";
import type { GrainTables } from "./grain_tables.ts";
import type { Inflater } from "../../inflate.ts";
import { MARKER_BYTES } from "./marker.ts";
import { type Batch, readBytes, type Source } from "../../source.ts";
import { ceilDiv, MIB, SECTOR_SIZE } from "../../units.ts";
import type { Core, RunList } from "../../wasm.ts";

const BARE_SIZE_BYTES = 4;
/** Streams are read forward mostly; one read serves many grains. */
const READAHEAD_BYTES = MIB;

interface Options {
  readonly grainSectors: number;
  readonly capacitySectors: number;
  /** False: the grain starts with its size alone. */
  readonly markers: boolean;
  readonly inflate: Inflater;
}

export class CompressedGrains implements Source {
  readonly path: string;
  readonly sizeBytes: number;
  /** Grains that a survey could not unpack. */
  readonly damaged = new DamagedGrains();
  private cached: { grain: number; bytes: Uint8Array; region: Region } | undefined;
  private ahead = { offsetBytes: 0, bytes: new Uint8Array(0) };

  constructor(
    private readonly file: Source,
    private readonly tables: GrainTables,
    private readonly options: Options,
  ) {
    this.path = file.path;
    this.sizeBytes = options.capacitySectors * SECTOR_SIZE;
  }

  /** Offsets are those of the extent; what no grain covers must not be asked for. */
  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    const grainBytes = this.options.grainSectors * SECTOR_SIZE;
    for (let i = 0; i < batch.count; i++) {
      let offset = batch.offsetBytes[i]!;
      let at = batch.at[i]!;
      const end = offset + batch.lengthBytes[i]!;
      while (offset < end) {
        const grain = Math.floor(offset / grainBytes);
        const within = offset - grain * grainBytes;
        const length = Math.min(end - offset, grainBytes - within);
        const { bytes } = await this.unpack(grain);
        buffer.set(bytes.subarray(within, within + length), at);
        offset += length;
        at += length;
      }
    }
  }

  /** Lists the runs of a window; see `Extent.fill`. */
  async fill(core: Core, list: RunList, window: Window, observer: Observer): Promise<number> {
    const reached = await this.tables.fill(core, list, window, observer);
    if (observer.unpacks) return reached;
    for (const { sector, lengthSectors } of this.damaged.mask(core, list, { ...window, to: reached })) {
      const offsetBytes = await this.tables.entryOffset(sector);
      observer.finding({
        severity: "damage",
        kind: "grain-damaged",
        path: this.path,
        ...(offsetBytes === undefined ? {} : { offsetBytes }),
        message: `the grains of sectors ${sector} to ${sector + lengthSectors - 1} cannot be unpacked`,
      });
    }
    return reached;
  }

  /** Unpacks the grain of a sector and says where it lies. */
  async verify(sector: number): Promise<Region> {
    return (await this.unpack(Math.floor(sector / this.options.grainSectors))).region;
  }

  close(): void {
    this.file.close();
  }

  private async unpack(grain: number): Promise<{ bytes: Uint8Array; region: Region }> {
    if (this.cached?.grain === grain) return this.cached;
    const { grainSectors, capacitySectors, markers } = this.options;
    const sector = grain * grainSectors;
    const marker = await this.tables.entry32(sector);
    const offsetBytes = marker * SECTOR_SIZE;
    const at: GrainAt = { ...this.options, sector, offsetBytes, path: this.path };
    const prefix = prefixBytesOf(markers);
    const packedBytes = packedBytesOf(await this.bytesAt(offsetBytes, prefix), at);
    const packed = await this.bytesAt(offsetBytes + prefix, packedBytes);
    const bytes = unpackGrain(packed, { ...at, needed: Math.min(grainSectors, capacitySectors - sector) });
    const region = {
      label: "grain",
      sector: marker,
      lengthSectors: ceilDiv(prefix + packedBytes, SECTOR_SIZE),
    };
    this.cached = { grain, bytes, region };
    return this.cached;
  }

  /** Bytes of the file, through the readahead. */
  private async bytesAt(offsetBytes: number, lengthBytes: number): Promise<Uint8Array> {
    if (offsetBytes + lengthBytes > this.file.sizeBytes) {
      throw this.unreadable(
        offsetBytes,
        `the grain reaches past the end of the file at byte ${this.file.sizeBytes}`,
      );
    }
    const from = offsetBytes - this.ahead.offsetBytes;
    if (from < 0 || from + lengthBytes > this.ahead.bytes.length) {
      const span = Math.min(Math.max(READAHEAD_BYTES, lengthBytes), this.file.sizeBytes - offsetBytes);
      this.ahead = { offsetBytes, bytes: await readBytes(this.file, offsetBytes, span) };
      return this.ahead.bytes.subarray(0, lengthBytes);
    }
    return this.ahead.bytes.subarray(from, from + lengthBytes);
  }

  private unreadable(offsetBytes: number, message: string): RegrainError {
    return grainDamaged({ path: this.path, offsetBytes }, message);
  }
}

/** A packed grain: the sector of the disk that its table says, and where it stands. */
export interface GrainAt {
  readonly path: string;
  readonly offsetBytes: number;
  /** First sector of the disk. */
  readonly sector: number;
  readonly grainSectors: number;
  /** False: the grain starts with its size alone. */
  readonly markers: boolean;
  readonly inflate: Inflater;
}

/** Bytes in front of the packed ones. */
export function prefixBytesOf(markers: boolean): number {
  return markers ? MARKER_BYTES : BARE_SIZE_BYTES;
}

/**
 * Bytes of a packed grain, by what stands in front of them.
 *
 * @throws {RegrainError} `GRAIN_DAMAGED` when they are those of another grain, or more than a grain can be.
 */
export function packedBytesOf(prefix: Uint8Array, at: GrainAt): number {
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
  if (at.markers && view.getBigUint64(0, true) !== BigInt(at.sector)) {
    const said = view.getBigUint64(0, true);
    throw grainDamaged(at, `the marker of sector ${at.sector} says sector ${said}`);
  }
  const packedBytes = view.getUint32(prefixBytesOf(at.markers) - 4, true);
  if (packedBytes > 0 && packedBytes <= maxPackedBytes(at.grainSectors)) return packedBytes;
  throw grainDamaged(at, `a packed grain of ${packedBytes} bytes`);
}

/** Deflate never makes a grain longer than this: stored blocks cost five bytes per 16 KiB at the worst. */
export function maxPackedBytes(grainSectors: number): number {
  return grainSectors * SECTOR_SIZE * 2 + SECTOR_SIZE;
}

/**
 * Unpacks a grain.
 *
 * @param at `needed`: sectors of it that lie on the disk.
 * @throws {RegrainError} `GRAIN_DAMAGED`.
 */
export function unpackGrain(packed: Uint8Array, at: GrainAt & { needed: number }): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = at.inflate(packed, at.grainSectors * SECTOR_SIZE);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw grainDamaged(at, `the grain cannot be unpacked (${reason})`, cause);
  }
  const neededBytes = at.needed * SECTOR_SIZE;
  if (bytes.length >= neededBytes) return bytes;
  throw grainDamaged(at, `the grain unpacks to ${bytes.length} bytes, ${neededBytes} are needed`);
}

function grainDamaged(
  at: { path: string; offsetBytes: number },
  message: string,
  cause?: unknown,
): RegrainError {
  const { path, offsetBytes } = at;
  return new RegrainError("GRAIN_DAMAGED", message, { path, offsetBytes, cause });
}
