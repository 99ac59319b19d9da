/** A VMDK over flat extents as one target: each transfer goes to the extent it falls into. */
import {
  Batch,
  descriptorOf,
  type ExtentFile,
  type ExtentLine,
  extentTooShort,
  type Link,
  type PlacedExtent,
  RegrainError,
  SECTOR_SIZE,
  type Target,
  type TargetMedium,
  targetMediumOf,
} from "../../core-as/host/mod.ts";

import { pastEnd, shortRead } from "../io/errno.ts";

const RAW_INSTEAD = "apply onto a flat copy of the base, or onto a raw image";

/** An extent of the target with its opened file. */
interface Part {
  readonly target: Target;
  /** Byte of the disk that the extent starts at. */
  readonly startBytes: number;
  readonly lengthBytes: number;
  /** Byte of the file that the extent starts at. */
  readonly fileOffsetBytes: number;
}

/** One medium's share of a transfer. */
interface Piece {
  readonly part: Part;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly at: number;
}

export class FlatTarget implements Target {
  readonly path: string;
  readonly isDevice: boolean;
  readonly sizeBytes: number;
  readonly medium: TargetMedium;
  private readonly parts: readonly Part[];

  /** Lines of the descriptor with the files that they name. */
  readonly extents: readonly ExtentFile[];

  /**
   * @param link The opened descriptor.
   * @param open Opens the file of an extent for writing. Extents may share a file: for that one it answers the same
   *   target again.
   * @throws {RegrainError} `TARGET_UNSUITABLE` when an extent is not flat, or two share bytes; `SIZE_MISMATCH` when
   *   one is shorter than its line.
   */
  constructor(link: Pick<Link, "path" | "particulars" | "extents">, open: (path: string) => Target) {
    const { path, extents } = link;
    this.path = path;
    const lines = descriptorOf(link)?.extents ?? [];
    this.extents = extents.map(({ extent }, i) => ({ line: lines[i]!, path: extent.path }));
    const parts: Part[] = [];
    this.parts = parts;
    try {
      extents.forEach((placed, index) =>
        parts.push(openPart(placed, lines[index]!, { path, index, count: extents.length, open }))
      );
      requireApart(parts, path);
    } catch (error) {
      this.close();
      throw error;
    }
    this.isDevice = parts.every(({ target }) => target.isDevice === true);
    this.medium = targetMediumOf(parts.map(({ target }) => target));
    this.sizeBytes = parts.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  }

  /** The files below, each once. */
  get targets(): readonly Target[] {
    return [...new Set(this.parts.map(({ target }) => target))];
  }

  get zerosWrittenBytes(): number | undefined {
    const each = this.targets.map((target) => target.zerosWrittenBytes);
    return each.includes(undefined) ? undefined : each.reduce<number>((sum, bytes) => sum + bytes!, 0);
  }

  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    if (this.reachesPastEnd(batch) !== undefined) throw shortRead(this.path, this.sizeBytes);
    for (const [target, share] of this.share(batch)) await target.read(share, buffer);
  }

  async write(batch: Batch, buffer: Uint8Array): Promise<void> {
    const past = this.reachesPastEnd(batch);
    if (past !== undefined) throw pastEnd(this, past);
    for (const [target, share] of this.share(batch)) await target.write(share, buffer);
  }

  async zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): Promise<void> {
    if (stretch.offsetBytes + stretch.lengthBytes > this.sizeBytes) throw pastEnd(this, stretch.offsetBytes);
    for (const { part, offsetBytes, lengthBytes } of this.pieces({ ...stretch, at: 0 })) {
      await part.target.zero({ offsetBytes, lengthBytes, punch: stretch.punch });
    }
  }

  async flush(): Promise<void> {
    for (const target of this.targets) await target.flush();
  }

  close(): void {
    for (const target of this.targets) target.close();
  }

  /** Byte at which the first transfer starts that does not fit. */
  private reachesPastEnd(batch: Batch): number | undefined {
    for (let i = 0; i < batch.count; i++) {
      if (batch.offsetBytes[i]! + batch.lengthBytes[i]! > this.sizeBytes) return batch.offsetBytes[i]!;
    }
    return undefined;
  }

  private share(batch: Batch): Map<Target, Batch> {
    const shares = new Map<Target, Batch>();
    for (let i = 0; i < batch.count; i++) {
      const transfer = {
        offsetBytes: batch.offsetBytes[i]!,
        lengthBytes: batch.lengthBytes[i]!,
        at: batch.at[i]!,
      };
      for (const { part, ...piece } of this.pieces(transfer)) {
        let share = shares.get(part.target);
        if (!share) shares.set(part.target, share = new Batch());
        share.add(piece);
      }
    }
    return shares;
  }

  private *pieces(transfer: { offsetBytes: number; lengthBytes: number; at: number }): Generator<Piece> {
    const end = transfer.offsetBytes + transfer.lengthBytes;
    for (const part of this.parts) {
      const from = Math.max(transfer.offsetBytes, part.startBytes);
      const to = Math.min(end, part.startBytes + part.lengthBytes);
      if (from >= to) continue;
      const offsetBytes = part.fileOffsetBytes + from - part.startBytes;
      yield { part, offsetBytes, lengthBytes: to - from, at: transfer.at + from - transfer.offsetBytes };
    }
  }
}

/** Two extents over the same bytes of a file: what is written into one shows in the other. */
function requireApart(parts: readonly Part[], path: string): void {
  const ends = new Map<Target, number>();
  for (const { target, fileOffsetBytes, lengthBytes } of parts.toSorted(byFileOffset)) {
    if (fileOffsetBytes < (ends.get(target) ?? 0)) {
      throw new RegrainError(
        "TARGET_UNSUITABLE",
        `two of its extents share bytes of ${target.path}, from byte ${fileOffsetBytes} on`,
        { path, hint: RAW_INSTEAD },
      );
    }
    ends.set(target, fileOffsetBytes + lengthBytes);
  }
}

function byFileOffset(a: Part, b: Part): number {
  return a.fileOffsetBytes - b.fileOffsetBytes;
}

function openPart(
  { extent, startSector, lengthSectors }: PlacedExtent,
  line: ExtentLine,
  at: { path: string; index: number; count: number; open: (path: string) => Target },
): Part {
  const { path } = extent;
  if (extent.format !== "flat") {
    throw new RegrainError(
      "TARGET_UNSUITABLE",
      `its extent ${path} is ${extent.format}, only flat extents can be written`,
      { path: at.path, hint: RAW_INSTEAD },
    );
  }
  const target = at.open(path);
  const fileOffsetBytes = Number(extent.facts["offset"]) * SECTOR_SIZE;
  const lengthBytes = lengthSectors * SECTOR_SIZE;
  if (target.sizeBytes >= fileOffsetBytes + lengthBytes) {
    return { target, startBytes: startSector * SECTOR_SIZE, lengthBytes, fileOffsetBytes };
  }
  target.close();
  throw extentTooShort({ line, path }, { ...at, sizeBytes: target.sizeBytes });
}
