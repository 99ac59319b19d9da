/** `regrain prune`: removes snapshots that no rule keeps. */
import { plural, RegrainError } from "../../core-as/host/mod.ts";
import { checkTag } from "../../core-as/host/repo/mod.ts";
import { existingSource } from "../backup/choose.ts";
import { prune, type PruneCandidate, type PruneReport } from "../backup/prune.ts";
import type { Fate, RetentionPolicy } from "../backup/retention.ts";
import { timeTexts } from "../backup/times.ts";
import { type CommonFlags, Console, layoutTable } from "../ui/mod.ts";
import { openRepository, type RepoFlags } from "./repo_session.ts";

export interface PruneFlags extends CommonFlags, RepoFlags {
  readonly keepLast?: string | undefined;
  readonly keepHourly?: string | undefined;
  readonly keepDaily?: string | undefined;
  readonly keepWeekly?: string | undefined;
  readonly keepMonthly?: string | undefined;
  readonly keepYearly?: string | undefined;
  readonly keepTag?: readonly string[] | undefined;
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
      onNotice: (sentence) => console.warn(sentence),
    });
    if (console.json) printJson(report, { console, dryRun: flags.dryRun ?? false });
    else printTable(report, { console, dryRun: flags.dryRun ?? false });
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
    hourly: countOf(flags.keepHourly, "--keep-hourly"),
    daily: countOf(flags.keepDaily, "--keep-daily"),
    weekly: countOf(flags.keepWeekly, "--keep-weekly"),
    monthly: countOf(flags.keepMonthly, "--keep-monthly"),
    yearly: countOf(flags.keepYearly, "--keep-yearly"),
    tags: flags.keepTag ?? [],
  };
}

function countOf(text: string | undefined, flag: string): number {
  if (text === undefined) return 0;
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new RegrainError("USAGE", `${flag} ${text} is no number of snapshots`, { hint: `such as ${flag} 7` });
}

type Shown = { readonly console: Console; readonly dryRun: boolean };

function printJson({ fates, removed }: PruneReport, { console, dryRun }: Shown): void {
  const times = timesOf(fates);
  for (const { snapshot, isKept, reasons } of fates) {
    const { id, disk, state, tags } = snapshot;
    const made = times.get(id)!;
    console.outJson({ type: "snapshot", id, disk, made, state, tags, kept: isKept, reasons });
  }
  const kept = fates.length - removed.length;
  console.outJson({ type: "summary", dryRun, kept, removed: removed.length, ids: removed });
}

function printTable({ fates, removed }: PruneReport, { console, dryRun }: Shown): void {
  const disks = Map.groupBy(fates, ({ snapshot }) => snapshot.source);
  const times = timesOf(fates);
  const rows = [...disks.values()].flatMap((disk) =>
    disk.map((fate) => rowOf(fate, times.get(fate.snapshot.id)!, removed))
  );
  if (rows.length === 0) console.tell("there are no snapshots");
  else {
    const head = ["disk", "id", "made (UTC)", "", "why"];
    for (const line of layoutTable([head, ...rows], ["left", "left", "left", "left", "left"])) {
      console.out(line);
    }
  }
  for (const { snapshot: { damage } } of fates) if (damage !== undefined) console.warn(damage.message);
  const verb = dryRun ? "would be removed" : "removed";
  console.out(`${plural(removed.length, "snapshot")} ${verb}, ${fates.length - removed.length} kept`);
  if (removed.length > 0 && !dryRun) {
    console.tell("their chunks stay until regrain gc removes what nobody needs");
  }
}

function rowOf(
  { snapshot, isKept, reasons }: Fate<PruneCandidate>,
  made: string,
  removed: readonly string[],
): string[] {
  const { id, disk, state } = snapshot;
  const stays = isKept || !removed.includes(id);
  const why = isKept || !stays ? reasons.join(", ") : "held";
  const doubt = state === "doubtful" ? " (doubtful)" : "";
  return [disk, id, made, stays ? "keep" : "remove", `${why}${doubt}`];
}

/** The time of each snapshot in words, by its id. */
function timesOf(fates: PruneReport["fates"]): Map<string, string> {
  const disks = Map.groupBy(fates.map(({ snapshot }) => snapshot), ({ source }) => source);
  return new Map([...disks.values()].flatMap((disk) => [...timeTexts(disk)]));
}
