/** `regrain prune`: removes snapshots that no rule keeps. */
import { RegrainError } from "../../core-as/host/mod.ts";
import { checkTag } from "../../core-as/host/repo/mod.ts";
import { prune } from "../backup/keep/prune.ts";
import type { RetentionPolicy } from "../backup/keep/retention.ts";
import { TimeZone } from "../backup/keep/time_zone.ts";
import { existingSource } from "../backup/snapshots/choose.ts";
import { pruneReport } from "../report/prune.ts";
import { durationMs } from "../session/durations.ts";
import { indexFileOf } from "../session/index_file.ts";
import { forgetRemoved } from "../session/newest_seen.ts";
import { onRepository } from "../session/on_repository.ts";
import type { RepoFlags } from "../session/open_repository.ts";
import type { CommonFlags } from "../ui/mod.ts";

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
  const policy = policyOf(flags);
  const { dryRun = false, cache } = flags;
  return await onRepository(flags, async ({ repository, console }) => {
    const result = await prune(repository, {
      policy,
      source: disk === undefined ? undefined : await existingSource(repository, disk),
      dryRun,
      index: cache === false ? undefined : indexFileOf(repository),
      onNotice: (sentence) => console.warn(sentence),
    });
    if (!dryRun) await forgetRemoved(repository, result.removed, console);
    pruneReport(console).done(result, { dryRun, policy });
    return 0;
  });
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
