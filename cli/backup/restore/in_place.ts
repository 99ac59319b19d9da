/** A restore onto a disk that is there: judged, guarded and finished as an apply onto it is. */
import { formatCid, plural, type Target } from "../../../core-as/host/mod.ts";
import { sha256Hex } from "../../target/content_hash.ts";
import type { ContentIds } from "../../target/content_id.ts";
import { fallbacksOf } from "../../target/fallbacks.ts";
import { requireOutside } from "../../target/judge.ts";
import { type PreparedTarget, prepareTarget } from "../../target/prepare.ts";
import { asInputs, asParts, requireOnePurpose } from "../../target/purposes.ts";
import { RESTORE } from "../../target/request.ts";
import { requireRoomBeside } from "../../target/room_beside.ts";
import { isGuarded, Safeguards } from "../../target/safeguards.ts";
import { requireInPlace } from "../../target/undisturbed.ts";
import { onDamagedOf, requireFilesUnchanged, type RestoreJob, writeFreely } from "./job.ts";
import type { RestoreOutcome } from "./new_file.ts";
import { requireRoom } from "./place.ts";
import type { RestoreCounts } from "./restore.ts";
import { restoreGuarded } from "./restore_guarded.ts";
import { withHint } from "./unfinished.ts";
import { type ReadBack, verifyWritten } from "./written.ts";

export interface InPlaceOptions {
  readonly undo: string | undefined;
  readonly journal: string | undefined;
  readonly resume: boolean;
  /** What is right already is left alone. */
  readonly compare: boolean;
  /** What the target is said to be. */
  readonly format: "raw" | "vmdk" | undefined;
  readonly ignoreFreeSpace: boolean;
}

/** What became of a target that was changed in place. */
export interface InPlaceEnd {
  /** Descriptor of a VMDK target. */
  readonly base: string | undefined;
  readonly resumedBytes: number;
  /** The CID that a VMDK has now. */
  readonly cid: string | undefined;
  readonly undo: string | undefined;
  readonly undoWarnings: readonly string[];
}

export interface InPlaceOutcome extends RestoreOutcome {
  readonly inPlace: InPlaceEnd;
}

type Work = RestoreJob & { readonly path: string; readonly options: InPlaceOptions };

/**
 * @param path What is written to, links followed.
 * @returns `undefined` of a dry run.
 */
export async function restoreInPlace(
  path: string,
  job: RestoreJob,
  options: InPlaceOptions,
): Promise<InPlaceOutcome | undefined> {
  const { snapshot, inputs, io, context, events, force } = job;
  const repository = job.repository.store.label;
  requireOnePurpose(options, [...asInputs(inputs), { what: "the target", path }], io);
  for (const file of [options.undo, options.journal]) {
    if (file !== undefined) requireOutside(file, repository, io);
  }
  if (!options.ignoreFreeSpace) requireRoomInPlace(path, job);
  const need = { operation: "restore", undoBytes: undefined } as const;
  for (const warning of requireRoomBeside(options, need, io)) events.warn(warning);
  const prepared = await prepareTarget(
    { target: path, create: false, dryRun: false, force },
    {
      use: RESTORE,
      sizeBytes: snapshot.sizeBytes,
      inputs,
      links: [],
      replacement: { cid: job.cid },
      repository,
    },
    { io, context: { ...context, format: options.format } },
  );
  try {
    requireOnePurpose(options, asParts(prepared!.target), io);
    for (const warning of prepared!.warnings) events.warn(warning);
    const behind = behindTheEnd(prepared!.target, snapshot.sizeBytes);
    if (behind !== undefined) events.warn(behind);
    const work = { ...job, path, options };
    if (!job.dryRun) return await carryOut(prepared!, work);
    // A journal that is there may say that another run is not finished.
    (await findGuards(prepared!, prepared!.target, work)).close();
    return undefined;
  } finally {
    prepared!.target.close();
  }
}

/** A sentence for a device that goes on behind the end of the disk. */
function behindTheEnd(
  target: { path: string; sizeBytes: number },
  sizeBytes: number,
): string | undefined {
  const more = target.sizeBytes - sizeBytes;
  return more > 0
    ? `${target.path} is larger than the disk: its last ${plural(more, "byte")} stay as they are`
    : undefined;
}

/** A file of the right size may have holes that get full. */
function requireRoomInPlace(path: string, { snapshot, overlay, io }: RestoreJob): void {
  const status = io.stat(path);
  if (status?.kind !== "file" || status.sizeBytes !== snapshot.sizeBytes) return;
  requireRoom(path, { snapshot, overlaidChunks: overlay?.touched.size ?? 0, copies: 1 }, io);
}

async function carryOut(prepared: PreparedTarget, work: Work): Promise<InPlaceOutcome> {
  const { options: { undo, journal }, snapshot, path, events } = work;
  const { base } = prepared;
  const target = events.begin(prepared.target, snapshot.sizeBytes);
  let guards: Safeguards | undefined;
  try {
    guards = await findGuards(prepared, target, work);
    const counts = await write(guards, target, work);
    await target.flush();
    requireUndisturbed(prepared, work);
    let verified: ReadBack | undefined;
    if (work.verify) {
      verified = await verifyWritten(target, work);
      requireUndisturbed(prepared, work);
    }
    events.finishing();
    const cid = await guards.finish(idsOf(work));
    events.end();
    for (const fallback of fallbacksOf(prepared.target)) events.warn(`${path}: ${fallback}`);
    const { resumedBytes, undoWarnings } = guards;
    const cidText = cid === undefined ? undefined : formatCid(cid);
    return {
      counts,
      verified,
      inPlace: { base: base?.path, resumedBytes, cid: cidText, undo, undoWarnings },
    };
  } catch (error) {
    events.end();
    await guards?.stop(error);
    throw withHint(error, { part: undefined, journal });
  } finally {
    events.end();
    guards?.close();
  }
}

async function findGuards({ base }: PreparedTarget, target: Target, work: Work): Promise<Safeguards> {
  const { io, context: { core }, options, force } = work;
  const { undo, journal, resume } = options;
  const plan = isGuarded(options) ? await fingerprint(work) : "";
  return await Safeguards.find({ undo, journal, resume, force }, {
    operation: "restore",
    core,
    io,
    target,
    base,
    plan,
  });
}

/** That nobody wrote to what is read, or put the target away; else its content id must not say that all is well. */
function requireUndisturbed({ target }: PreparedTarget, job: RestoreJob): void {
  requireInPlace(target);
  requireFilesUnchanged(job);
}

async function write(guards: Safeguards, target: Target, work: Work): Promise<RestoreCounts> {
  const { repository, snapshot, overlay, options, isTolerant, events } = work;
  if (!isGuarded(options)) {
    return await writeFreely({ target, content: options.compare ? "compare" : "unknown" }, work);
  }
  using lanes = work.openLanes();
  const disk = { repository, snapshot, lanes, overlay, isTolerant };
  const compareBytes = snapshot.sizeBytes - guards.resumedBytes;
  return await restoreGuarded(disk, {
    target,
    guards,
    onDamaged: onDamagedOf(work),
    onPlan: (undoBytes) => warnOfRoom(undoBytes, work),
    onProgress(counts, comparedBytes) {
      events.learn(counts);
      events.progress({
        doneBytes: comparedBytes + counts.doneBytes,
        totalBytes: compareBytes * 2,
        parts: { compared: comparedBytes, fetched: counts.fetchedBytes, kept: counts.keptBytes },
      });
    },
  });
}

/** Once it is known what changes, it is known what an undo file needs. */
function warnOfRoom(undoBytes: number, { options: { undo }, io, events }: Work): void {
  const need = { operation: "restore", undoBytes } as const;
  for (const warning of requireRoomBeside({ undo }, need, io)) events.warn(warning);
}

/** What the disk is called now; nothing where it is not the one that was backed up, or nobody knows. */
function idsOf({ cid, damaged }: RestoreJob): ContentIds | undefined {
  if (cid === undefined || damaged.length > 0) return undefined;
  return { cid: parseInt(cid, 16), longContentId: undefined };
}

/** Tells a snapshot, and the delta over it, from all others. @returns 16 hexadecimal digits. */
async function fingerprint({ snapshot, files, io }: RestoreJob): Promise<string> {
  const { root, sizeBytes, chunkBytes } = snapshot;
  const lines = [`restore ${root} ${sizeBytes} ${chunkBytes}`];
  for (const file of new Set(files)) {
    lines.push(`${file.path} ${file.sizeBytes} ${io.modifiedMs(file.path) ?? 0}`);
  }
  return (await sha256Hex(new TextEncoder().encode(lines.join("\n")))).slice(0, 16);
}
