/**
 * The data of a qcow2 image: plain clusters where they are in the file, compressed ones unpacked.
 *
 * Runs of compressed clusters have places past the end of the file, which tell the sector of the disk.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../../errors.ts";
import type { Region } from "../../extent.ts";
import type { Inflater } from "../../inflate.ts";
import { Batch, readBytes, type Source } from "../../source.ts";
import { ceilDiv, MIB, SECTOR_SIZE } from "../../units.ts";
import type { Entry } from "./entries.ts";
import type { ClusterTables } from "./tables.ts";

/** Compressed clusters stand one behind the other mostly; one read serves many. */
const READAHEAD_BYTES = MIB;

export class ClusterData implements Source {
  readonly path: string;
  readonly sizeBytes: number;
  private cached: { readonly sector: number; readonly bytes: Uint8Array } | undefined;
  private ahead = { offsetBytes: 0, bytes: new Uint8Array(0) };
  /** Where compressed clusters of one stretch begin, for those too small to claim a sector. */
  private seen = { stretch: -1, starts: new Set<number>() };

  constructor(
    private readonly file: Source,
    private readonly tables: ClusterTables,
    private readonly options: { readonly capacitySectors: number; readonly unpack: Inflater },
  ) {
    this.path = file.path;
    this.sizeBytes = (tables.packedSector + options.capacitySectors) * SECTOR_SIZE;
  }

  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    const plain = new Batch();
    const packedBytes = this.tables.packedSector * SECTOR_SIZE;
    for (let i = 0; i < batch.count; i++) {
      const transfer = {
        offsetBytes: batch.offsetBytes[i]!,
        lengthBytes: batch.lengthBytes[i]!,
        at: batch.at[i]!,
      };
      if (transfer.offsetBytes < packedBytes) plain.add(transfer);
      else await this.readPacked({ ...transfer, offsetBytes: transfer.offsetBytes - packedBytes }, buffer);
    }
    if (plain.count > 0) await this.file.read(plain, buffer);
  }

  /**
   * Unpacks the cluster of a sector, where it is compressed, to see that it can be.
   *
   * @returns what it takes of the file, if this sector is the first of it: nothing for the others.
   * @throws {RegrainError} `GRAIN_DAMAGED`.
   */
  async verify(sector: number): Promise<Region> {
    const { clusterSectors } = this.tables;
    const first = sector - sector % clusterSectors;
    const entry = await this.tables.entry(sector);
    if (entry.is === "packed") {
      await this.unpacked(first, entry);
      return sector === first ? this.packedRegion(first, entry) : NOTHING;
    }
    if (entry.is === "data") return { label: "cluster", ...sectorsOf(entry.offsetBytes, clusterSectors) };
    if (entry.is !== "parts") return NOTHING;
    const part = (sector - first) / (clusterSectors / 32);
    const isFirst = (entry.allocated & (2 ** part - 1)) === 0;
    return isFirst ? { label: "cluster", ...sectorsOf(entry.offsetBytes, clusterSectors) } : NOTHING;
  }

  close(): void {
    this.file.close();
  }

  private async readPacked(
    { offsetBytes, lengthBytes, at }: { offsetBytes: number; lengthBytes: number; at: number },
    buffer: Uint8Array,
  ): Promise<void> {
    const clusterBytes = this.tables.clusterSectors * SECTOR_SIZE;
    for (let done = 0; done < lengthBytes;) {
      const within = (offsetBytes + done) % clusterBytes;
      const length = Math.min(lengthBytes - done, clusterBytes - within);
      const sector = (offsetBytes + done - within) / SECTOR_SIZE;
      const bytes = this.cached?.sector === sector
        ? this.cached.bytes
        : await this.unpacked(sector, await this.tables.entry(sector));
      buffer.set(bytes.subarray(within, within + length), at + done);
      done += length;
    }
  }

  private async unpacked(sector: number, entry: Entry): Promise<Uint8Array> {
    if (this.cached?.sector === sector) return this.cached.bytes;
    if (entry.is !== "packed") throw new Error("a cluster that is not packed was asked for as one");
    const { offsetBytes, lengthBytes } = entry;
    const packed = await this.bytesAt(offsetBytes, lengthBytes);
    const clusterBytes = this.tables.clusterSectors * SECTOR_SIZE;
    const bytes = unpackCluster(packed, this.options.unpack, { path: this.path, offsetBytes, clusterBytes });
    this.cached = { sector, bytes };
    return bytes;
  }

  /**
   * Whole sectors between the first and the last one, which others may share: the end is known to the sector only. Two
   * entries that name the same byte are told by the place of the header, which is in use for certain.
   */
  private packedRegion(
    sector: number,
    { offsetBytes, lengthBytes }: Extract<Entry, { is: "packed" }>,
  ): Region {
    const stretch = Math.floor(sector / STRETCH_SECTORS);
    if (this.seen.stretch !== stretch) this.seen = { stretch, starts: new Set() };
    if (this.seen.starts.has(offsetBytes)) return { label: "cluster", sector: 0, lengthSectors: 1 };
    this.seen.starts.add(offsetBytes);
    const from = ceilDiv(offsetBytes, SECTOR_SIZE);
    const to = Math.floor((offsetBytes + lengthBytes) / SECTOR_SIZE) - 1;
    return { label: "cluster", sector: from, lengthSectors: Math.max(0, to - from) };
  }

  private async bytesAt(offsetBytes: number, lengthBytes: number): Promise<Uint8Array> {
    const from = offsetBytes - this.ahead.offsetBytes;
    if (from >= 0 && from + lengthBytes <= this.ahead.bytes.length) {
      return this.ahead.bytes.subarray(from, from + lengthBytes);
    }
    const span = Math.min(Math.max(READAHEAD_BYTES, lengthBytes), this.file.sizeBytes - offsetBytes);
    const bytes = await readBytes(this.file, offsetBytes, span);
    this.ahead = { offsetBytes, bytes };
    return bytes.subarray(0, lengthBytes);
  }
}

const NOTHING: Region = { label: "cluster", sector: 0, lengthSectors: 0 };
/** The starts of so many sectors of the disk are kept at a time. */
const STRETCH_SECTORS = 2 ** 22;

function sectorsOf(offsetBytes: number, lengthSectors: number): { sector: number; lengthSectors: number } {
  return { sector: offsetBytes / SECTOR_SIZE, lengthSectors };
}

function unpackCluster(
  packed: Uint8Array,
  unpack: Inflater,
  { path, offsetBytes, clusterBytes }: { path: string; offsetBytes: number; clusterBytes: number },
): Uint8Array {
  const damaged = (message: string, cause?: unknown) =>
    new RegrainError("GRAIN_DAMAGED", message, { path, offsetBytes, cause });
  let bytes: Uint8Array;
  try {
    bytes = unpack(packed, clusterBytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw damaged(`the compressed cluster cannot be unpacked (${reason})`, cause);
  }
  if (bytes.length === clusterBytes) return bytes;
  throw damaged(`the compressed cluster unpacks to ${bytes.length} bytes, ${clusterBytes} are needed`);
}
