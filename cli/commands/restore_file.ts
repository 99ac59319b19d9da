/** `regrain restore` into a new file: written beside its name, and given that when it is whole. */
import { PRIVATE_MODE } from "../io/mod.ts";
import { descriptorDoubt } from "../target/descriptor_doubt.ts";
import { requireInPlace } from "../target/undisturbed.ts";
import { Progress } from "../ui/mod.ts";
import { rateLimitOf } from "../session/flags.ts";
import type { Verified } from "../report/verified.ts";
import { interruptible } from "../session/interruption.ts";
import { withHint } from "./restore_damage.ts";
import { planFormat, type RestoreFormat } from "./restore_format.ts";
import { type NewFile, openNewFile, requireNoInputs } from "./restore_place.ts";
import { verifyWritten } from "./restore_verify.ts";
import { requireFilesUnchanged, type RestoreWork, tellRestored, writeFreely } from "./restore_work.ts";

/** @param path What the file is called in the end, links followed. */
export async function restoreToFile(
  path: string,
  work: RestoreWork & { format: RestoreFormat; mode: number | undefined },
): Promise<void> {
  const { snapshot, overlay, session: { console, io, context }, flags, watch, mode = PRIVATE_MODE } = work;
  const force = flags.force ?? false;
  const form = planFormat(work.format, path, { ...work, io, force, mode });
  const need = {
    snapshot,
    overlaidChunks: overlay?.touched.size ?? 0,
    copies: form.copies,
    inputs: work.inputs,
    repository: work.repository.store.label,
  };
  requireNoInputs(form.made, need, io);
  if (form.made.length === 0) {
    for (const doubt of await descriptorDoubt(form.rawPath, work.cid, context)) console.warn(doubt);
  }
  const file = openNewFile(form.rawPath, need, { io, console, flags });
  const begunAs = file.part.path;
  const progress = new Progress(console, flags.progress ?? "auto", snapshot.sizeBytes);
  try {
    const { counts, verified } = await fill(file, { ...work, progress });
    watch.phase("finish");
    await form.run(file.part);
    progress.end();
    tellRestored(counts, { ...work, path, elapsedMs: progress.elapsedMs, verified });
  } catch (error) {
    throw withHint(error, { part: io.stat(begunAs) === undefined ? undefined : begunAs });
  } finally {
    progress.end();
    // Only now: while it has not its last name, nobody else may write to it.
    file.part.close();
  }
}

/** Makes the file equal to the disk, durably. */
async function fill(file: NewFile, work: RestoreWork & { progress: Progress }) {
  const { session: { console }, flags, progress } = work;
  const { target } = file.part;
  using stoppable = interruptible(target, { console, progress, bytesPerSecond: rateLimitOf(flags) });
  const counts = await writeFreely({ target: stoppable.target, content: file.content }, work);
  await target.flush();
  requireInPlace(target);
  requireFilesUnchanged(work);
  let verified: Verified | undefined;
  if (flags.verify) {
    progress.end();
    verified = await verifyWritten(stoppable.target, work);
    requireInPlace(target);
  }
  return { counts, verified };
}
