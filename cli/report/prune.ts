/** What `prune` says: of each snapshot whether it stays, and by which rules. */
import { plural } from "../../core-as/host/mod.ts";
import type { PruneCandidate, PruneResult } from "../backup/keep/prune.ts";
import { type Fate, hasPeriods, type RetentionPolicy } from "../backup/keep/retention.ts";
import { TimeZone } from "../backup/keep/time_zone.ts";
import { timeTexts } from "../backup/snapshots/times.ts";
import { type Console, layoutTable } from "../ui/mod.ts";

export interface Pruning {
  readonly dryRun: boolean;
  readonly policy: RetentionPolicy;
}

export interface PruneReport {
  done(result: PruneResult, how: Pruning): void;
}

export function pruneReport(console: Console): PruneReport {
  return console.json ? new JsonPruneReport(console) : new TextPruneReport(console);
}

class JsonPruneReport implements PruneReport {
  constructor(private readonly console: Console) {}

  done({ fates, removed }: PruneResult, { dryRun, policy }: Pruning): void {
    const { console } = this;
    for (const { snapshot, isKept, reasons } of fates) {
      const { id, disk, state, tags, timeMs } = snapshot;
      const created = new Date(timeMs).toISOString();
      console.outJson({ type: "snapshot", id, disk, created, state, tags, kept: isKept, reasons });
    }
    const kept = fates.length - removed.length;
    const timezone = (policy.timeZone ?? TimeZone.UTC).name;
    console.outJson({ type: "summary", dryRun, timezone, kept, removed: removed.length, ids: removed });
  }
}

class TextPruneReport implements PruneReport {
  constructor(private readonly console: Console) {}

  done({ fates, removed }: PruneResult, { dryRun, policy }: Pruning): void {
    const { console } = this;
    const disks = Map.groupBy(fates, ({ snapshot }) => snapshot.source);
    const times = timesOf(fates);
    const { timeZone } = policy;
    const gone = new Set(removed);
    const rows = [...disks.values()].flatMap((disk) =>
      disk.map((fate) => rowOf(fate, { created: times.get(fate.snapshot.id)!, gone, timeZone }))
    );
    if (rows.length === 0) console.tell("there are no snapshots");
    else {
      const head = [
        "disk",
        "id",
        "created (UTC)",
        ...timeZone === undefined ? [] : [timeZone.name],
        "",
        "why",
      ];
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
function timesOf(fates: PruneResult["fates"]): Map<string, string> {
  const disks = Map.groupBy(fates.map(({ snapshot }) => snapshot), ({ source }) => source);
  return new Map([...disks.values()].flatMap((disk) => [...timeTexts(disk)]));
}
