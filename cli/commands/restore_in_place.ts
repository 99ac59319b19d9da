/** `regrain restore` onto a disk that is there: judged, guarded and finished as an apply onto it is. */
import { formatCid } from "../../core-as/host/mod.ts";
import { restoreGuarded } from "../backup/restore/restore_guarded.ts";
import type { RestoreCounts } from "../backup/restore/restore.ts";
import type { ContentIds } from "../target/content_id.ts";
import { sha256Hex } from "../target/content_hash.ts";
import { requireOutside } from "../target/judge.ts";
import { type PreparedTarget, prepareTarget } from "../target/prepare.ts";
import { asInputs, asParts, requireOnePurpose } from "../target/purposes.ts";
import { RESTORE } from "../target/request.ts";
import { requireRoomBeside } from "../target/room_beside.ts";
import { isGuarded, Safeguards } from "../target/safeguards.ts";
import { requireInPlace } from "../target/undisturbed.ts";
import { Progress } from "../ui/mod.ts";
import { rateLimitOf } from "../session/flags.ts";
import { fallbacksOf } from "../target/fallbacks.ts";
import type { Verified } from "../report/verified.ts";
import { interruptible } from "../session/interruption.ts";
import { lanesOf } from "../session/open_repository.ts";
import { onDamagedOf, withHint } from "./restore_damage.ts";
import { behindTheEnd } from "./restore_format.ts";
import { requireRoom } from "./restore_place.ts";
import { verifyWritten } from "./restore_verify.ts";
import { requireFilesUnchanged, type RestoreWork, tellRestored, writeFreely } from "./restore_work.ts";

/** @param path What is written to, links followed. */
export async function restoreInPlace(path: string, work: RestoreWork): Promise<void> {
  const { snapshot, inputs, session: { console, io, context }, flags } = work;
  const repository = work.repository.store.label;
  const force = flags.force ?? false;
  requireOnePurpose(flags, [...asInputs(inputs), { what: "the target", path }], io);
  for (const file of [flags.undo, flags.journal]) {
    if (file !== undefined) requireOutside(file, repository, io);
  }
  requireRoomInPlace(path, work);
  // Of a target that is there the flag says what it is.
  const said = flags.format === "raw" || flags.format === "vmdk" ? flags.format : undefined;
  const need = { operation: "restore", undoBytes: undefined } as const;
  for (const warning of requireRoomBeside(flags, need, io)) console.warn(warning);
  const prepared = await prepareTarget(
    { target: path, create: false, dryRun: false, force },
    {
      use: RESTORE,
      sizeBytes: snapshot.sizeBytes,
      inputs,
      links: [],
      replacement: { cid: work.cid },
      repository,
    },
    { io, context: { ...context, format: said } },
  );
  try {
    requireOnePurpose(flags, asParts(prepared!.target), io);
    for (const warning of prepared!.warnings) console.warn(warning);
    const behind = behindTheEnd(prepared!.target, snapshot.sizeBytes);
    if (behind !== undefined) console.warn(behind);
    await carryOut(prepared!, { ...work, path });
  } finally {
    prepared!.target.close();
  }
}

/** A file of the right size may have holes that get full. */
function requireRoomInPlace(path: string, { snapshot, overlay, session: { io }, flags }: RestoreWork): void {
  const status = io.stat(path);
  if (flags.ignoreFreeSpace || status?.kind !== "file" || status.sizeBytes !== snapshot.sizeBytes) return;
  requireRoom(path, { snapshot, overlaidChunks: overlay?.touched.size ?? 0, copies: 1 }, io);
}

async function carryOut(prepared: PreparedTarget, work: RestoreWork & { path: string }): Promise<void> {
  const { session: { console, io, context }, flags, snapshot, path, watch } = work;
  const { base } = prepared;
  const progress = new Progress(console, flags.progress ?? "auto", snapshot.sizeBytes);
  using stopping = interruptible(prepared.target, { console, progress, bytesPerSecond: rateLimitOf(flags) });
  const { target } = stopping;
  const { undo, journal, resume = false, force = false } = flags;
  const plan = isGuarded(flags) ? await fingerprint(work) : "";
  const of = { operation: "restore", core: context.core, io, target, base, plan } as const;
  let guards: Safeguards | undefined;
  try {
    guards = await Safeguards.find({ undo, journal, resume, force }, of);
    const counts = await write(guards, { ...work, target, progress });
    await target.flush();
    requireUndisturbed(prepared, work);
    let verified: Verified | undefined;
    if (flags.verify) {
      progress.end();
      verified = await verifyWritten(target, work);
      requireUndisturbed(prepared, work);
    }
    watch.phase("finish");
    const cid = await guards.finish(idsOf(work));
    progress.end();
    for (const fallback of fallbacksOf(prepared.target)) console.warn(`${path}: ${fallback}`);
    const { resumedBytes, undoWarnings } = guards;
    const inPlace = { resumedBytes, cid: cid === undefined ? undefined : formatCid(cid), undo, undoWarnings };
    const elapsedMs = progress.elapsedMs - (verified?.elapsedMs ?? 0);
    tellRestored(counts, { ...work, elapsedMs, verified, inPlace: { ...inPlace, base: base?.path } });
  } catch (error) {
    progress.end();
    await guards?.stop(error);
    throw withHint(error, { part: undefined, journal });
  } finally {
    progress.end();
    guards?.close();
  }
}

/** That nobody wrote to what is read, or put the target away; else its content id must not say that all is well. */
function requireUndisturbed({ target }: PreparedTarget, work: RestoreWork): void {
  requireInPlace(target);
  requireFilesUnchanged(work);
}

async function write(
  guards: Safeguards,
  work: RestoreWork & { target: PreparedTarget["target"]; progress: Progress; path: string },
): Promise<RestoreCounts> {
  const { repository, snapshot, overlay, target, progress, flags, watch } = work;
  if (!isGuarded(flags)) {
    return await writeFreely({ target, content: flags.delta ? "compare" : "unknown" }, work);
  }
  using lanes = lanesOf(repository);
  const disk = { repository, snapshot, lanes, overlay, isTolerant: flags.damaged !== undefined };
  const compareBytes = snapshot.sizeBytes - guards.resumedBytes;
  return await restoreGuarded(disk, {
    target,
    guards,
    onDamaged: onDamagedOf(work),
    onPlan: (undoBytes) => warnOfRoom(undoBytes, work),
    onProgress(counts, comparedBytes) {
      watch.learn({ figures: { ...counts } });
      progress.update({
        doneBytes: comparedBytes + counts.doneBytes,
        totalBytes: compareBytes * 2,
        parts: { compared: comparedBytes, fetched: counts.fetchedBytes, kept: counts.keptBytes },
      });
    },
  });
}

/** Once it is known what changes, it is known what an undo file needs. */
function warnOfRoom(undoBytes: number, { flags: { undo }, session: { console, io } }: RestoreWork): void {
  const need = { operation: "restore", undoBytes } as const;
  for (const warning of requireRoomBeside({ undo }, need, io)) console.warn(warning);
}

/** What the disk is called now; nothing where it is not the one that was backed up, or nobody knows. */
function idsOf({ cid, damaged }: RestoreWork): ContentIds | undefined {
  if (cid === undefined || damaged.length > 0) return undefined;
  return { cid: parseInt(cid, 16), longContentId: undefined };
}

/** Tells a snapshot, and the delta over it, from all others. @returns 16 hexadecimal digits. */
async function fingerprint({ snapshot, files, session: { io } }: RestoreWork): Promise<string> {
  const { root, sizeBytes, chunkBytes } = snapshot;
  const lines = [`restore ${root} ${sizeBytes} ${chunkBytes}`];
  for (const file of new Set(files)) {
    lines.push(`${file.path} ${file.sizeBytes} ${io.modifiedMs(file.path) ?? 0}`);
  }
  return (await sha256Hex(new TextEncoder().encode(lines.join("\n")))).slice(0, 16);
}
