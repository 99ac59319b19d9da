/** `regrain backup`: a snapshot of a disk or a stream, or the snapshot before with a delta over it. */
import { formatSize, plural, RegrainError } from "../../core-as/host/mod.ts";
import { checkSourceName, checkTag, type Snapshot } from "../../core-as/host/repo/mod.ts";
import { RateLimit } from "../target/rate_limited_target.ts";
import { backUp, type BackupReport } from "../backup/make/backup.ts";
import { refuseTwin } from "../backup/snapshots/name_twins.ts";
import type { BackupPlan } from "../backup/make/plan.ts";
import type { Repository } from "../backup/repository.ts";
import { refuseUnlockable } from "../backup/make/retain.ts";
import { type Console, formatDuration, Progress } from "../ui/mod.ts";
import { rateLimitOf } from "../session/flags.ts";
import { checkOrigin, openOrigin, type Origin, type OriginFlags } from "./backup_origin.ts";
import { durationMs } from "../session/durations.ts";
import { listenForSignals, passSafePoint } from "../session/interruption.ts";
import { rememberNewest, warnOfHidden } from "../session/newest_seen.ts";
import { lanesOf, openRepository, type RepoFlags } from "../session/open_repository.ts";
import { type LongFlags, type Session, startSession } from "../session/session.ts";
import { runUserCommand } from "../watch/hook.ts";
import { type Watch, watched, type WatchFlags } from "../session/watched.ts";
import { EXIT_INCOMPLETE } from "../exit_status.ts";

export interface BackupFlags extends LongFlags, RepoFlags, WatchFlags, OriginFlags {
  readonly rateLimit?: string | undefined;
  readonly tag?: readonly string[] | undefined;
  readonly heal?: boolean | undefined;
  readonly retain?: string | undefined;
  readonly hookBefore?: string | undefined;
}

/** @param source Image, device, descriptor of a chain, `repo:` snapshot, or `-`; with `--delta` only for an audit. */
export async function runBackup(source: string | undefined, flags: BackupFlags): Promise<number> {
  checkBackup(source, flags);
  return await withBackupRepository(flags.name, flags, async ({ repository, session, watch }) => {
    using origin = await openOrigin(source, { flags, session, repository });
    return await backUpAndTell(repository, { origin, flags, console: session.console, watch });
  });
}

/** Refuses names and flags that cannot be right, before anything is opened. */
export function checkBackup(source: string | undefined, flags: BackupFlags): void {
  checkSourceName(flags.name);
  for (const tag of flags.tag ?? []) checkTag(tag, "--tag");
  checkOrigin(source, flags);
  rateLimitOf(flags);
  retainMsOf(flags);
}

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

/** @throws {RegrainError} `USAGE`. */
export function retainMsOf({ retain }: Pick<BackupFlags, "retain">): number | undefined {
  if (retain === undefined) return undefined;
  const ms = durationMs(retain, "--retain");
  if (ms > 0) return ms;
  throw new RegrainError("USAGE", "--retain 0 keeps nothing", { hint: "such as --retain 30d" });
}

/** What a backup is made from, and who is told of it. */
export interface BackupWork {
  readonly origin: Origin;
  readonly flags: Pick<
    BackupFlags,
    "name" | "tag" | "changeId" | "heal" | "retain" | "rateLimit" | "progress"
  >;
  readonly console: Console;
  readonly watch: Watch;
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
 * Makes the snapshot, shows how far it is, and tells what became of it.
 *
 * @returns the exit status: 3 where the source was not quiet, and nobody said that this is meant.
 */
export async function backUpAndTell(repository: Repository, work: BackupWork): Promise<number> {
  const { console } = work;
  const report = await backUpWithProgress(repository, work);
  if (console.json) console.outJson({ type: "summary", status: "done", ...reportJson(report) });
  else tellReport(report, console);
  return work.origin.quiet?.isDisturbed ? EXIT_INCOMPLETE : 0;
}

/** Makes the snapshot and shows how far it is. */
export async function backUpWithProgress(repository: Repository, work: BackupWork): Promise<BackupReport> {
  const { console, flags: { name } } = work;
  await refuseTwin(repository, name);
  await warnOfHidden(repository, { console, disks: new Map([[await repository.sourceKey(name), name]]) });
  work.origin.quiet?.askWhoWrites();
  const report = await backUpUntilStopped(repository, work);
  await rememberNewest(repository, [report.snapshot], console);
  const { id, sizeBytes, stats: { elapsedMs: _, ...figures } } = report.snapshot;
  work.watch.learn({ snapshot: id, figures: { diskBytes: sizeBytes, ...figures } });
  return report;
}

async function backUpUntilStopped(repository: Repository, work: BackupWork): Promise<BackupReport> {
  const { origin, flags, console, watch } = work;
  const progress = new Progress(console, flags.progress ?? "auto", origin.sizeBytes ?? 0);
  using signals = listenForSignals({ console, progress });
  using lanes = lanesOf(repository);
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
      heal: flags.heal ?? false,
      retainMs: retainMsOf(flags),
      lanes,
      changeId: flags.changeId,
      plan: async (parent, own) => {
        const plan = await origin.plan(parent, { lanes, own });
        tellPlan(plan, { name: flags.name, parent, chunkBytes, console });
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
      onNotice: (sentence) => console.warn(sentence),
    });
  } finally {
    progress.end();
  }
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

function tellPlan(
  plan: BackupPlan,
  about: { name: string; parent: Snapshot | undefined; chunkBytes: number; console: Console },
): void {
  const { name, parent, chunkBytes, console } = about;
  const { method, reason, sizeBytes, touched } = plan;
  const lookBytes = touched === "all"
    ? sizeBytes
    : Math.min(touched.size * chunkBytes, sizeBytes ?? Infinity);
  if (!console.json) {
    const what = lookBytes === undefined ? "a stream" : formatSize(lookBytes);
    console.detail(`plan: ${method}, ${what} to look at; the snapshot before is ${parent?.id ?? "none"}`);
    return;
  }
  console.outJson({
    type: "plan",
    name,
    method,
    reason: reason ?? null,
    sizeBytes: sizeBytes ?? null,
    lookBytes: lookBytes ?? null,
    parent: parent?.id ?? null,
  });
  console.flush();
}

export function reportJson({ snapshot, restarts }: BackupReport) {
  const { id, source, sizeBytes, parent, root, change, stats } = snapshot;
  return {
    id,
    name: source.name,
    sizeBytes,
    parent: parent ?? null,
    root,
    change,
    changeId: snapshot.changeId ?? null,
    consistency: snapshot.consistency ?? null,
    retainUntil: snapshot.retainUntil ?? null,
    stats,
    restarts,
  };
}

export function tellReport({ snapshot }: BackupReport, console: Console): void {
  const { id, source, change, stats, parent } = snapshot;
  if (change.reason !== undefined) {
    const what = change.method === "changed-areas"
      ? "more than the list was read"
      : "the whole disk was read";
    console.warn(`${what}: ${change.reason}`);
  }
  console.out(`${source.name}@${id}`);
  console.tell(
    `${formatSize(stats.readBytes)} read, ${plural(stats.newChunks, "new chunk")} of ${stats.chunks}, ` +
      `${formatSize(stats.storedBytes)} stored in ${formatDuration(stats.elapsedMs)}` +
      (parent === undefined ? "" : `; the snapshot before is ${parent}`),
  );
  if (snapshot.retainUntil !== undefined) {
    console.tell(`nobody can remove it before ${snapshot.retainUntil.slice(0, 10)}`);
  }
}
