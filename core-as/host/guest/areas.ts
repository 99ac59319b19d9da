/**
 * A disk cut into areas, and what lies in each.
 *
 * This module is browser compatible.
 */
import type { Run, RunKind } from "../source.ts";
import type { FileSystem } from "./file_system.ts";
import { byStart, endOf, type Partition } from "./partition.ts";

/**
 * A stretch of the disk. `partition`: one, or the part of it that no earlier one overlaps. `unpartitioned`: before,
 * between and behind them; tables and boot loaders are there. `disk`: all of a disk without partitions.
 */
export interface Area {
  readonly kind: "partition" | "unpartitioned" | "disk";
  readonly startBytes: number;
  readonly lengthBytes: number;
  readonly partition: Partition | undefined;
  readonly fileSystem: FileSystem | undefined;
  /** True where bytes that would say what is in it are not here: it is neither empty nor without a file system. */
  readonly isUnknown?: boolean;
}

/**
 * Cuts a disk at its partitions. The areas are ascending, have no gaps, do not overlap and cover the disk, whatever
 * the table says; an extended partition is not one, the logical ones in it are.
 */
export function cutAtPartitions(partitions: readonly Partition[], sizeBytes: number): Area[] {
  const areas: Area[] = [];
  let reached = 0;
  const add = (toBytes: number, partition?: Partition) => {
    areas.push({
      kind: partition ? "partition" : "unpartitioned",
      startBytes: reached,
      lengthBytes: toBytes - reached,
      partition,
      fileSystem: undefined,
    });
    reached = toBytes;
  };
  for (const partition of partitions.filter(({ isExtended }) => !isExtended).sort(byStart)) {
    const start = Math.min(sizeBytes, Math.max(reached, partition.startBytes));
    const end = Math.min(sizeBytes, endOf(partition));
    if (end <= start) continue;
    if (start > reached) add(start);
    add(end, partition);
  }
  if (sizeBytes > reached) add(sizeBytes);
  return areas;
}

/** Bytes of an area by kind; what was not added, or is a hole, is in none of them. */
export interface AreaTotal {
  dataBytes: number;
  zeroBytes: number;
  /** Nobody knows what is there. */
  damagedBytes: number;
}

/** Adds up runs by area, as they come: which partition changes by how much. */
export class AreaTotals {
  /** One per area, in their order. */
  readonly totals: readonly AreaTotal[];
  private readonly starts: Float64Array;
  private readonly endBytes: number;
  /** Where the last run ended: the next one mostly goes on there. */
  private current = 0;

  /** @param areas Ascending and without gaps. */
  constructor(areas: readonly Pick<Area, "startBytes" | "lengthBytes">[]) {
    const last = areas.at(-1);
    this.starts = Float64Array.from(areas, ({ startBytes }) => startBytes);
    this.endBytes = last ? last.startBytes + last.lengthBytes : 0;
    this.totals = areas.map(() => ({ dataBytes: 0, zeroBytes: 0, damagedBytes: 0 }));
  }

  /** Adds a run, which may span areas. What lies outside all of them is ignored, and so are holes. */
  add(startBytes: number, lengthBytes: number, kind: RunKind): void {
    if (kind === "hole" || this.totals.length === 0) return;
    const toBytes = Math.min(this.endBytes, startBytes + lengthBytes);
    let from = Math.max(this.starts[0]!, startBytes);
    if (from >= toBytes) return;
    this.seek(from);
    while (true) {
      const end = Math.min(toBytes, this.endOf(this.current));
      const total = this.totals[this.current]!;
      if (kind === "data") total.dataBytes += end - from;
      else if (kind === "damaged") total.damagedBytes += end - from;
      else total.zeroBytes += end - from;
      from = end;
      if (from >= toBytes) return;
      this.current++;
    }
  }

  private endOf(index: number): number {
    return this.starts[index + 1] ?? this.endBytes;
  }

  /** Makes the area with this byte the current one. */
  private seek(offsetBytes: number): void {
    if (offsetBytes >= this.starts[this.current]! && offsetBytes < this.endOf(this.current)) return;
    let [low, high] = [0, this.starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.starts[middle]! <= offsetBytes) low = middle;
      else high = middle - 1;
    }
    this.current = low;
  }
}

/** Adds up runs by area: one total per area, in their order. */
export function sumByArea(
  areas: readonly Pick<Area, "startBytes" | "lengthBytes">[],
  runs: Iterable<Run>,
): readonly AreaTotal[] {
  const totals = new AreaTotals(areas);
  for (const { start, length, kind } of runs) totals.add(start, length, kind);
  return totals.totals;
}
