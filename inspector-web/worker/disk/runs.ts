/**
 * Runs of a view, step by step, whatever they come from: links through the kernels (`disk_runs.ts`), or a map that was
 * saved (`map_json.ts`).
 *
 * A run is handed on as plain numbers, since a disk may have tens of millions.
 */
import type { Observer, RunKind } from "../../../core-as/host/mod.ts";
import { breathe, Superseded } from "./lock.ts";

export const HOLE = 0;
export const DATA = 1;
export const ZERO = 2;
export const DAMAGED = 3;
const KINDS: readonly RunKind[] = ["hole", "data", "zero", "damaged"];

/** Mutable on purpose: one of these is filled again for every run. */
export interface PlacedRun {
  /** In sectors, like `length`. */
  start: number;
  length: number;
  kind: number;
  /** Index in `files`, -1 where there is no data. */
  file: number;
  /** Sector in that file; NaN where there is no data, and for packed grains, which have no place of their own. */
  place: number;
  /** Index of the link that owns it, -1 where none does. */
  link: number;
}

export interface Runs {
  readonly capacitySectors: number;
  /** How messages and exports name the disk. */
  readonly name: string;
  readonly files: readonly string[];
  /** Hands on runs of `[from, to)` in order; returns the sector reached, which is more than `from`. */
  step(from: number, to: number, observer: Observer, visit: (run: PlacedRun) => void): Promise<number>;
}

export function kindName(kind: number): RunKind {
  return KINDS[kind]!;
}

/** True when `next` goes on with `last`, so that a map shows the two as one. */
export function continues(last: PlacedRun, next: PlacedRun): boolean {
  if (last.kind !== next.kind || last.file !== next.file) return false;
  return Number.isNaN(last.place) || last.place + last.length === next.place;
}

/** Walks over damage; what it is, the survey tells. */
export const LENIENT: Observer = {
  finding: () => undefined,
};

/** A walk lets messages in after this long, where it can be given up. */
const SLICE_MS = 16;

export interface WalkRange {
  readonly from: number;
  readonly to: number;
  readonly observer?: Observer;
  /** False when nobody waits for the walk any more. */
  readonly goOn?: () => boolean;
}

/**
 * Hands on all runs of `[from, to)`.
 *
 * @throws {Superseded} when it was given up.
 */
export async function walkRuns(
  runs: Runs,
  { from, to, observer = LENIENT, goOn }: WalkRange,
  visit: (run: PlacedRun) => void,
): Promise<void> {
  const end = Math.min(to, runs.capacitySectors);
  let breathedMs = performance.now();
  for (let at = from; at < end;) {
    at = await runs.step(at, end, observer, visit);
    if (!goOn || performance.now() - breathedMs < SLICE_MS) continue;
    await breathe();
    breathedMs = performance.now();
    if (!goOn()) throw new Superseded();
  }
}
