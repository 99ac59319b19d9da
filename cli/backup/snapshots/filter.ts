/** Which snapshots of a list are meant: by disk, host, tag and time. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import type { Snapshot } from "../../../core-as/host/repo/mod.ts";
import type { Listed } from "./snapshots.ts";
import { madeMs, spanOfTime } from "./times.ts";

/** What of a snapshot decides. */
type Known = Pick<Snapshot, "source" | "host" | "tags" | "created">;

export interface SnapshotFilter {
  /** `VM/DISK`, or `VM` for all of its disks. */
  readonly disk?: string | undefined;
  readonly host?: string | undefined;
  /** One of these is enough; absent: whatever tags there are. */
  readonly tags?: readonly string[] | undefined;
  /** From the beginning of this time on, and until the end of that one. */
  readonly fromMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

/**
 * The filter that flags say.
 *
 * @throws {RegrainError} `USAGE` when a time is none, or nothing can lie between the two.
 */
export function parseFilter(
  flags: {
    disk?: string | undefined;
    host?: string | undefined;
    tag?: readonly string[] | undefined;
    from?: string | undefined;
    until?: string | undefined;
  },
): SnapshotFilter {
  const fromMs = flags.from === undefined ? undefined : timeOf(flags.from, "--from").startMs;
  const untilMs = flags.until === undefined ? undefined : timeOf(flags.until, "--until").endMs;
  if (fromMs !== undefined && untilMs !== undefined && fromMs >= untilMs) {
    throw new RegrainError("USAGE", `nothing lies between --from ${flags.from} and --until ${flags.until}`);
  }
  return { disk: flags.disk, host: flags.host, tags: flags.tag, fromMs, untilMs };
}

function timeOf(text: string, flag: string): { startMs: number; endMs: number } {
  const span = spanOfTime(text);
  if (span !== undefined) return span;
  throw new RegrainError("USAGE", `${flag} ${JSON.stringify(text)} is no time`, {
    hint: "a time in UTC such as 2026-11-21, which is that whole day, or 2026-11-21T03:00",
  });
}

/**
 * What the filter leaves of a list. What is unknown of a manifest that cannot be read is not taken for another: it is
 * left out by its time, and by its disk where another manifest says which that is, and by nothing else.
 */
export function filterSnapshots<T extends Known>(
  listed: readonly Listed<T>[],
  filter: SnapshotFilter,
): Listed<T>[] {
  const disks = new Map(
    listed.flatMap(({ name, snapshot }) =>
      snapshot === undefined ? [] : [[name.source, snapshot.source.name]]
    ),
  );
  return listed.filter((each) => isMeant(each, disks.get(each.name.source), filter));
}

function isMeant(listed: Listed<Known>, disk: string | undefined, filter: SnapshotFilter): boolean {
  const { fromMs = -Infinity, untilMs = Infinity, host, tags } = filter;
  const { snapshot } = listed;
  const timeMs = madeMs(listed);
  if (timeMs < fromMs || timeMs >= untilMs) return false;
  if (filter.disk !== undefined && disk !== undefined) {
    if (disk !== filter.disk && !disk.startsWith(`${filter.disk}/`)) return false;
  }
  if (snapshot === undefined) return true;
  if (host !== undefined && snapshot.host !== host) return false;
  return tags === undefined || tags.some((tag) => snapshot.tags.includes(tag));
}
