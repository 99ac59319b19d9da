/** A view as its guest sees it. */
import { type Batch, RegrainError, type Run, SECTOR_SIZE, type Source } from "../../../core-as/host/mod.ts";
import type { Stretch } from "../../../core-as/host/guest/pieces.ts";
import type { DiskRuns } from "../disk/disk_runs.ts";
import { kindName, walkRuns } from "../disk/runs.ts";

/** The disk as its guest sees it, damage read over. */
export class GuestView implements Source {
  readonly path: string;
  readonly sizeBytes: number;
  /** Stretches with damaged chunks of a backup, or compressed data that cannot be unpacked: shown as zeros. */
  readonly unread: Stretch[] = [];

  constructor(private readonly disk: DiskRuns) {
    this.path = disk.name;
    this.sizeBytes = disk.capacitySectors * SECTOR_SIZE;
  }

  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    for (let i = 0; i < batch.count; i++) {
      const offsetBytes = batch.offsetBytes[i]!;
      const at = batch.at[i]!;
      const lengthBytes = batch.lengthBytes[i]!;
      if (offsetBytes + lengthBytes > this.sizeBytes) {
        throw new RegrainError("READ_SHORT", `the disk ends at byte ${this.sizeBytes}`, { path: this.path });
      }
      await this.readOver(offsetBytes, buffer.subarray(at, at + lengthBytes));
    }
  }

  private async readOver(offsetBytes: number, buffer: Uint8Array): Promise<void> {
    try {
      await this.disk.read(offsetBytes, buffer);
    } catch (error) {
      if (!(error instanceof RegrainError) || !/^(CHUNK|GRAIN)_/.test(error.code)) throw error;
      buffer.fill(0);
      this.unread.push({ offsetBytes, lengthBytes: buffer.length });
    }
  }

  /** What stands in a stretch, in bytes. */
  async runs(fromBytes: number, toBytes: number): Promise<Run[]> {
    const found: Run[] = [];
    const from = Math.floor(fromBytes / SECTOR_SIZE);
    const to = Math.min(this.disk.capacitySectors, Math.ceil(toBytes / SECTOR_SIZE));
    await walkRuns(this.disk, { from, to }, ({ start, length, kind }) => {
      found.push({ start: start * SECTOR_SIZE, length: length * SECTOR_SIZE, kind: kindName(kind) });
    });
    return found;
  }

  /** False where a part of a stretch is in the base, which is not here, or could not be read. */
  async isKnown({ offsetBytes, lengthBytes }: Stretch): Promise<boolean> {
    const end = offsetBytes + lengthBytes;
    if (
      this.unread.some((each) => each.offsetBytes < end && offsetBytes < each.offsetBytes + each.lengthBytes)
    ) {
      return false;
    }
    if (this.disk.disk.isWhole) return true;
    const runs = await this.runs(offsetBytes, offsetBytes + lengthBytes);
    return runs.every(({ kind }) => kind === "data" || kind === "zero");
  }

  close(): void {
    // The links belong to the bench.
  }
}
