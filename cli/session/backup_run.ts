/** A backup as commands run it: with progress, signals, a limit on its rate, and whoever is told of the run. */
import { formatSize, RegrainError } from "../../core-as/host/mod.ts";
import { backUp, type BackupResult } from "../backup/make/backup.ts";
import type { BackupPlan, PlannedBackup } from "../backup/make/plan.ts";
import { refuseUnlockable } from "../backup/make/retain.ts";
import type { Repository } from "../backup/repository.ts";
import { refuseTwin } from "../backup/snapshots/name_twins.ts";
import { EXIT_INCOMPLETE } from "../exit_status.ts";
import { isBadMedium } from "../io/mod.ts";
import { RateLimit } from "../target/rate_limited_target.ts";
import { type Console, Progress } from "../ui/mod.ts";
import { runUserCommand } from "../watch/hook.ts";
import { type BackupFlags, retainMsOf } from "./backup_flags.ts";
import { rateLimitOf } from "./flags.ts";
import { listenForSignals, passSafePoint } from "./interruption.ts";
import { rememberNewest, warnOfHidden } from "./newest_seen.ts";
import { lanesOf, openRepository } from "./open_repository.ts";
import type { Origin } from "./origin.ts";
import { type Session, startSession } from "./session.ts";
import { type Watch, watched } from "./watched.ts";

/** What backups are made with: opened once, however many disks there are. */
export interface BackupMeans {
  readonly repository: Repository;
  readonly session: Session;
  readonly watch: Watch;
}

/** @param name What the run is called where it is reported. */
export async function withBackupRepository(
  name: string,
  flags: Omit<BackupFlags, "name">,
  work: (means: BackupMeans) => Promise<number>,
): Promise<number> {
  const session = startSession(flags);
  try {
    return await watched({ operation: "backup", name, flags, session }, async (watch) => {
      watch.phase("open");
      const repository = await openRepository(flags);
      try {
        watch.learn({ repository: repository.store.label });
        if (flags.retain !== undefined) await refuseUnlockable(repository.store);
        if (flags.hookBefore !== undefined) {
          await runHookBefore(flags.hookBefore, { repository, name, console: session.console });
        }
        return await work({ repository, session, watch });
      } finally {
        repository.close();
      }
    });
  } finally {
    session.console.flush();
  }
}

/** What a backup is made from, and who is told of it. */
export interface BackupWork {
  readonly origin: Origin;
  readonly flags:
    & Pick<
      BackupFlags,
      "name" | "tag" | "changeId" | "heal" | "retain" | "rateLimit" | "progress"
    >
    & { readonly vm?: string | undefined };
  readonly console: Console;
  readonly watch: Watch;
  readonly report: { plan(planned: PlannedBackup): void };
}

/** Runs the command that makes the source quiet, such as by a snapshot of the volume. */
async function runHookBefore(
  command: string,
  { repository, name, console }: { repository: Repository; name: string; console: Console },
): Promise<void> {
  const env = { REGRAIN_OPERATION: "backup", REGRAIN_NAME: name, REGRAIN_REPOSITORY: repository.store.label };
  const failure = await runUserCommand(command, env, (from, ended) => console.relay(from, ended));
  if (failure === undefined) return;
  throw new RegrainError(
    "HOOK_FAILED",
    `the command of --hook-before ${failure}, and nothing was backed up`,
    {
      path: command,
      hint: "run it by itself to see why; without --hook-before the source is read as it is",
    },
  );
}

/**
 * The exit status of a backup that was made: 3 where the source was not quiet, and nobody said that this is meant, and
 * where not all of it could be read.
 */
export function statusOf(
  { quiet }: Pick<Origin, "quiet">,
  { snapshot }: Pick<BackupResult, "snapshot">,
): number {
  return quiet?.isDisturbed || snapshot.damaged !== undefined ? EXIT_INCOMPLETE : 0;
}

/** Makes the snapshot and shows how far it is. */
export async function backUpWithProgress(repository: Repository, work: BackupWork): Promise<BackupResult> {
  const { console, flags: { name } } = work;
  await refuseTwin(repository, name);
  await warnOfHidden(repository, { console, disks: new Map([[await repository.sourceKey(name), name]]) });
  work.origin.quiet?.askWhoWrites();
  const result = await backUpUntilStopped(repository, work);
  await rememberNewest(repository, [result.snapshot], console);
  const { id, sizeBytes, stats: { elapsedMs: _, ...figures } } = result.snapshot;
  work.watch.learn({ snapshot: id, figures: { diskBytes: sizeBytes, ...figures } });
  return result;
}

async function backUpUntilStopped(repository: Repository, work: BackupWork): Promise<BackupResult> {
  const { origin, flags, console, watch, report } = work;
  const progress = new Progress(console, flags.progress ?? "auto", origin.sizeBytes ?? 0);
  using signals = listenForSignals({ console, progress });
  using lanes = lanesOf(repository, origin.sizeBytes);
  const { chunkBytes } = repository.description;
  // Plain ones that are worked on, packed ones on their way to the store, and one of zeros.
  const chunks = lanes.count * 4 + 21;
  console.detail(`lanes: ${lanes.count}; at most ${formatSize(chunks * chunkBytes)} of chunks in memory`);
  const bytesPerSecond = rateLimitOf(flags);
  const stopHere = () => passSafePoint(signals, "what was stored already is used by the next backup");
  const limit = bytesPerSecond === undefined
    ? undefined
    : new RateLimit(bytesPerSecond, { whileWaiting: stopHere });
  try {
    watch.phase("plan");
    // From here on signals are listened to: whatever ends the work, the repository is told that it ended.
    await stopHere();
    return await backUp(repository, {
      name: flags.name,
      tags: flags.tag ?? [],
      vm: flags.vm,
      heal: flags.heal ?? false,
      retainMs: retainMsOf(flags),
      lanes,
      changeId: flags.changeId,
      plan: async (parent, own) => {
        const plan = await origin.plan(parent, { lanes, own, pass: stopHere });
        report.plan({ name: flags.name, plan, parent, chunkBytes });
        watch.phase("store");
        const guarded = guardedPlan(plan, { stopHere, limit });
        const { inFlight = 1 } = guarded;
        if (inFlight > 1) {
          console.detail(
            `reads: ${inFlight} at once, at most ${formatSize(inFlight * chunkBytes)} more in memory`,
          );
        }
        return guarded;
      },
      onProgress: ({ doneBytes, totalBytes, readBytes, storedBytes }) => {
        // What was done by then is told also when the run fails.
        watch.learn({ figures: { readBytes, storedBytes } });
        progress.update({ doneBytes, totalBytes, parts: { read: readBytes, stored: storedBytes } });
      },
      beforeCommit: () => origin.quiet?.judge(),
      damaged: () => origin.damaged?.(),
      onNotice: (sentence) => console.warn(sentence),
    });
  } catch (error) {
    throw withReadHint(error);
  } finally {
    progress.end();
  }
}

function withReadHint(error: unknown): unknown {
  if (!isBadMedium(error) || error.hint !== undefined) return error;
  return error.withHint(
    "--damaged zeros stores the rest, with zeros for what cannot be read: the snapshot is incomplete then, and says " +
      "where; a copy that ddrescue made of the disk may have more of it",
  );
}

/** The plan, with a place before each chunk where the work may end, and reading no faster than it may. */
function guardedPlan(
  plan: BackupPlan,
  { stopHere, limit }: { stopHere: () => Promise<void>; limit: RateLimit | undefined },
): BackupPlan {
  return {
    ...plan,
    // Many at once and then none is no steady rate.
    inFlight: limit === undefined ? plan.inFlight ?? 1 : 1,
    async read(chunk, plain) {
      await stopHere();
      const count = await plan.read(chunk, plain);
      await limit?.account(count);
      return count;
    },
  };
}
