/** `regrain gc`: removes what no snapshot refers to. */
import { quoteWord, type RegrainError } from "../../core-as/host/mod.ts";
import type { TellingStore } from "../../core-as/host/repo/mod.ts";
import { collectGarbage } from "../backup/collect/gc.ts";
import { UnreadableSnapshots } from "../backup/collect/references.ts";
import { describeActive } from "../backup/signs/active.ts";
import { EXIT_INCOMPLETE } from "../exit_status.ts";
import { gcReport } from "../report/gc.ts";
import { durationMs } from "../session/durations.ts";
import { refuseHidden, warnOfHidden } from "../session/newest_seen.ts";
import { onRepository } from "../session/on_repository.ts";
import { type RepoFlags, repositoryWords } from "../session/open_repository.ts";
import { VERSIONED } from "../store/probe.ts";
import { type CommonFlags, Console } from "../ui/mod.ts";

export interface GcFlags extends CommonFlags, RepoFlags {
  readonly dryRun?: boolean | undefined;
  readonly wait?: string | undefined;
  readonly expireAfter?: string | undefined;
}

const DEFAULT_WAIT = "1h";

export async function runGc(flags: GcFlags): Promise<number> {
  const { dryRun = false, expireAfter } = flags;
  const console = new Console(flags);
  const waitMs = durationMs(flags.wait ?? DEFAULT_WAIT, "--wait");
  const lease = expireAfter === undefined ? {} : { leaseMs: durationMs(expireAfter, "--expire-after") };
  return await onRepository(flags, async ({ repository }) => {
    if (dryRun) await warnOfHidden(repository, { console });
    else await refuseHidden(repository, console);
    const report = gcReport(console);
    const collect = collectGarbage(repository, {
      dryRun,
      waitMs,
      ...lease,
      onUnderWay: async (backups) => report.waiting(await describeActive(repository, backups), waitMs),
      onNotice: (sentence) => console.warn(sentence),
    });
    const result = await collect.catch((error) => {
      throw error instanceof UnreadableSnapshots ? withForgetLine(error, flags) : error;
    });
    report.done(result, { dryRun });
    if (result.removedObjects > 0 && !dryRun) await warnOfVersions(repository.store, console);
    return result.waitedFor.length > 0 ? EXIT_INCOMPLETE : 0;
  }, console);
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
