/** Run lists as plain records, and the naive rules that the kernels' lists are compared with. */
import { HOLE_PLACE, type RunList } from "../../core-as/host/mod.ts";

/** A run in sectors; `place` is that of the kernels: a file sector, -1 zero, -2 hole. */
export interface RunRecord {
  readonly start: number;
  readonly length: number;
  readonly place: number;
  readonly owner: number;
}

/** A copy of a list. */
export function recordsOf(list: RunList): RunRecord[] {
  return Array.from({ length: list.count }, (_, i) => ({
    start: list.start(i),
    length: list.length(i),
    place: list.place(i),
    owner: list.owner(i),
  }));
}

/** Fills a list, as a kernel would. */
export function setRecords(list: RunList, records: readonly RunRecord[]): void {
  records.forEach((record, i) => list.set(i, record));
  list.count = records.length;
}

/** Joins neighbours that continue each other. */
export function mergeRecords(records: readonly RunRecord[]): RunRecord[] {
  const merged: RunRecord[] = [];
  for (const record of records) {
    const last = merged.at(-1);
    if (last && continues(last, record)) {
      merged[merged.length - 1] = { ...last, length: last.length + record.length };
    } else merged.push(record);
  }
  return merged;
}

function continues(last: RunRecord, next: RunRecord): boolean {
  if (last.start + last.length !== next.start || last.owner !== next.owner) return false;
  if (last.place < 0 || next.place < 0) return last.place === next.place;
  return last.place + last.length === next.place;
}

/** Every sector by itself; a hole has no owner. */
export function sectorsOf(records: readonly RunRecord[]): { sector: number; place: number; owner: number }[] {
  return records.flatMap(({ start, length, place, owner }) =>
    Array.from({ length }, (_, i) => ({
      sector: start + i,
      place: place < 0 ? place : place + i,
      owner: place === HOLE_PLACE ? -1 : owner,
    }))
  );
}
