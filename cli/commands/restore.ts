/** `regrain restore`: a snapshot, with deltas over it if need be, onto a file, a device, or standard output. */
import { formatSize, RegrainError } from "../../core-as/host/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import { RateLimit } from "../target/rate_limited_target.ts";
import { requireInPlace, requireUnchanged } from "../target/undisturbed.ts";
import type { Repository } from "../backup/repository.ts";
import { type Overlay, readInOrder, type RestoreCounts, restoreTo } from "../backup/restore.ts";
import { type DamagedStretch, inOrder } from "../backup/salvage.ts";
import { findSnapshot, parseSnapshotSpec } from "../backup/snapshots.ts";
import { findVm } from "../backup/vms.ts";
import { PRIVATE_MODE } from "../io/mod.ts";
import { type Console, formatDuration, noSpaceOnStdout, Progress } from "../ui/mod.ts";
import { PIPE } from "../places/pipe.ts";
import { isNowhere } from "../places/null.ts";
import type { Need } from "../places/place.ts";
import { findPlace, openPlaceTarget } from "../places/registry.ts";
import { rateLimitOf } from "./apply_flags.ts";
import { DeltaOverSnapshot } from "./delta_over_snapshot.ts";
import { interruptible, listenForSignals, passSafePoint } from "./interruption.ts";
import { rememberNewest, warnOfHidden, warnOfOlder } from "./newest_seen.ts";
import { lanesOf, openRepository, type RepoFlags } from "./repo_session.ts";
import { onDamagedOf, warnDamaged, withHint } from "./restore_damage.ts";
import { descriptorDoubt } from "../target/descriptor_doubt.ts";
import { behindTheEnd, formatOf, planFormat, type RestoreFormat } from "./restore_format.ts";
import { findTarget, openPlace, type Place, type PlaceFlags, requireNoInputs } from "./restore_place.ts";
import { refuseFlagsNowhere, restoreToNowhere } from "./restore_nowhere.ts";
import { isVmRestore, restoreVm } from "./restore_vm.ts";
import { type LongFlags, type Session, startSession } from "./session.ts";
import { type Watch, watched, type WatchFlags } from "./watched.ts";

export interface RestoreFlags
  extends Omit<LongFlags, "format">, RepoFlags, WatchFlags, Omit<PlaceFlags, "format"> {
  readonly apply?: string | undefined;
  /** What stands for what cannot be read; without it that is an error. */
  readonly damaged?: "zeros" | undefined;
  /** What the target is, or is to be, not what is read: a delta is a VMDK by its place. */
  readonly format?: RestoreFormat | undefined;
  readonly rateLimit?: string | undefined;
  /** Rights of a file that is made, in octal digits. */
  readonly mode?: string | undefined;
}

/** What is restored, and by what means. */
interface RestoreWork {
  readonly repository: Repository;
  readonly snapshot: Snapshot;
  readonly overlay: Overlay | undefined;
  /** CID of the disk as it is restored. */
  readonly cid: string | undefined;
  readonly session: Session;
  readonly flags: RestoreFlags;
  readonly watch: Watch;
  /** What could not be read so far, and is zeros instead. */
  readonly damaged: DamagedStretch[];
  /** Files that are read beside the repository. */
  readonly inputs: readonly string[];
}

const EXIT_INCOMPLETE = 3;
const TARGET: Need = { command: "restore", argument: "TARGET", anyOf: ["write", "send"] };
const DELTA: Need = { command: "restore --apply", argument: "DELTA", anyOf: ["delta"] };

/** @param spec `VM/DISK@WHICH`. */
export async function runRestore(spec: string, path: string, flags: RestoreFlags): Promise<number> {
  checkFlags(path, flags);
  const session = startSession({ ...flags, format: undefined });
  const { name, which } = parseSnapshotSpec(spec);
  const damaged: DamagedStretch[] = [];
  try {
    return await watched({ operation: "restore", name, flags, session }, async (watch) => {
      watch.phase("open");
      const repository = await openRepository(flags);
      try {
        watch.learn({ repository: repository.store.label });
        if (await isVmRestore(repository, name, path)) {
          await restoreAll(path, { repository, which, name, session, flags, watch, damaged });
          return damaged.length === 0 ? 0 : EXIT_INCOMPLETE;
        }
        const snapshot = await findRemembered(repository, spec, session.console);
        watch.learn({ snapshot: snapshot.id, figures: { diskBytes: snapshot.sizeBytes } });
        await restoreWithDelta(path, { repository, snapshot, session, flags, watch, damaged });
      } finally {
        repository.close();
      }
      return damaged.length === 0 ? 0 : EXIT_INCOMPLETE;
    });
  } finally {
    session.console.flush();
  }
}

/** Finds the snapshot, and warns where this host remembers a newer one of the disk that is not there. */
async function findRemembered(repository: Repository, spec: string, console: Console): Promise<Snapshot> {
  const { name, which } = parseSnapshotSpec(spec);
  const hidden = await warnOfHidden(repository, {
    console,
    disks: new Map([[await repository.sourceKey(name), name]]),
  });
  const passedOver: string[] = [];
  const snapshot = await findSnapshot(repository, spec, (sentence) => {
    passedOver.push(sentence);
    console.warn(sentence);
  });
  const isSaid = (id: string) => hidden.has(id) || passedOver.some((sentence) => sentence.includes(id));
  if (which === "latest") warnOfOlder(repository, snapshot, { console, isSaid });
  await rememberNewest(repository, [snapshot], console);
  return snapshot;
}

/** Every disk of a VM, each as if it were restored by itself. */
async function restoreAll(
  folder: string,
  work: Pick<RestoreWork, "repository" | "session" | "flags" | "watch" | "damaged"> & {
    name: string;
    which: string;
  },
): Promise<void> {
  const { repository, session, flags, watch, name, which } = work;
  for (const flag of ["apply", "delta"] as const) {
    if (!flags[flag]) continue;
    throw new RegrainError("USAGE", `--${flag} is about one disk, and ${name} is a VM`, {
      hint: `regrain restore --${flag} with one of its disks: regrain snapshots ${name} lists them`,
    });
  }
  const vm = await findVm(repository, { name, which });
  const disks = new Map(vm.disks.map(({ source, label }) => [source.key, `${vm.source.name}/${label}`]));
  await warnOfHidden(repository, { console: session.console, disks });
  await rememberNewest(repository, vm.disks, session.console);
  await restoreVm(repository, vm, {
    folder,
    force: flags.force ?? false,
    format: flags.format,
    session,
    restoreDisk: async (snapshot, path) => {
      const damaged: DamagedStretch[] = [];
      await restoreWithDelta(path, { repository, snapshot, session, flags, watch, damaged });
      work.damaged.push(...damaged);
    },
  });
}

function checkFlags(path: string, flags: RestoreFlags): void {
  if (isNowhere(findPlace(path, TARGET).name)) refuseFlagsNowhere(flags);
  if (flags.apply !== undefined) findPlace(flags.apply, DELTA);
  rateLimitOf(flags);
  modeOf(flags);
  const { delta } = flags;
  if (flags.mode !== undefined && (delta || path === PIPE)) {
    throw new RegrainError(
      "USAGE",
      `--mode gives rights to a new file, and ${
        delta ? "--delta changes one that is there" : "a pipe has none"
      }`,
    );
  }
  const format = formatOf(path, flags.format);
  if (format === "raw") return;
  if (path === PIPE) {
    throw new RegrainError("USAGE", `a disk of format ${format} is made in a file, not in a pipe`);
  }
  if (delta) {
    throw new RegrainError(
      "USAGE",
      `--delta changes a raw disk in place, --format ${format} makes a new file`,
    );
  }
}

/** Rights of a file that is made; whoever may read it reads everything that the guest keeps. */
function modeOf({ mode }: RestoreFlags): number {
  if (mode === undefined) return PRIVATE_MODE;
  if (/^0?[0-7]{3}$/.test(mode)) return parseInt(mode, 8);
  throw new RegrainError(
    "USAGE",
    `--mode ${mode} is no rights of a file as chmod takes them in digits, such as 640`,
  );
}

async function restoreWithDelta(
  path: string,
  work: Omit<RestoreWork, "overlay" | "cid" | "inputs">,
): Promise<void> {
  const { session, flags: { apply, force }, repository, snapshot, watch } = work;
  using delta = apply === undefined
    ? undefined
    : await DeltaOverSnapshot.open(apply, { session, force: force ?? false });
  const plan = await delta?.plan(snapshot, { repository, name: snapshot.source.name });
  const overlay = plan === undefined || plan.touched === "all"
    ? undefined
    : { touched: plan.touched, read: plan.read };
  watch.phase("write");
  const whole = {
    ...work,
    overlay,
    cid: plan === undefined ? snapshot.cid : plan.cid,
    inputs: delta?.inputs ?? [],
  };
  const nowhere = openPlaceTarget(path, snapshot);
  if (nowhere) await restoreToNowhere(nowhere, whole);
  else if (path === PIPE) await restoreToStdout(whole);
  else await restoreToPath(path, whole);
  if (delta === undefined) return;
  requireUnchanged(delta.files, {
    force: force ?? false,
    warn: (sentence) => session.console.warn(sentence),
  });
}

async function restoreToStdout(work: RestoreWork): Promise<void> {
  const { repository, snapshot, overlay, session: { console }, flags, watch, damaged } = work;
  if (Deno.stdout.isTerminal()) throw new RegrainError("USAGE", "a disk is not written to a terminal");
  const bytesPerSecond = rateLimitOf(flags);
  const progress = new Progress(console, flags.progress ?? "auto", snapshot.sizeBytes);
  using signals = listenForSignals({ console, progress });
  const whileWaiting = () => passSafePoint(signals);
  const limit = bytesPerSecond === undefined ? undefined : new RateLimit(bytesPerSecond, { whileWaiting });
  using lanes = lanesOf(repository);
  let doneBytes = 0;
  try {
    for await (
      const plain of readInOrder(repository, snapshot, lanes, { overlay, onDamaged: onDamagedOf(work) })
    ) {
      await passSafePoint(signals);
      for (let at = 0; at < plain.length;) at += Deno.stdout.writeSync(plain.subarray(at));
      doneBytes += plain.length;
      await limit?.account(plain.length);
      progress.update({ doneBytes, parts: {} });
    }
    progress.end();
    warnDamaged(inOrder(damaged), console);
  } catch (error) {
    const noSpace = noSpaceOnStdout(error);
    if (noSpace !== undefined) throw noSpace;
    if (!(error instanceof Deno.errors.BrokenPipe)) throw withHint(error, { part: undefined, isPipe: true });
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
}

async function restoreToPath(name: string, work: RestoreWork): Promise<void> {
  const { snapshot, overlay, session: { console, io }, flags, watch } = work;
  const force = flags.force ?? false;
  const path = findTarget(name, work.session);
  const mode = modeOf(flags);
  const form = planFormat(formatOf(name, flags.format), path, { ...work, io, force, mode });
  const need = {
    snapshot,
    overlaidChunks: overlay?.touched.size ?? 0,
    copies: form.copies,
    inputs: work.inputs,
    repository: work.repository.store.label,
  };
  requireNoInputs(form.made, need, io);
  const doubt = form.made.length === 0
    ? await descriptorDoubt(form.rawPath, work.cid, work.session.context)
    : undefined;
  if (doubt !== undefined) console.warn(doubt);
  const place = await openPlace(form.rawPath, need, { ...work.session, flags });
  const begunAs = place.part?.path;
  const progress = new Progress(console, flags.progress ?? "auto", snapshot.sizeBytes);
  try {
    const counts = await fill(place, { ...work, progress });
    watch.phase("finish");
    if (place.part) await form.run(place.part);
    progress.end();
    tell(counts, { ...work, path, elapsedMs: progress.elapsedMs });
  } catch (error) {
    throw withHint(error, {
      part: begunAs !== undefined && io.stat(begunAs) === undefined ? undefined : begunAs,
    });
  } finally {
    progress.end();
    // Only now: while it has not its last name, nobody else may write to it.
    if (place.part) place.part.close();
    else place.target.close();
  }
}

/** Makes the target equal to the disk, durably. */
async function fill(place: Place, work: RestoreWork & { progress: Progress }): Promise<RestoreCounts> {
  const { snapshot, session: { console } } = work;
  const behind = behindTheEnd(place.target, snapshot.sizeBytes);
  if (behind !== undefined) console.warn(behind);
  const counts = await write(place, work);
  await place.target.flush();
  requireInPlace(place.target);
  return counts;
}

async function write(place: Place, work: RestoreWork & { progress: Progress }): Promise<RestoreCounts> {
  const { repository, snapshot, overlay, session, flags, watch, progress } = work;
  const { console } = session;
  using lanes = lanesOf(repository);
  // In a new file zeros are there already. An overlay may make data of them: how many are left is seen on the way.
  const { sizeBytes, chunkBytes, stats } = snapshot;
  const isSparse = place.content === "zeros" && overlay === undefined;
  const dataBytes = isSparse ? Math.min(sizeBytes, stats.chunks * chunkBytes) : undefined;
  using stoppable = interruptible(place.target, { console, progress, bytesPerSecond: rateLimitOf(flags) });
  return await restoreTo(repository, snapshot, {
    target: stoppable.target,
    content: place.content,
    overlay,
    lanes,
    onDamaged: onDamagedOf(work),
    onProgress: (counts, idleBytes) => {
      const { doneBytes, fetchedBytes, keptBytes } = counts;
      watch.learn({ figures: { ...counts } });
      const parts = { fetched: fetchedBytes, kept: keptBytes };
      progress.update({
        doneBytes: doneBytes - idleBytes,
        totalBytes: dataBytes ?? sizeBytes - idleBytes,
        parts,
      });
    },
  });
}

function tell(counts: RestoreCounts, about: RestoreWork & { path: string; elapsedMs: number }): void {
  const { snapshot, path, elapsedMs, session: { console } } = about;
  const damaged = inOrder(about.damaged);
  warnDamaged(damaged, console);
  if (console.json) {
    console.outJson({
      type: "summary",
      status: damaged.length === 0 ? "done" : "incomplete",
      id: snapshot.id,
      target: path,
      root: snapshot.root,
      ...counts,
      damaged: damaged.map(({ offsetBytes, lengthBytes, reason }) => ({
        start: offsetBytes,
        length: lengthBytes,
        reason,
      })),
      elapsedMs: Math.round(elapsedMs),
    });
    return;
  }
  const rate = formatSize(Math.round(counts.doneBytes / Math.max(elapsedMs, 1) * 1000));
  console.out(`${path}: ${snapshot.source.name}@${snapshot.id}, ${formatSize(snapshot.sizeBytes)}`);
  console.tell(
    `${formatSize(counts.writtenBytes)} written, ${formatSize(counts.keptBytes)} were right already, ` +
      `${formatSize(counts.zeroBytes)} of zeros; ${formatDuration(elapsedMs)}, ${rate}/s`,
  );
}
