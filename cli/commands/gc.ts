/** `regrain gc`: removes what no snapshot refers to. */
import { formatSize, plural, quoteWord, type RegrainError } from "../../core-as/host/mod.ts";
import { collectGarbage } from "../backup/collect/gc.ts";
import { backupJson, backupLine } from "./repo_active.ts";
import { describeActive, type RunningBackup } from "../backup/signs/active.ts";
import { spanWords } from "../backup/snapshots/times.ts";
import { UnreadableSnapshots } from "../backup/collect/references.ts";
import { VERSIONED } from "../store/probe.ts";
import type { TellingStore } from "../../core-as/host/repo/mod.ts";
import { type CommonFlags, Console } from "../ui/mod.ts";
import { refuseHidden, warnOfHidden } from "../session/newest_seen.ts";
import { openRepository, type RepoFlags, repositoryWords } from "../session/open_repository.ts";
import { EXIT_INCOMPLETE } from "../exit_status.ts";
import { durationMs } from "../session/durations.ts";

export interface GcFlags extends CommonFlags, RepoFlags {
  readonly dryRun?: boolean | undefined;
  readonly wait?: string | undefined;
  readonly expireAfter?: string | undefined;
}

const DEFAULT_WAIT = "1h";

export async function runGc(flags: GcFlags): Promise<number> {
  const console = new Console(flags);
  console.outlivesReader = true;
  const waitMs = durationMs(flags.wait ?? DEFAULT_WAIT, "--wait");
  const lease = flags.expireAfter === undefined
    ? {}
    : { leaseMs: durationMs(flags.expireAfter, "--expire-after") };
  const repository = await openRepository(flags);
  try {
    if (flags.dryRun) await warnOfHidden(repository, { console });
    else await refuseHidden(repository, console);
    const report = await collectGarbage(repository, {
      dryRun: flags.dryRun ?? false,
      waitMs,
      ...lease,
      onUnderWay: async (backups) =>
        tellWaiting(await describeActive(repository, backups), { console, waitMs }),
      onNotice: (sentence) => console.warn(sentence),
    });
    if (console.json) console.outJson({ type: "summary", ...report });
    else if (report.waitedFor.length > 0) {
      console.warn(
        `nothing was removed: ${plural(report.waitedFor.length, "backup")} did not end in time: ` +
          `${
            report.waitedFor.join(", ")
          }; run it again, or with --expire-after 30m, which takes those for dead that ` +
          "gave no sign for half an hour (one that lives starts again then)",
      );
    } else {
      const verb = flags.dryRun ? "would be removed" : "removed";
      console.out(
        `${plural(report.removedObjects, "object")} ${verb}, ${formatSize(report.removedBytes)}; ` +
          `${report.keptObjects} kept for ${plural(report.snapshots, "snapshot")}`,
      );
    }
    if (report.removedObjects > 0 && !flags.dryRun) await warnOfVersions(repository.store, console);
    return report.waitedFor.length > 0 ? EXIT_INCOMPLETE : 0;
  } catch (error) {
    throw error instanceof UnreadableSnapshots ? withForgetLine(error, flags) : error;
  } finally {
    repository.close();
    console.flush();
  }
}

/** Names those that are waited for: a backup that was killed is waited for until its lease runs out. */
function tellWaiting(
  backups: readonly RunningBackup[],
  { console, waitMs }: { console: Console; waitMs: number },
): void {
  const waited = backups.filter(({ state }) => state !== "stored");
  if (console.json) {
    for (const backup of waited) console.outJson({ type: "waiting", ...backupJson(backup) });
    return console.flush();
  }
  if (waited.length === 0) return;
  console.tell(`waiting for at most ${spanWords(waitMs)} for what had begun:`);
  for (const backup of waited) {
    if (backup.state === "running") console.tell(`  ${backupLine(backup)}`);
    else console.warn(backupLine(backup));
  }
}

/** What a snapshot needs is healed, where it can be, by a verification and the next backup; else it has to go. */
function withForgetLine(error: UnreadableSnapshots, flags: GcFlags): RegrainError {
  const line = ["regrain forget", ...error.ids, ...repositoryWords(flags).map(quoteWord)].join(" ");
  const heals = error.code === "CHUNK_MISSING" || error.path?.includes("/maps/")
    ? "; regrain verify and then a new backup may heal it first"
    : error.code === "REPO_UNSUPPORTED"
    ? "; or collect with the newer regrain that made it"
    : "";
  return error.withHint(
    "nothing is removed while nobody knows what it needs. This gives it up, and the next gc what only it needed: " +
      line +
      heals,
  );
}

/** A bucket may have been told to keep versions since the repository was made: it is asked now. */
async function warnOfVersions(store: TellingStore, console: Console): Promise<void> {
  if (await store.features?.versioned()) console.warn(`the bucket ${VERSIONED}`);
}
