/** `regrain verify`: whether what snapshots need is there, and is what was stored. */
import { RegrainError } from "../../core-as/host/mod.ts";
import type { Repository } from "../backup/repository.ts";
import type { Chosen } from "../backup/snapshots/choose.ts";
import { bytesToVerify, damageOf, verify, type VerifyResult } from "../backup/verify/verify.ts";
import {
  nextSlice,
  putNote,
  type Slice,
  sliceCount,
  type VerifyMode,
} from "../backup/verify/verify_notes.ts";
import { EXIT_DAMAGE } from "../exit_status.ts";
import { verifyReport } from "../report/verify.ts";
import { chooseRemembered } from "../session/choice.ts";
import { onRepository } from "../session/on_repository.ts";
import { lanesOf, type RepoFlags } from "../session/open_repository.ts";
import { type CommonFlags, type Console, Progress, type ProgressMode } from "../ui/mod.ts";

export interface VerifyFlags extends CommonFlags, RepoFlags {
  readonly quick?: boolean | undefined;
  readonly sample?: string | undefined;
  readonly deep?: boolean | undefined;
  readonly restoreTest?: boolean | undefined;
  readonly progress?: ProgressMode | undefined;
}

/** What is verified, and how. */
interface Task {
  readonly mode: VerifyMode;
  readonly slice: Slice | undefined;
  readonly chosen: Chosen;
}

export async function runVerify(specs: readonly string[], flags: VerifyFlags): Promise<number> {
  const mode = modeOf(flags);
  const count = flags.sample === undefined ? undefined : sliceCount(flags.sample);
  return await onRepository(flags, async ({ repository, console }) => {
    const chosen = await chooseRemembered(repository, specs, console);
    const slice = count === undefined ? undefined : await nextSlice(repository, count);
    const task = { mode, slice, chosen };
    const end = await verifyWithProgress(repository, { task, flags, console });
    const damaged = damageOf(end.result).length + chosen.damaged.length;
    await leaveNote(repository, { task, result: end.result, damaged, console });
    verifyReport(console).done({ ...task, ...end });
    return damaged === 0 ? 0 : EXIT_DAMAGE;
  });
}

function modeOf(flags: VerifyFlags): VerifyMode {
  const modes = [
    ...flags.quick ? ["quick" as const] : [],
    ...flags.sample === undefined ? [] : ["sample" as const],
    ...flags.deep ? ["deep" as const] : [],
    ...flags.restoreTest ? ["restore" as const] : [],
  ];
  if (modes.length <= 1) return modes[0] ?? "quick";
  throw new RegrainError("USAGE", "--quick, --sample, --deep and --restore-test exclude each other", {
    hint: "--restore-test does all that --deep does, and --deep all that --quick does",
  });
}

async function verifyWithProgress(
  repository: Repository,
  work: { task: Task; flags: VerifyFlags; console: Console },
): Promise<{ result: VerifyResult; elapsedMs: number }> {
  const { task: { mode, slice, chosen: { snapshots } }, flags, console } = work;
  const bytes = bytesToVerify(mode, { snapshots, slice });
  const progress = new Progress(console, flags.progress ?? "auto", bytes);
  using lanes = lanesOf(repository, bytes);
  try {
    const result = await verify(repository, snapshots, {
      mode,
      slice,
      lanes,
      onProgress: ({ doneBytes, fetchedBytes }) =>
        progress.update({ doneBytes, parts: { fetched: fetchedBytes } }),
      onNotice: (sentence) => console.warn(sentence),
    });
    return { result, elapsedMs: progress.elapsedMs };
  } finally {
    progress.end();
  }
}

async function leaveNote(
  repository: Repository,
  about: { task: Task; result: VerifyResult; damaged: number; console: Console },
): Promise<void> {
  const { task: { mode, slice, chosen }, result: { chunks, readChunks }, damaged, console } = about;
  const snapshots = chosen.snapshots.length;
  try {
    await putNote(repository, { mode, slice, snapshots, chunks, readChunks, damaged });
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
    console.warn(`no note of this verification could be left: ${error.message}`);
  }
}
