/**
 * A disk with places that cannot be read: what can be is read, and zeros stand for the rest, which is listed.
 *
 * Where a read fails it is tried again in halves, down to a block, from the medium each time. A list of what was lost
 * goes into the manifest, and snapshots that take those places over from it inherit the list.
 */
import {
  Batch,
  type MaybePromise,
  type Medium,
  ONE_AT_A_TIME,
  RegrainError,
  type Run,
  type Source,
  type Stretch,
} from "../../../core-as/host/mod.ts";
import { type DamagedStretch, MAX_DAMAGED_STRETCHES, type Snapshot } from "../../../core-as/host/repo/mod.ts";
import { isBadMedium } from "../../io/mod.ts";
import type { BackupPlan } from "./plan.ts";

/** What a system reads at once at the least, whatever the sectors of the disk are. */
const BLOCK_BYTES = 4096;

export interface DamagedSourceOptions {
  /** Told of the first failure: a disk that fails is slow, and its user wants to know early. */
  onFirst(error: RegrainError): void;
  /** Between two tries, each of which may take seconds; throws to end the work. */
  pass(): MaybePromise<void>;
  /**
   * Drops what the system keeps of a read that failed: it may keep more than a block as one piece, which fails as one
   * for ever.
   */
  dropCaches(): void;
}

export class DamagedSource implements Source {
  readonly path: string;
  readonly sizeBytes: number;
  readonly runs?: (fromBytes: number, toBytes: number) => MaybePromise<Run[]>;
  private lost: DamagedStretch[] = [];
  private isTold = false;

  constructor(private readonly source: Source, private readonly options: DamagedSourceOptions) {
    this.path = source.path;
    this.sizeBytes = source.sizeBytes;
    if (source.runs !== undefined) this.runs = (from, to) => source.runs!(from, to);
  }

  get medium(): Medium {
    return this.source.medium ?? ONE_AT_A_TIME;
  }

  /** What could not be read so far, in the order of the disk. */
  get damaged(): readonly DamagedStretch[] {
    return this.lost = mergeDamaged(this.lost);
  }

  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    try {
      await this.source.read(batch, buffer);
    } catch (error) {
      this.requireBadMedium(error);
      for (let i = 0; i < batch.count; i++) {
        const [offsetBytes, lengthBytes] = [batch.offsetBytes[i]!, batch.lengthBytes[i]!];
        const piece = buffer.subarray(batch.at[i]!, batch.at[i]! + lengthBytes);
        await this.salvage({ offsetBytes, lengthBytes }, piece);
      }
    }
  }

  /** Reads a stretch as far as it can be. */
  private async salvage({ offsetBytes, lengthBytes }: Stretch, buffer: Uint8Array): Promise<void> {
    await this.options.pass();
    try {
      const batch = new Batch();
      batch.add({ offsetBytes, lengthBytes, at: 0 });
      await this.source.read(batch, buffer);
      return;
    } catch (error) {
      this.requireBadMedium(error);
    }
    if (lengthBytes <= BLOCK_BYTES) {
      buffer.fill(0);
      return this.lose({ start: offsetBytes, length: lengthBytes });
    }
    const blocks = Math.ceil(lengthBytes / BLOCK_BYTES);
    const half = Math.ceil(blocks / 2) * BLOCK_BYTES;
    await this.salvage({ offsetBytes, lengthBytes: half }, buffer.subarray(0, half));
    const rest = { offsetBytes: offsetBytes + half, lengthBytes: lengthBytes - half };
    await this.salvage(rest, buffer.subarray(half));
  }

  private requireBadMedium(error: unknown): void {
    if (!isBadMedium(error)) throw error;
    this.options.dropCaches();
    if (this.isTold) return;
    this.isTold = true;
    this.options.onFirst(error);
  }

  private lose(stretch: DamagedStretch): void {
    const last = this.lost.at(-1);
    if (last !== undefined && last.start + last.length === stretch.start) {
      this.lost[this.lost.length - 1] = { start: last.start, length: last.length + stretch.length };
      return;
    }
    this.lost.push(stretch);
    if (this.lost.length > 2 * MAX_DAMAGED_STRETCHES) requireFew(this.damaged, this.path);
  }

  close(): void {
    this.source.close();
  }
}

/** The stretches in the order of the disk; those that touch or overlap are one. */
export function mergeDamaged(stretches: readonly DamagedStretch[]): DamagedStretch[] {
  const merged: DamagedStretch[] = [];
  for (const next of stretches.toSorted((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last === undefined || last.start + last.length < next.start) merged.push(next);
    else {
      const end = Math.max(last.start + last.length, next.start + next.length);
      merged[merged.length - 1] = { start: last.start, length: end - last.start };
    }
  }
  return merged;
}

/** @throws {RegrainError} `LIMIT_EXCEEDED` for a disk whose list of losses no manifest takes. */
export function requireFew(damaged: readonly DamagedStretch[], path: string): void {
  if (damaged.length <= MAX_DAMAGED_STRETCHES) return;
  throw new RegrainError(
    "LIMIT_EXCEEDED",
    `more than ${MAX_DAMAGED_STRETCHES} stretches of the disk cannot be read`,
    {
      path,
      hint: "copy it to a sound disk by a program for failing ones, such as ddrescue, and back that up",
    },
  );
}

/** What a snapshot takes over from the one before that lacked it: all but what was read again. */
export function inheritedDamage(
  parent: Pick<Snapshot, "damaged" | "chunkBytes"> | undefined,
  { method, touched }: Pick<BackupPlan, "method" | "touched">,
): DamagedStretch[] {
  if (parent?.damaged === undefined || touched === "all") return [];
  // A chunk that a delta touches is the old one with pieces of the delta over it.
  if (method === "delta") return [...parent.damaged];
  const { chunkBytes } = parent;
  const left: DamagedStretch[] = [];
  for (const { start, length } of parent.damaged) {
    for (let at = start; at < start + length;) {
      const end = Math.min(start + length, (Math.floor(at / chunkBytes) + 1) * chunkBytes);
      if (!touched.has(Math.floor(at / chunkBytes))) left.push({ start: at, length: end - at });
      at = end;
    }
  }
  return mergeDamaged(left);
}
