/** `regrain restore`: a snapshot, with deltas over it if need be, onto a file, a device, or standard output. */
import { RegrainError, type Target } from "../../core-as/host/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import type { Repository } from "../backup/repository.ts";
import { formatOf } from "../backup/restore/format.ts";
import { restoreInPlace } from "../backup/restore/in_place.ts";
import {
  onDamagedOf,
  requireFilesUnchanged,
  type RestoreEvents,
  type RestoreJob,
  restoreToNowhere,
} from "../backup/restore/job.ts";
import { restoreToFile } from "../backup/restore/new_file.ts";
import { findTarget, isChangedInPlace } from "../backup/restore/place.ts";
import { readInOrder } from "../backup/restore/restore.ts";
import type { DamagedStretch } from "../backup/restore/salvage.ts";
import { withHint } from "../backup/restore/unfinished.ts";
import { isVmRestore, restoreVm } from "../backup/restore/vm.ts";
import { parseSnapshotSpec } from "../backup/snapshots/snapshots.ts";
import { findVm } from "../backup/snapshots/vms.ts";
import { hasErrno } from "../deno_errors.ts";
import { EXIT_INCOMPLETE } from "../exit_status.ts";
import { PIPE } from "../places/pipe.ts";
import { openPlaceTarget } from "../places/registry.ts";
import { damageOfSource } from "../report/damaged.ts";
import { type RestoreReport, restoreReport } from "../report/restore.ts";
import { findRemembered } from "../session/choice.ts";
import { rateLimitOf } from "../session/flags.ts";
import { listenForSignals, passSafePoint } from "../session/interruption.ts";
import { LongWork } from "../session/long_work.ts";
import { rememberNewest, warnOfHidden } from "../session/newest_seen.ts";
import { lanesOf, openRepository } from "../session/open_repository.ts";
import { openDeltaOverSnapshot } from "../session/origin.ts";
import { checkRestore, modeOf, type RestoreFlags } from "../session/restore_flags.ts";
import { type Session, startSession } from "../session/session.ts";
import { type Watch, watched } from "../session/watched.ts";
import { RateLimit } from "../target/rate_limited_target.ts";
import { noSpaceOnStdout, Progress } from "../ui/mod.ts";

/** What every disk of a run is restored with. */
interface Run {
  readonly repository: Repository;
  readonly session: Session;
  readonly flags: RestoreFlags;
  readonly watch: Watch;
  readonly report: RestoreReport;
}

/** @param spec `VM/DISK@WHICH`. */
export async function runRestore(spec: string, path: string, flags: RestoreFlags): Promise<number> {
  const session = startSession({ ...flags, format: undefined });
  const { console } = session;
  checkRestore(path, flags, session);
  const { name } = parseSnapshotSpec(spec);
  try {
    // Nobody is told of a dry run: it is no restore.
    const told = flags.dryRun ? {} : flags;
    return await watched({ operation: "restore", name, flags: told, session }, async (watch) => {
      watch.phase("open");
      const repository = await openRepository(flags);
      const run: Run = { repository, session, flags, watch, report: restoreReport(console) };
      try {
        watch.learn({ repository: repository.store.label });
        if (await isVmRestore(repository, name, path)) return await restoreAll(path, spec, run);
        const snapshot = await findRemembered(repository, spec, console);
        watch.learn({ snapshot: snapshot.id, figures: { diskBytes: snapshot.sizeBytes } });
        return statusOf(await restoreDisk(path, snapshot, run));
      } finally {
        repository.close();
      }
    });
  } finally {
    console.flush();
  }
}

function statusOf(damaged: readonly DamagedStretch[]): number {
  return damaged.length === 0 ? 0 : EXIT_INCOMPLETE;
}

/** Every disk of a VM, each as if it were restored by itself. */
async function restoreAll(folder: string, spec: string, run: Run): Promise<number> {
  const { repository, session: { console, io }, flags, report } = run;
  const { name, which } = parseSnapshotSpec(spec);
  formatOf(folder, flags.format, { isInPlace: false });
  for (const flag of ["apply", "delta"] as const) {
    if (!flags[flag]) continue;
    throw new RegrainError("USAGE", `--${flag} is about one disk, and ${name} is a VM`, {
      hint: `regrain restore --${flag} with one of its disks: regrain snapshots ${name} lists them`,
    });
  }
  const vm = await findVm(repository, { name, which });
  const disks = new Map(vm.disks.map(({ source, label }) => [source.key, `${vm.source.name}/${label}`]));
  await warnOfHidden(repository, { console, disks });
  await rememberNewest(repository, vm.disks, console);
  const damaged: DamagedStretch[] = [];
  const restored = await restoreVm(repository, vm, {
    folder,
    force: flags.force ?? false,
    format: flags.format,
    io,
    dryRun: flags.dryRun ?? false,
    restoreDisk: async (snapshot, path) => {
      damaged.push(...await restoreDisk(path, snapshot, run));
    },
  });
  report.vm(vm, folder, { ...restored, dryRun: flags.dryRun ?? false });
  return statusOf(damaged);
}

/** @returns what could not be read, and is zeros. */
async function restoreDisk(
  name: string,
  snapshot: Snapshot,
  { repository, session, flags, watch, report }: Run,
): Promise<readonly DamagedStretch[]> {
  const { console, io, context } = session;
  const { apply, force = false } = flags;
  using delta = apply === undefined ? undefined : await openDeltaOverSnapshot(apply, session, { force });
  const plan = await delta?.plan(snapshot, { repository, name: snapshot.source.name });
  watch.phase("write");
  using work = new LongWork(console, flags);
  const job: RestoreJob = {
    repository,
    snapshot,
    overlay: plan === undefined || plan.touched === "all"
      ? undefined
      : { touched: plan.touched, read: plan.read },
    cid: plan === undefined ? snapshot.cid : plan.cid,
    inputs: delta?.inputs ?? [],
    files: delta?.files ?? [],
    damaged: damageOfSource(snapshot),
    isTolerant: flags.damaged !== undefined,
    force,
    verify: flags.verify ?? false,
    dryRun: flags.dryRun ?? false,
    io,
    context,
    events: eventsOf(work, { session, watch }),
    openLanes: () => lanesOf(repository, snapshot.sizeBytes),
  };
  const nowhere = openPlaceTarget(name, snapshot);
  if (nowhere) await keepNothing(nowhere, job, { report, work });
  else if (name === PIPE) await restoreToStdout(job, { flags, session, watch, report });
  else await restoreToPath(name, job, { flags, report, work });
  return job.damaged;
}

function eventsOf(
  work: LongWork,
  { session: { console }, watch }: Pick<Run, "session" | "watch">,
): RestoreEvents {
  return {
    warn: (sentence) => console.warn(sentence),
    tell: (sentence) => console.tell(sentence),
    begin: (target, totalBytes) => work.begin(target, totalBytes),
    progress: (state) => work.update(state),
    end: () => work.end(),
    readBack: (back, run) => work.readBack(back, run),
    finishing: () => watch.phase("finish"),
    learn: (counts) => watch.learn({ figures: { ...counts } }),
  };
}

/** Whose words and progress a form of the command uses. */
interface Telling {
  readonly report: RestoreReport;
  readonly work: LongWork;
}

async function restoreToPath(
  name: string,
  job: RestoreJob,
  { flags, report, work }: Telling & { flags: RestoreFlags },
): Promise<void> {
  const { io, events, snapshot, cid, damaged } = job;
  const path = findTarget(name, { io, warn: (sentence) => events.warn(sentence) });
  const isInPlace = isChangedInPlace(name, flags, io);
  const format = formatOf(name, flags.format, { isInPlace });
  const { undo, journal, resume = false, delta: compare = false, ignoreFreeSpace = false } = flags;
  if (!isInPlace) {
    const outcome = await restoreToFile(path, job, { format, mode: modeOf(flags), ignoreFreeSpace });
    if (outcome === undefined) return report.dryRun({ path, snapshot, damaged, isInPlace });
    return report.done({ path, snapshot, cid, damaged, ...outcome, elapsedMs: work.elapsedMs });
  }
  // Of a target that is there the flag says what it is.
  const said = flags.format === "raw" || flags.format === "vmdk" ? flags.format : undefined;
  const options = { undo, journal, resume, compare, format: said, ignoreFreeSpace };
  const outcome = await restoreInPlace(path, job, options);
  if (outcome === undefined) return report.dryRun({ path, snapshot, damaged, isInPlace });
  const elapsedMs = work.elapsedMs - (outcome.verified?.elapsedMs ?? 0);
  report.done({ path, snapshot, cid, damaged, ...outcome, elapsedMs });
}

/** @param target What keeps nothing; it is closed in the end. */
async function keepNothing(target: Target, job: RestoreJob, { report, work }: Telling): Promise<void> {
  const { snapshot, cid, damaged } = job;
  try {
    const counts = await restoreToNowhere(target, job);
    work.end();
    const { path } = target;
    report.done({ path, snapshot, cid, damaged, counts, elapsedMs: work.elapsedMs, verified: undefined });
  } catch (error) {
    throw withHint(error, { part: undefined, isPipe: true });
  } finally {
    work.end();
    target.close();
  }
  requireFilesUnchanged(job);
}

async function restoreToStdout(
  job: RestoreJob,
  { flags, session: { console }, watch, report }: Pick<Run, "flags" | "session" | "watch" | "report">,
): Promise<void> {
  const { repository, snapshot, overlay, damaged } = job;
  if (Deno.stdout.isTerminal()) throw new RegrainError("USAGE", "a disk is not written to a terminal");
  const bytesPerSecond = rateLimitOf(flags);
  const progress = new Progress(console, flags.progress ?? "auto", snapshot.sizeBytes);
  using signals = listenForSignals({ console, progress });
  const whileWaiting = () => passSafePoint(signals);
  const limit = bytesPerSecond === undefined ? undefined : new RateLimit(bytesPerSecond, { whileWaiting });
  using lanes = job.openLanes();
  let doneBytes = 0;
  try {
    for await (
      const plain of readInOrder(repository, snapshot, lanes, { overlay, onDamaged: onDamagedOf(job) })
    ) {
      await passSafePoint(signals);
      for (let at = 0; at < plain.length;) at += Deno.stdout.writeSync(plain.subarray(at));
      doneBytes += plain.length;
      await limit?.account(plain.length);
      progress.update({ doneBytes, parts: {} });
    }
    progress.end();
    report.damaged(damaged);
  } catch (error) {
    const noSpace = noSpaceOnStdout(error);
    if (noSpace !== undefined) throw noSpace;
    if (!hasErrno(error, "EPIPE")) throw withHint(error, { part: undefined, isPipe: true });
    throw new RegrainError(
      "WRITE_FAILED",
      `the reader of standard output went away after ${doneBytes} bytes`,
      {
        cause: error,
      },
    );
  } finally {
    progress.end();
    watch.learn({ figures: { writtenBytes: doneBytes } });
  }
  requireFilesUnchanged(job);
}
