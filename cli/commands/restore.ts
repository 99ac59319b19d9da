/** `regrain restore`: a snapshot, with deltas over it if need be, onto a file, a device, or standard output. */
import { RegrainError } from "../../core-as/host/mod.ts";
import { RateLimit } from "../target/rate_limited_target.ts";
import { readInOrder } from "../backup/restore/restore.ts";
import { type DamagedStretch, inOrder } from "../backup/restore/salvage.ts";
import { parseSnapshotSpec } from "../backup/snapshots/snapshots.ts";
import { findVm } from "../backup/snapshots/vms.ts";
import { noSpaceOnStdout, Progress } from "../ui/mod.ts";
import { PIPE } from "../places/pipe.ts";
import { isNowhere } from "../places/null.ts";
import type { Need } from "../places/place.ts";
import { findPlace, openPlaceTarget } from "../places/registry.ts";
import { rateLimitOf } from "../session/flags.ts";
import { openDeltaOverSnapshot } from "../session/origin.ts";
import { listenForSignals, passSafePoint } from "../session/interruption.ts";
import { findRemembered } from "../session/choice.ts";
import { rememberNewest, warnOfHidden } from "../session/newest_seen.ts";
import { lanesOf, openRepository } from "../session/open_repository.ts";
import { damageOfSource, warnDamaged } from "../report/damaged.ts";
import { onDamagedOf, withHint } from "./restore_damage.ts";
import { restoreToFile } from "./restore_file.ts";
import { formatOf } from "./restore_format.ts";
import { restoreInPlace } from "./restore_in_place.ts";
import { findTarget, isChangedInPlace } from "./restore_place.ts";
import { requireSafeguards } from "./restore_safety.ts";
import { refuseFlagsNowhere, restoreToNowhere } from "./restore_nowhere.ts";
import { isVmRestore, restoreVm } from "./restore_vm.ts";
import { requireFilesUnchanged, type RestoreFlags, type RestoreWork } from "./restore_work.ts";
import { type Session, startSession } from "../session/session.ts";
import { watched } from "../session/watched.ts";
import { hasErrno } from "../deno_errors.ts";
import { EXIT_INCOMPLETE } from "../exit_status.ts";

const TARGET: Need = { command: "restore", argument: "TARGET", anyOf: ["write", "send"] };
const DELTA: Need = { command: "restore --apply", argument: "DELTA", anyOf: ["delta"] };

/** @param spec `VM/DISK@WHICH`. */
export async function runRestore(spec: string, path: string, flags: RestoreFlags): Promise<number> {
  const session = startSession({ ...flags, format: undefined });
  checkFlags(path, flags, session);
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
        damaged.push(...damageOfSource(snapshot));
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

/** Every disk of a VM, each as if it were restored by itself. */
async function restoreAll(
  folder: string,
  work: Pick<RestoreWork, "repository" | "session" | "flags" | "watch" | "damaged"> & {
    name: string;
    which: string;
  },
): Promise<void> {
  const { repository, session, flags, watch, name, which } = work;
  formatOf(folder, flags.format, { isInPlace: false });
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
      const damaged = damageOfSource(snapshot);
      await restoreWithDelta(path, { repository, snapshot, session, flags, watch, damaged });
      work.damaged.push(...damaged);
    },
  });
}

function checkFlags(path: string, flags: RestoreFlags, { io }: Session): void {
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
  const isInPlace = isChangedInPlace(path, flags, io);
  const format = formatOf(path, flags.format, { isInPlace });
  requireSafeguards(flags, { path, format, isInPlace });
  if (format === "raw" || isInPlace && format === "vmdk") return;
  if (path === PIPE) {
    throw new RegrainError("USAGE", `a disk of format ${format} is made in a file, not in a pipe`);
  }
  if (delta) {
    throw new RegrainError(
      "USAGE",
      `--delta changes a raw disk or a flat VMDK in place, --format ${format} makes a new file`,
      format === "vmdk-flat" ? { hint: "--format vmdk, with the descriptor of the flat VMDK as TARGET" } : {},
    );
  }
}

/** Rights of a file that is made; whoever may read it reads everything that the guest keeps. */
function modeOf({ mode }: RestoreFlags): number | undefined {
  if (mode === undefined) return undefined;
  if (/^0?[0-7]{3}$/.test(mode)) return parseInt(mode, 8);
  throw new RegrainError(
    "USAGE",
    `--mode ${mode} is no rights of a file as chmod takes them in digits, such as 640`,
  );
}

async function restoreWithDelta(
  path: string,
  work: Omit<RestoreWork, "overlay" | "cid" | "inputs" | "files">,
): Promise<void> {
  const { session, flags: { apply, force }, repository, snapshot, watch } = work;
  using delta = apply === undefined ? undefined : await openDeltaOverSnapshot(apply, session, { force });
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
    files: delta?.files ?? [],
  };
  const nowhere = openPlaceTarget(path, snapshot);
  if (nowhere === undefined && path !== PIPE) return await restoreToPath(path, whole);
  if (nowhere) await restoreToNowhere(nowhere, whole);
  else await restoreToStdout(whole);
  requireFilesUnchanged(whole);
}

async function restoreToPath(name: string, work: RestoreWork): Promise<void> {
  const { session, flags } = work;
  const path = findTarget(name, session);
  const isInPlace = isChangedInPlace(name, flags, session.io);
  const format = formatOf(name, flags.format, { isInPlace });
  if (isInPlace) await restoreInPlace(path, work);
  else await restoreToFile(path, { ...work, format, mode: modeOf(flags) });
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
}
