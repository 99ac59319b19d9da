/** A restore into a new file: written beside its name, and given that when it is whole. */
import { PRIVATE_MODE } from "../../io/mod.ts";
import { descriptorDoubt } from "../../target/descriptor_doubt.ts";
import { requireInPlace } from "../../target/undisturbed.ts";
import { planFormat } from "./finish.ts";
import type { RestoreFormat } from "./format.ts";
import { requireFilesUnchanged, type RestoreJob, writeFreely } from "./job.ts";
import { lookAtNewFile, type NewFile, openNewFile, requireNoInputs } from "./place.ts";
import type { RestoreCounts } from "./restore.ts";
import { withHint } from "./unfinished.ts";
import { type ReadBack, verifyWritten } from "./written.ts";

export interface NewFileOptions {
  readonly format: RestoreFormat;
  /** Rights of what is made. */
  readonly mode: number | undefined;
  readonly ignoreFreeSpace: boolean;
}

export interface RestoreOutcome {
  readonly counts: RestoreCounts;
  readonly verified: ReadBack | undefined;
}

/**
 * @param path What the file is called in the end, links followed.
 * @returns `undefined` of a dry run.
 */
export async function restoreToFile(
  path: string,
  job: RestoreJob,
  { format, mode = PRIVATE_MODE, ignoreFreeSpace }: NewFileOptions,
): Promise<RestoreOutcome | undefined> {
  const { snapshot, overlay, cid, damaged, force, io, context, events } = job;
  const form = planFormat(format, path, { snapshot, cid, damaged, io, force, mode });
  const need = {
    snapshot,
    overlaidChunks: overlay?.touched.size ?? 0,
    copies: form.copies,
    inputs: job.inputs,
    repository: job.repository.store.label,
  };
  requireNoInputs(form.made, need, io);
  if (form.made.length === 0) {
    for (const doubt of await descriptorDoubt(form.rawPath, cid, context)) events.warn(doubt);
  }
  const tell = (sentence: string) => events.tell(sentence);
  if (job.dryRun) return lookAtNewFile(form.rawPath, need, { io, tell, force, ignoreFreeSpace });
  const file = openNewFile(form.rawPath, need, { io, tell, force, ignoreFreeSpace });
  const begunAs = file.part.path;
  try {
    const outcome = await fill(file, job);
    events.finishing();
    await form.run(file.part);
    return outcome;
  } catch (error) {
    throw withHint(error, { part: io.stat(begunAs) === undefined ? undefined : begunAs });
  } finally {
    events.end();
    // Only now: while it has not its last name, nobody else may write to it.
    file.part.close();
  }
}

/** Makes the file equal to the disk, durably. */
async function fill(file: NewFile, job: RestoreJob): Promise<RestoreOutcome> {
  const stoppable = job.events.begin(file.part.target, job.snapshot.sizeBytes);
  const counts = await writeFreely({ target: stoppable, content: file.content }, job);
  await file.part.target.flush();
  requireInPlace(file.part.target);
  requireFilesUnchanged(job);
  if (!job.verify) return { counts, verified: undefined };
  const verified = await verifyWritten(stoppable, job);
  requireInPlace(file.part.target);
  return { counts, verified };
}
