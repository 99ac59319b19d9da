/** `regrain apply UNDO_FILE TARGET`: takes an apply back, or applies what `rbd export-diff` wrote. */
import { formatCid, formatSize, plural, RegrainError } from "../../core-as/host/mod.ts";
import type { ApplyCounts } from "../apply/engine.ts";
import { IdsBefore } from "../target/ids_before.ts";
import { discardMade } from "../target/made_target.ts";
import type { ApplyRequest } from "../apply/prepare.ts";
import { type PreparedTarget, prepareTarget } from "../target/prepare.ts";
import { requireOwnTarget } from "../target/recognise.ts";
import { APPLY } from "../target/request.ts";
import { takeBack } from "../target/take_back.ts";
import { type PreparedDiff, prepareDiff } from "../target/undo_file.ts";
import { type Console, Progress } from "../ui/mod.ts";
import { type ApplyFlags, rateLimitOf } from "./apply_flags.ts";
import {
  partsOf,
  plannedBytesOf,
  tellDryRun,
  tellSummary,
  withProgressHint,
  workBytesOf,
} from "./apply_report.ts";
import { interruptible } from "../session/interruption.ts";
import type { Session } from "../session/session.ts";

/** @throws {RegrainError} before anything is written, when the file was cut short or made for another target. */
export async function runTakeBack(request: ApplyRequest, flags: ApplyFlags, session: Session): Promise<void> {
  if (flags.undo !== undefined || flags.journal !== undefined || flags.resume) {
    throw new RegrainError(
      "USAGE",
      "--undo, --journal and --resume do not go with an undo file: running it again is safe",
    );
  }
  if (flags.verify || flags.hash) {
    throw new RegrainError(
      "USAGE",
      "--verify and --hash do not go with an undo file: it is no disk to compare with",
    );
  }
  const { console, io, context } = session;
  const path = request.deltas[0]!;
  const source = io.openSource(path);
  try {
    const prepared = await prepareDiff(source);
    const { writeBytes, zeroBytes, recordCount, undo } = prepared;
    const intent = { use: APPLY, sizeBytes: prepared.diff.meta.sizeBytes, inputs: [path], links: [] };
    const target = await prepareTarget(request, intent, { io, context });
    try {
      console.tell(
        `${path}: ${undo ? "undo file" : "rbd-diff"}, ${formatSize(writeBytes)} to write and ` +
          `${formatSize(zeroBytes)} to zero in ${plural(recordCount, "record")}`,
      );
      for (const warning of target?.warnings ?? []) console.warn(warning);
      const known = target &&
        await requireOwnTarget(prepared, { target: target.target, force: request.force });
      for (const warning of known?.warnings ?? []) console.warn(`${path}: ${warning}`);
      if (undo && !known?.isReturned) {
        console.tell(`${path}: it takes back only what the ${undo.operation} overwrote`);
      }
      const ids = await IdsBefore.find(prepared, { target, path: request.target }, { io, context });
      if (!known?.isReturned) await ids?.requireOwn(request.force);
      if (request.dryRun) tellDryRun(console);
      else if (known?.isReturned) await tellReturned(console, { path, target: request.target, ids });
      else await carryOut(request, { prepared, target: target!, ids }, { flags, session });
    } catch (error) {
      discardMade(target?.target);
      throw error;
    } finally {
      target?.target.close();
    }
  } finally {
    source.close();
  }
}

/** It was done before, and nothing was written since; the ids of a descriptor may still have to come back. */
async function tellReturned(
  console: Console,
  { path, target, ids }: { path: string; target: string; ids: IdsBefore | undefined },
): Promise<void> {
  const isCompleted = await ids?.complete() ?? false;
  const doubt = await ids?.doubt();
  if (doubt !== undefined) console.warn(doubt);
  const cid = isCompleted ? formatCid(ids!.cid) : undefined;
  if (console.json) return console.outJson({ type: "summary", status: "taken-back-before", target, cid });
  const before = `${path}: it was taken back before, and ${target} holds what it held`;
  console.tell(
    cid === undefined ? `${before}: nothing was written` : `${before}; CID of ${ids!.path} is ${cid} again`,
  );
}

async function carryOut(
  request: ApplyRequest,
  work: { prepared: PreparedDiff; target: PreparedTarget; ids: IdsBefore | undefined },
  how: { flags: ApplyFlags; session: Session },
): Promise<void> {
  const { console, io, context } = how.session;
  const { prepared, ids } = work;
  const progress = new Progress(console, how.flags.progress ?? "auto", plannedBytesOf(prepared));
  using stopping = interruptible(work.target.target, {
    console,
    progress,
    bytesPerSecond: rateLimitOf(how.flags),
  });
  const { target } = stopping;
  let done: ApplyCounts | undefined;
  try {
    const counts = await takeBack({ core: context.core, io, prepared, target }, {
      onProgress(now) {
        done = now;
        progress.update({ doneBytes: workBytesOf(now), parts: partsOf(now) });
      },
      async whenDurable() {
        await ids?.giveBack();
      },
    });
    progress.end();
    const result = { counts, resumedBytes: 0, cid: ids?.cid, undoWarnings: [] };
    tellSummary(console, {
      target: request.target,
      base: ids?.path,

      undo: undefined,
      result,
      progress,
    });
  } catch (error) {
    progress.end();
    if (!(error instanceof RegrainError) || done === undefined) throw error;
    throw withProgressHint(error, done, { plan: prepared, journal: undefined });
  }
}
