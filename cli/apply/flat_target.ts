/** A VMDK over flat extents as one target: each transfer goes to the extent it falls into. */
import { Batch, type PlacedExtent, RegrainError, SECTOR_SIZE, type Target } from "../../core-as/host/mod.ts";

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
  readonly kind: "file" | "device";
  readonly blockBytes: number;
  readonly sizeBytes: number;
  private readonly parts: readonly Part[];

  /**
   * @param open Opens the file of an extent for writing.
   * @throws {RegrainError} `TARGET_UNSUITABLE` when an extent is not flat, or shorter than its line.
   */
  constructor(readonly path: string, extents: readonly PlacedExtent[], open: (path: string) => Target) {
    const parts: Part[] = [];
    this.parts = parts;
    try {
      for (const placed of extents) parts.push(openPart(placed, open, path));
    } catch (error) {
      this.close();
      throw error;
    }
    this.kind = parts.every(({ target }) => target.kind === "device") ? "device" : "file";
    this.blockBytes = Math.max(...parts.map(({ target }) => target.blockBytes));
    this.sizeBytes = parts.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  }

  /** The files below. */
  get targets(): readonly Target[] {
    return this.parts.map(({ target }) => target);
  }

  get zerosWrittenBytes(): number | undefined {
    const each = [...new Set(this.targets)].map((target) => target.zerosWrittenBytes);
    return each.includes(undefined) ? undefined : each.reduce<number>((sum, bytes) => sum + bytes!, 0);
  }

  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    for (const [target, share] of this.share(batch)) await target.read(share, buffer);
  }

  async write(batch: Batch, buffer: Uint8Array): Promise<void> {
    for (const [target, share] of this.share(batch)) await target.write(share, buffer);
  }

  async zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): Promise<void> {
    for (const { part, offsetBytes, lengthBytes } of this.pieces({ ...stretch, at: 0 })) {
      await part.target.zero({ offsetBytes, lengthBytes, punch: stretch.punch });
    }
  }

  async flush(): Promise<void> {
    for (const { target } of this.parts) await target.flush();
  }

  close(): void {
    for (const { target } of this.parts) target.close();
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

function openPart(
  { extent, startSector, lengthSectors }: PlacedExtent,
  open: (path: string) => Target,
  path: string,
): Part {
  if (extent.format !== "flat") {
    throw new RegrainError(
      "TARGET_UNSUITABLE",
      `its extent ${extent.path} is ${extent.format}, only flat extents can be written`,
      {
        path,
        hint: "apply onto a flat copy of the base, or onto a raw image",
      },
    );
  }
  const target = open(extent.path);
  const fileOffsetBytes = Number(extent.facts["offset"]) * SECTOR_SIZE;
  const lengthBytes = lengthSectors * SECTOR_SIZE;
  if (target.sizeBytes >= fileOffsetBytes + lengthBytes) {
    return { target, startBytes: startSector * SECTOR_SIZE, lengthBytes, fileOffsetBytes };
  }
  target.close();
  throw new RegrainError(
    "SIZE_MISMATCH",
    `the extent needs ${fileOffsetBytes + lengthBytes} bytes, the file has ${target.sizeBytes}`,
    {
      path: extent.path,
      hint: `the copy is not complete; truncate -s ${
        fileOffsetBytes + lengthBytes
      } fills up a copy that lost a zero tail`,
    },
  );
}
