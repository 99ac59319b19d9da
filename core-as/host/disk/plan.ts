/**
 * The plan of an apply: what will be written where. `--dry-run`, progress, JSON, tests and the inspector read it, and
 * the engine carries out the very same walk.
 *
 * This module is browser compatible.
 */
import { damagedRun, type Disk, type RunTotals, STRICT, totalsOf } from "./disk.ts";
import { SECTOR_SIZE } from "../units.ts";

/** One stretch to write: data from a link, or zeros. Bytes of the virtual disk. */
export interface Operation {
  readonly kind: "write" | "zero";
  readonly start: number;
  readonly length: number;
  /** Path of the file that the data comes from. */
  readonly from?: string;
}

/** Totals of what an apply does; the four sums make up the whole disk. */
export interface ApplyPlan {
  readonly diskBytes: number;
  readonly writeBytes: number;
  readonly zeroBytes: number;
  /** Not touched: no link has it. */
  readonly skipBytes: number;
  /** Nobody knows what to write there: not 0 where damage was walked over, and then the plan cannot be carried out. */
  readonly damagedBytes: number;
  /** Stretches to write or zero. */
  readonly operationCount: number;
}

export async function planApply(disk: Disk): Promise<ApplyPlan> {
  return planOf(disk, await totalsOf(disk));
}

/** The plan by totals that are known already. */
export function planOf(disk: Disk, totals: RunTotals): ApplyPlan {
  return {
    diskBytes: disk.sizeBytes,
    writeBytes: totals.dataBytes,
    zeroBytes: totals.zeroBytes + (disk.isWhole ? totals.holeBytes : 0),
    skipBytes: disk.isWhole ? 0 : totals.holeBytes,
    damagedBytes: totals.damagedBytes,
    operationCount: totals.runCount + (disk.isWhole ? totals.holeCount : 0),
  };
}

/** How much of a plan lies before a sector: what was done by the time that an apply had come so far. */
export async function plannedBytesBefore(disk: Disk, sector: number): Promise<number> {
  let plannedBytes = 0;
  for await (const { list } of disk.walk(STRICT, { fromSector: 0, toSector: sector })) {
    for (let i = 0; i < list.count; i++) {
      if (disk.kindOf(list.place(i)) !== "hole") plannedBytes += list.length(i) * SECTOR_SIZE;
    }
  }
  return plannedBytes;
}

/** The stretches themselves, in order, one by one. */
export async function* operations(disk: Disk): AsyncGenerator<Operation> {
  for await (const { list } of disk.walk()) {
    for (let i = 0; i < list.count; i++) {
      const kind = disk.kindOf(list.place(i));
      if (kind === "hole") continue;
      if (kind === "damaged") throw damagedRun(disk, list.start(i));
      const start = list.start(i) * SECTOR_SIZE;
      const length = list.length(i) * SECTOR_SIZE;
      if (kind === "zero") yield { kind: "zero", start, length };
      else yield { kind: "write", start, length, from: disk.media[list.owner(i)]!.path };
    }
  }
}
