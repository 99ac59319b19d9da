/**
 * When snapshots were made, and what a person means by a time.
 *
 * The order of snapshots is that of their ids. Their time is what the manifest says, by the clock of the host that made
 * it, which may have been wrong. Lists, rules and `@TIME` go by the time; parents and `@latest` by the order.
 */
import { plural } from "../../../core-as/host/units.ts";
import { type Snapshot, type SnapshotName, ulidTimeMs } from "../../../core-as/host/repo/mod.ts";

/** Clocks of hosts that are kept in step differ by less. */
export const CLOCK_TOLERANCE_MS = 60_000;

/** What a time is read from; a manifest that cannot be read leaves only the id. */
export interface Timed {
  readonly name: Pick<SnapshotName, "id">;
  readonly snapshot: Pick<Snapshot, "created"> | undefined;
}

/** When a snapshot was made, in milliseconds since 1970. */
export function madeMs({ name, snapshot }: Timed): number {
  return snapshot === undefined ? ulidTimeMs(name.id) : Date.parse(snapshot.created);
}

/** True when the clock that gave the time was ahead of this one. */
export function isInFuture(timeMs: number, nowMs: number): boolean {
  return timeMs > nowMs + CLOCK_TOLERANCE_MS;
}

/** A span of time in the largest unit that says it well: `90 seconds`, `10 minutes`, `36 hours`, `3,652 days`. */
export function spanWords(spanMs: number): string {
  const seconds = Math.round(Math.abs(spanMs) / 1000);
  if (seconds < 120) return plural(seconds, "second");
  const minutes = Math.round(Math.abs(spanMs) / 60_000);
  if (minutes < 120) return plural(minutes, "minute");
  return minutes < 48 * 60
    ? plural(Math.round(minutes / 60), "hour")
    : plural(Math.round(minutes / 1440), "day");
}

const TIME = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(\.\d{1,3})?)?)?(Z|[+-]\d\d:?\d\d)?$/i;

/**
 * What a text means as a time: `2026-11-28` is that whole day, `09:44:11` that whole second. Without a zone it is UTC,
 * as in lists.
 *
 * @returns Milliseconds since 1970, the first that is meant, and the first that is not any more; `undefined` when it is
 * no time.
 */
export function spanOfTime(text: string): { startMs: number; endMs: number } | undefined {
  const [, day, minutes, seconds, fraction, zone] = TIME.exec(text) ?? [];
  if (day === undefined || (minutes === undefined && zone !== undefined && zone.toUpperCase() !== "Z")) {
    return undefined;
  }
  const clock = `${minutes ?? "00:00"}:${seconds ?? "00"}${fraction ?? ""}`;
  const startMs = Date.parse(`${day}T${clock}${(zone ?? "Z").toUpperCase()}`);
  if (Number.isNaN(startMs) || !isDay(day)) return undefined;
  const until = (lengthMs: number) => ({ startMs, endMs: startMs + lengthMs });
  if (minutes === undefined) return until(24 * 3600 * 1000);
  if (seconds === undefined) return until(60_000);
  return until(fraction === undefined ? 1000 : 10 ** (4 - fraction.length));
}

/**
 * What a time means: the newest that was made by its end; of two with one time the one that was made after the other.
 *
 * A time that has not come is that of a clock which was ahead. Nobody means such a snapshot who names a day in which
 * others were made, or a time after it: only who names its own time does, as lists print it.
 *
 * @param all In their order.
 */
export function newestBy<T>(
  all: readonly { readonly item: T; readonly timeMs: number }[],
  { startMs, endMs }: { startMs: number; endMs: number },
  nowMs: number,
): { readonly item: T; readonly isAhead: boolean } | undefined {
  const newest = (isMeant: (timeMs: number) => boolean) =>
    all.filter(({ timeMs }) => timeMs < endMs && isMeant(timeMs))
      .reduce<(typeof all)[number] | undefined>(
        (best, each) => best && best.timeMs > each.timeMs ? best : each,
        undefined,
      );
  const made = newest((timeMs) => !isInFuture(timeMs, nowMs));
  const named = newest((timeMs) => timeMs >= startMs);
  if (made !== undefined && (made.timeMs >= startMs || named === undefined)) {
    return { item: made.item, isAhead: false };
  }
  const ahead = named ?? newest(() => true);
  return ahead && { item: ahead.item, isAhead: true };
}

/** False for 31 November, which would be taken for 1 December. */
function isDay(day: string): boolean {
  const midnightMs = Date.parse(`${day}T00:00Z`);
  return !Number.isNaN(midnightMs) && new Date(midnightMs).toISOString().startsWith(day);
}

/**
 * A time as lists show it, in UTC: what stands there, put behind an `@`, means this very snapshot. So milliseconds are
 * shown where two of one disk were made within a second.
 *
 * @param disk All snapshots of the disk.
 */
export function timeTexts(
  disk: readonly { readonly id: string; readonly timeMs: number }[],
): Map<string, string> {
  const bySecond = Map.groupBy(disk, ({ timeMs }) => Math.floor(timeMs / 1000));
  return new Map(disk.map(({ id, timeMs }) => {
    const digits = bySecond.get(Math.floor(timeMs / 1000))!.length > 1 ? 23 : 19;
    return [id, new Date(timeMs).toISOString().slice(0, digits).replace("T", " ")];
  }));
}
