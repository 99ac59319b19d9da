/** `regrain apply`: deltas onto a target. */
import {
  type Disk,
  formatCid,
  formatCount,
  formatSize,
  operations,
  plural,
  RegrainError,
  type Target,
} from "../../core-as/host/mod.ts";
import { adoptContentId } from "../apply/content_id.ts";
import { type ApplyCounts, applyDisk, type SparseMode } from "../apply/engine.ts";
import {
  type ApplyRequest,
  intentOf,
  type PreparedDeltas,
  prepareDeltas,
  type PreparedTarget,
  prepareTarget,
} from "../apply/prepare.ts";
import { type Console, formatDuration, Progress } from "../ui/mod.ts";
import { formatOf, surveyJson, verdictLine, warnNotes } from "./describe.ts";
import { type LongFlags, startSession } from "./session.ts";

export interface ApplyFlags extends LongFlags {
  readonly chain?: boolean | undefined;
  readonly create?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  readonly force?: boolean | undefined;
  readonly sparse?: SparseMode | undefined;
}

/** @param paths One delta or more, oldest first, and the target. */
export async function runApply(paths: readonly string[], flags: ApplyFlags): Promise<number> {
  const request = requestOf(paths, flags);
  const session = startSession(flags);
  const { console, io, context } = session;
  const prepared = await prepareDeltas(request, context);
  try {
    const target = await prepareTarget(request, intentOf(prepared.disk), { io, context });
    try {
      tellPlan(console, request, prepared, target);
      if (request.dryRun) await tellOperations(console, prepared.disk);
      else await carryOut(console, { request, prepared, target: target!, io, flags });
    } finally {
      target?.target.close();
    }
  } finally {
    prepared.disk.close();
    console.flush();
  }
  return 0;
}

function requestOf(paths: readonly string[], flags: ApplyFlags): ApplyRequest {
  const deltas = paths.slice(0, -1);
  const target = paths.at(-1);
  if (target === undefined || deltas.length === 0) {
    throw new RegrainError("USAGE", "apply needs a delta and a target: regrain apply DELTA... TARGET");
  }
  if (flags.chain && deltas.length !== 1) {
    throw new RegrainError("USAGE", `--chain takes one leaf descriptor, ${deltas.length} were given`);
  }
  return {
    deltas,
    target,
    chain: flags.chain ?? false,
    create: flags.create ?? false,
    force: flags.force ?? false,
    dryRun: flags.dryRun ?? false,
  };
}

function tellPlan(
  console: Console,
  request: ApplyRequest,
  prepared: PreparedDeltas,
  target: PreparedTarget | undefined,
): void {
  const { disk, plan, surveys, verdicts } = prepared;
  warnNotes(console, surveys, request);
  for (const warning of target?.warnings ?? []) console.warn(warning);
  for (const verdict of verdicts) {
    const line = `${verdict.child} on ${verdict.parent}: ${verdictLine(verdict)}`;
    if (verdict.state === "mismatch") console.warn(`taken by --force: ${line}`);
    else console.detail(line);
  }
  warnUnappliedParent(console, request, disk);
  if (console.json) {
    console.outJson({
      type: "plan",
      target: request.target,
      links: [...surveys].reverse().map((survey) => ({ path: survey.link.path, ...surveyJson(survey) })),
      ...plan,
    });
    return;
  }
  for (const { link } of [...surveys].reverse()) console.tell(`${link.path}: ${formatOf(link)}`);
  console.tell(
    `plan: ${formatSize(plan.writeBytes)} to write and ${formatSize(plan.zeroBytes)} to zero in ` +
      `${plural(plan.operationCount, "run")}, ${formatSize(plan.skipBytes)} of ${
        formatSize(plan.diskBytes)
      } stay as they are`,
  );
}

/** The oldest link given may itself stand on a delta, which then must have been applied before. */
function warnUnappliedParent(console: Console, request: ApplyRequest, disk: Disk): void {
  const oldest = disk.links.at(-1)!;
  if (oldest.isBase) {
    console.warn(
      `${oldest.path} has no parent: all of ${request.target} is overwritten, what it does not hold with zeros`,
    );
  } else if (oldest.delta === undefined) {
    console.warn(`${oldest.path} does not say whether it has a parent: what it does not hold stays as it is`);
  }
  const hint = oldest.descriptor?.parentFileNameHint;
  if (!request.chain && hint !== undefined && /-\d{6}\.vmdk$/.test(hint)) {
    console.warn(
      `the parent of ${oldest.path} is ${hint}, by its name a delta too: it must have been applied before`,
    );
  }
}

async function tellOperations(console: Console, disk: Disk): Promise<void> {
  for await (const operation of operations(disk)) {
    if (console.json) console.outJson({ type: "operation", ...operation });
    else if (console.verbose) {
      const from = operation.from === undefined ? "" : ` from ${operation.from}`;
      console.out(
        `${operation.kind} ${formatCount(operation.length)} bytes at ${formatCount(operation.start)}${from}`,
      );
    }
  }
  if (console.json) console.outJson({ type: "summary", status: "dry-run" });
  else console.tell("dry run: nothing was written");
}

async function carryOut(
  console: Console,
  work: {
    request: ApplyRequest;
    prepared: PreparedDeltas;
    target: PreparedTarget;
    io: Parameters<typeof adoptContentId>[2];
    flags: ApplyFlags;
  },
): Promise<void> {
  const { request, prepared, target, io, flags } = work;
  const progress = new Progress(console, flags.progress ?? "auto", prepared.plan.diskBytes);
  const counts = await applyWithProgress(progress, work);
  progress.end();
  for (const fallback of fallbacksOf(target.target)) console.warn(`${request.target}: ${fallback}`);
  if (target.base) {
    const cid = await adoptContentId(target.base, prepared.disk.links[0]!, io);
    console.tell(`${target.base.path}: CID is ${formatCid(cid)} now, the delta's`);
  }
  tellSummary(console, { request, counts, progress });
}

async function applyWithProgress(
  progress: Progress,
  work: { prepared: PreparedDeltas; target: PreparedTarget; flags: ApplyFlags },
): Promise<ApplyCounts> {
  const { prepared, target, flags } = work;
  let done: ApplyCounts = { writtenBytes: 0, sparedBytes: 0, zeroedBytes: 0, skippedBytes: 0 };
  try {
    const counts = await applyDisk(prepared.disk, target.target, {
      sparse: flags.sparse ?? "auto",
      onProgress: (now) => {
        done = now;
        progress.update({
          doneBytes: sumOf(now),
          parts: {
            data: now.writtenBytes,
            zero: now.zeroedBytes + now.sparedBytes,
            skipped: now.skippedBytes,
          },
        });
      },
    });
    await target.target.flush();
    return counts;
  } catch (error) {
    progress.end();
    throw error instanceof RegrainError ? interrupted(error, done, prepared) : error;
  }
}

/** The same error, which also says how far the work came. */
function interrupted(error: RegrainError, done: ApplyCounts, prepared: PreparedDeltas): RegrainError {
  const moved = done.writtenBytes + done.sparedBytes + done.zeroedBytes;
  const all = prepared.plan.writeBytes + prepared.plan.zeroBytes;
  const progress = `${moved} of ${all} bytes were applied; running the same command again completes it`;
  return error.withHint(error.hint === undefined ? progress : `${error.hint}; ${progress}`);
}

function fallbacksOf(target: Target): readonly string[] {
  if ("fallbacks" in target) return target.fallbacks as readonly string[];
  return "targets" in target ? (target.targets as readonly Target[]).flatMap(fallbacksOf) : [];
}

function sumOf(counts: ApplyCounts): number {
  return counts.writtenBytes + counts.sparedBytes + counts.zeroedBytes + counts.skippedBytes;
}

function tellSummary(
  console: Console,
  done: { request: ApplyRequest; counts: ApplyCounts; progress: Progress },
): void {
  const { request, counts, progress } = done;
  const { writtenBytes, sparedBytes, zeroedBytes, skippedBytes } = counts;
  const elapsedMs = progress.elapsedMs;
  const movedBytes = writtenBytes + sparedBytes + zeroedBytes;
  const bytesPerSecond = Math.round(movedBytes * 1000 / Math.max(1, elapsedMs));
  if (console.json) {
    console.outJson({
      type: "summary",
      status: "done",
      target: request.target,
      ...counts,
      diskBytes: sumOf(counts),
      elapsedMs: Math.round(elapsedMs),
      bytesPerSecond,
    });
    return;
  }
  const spared = sparedBytes > 0 ? ` + ${formatCount(sparedBytes)} of data that is zero` : "";
  console.tell(
    `${request.target}: ${formatCount(writtenBytes)} bytes written${spared} + ${
      formatCount(zeroedBytes)
    } zeroed + ` +
      `${formatCount(skippedBytes)} left as they were = ${formatCount(sumOf(counts))}; ` +
      `${formatDuration(elapsedMs)}, ${formatSize(bytesPerSecond)}/s`,
  );
}
