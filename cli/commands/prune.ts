/** `regrain prune`: removes snapshots that no rule keeps. */
import { plural, RegrainError } from "../../core-as/host/mod.ts";
import { checkTag } from "../../core-as/host/repo/mod.ts";
import { existingSource } from "../backup/snapshots/choose.ts";
import { prune, type PruneCandidate, type PruneReport } from "../backup/keep/prune.ts";
import { type Fate, hasPeriods, type RetentionPolicy } from "../backup/keep/retention.ts";
import { TimeZone } from "../backup/keep/time_zone.ts";
import { timeTexts } from "../backup/snapshots/times.ts";
import { type CommonFlags, Console, layoutTable } from "../ui/mod.ts";
import { durationMs } from "../session/durations.ts";
import { indexFileOf } from "../session/index_file.ts";
import { forgetRemoved } from "../session/newest_seen.ts";
import { openRepository, type RepoFlags } from "../session/open_repository.ts";

export interface PruneFlags extends CommonFlags, RepoFlags {
  readonly keepLast?: string | undefined;
  readonly keepWithin?: string | undefined;
  readonly keepHourly?: string | undefined;
  readonly keepDaily?: string | undefined;
  readonly keepWeekly?: string | undefined;
  readonly keepMonthly?: string | undefined;
  readonly keepYearly?: string | undefined;
  readonly keepTag?: readonly string[] | undefined;
  readonly timezone?: string | undefined;
  /** False: every manifest is read, in a dry run too. */
  readonly cache?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

/** @param disk `VM/DISK`; absent: of every disk, each for itself. */
export async function runPrune(disk: string | undefined, flags: PruneFlags): Promise<number> {
  const console = new Console(flags);
  const policy = policyOf(flags);
  const repository = await openRepository(flags);
  try {
    const report = await prune(repository, {
      policy,
      source: disk === undefined ? undefined : await existingSource(repository, disk),
      dryRun: flags.dryRun,
      index: flags.cache === false ? undefined : indexFileOf(repository),
      onNotice: (sentence) => console.warn(sentence),
    });
    if (!flags.dryRun) await forgetRemoved(repository, report.removed, console);
    const shown = { console, dryRun: flags.dryRun ?? false, policy };
    if (console.json) printJson(report, shown);
    else printTable(report, shown);
    return 0;
  } finally {
    repository.close();
    console.flush();
  }
}

function policyOf(flags: PruneFlags): RetentionPolicy {
  for (const tag of flags.keepTag ?? []) checkTag(tag, "--keep-tag");
  return {
    last: countOf(flags.keepLast, "--keep-last"),
    withinMs: flags.keepWithin === undefined ? 0 : durationMs(flags.keepWithin, "--keep-within"),
    hourly: countOf(flags.keepHourly, "--keep-hourly"),
    daily: countOf(flags.keepDaily, "--keep-daily"),
    weekly: countOf(flags.keepWeekly, "--keep-weekly"),
    monthly: countOf(flags.keepMonthly, "--keep-monthly"),
    yearly: countOf(flags.keepYearly, "--keep-yearly"),
    tags: flags.keepTag ?? [],
    ...flags.timezone === undefined ? {} : { timeZone: TimeZone.named(flags.timezone, "--timezone") },
  };
}

function countOf(text: string | undefined, flag: string): number {
  if (text === undefined) return 0;
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new RegrainError("USAGE", `${flag} ${text} is no number of snapshots`, { hint: `such as ${flag} 7` });
}

type Shown = { readonly console: Console; readonly dryRun: boolean; readonly policy: RetentionPolicy };

function printJson({ fates, removed }: PruneReport, { console, dryRun, policy }: Shown): void {
  for (const { snapshot, isKept, reasons } of fates) {
    const { id, disk, state, tags, timeMs } = snapshot;
    const created = new Date(timeMs).toISOString();
    console.outJson({ type: "snapshot", id, disk, created, state, tags, kept: isKept, reasons });
  }
  const kept = fates.length - removed.length;
  const timezone = (policy.timeZone ?? TimeZone.UTC).name;
  console.outJson({ type: "summary", dryRun, timezone, kept, removed: removed.length, ids: removed });
}

function printTable({ fates, removed }: PruneReport, { console, dryRun, policy }: Shown): void {
  const disks = Map.groupBy(fates, ({ snapshot }) => snapshot.source);
  const times = timesOf(fates);
  const { timeZone } = policy;
  const gone = new Set(removed);
  const rows = [...disks.values()].flatMap((disk) =>
    disk.map((fate) => rowOf(fate, { created: times.get(fate.snapshot.id)!, gone, timeZone }))
  );
  if (rows.length === 0) console.tell("there are no snapshots");
  else {
    const head = ["disk", "id", "created (UTC)", ...timeZone === undefined ? [] : [timeZone.name], "", "why"];
    for (const line of layoutTable([head, ...rows], head.map(() => "left" as const))) console.out(line);
  }
  for (const { snapshot: { damage } } of fates) if (damage !== undefined) console.warn(damage.message);
  const verb = dryRun ? "would be removed" : "removed";
  console.out(`${plural(removed.length, "snapshot")} ${verb}, ${fates.length - removed.length} kept`);
  if (timeZone === undefined && hasPeriods(policy)) {
    console.tell("a day is one of UTC; --timezone Europe/Berlin or local counts those of a place");
  }
  if (removed.length > 0 && !dryRun) {
    console.tell("their chunks stay until regrain gc removes what nobody needs");
  }
}

function rowOf(
  { snapshot, isKept, reasons }: Fate<PruneCandidate>,
  shown: { created: string; gone: ReadonlySet<string>; timeZone: TimeZone | undefined },
): string[] {
  const { id, disk, state, timeMs } = snapshot;
  const { created, gone, timeZone } = shown;
  const stays = isKept || !gone.has(id);
  const why = isKept || !stays ? reasons.join(", ") : "held";
  const doubt = state === "doubtful" ? " (doubtful)" : "";
  const local = timeZone?.at(timeMs);
  return [
    disk,
    id,
    created,
    ...local === undefined ? [] : [`${local.date} ${local.clock} ${local.offset}`],
    stays ? "keep" : "remove",
    `${why}${doubt}`,
  ];
}

/** The time of each snapshot in words, by its id. */
function timesOf(fates: PruneReport["fates"]): Map<string, string> {
  const disks = Map.groupBy(fates.map(({ snapshot }) => snapshot), ({ source }) => source);
  return new Map([...disks.values()].flatMap((disk) => [...timeTexts(disk)]));
}
