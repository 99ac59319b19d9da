/**
 * A source and a target, gathered side by side in the two halves of the kernels' buffer.
 *
 * The source is walked once, in order. Where neither side has data nothing is read; where only one has, the other half
 * is zeros. What the target holds is told by its file system where that knows; a device holds data everywhere.
 */
import {
  Batch,
  damagedRun,
  type Disk,
  type DiskWindow,
  MIB,
  readAtOnce,
  type RunList,
  SECTOR_SIZE,
  type SectorRange,
  type Stretch,
  STRICT,
  type Target,
} from "../../core-as/host/mod.ts";
import { TargetRuns } from "./target_runs.ts";

/** What lies in the buffer: the source in its first half, the target in the second. */
export interface Load {
  /**
   * In ascending order of the disk; `at` is the same in both halves. Negative `at`: the source has zeros there and the
   * target has data, which need not be looked at.
   */
  readonly items: Batch;
  /** Bytes since the last load in which neither has data. */
  readonly skippedBytes: number;
  /** Everything below this byte of the disk is in this load or an earlier one. */
  readonly doneBytes: number;
  /** A list that the kernels may use meanwhile. */
  readonly scratch: RunList;
}

export interface GatherOptions {
  /** Stretches of the disk, in ascending order; the whole disk unless given. */
  readonly ranges?: Iterable<SectorRange> | undefined;
  /** Whether data of the target is overwritten unseen where the source has a hole, so that it becomes one there too. */
  readonly isBlind: boolean;
  /** To be done with each load before the next is gathered. */
  readonly take: (load: Load) => Promise<void>;
}

/** With an undo file every load costs syncs, and zeros that are not looked at cost the room that they overwrite. */
const MOST_BLIND_BYTES = 256 * MIB;
/** More transfers than this are not gathered for one read. */
const MOST_ITEMS = 32_768;

/** @throws {RegrainError} what reading either may; `DAMAGED` where nobody knows what the source has. */
export async function gatherSideBySide(disk: Disk, target: Target, options: GatherOptions): Promise<void> {
  const gatherer = new Gatherer(disk, target, options);
  const whole = { fromSector: 0, toSector: disk.capacitySectors };
  for (const range of options.ranges ?? [whole]) {
    for await (const window of disk.walk(STRICT, range)) await gatherer.take(window);
    await gatherer.pass(range.toSector * SECTOR_SIZE);
  }
}

class Gatherer {
  private readonly halfBytes: number;
  private readonly granularityBytes: number;
  private readonly items = new Batch();
  private readonly targetReads = new Batch();
  private readonly held: TargetRuns;
  private filledBytes = 0;
  private blindBytes = 0;
  private skippedBytes = 0;

  constructor(
    private readonly disk: Disk,
    private readonly target: Target,
    private readonly options: GatherOptions,
  ) {
    this.halfBytes = disk.core.buffer.length / 2;
    this.granularityBytes = target.medium.granularityBytes;
    this.held = new TargetRuns(target);
  }

  async take({ list, scratch, toSector }: DiskWindow): Promise<void> {
    for (let i = 0; i < list.count; i++) {
      const offsetBytes = list.start(i) * SECTOR_SIZE;
      const stretch = { offsetBytes, lengthBytes: list.length(i) * SECTOR_SIZE };
      const kind = this.disk.kindOf(list.place(i));
      if (kind === "damaged") throw damagedRun(this.disk, list.start(i));
      if (kind === "data") {
        const from = { owner: list.owner(i), offsetBytes: list.place(i) * SECTOR_SIZE };
        await this.addData(stretch, from, scratch[0]);
      } else await this.addZeros(stretch, scratch[0]);
    }
    // Nothing to compare for long is progress too.
    if (this.items.count === 0) await this.move(toSector * SECTOR_SIZE, scratch[0]);
  }

  /** Hands on what is left of a range. */
  async pass(doneBytes: number): Promise<void> {
    await this.move(doneBytes, this.disk.core.lists[0]);
  }

  private async addData(
    stretch: Stretch,
    from: { owner: number; offsetBytes: number },
    scratch: RunList,
  ): Promise<void> {
    for (let done = 0; done < stretch.lengthBytes;) {
      const offsetBytes = stretch.offsetBytes + done;
      const lengthBytes = await this.room(offsetBytes, stretch.lengthBytes - done, scratch);
      const at = this.filledBytes;
      this.disk.queue(from.owner, { offsetBytes: from.offsetBytes + done, lengthBytes, at });
      await this.addTarget({ offsetBytes, lengthBytes, at });
      done += lengthBytes;
    }
  }

  /** Zeros of the source: only what the target holds is of interest. */
  private async addZeros(stretch: Stretch, scratch: RunList): Promise<void> {
    const endBytes = stretch.offsetBytes + stretch.lengthBytes;
    for (let offsetBytes = stretch.offsetBytes; offsetBytes < endBytes;) {
      const { isData, untilBytes } = await this.held.at(offsetBytes);
      const lengthBytes = Math.min(untilBytes, endBytes) - offsetBytes;
      if (!isData) this.skippedBytes += lengthBytes;
      else await this.addOverData({ offsetBytes, lengthBytes }, scratch);
      offsetBytes += lengthBytes;
    }
  }

  /** Whole blocks can become a hole unseen; parts of blocks would be written as zeros again and again. */
  private async addOverData(stretch: Stretch, scratch: RunList): Promise<void> {
    const endBytes = stretch.offsetBytes + stretch.lengthBytes;
    const grain = this.granularityBytes;
    const firstBytes = Math.ceil(stretch.offsetBytes / grain) * grain;
    const lastBytes = Math.floor(endBytes / grain) * grain;
    if (!this.options.isBlind || lastBytes <= firstBytes) return await this.compareZeros(stretch, scratch);
    const { offsetBytes } = stretch;
    await this.compareZeros({ offsetBytes, lengthBytes: firstBytes - offsetBytes }, scratch);
    for (let at = firstBytes; at < lastBytes;) {
      if (this.blindBytes >= MOST_BLIND_BYTES || this.items.count >= MOST_ITEMS) await this.move(at, scratch);
      const lengthBytes = Math.min(lastBytes - at, MOST_BLIND_BYTES - this.blindBytes);
      this.items.add({ offsetBytes: at, lengthBytes, at: -1 });
      this.blindBytes += lengthBytes;
      at += lengthBytes;
    }
    await this.compareZeros({ offsetBytes: lastBytes, lengthBytes: endBytes - lastBytes }, scratch);
  }

  private async compareZeros(stretch: Stretch, scratch: RunList): Promise<void> {
    for (let done = 0; done < stretch.lengthBytes;) {
      const offsetBytes = stretch.offsetBytes + done;
      const lengthBytes = await this.room(offsetBytes, stretch.lengthBytes - done, scratch);
      const at = this.filledBytes;
      this.disk.core.buffer.fill(0, at, at + lengthBytes);
      await this.addTarget({ offsetBytes, lengthBytes, at });
      done += lengthBytes;
    }
  }

  /** How many of so many bytes fit; where there was no room there is some afterwards. */
  private async room(offsetBytes: number, wantedBytes: number, scratch: RunList): Promise<number> {
    const isFull = this.filledBytes === this.halfBytes || this.items.count >= MOST_ITEMS ||
      this.targetReads.count >= MOST_ITEMS;
    if (isFull) await this.move(offsetBytes, scratch);
    return Math.min(wantedBytes, this.halfBytes - this.filledBytes);
  }

  /** The other half of a piece whose first is seen to. */
  private async addTarget(piece: Stretch & { at: number }): Promise<void> {
    const { buffer } = this.disk.core;
    const endBytes = piece.offsetBytes + piece.lengthBytes;
    for (let offsetBytes = piece.offsetBytes; offsetBytes < endBytes;) {
      const { isData, untilBytes } = await this.held.at(offsetBytes);
      const lengthBytes = Math.min(untilBytes, endBytes) - offsetBytes;
      const at = this.halfBytes + piece.at + offsetBytes - piece.offsetBytes;
      if (isData) this.targetReads.add({ offsetBytes, lengthBytes, at });
      else buffer.fill(0, at, at + lengthBytes);
      offsetBytes += lengthBytes;
    }
    this.items.add(piece);
    this.filledBytes += piece.lengthBytes;
  }

  private async move(doneBytes: number, scratch: RunList): Promise<void> {
    const { items, skippedBytes } = this;
    await this.readBoth();
    await this.options.take({ items, skippedBytes, doneBytes, scratch });
    items.clear();
    this.targetReads.clear();
    this.filledBytes = 0;
    this.blindBytes = 0;
    this.skippedBytes = 0;
  }

  private async readBoth(): Promise<void> {
    const { buffer } = this.disk.core;
    const reads = [
      this.disk.readQueued(buffer),
      this.targetReads.count === 0 ? undefined : readAtOnce(this.target, this.targetReads, buffer),
    ];
    // None is under way any more when the first failure is thrown.
    for (const read of await Promise.allSettled(reads)) if (read.status === "rejected") throw read.reason;
  }
}
