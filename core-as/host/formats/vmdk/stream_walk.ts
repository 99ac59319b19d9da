/**
 * The way through a streamOptimized file from marker to marker, to a footer that does not end the file: padding of a
 * tape or a tar follows it, a text somebody appended, or nothing at all.
 *
 * The file is walked from its start, as a pipe reads it. A search from its end could meet a footer that a guest wrote
 * into its own disk.
 *
 * This module is browser compatible.
 */
import {
  isDirectoryMarker,
  type Marker,
  MARKER_BYTES,
  MARKER_TYPE,
  markerAt,
  type StreamShape,
  tablesAnnounced,
} from "./marker.ts";
import { readBytes, type Source } from "../../source.ts";
import { ceilDiv, KIB, SECTOR_SIZE } from "../../units.ts";

const WINDOW_BYTES = 64 * KIB;

/** Sectors of a file, through a window that goes forward. */
class Sectors {
  private offsetBytes = 0;
  private bytes = new Uint8Array(0);

  constructor(private readonly file: Source) {}

  /** A sector, or `undefined` where the file ends before its end. */
  async at(sector: number): Promise<Uint8Array | undefined> {
    const offsetBytes = sector * SECTOR_SIZE;
    if (offsetBytes + SECTOR_SIZE > this.file.sizeBytes) return undefined;
    let from = offsetBytes - this.offsetBytes;
    if (from < 0 || from + SECTOR_SIZE > this.bytes.length) {
      const lengthBytes = Math.min(WINDOW_BYTES, this.file.sizeBytes - offsetBytes);
      this.bytes = await readBytes(this.file, offsetBytes, lengthBytes);
      this.offsetBytes = offsetBytes;
      from = 0;
    }
    return this.bytes.subarray(from, from + SECTOR_SIZE);
  }

  /** The next sector that is not all zeros, as far as the window tells. */
  afterZeros(sector: number): number {
    const from = sector * SECTOR_SIZE - this.offsetBytes;
    const words = new Uint32Array(this.bytes.buffer, 0, Math.floor(this.bytes.length / 4));
    let at = from / 4;
    while (at < words.length && words[at] === 0) at++;
    return Math.max(sector + 1, Math.floor((this.offsetBytes + at * 4) / SECTOR_SIZE));
  }
}

/**
 * Finds the footer of a stream.
 *
 * @param start Sector of the first marker.
 * @param maxGrainBytes Most that a packed grain can have.
 * @returns its sector, or `undefined` when the markers lead to none.
 */
export async function findFooter(
  file: Source,
  stream: { start: number; shape: StreamShape; maxGrainBytes: number },
): Promise<number | undefined> {
  const { shape, maxGrainBytes } = stream;
  const sectors = new Sectors(file);
  for (let at = stream.start;;) {
    const sector = await sectors.at(at);
    if (!sector) return undefined;
    const marker = markerAt(new DataView(sector.buffer, sector.byteOffset, SECTOR_SIZE));
    if (marker.sizeBytes > maxGrainBytes) return undefined;
    if (marker.sizeBytes > 0) at += ceilDiv(MARKER_BYTES + marker.sizeBytes, SECTOR_SIZE);
    else if (marker.type === MARKER_TYPE.footer) return at + 1;
    else if (isPadding(marker)) at = sectors.afterZeros(at);
    else at = at + 1 + await sectorsAfter(sectors, { marker, at, shape });
  }
}

function isPadding({ type, value }: Marker): boolean {
  return type === MARKER_TYPE.endOfStream && value === 0n;
}

/** Sectors that a marker of metadata stands for. */
async function sectorsAfter(
  sectors: Sectors,
  { marker, at, shape }: { marker: Marker; at: number; shape: StreamShape },
): Promise<number> {
  if (marker.value > 0n) return Number(marker.value);
  if (marker.type === MARKER_TYPE.grainDirectory) return shape.directorySectors;
  const tables = marker.type === MARKER_TYPE.grainTable ? tablesAnnounced(marker, shape) : undefined;
  if (!tables) return 0;
  let count = 1;
  for (; count < tables.count; count++) {
    const next = await sectors.at(at + 1 + count * shape.tableSectors);
    if (!next || isDirectoryMarker(next, shape)) break;
  }
  return count * shape.tableSectors;
}
