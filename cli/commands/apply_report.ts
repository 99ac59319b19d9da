/** What `apply` says: its plan, its progress, its end. */
import {
  type ApplyPlan,
  formatCid,
  formatCount,
  formatSize,
  judgeApply,
  type Judgement,
  type Link,
  type LinkIdentity,
  type Operation,
  operations,
  plural,
  quotePath,
  type RegrainError,
  SECTOR_SIZE,
  type Target,
  uuidOf,
} from "../../core-as/host/mod.ts";
import { isDisturbed } from "../target/undisturbed.ts";
import type { ApplyCounts } from "../apply/engine.ts";
import type { ApplyRequest, PreparedDeltas } from "../apply/prepare.ts";
import type { PreparedTarget } from "../target/prepare.ts";
import type { RunResult } from "../apply/run.ts";
import { isNowhere, KEPT_NOTHING } from "../places/null.ts";
import { type Console, formatDuration, type Progress } from "../ui/mod.ts";
import { tellVerdict } from "../session/whole_disk.ts";
import { tellVerified, type Verified, verifiedJson } from "./apply_verify.ts";
import { formatOf, surveyJson, warnNotes } from "../ui/describe.ts";
import { judgementJson, judgementLines } from "../ui/describe_judgement.ts";

/** Says what is about to happen, and all that is odd about it. */
export function tellPlan(
  console: Console,
  request: ApplyRequest,
  prepared: PreparedDeltas,
  target: PreparedTarget | undefined,
): void {
  const { disk, plan, surveys, verdicts } = prepared;
  warnNotes(console, surveys, request);
  for (const warning of target?.warnings ?? []) console.warn(warning);
  for (const verdict of verdicts) tellVerdict(console, verdict);
  const isNew = isNewTarget(target);
  warnUnappliedParent(console, { ...request, isNew }, disk.links.at(-1)!);
  if (console.json) {
    console.outJson({
      type: "plan",
      target: request.target,
      links: [...surveys].reverse().map((survey) => ({ path: survey.link.path, ...surveyJson(survey) })),
      ...plan,
      isNew,
    });
    return;
  }
  for (const { link } of [...surveys].reverse()) console.tell(`${link.path}: ${formatOf(link)}`);
  console.tell(planLine(plan, { target: request.target, isNew }));
}

/** True for a target that is made for this, or would be if this were no dry run. */
export function isNewTarget(target: PreparedTarget | undefined): boolean {
  return target === undefined || target.isNew === true;
}

/** `plan: 749.8 MiB to write and 0 B to zero in 965 runs, 3.3 GiB of 4.0 GiB stay as they are`. */
export function planLine(plan: ApplyPlan, at: { target: string; isNew: boolean }): string {
  return `plan: ${formatSize(plan.writeBytes)} to write and ${formatSize(plan.zeroBytes)} to zero in ` +
    `${plural(plan.operationCount, "run")}, ${formatSize(plan.skipBytes)} of ${formatSize(plan.diskBytes)} ` +
    restOf(at, {
      nowhere: "are left out",
      isNew: "are zeros, since the target is new",
      other: "stay as they are",
    });
}

/** What becomes of what no delta holds. */
function restOf(
  { target, isNew }: { target: string; isNew: boolean },
  words: { nowhere: string; isNew: string; other: string },
): string {
  return isNowhere(target) ? words.nowhere : isNew ? words.isNew : words.other;
}

/** The oldest link given may itself stand on a delta, which then must have been applied before. */
export function warnUnappliedParent(
  console: Console,
  request: Pick<ApplyRequest, "target" | "chain"> & { isNew: boolean },
  oldest: Link,
): void {
  const { target, isNew } = request;
  if (isNowhere(target)) return;
  if (oldest.isBase) {
    console.warn(
      isNew
        ? `${oldest.path} has no parent: it is all of ${target}, what it does not hold is zeros`
        : `${oldest.path} has no parent: all of ${target} is overwritten, what it does not hold with zeros`,
    );
  } else if (isNew) {
    console.warn(
      `${target} is new, and the base of ${oldest.path} is not in it: what no delta holds reads as zeros`,
    );
  } else if (oldest.delta === undefined) {
    console.warn(`${oldest.path} does not say whether it has a parent: what it does not hold stays as it is`);
  }
  const hint = oldest.descriptor?.parentFileNameHint;
  const uuid = oldest.descriptor && uuidOf(oldest.descriptor, "parent");
  if (hint === undefined && uuid !== undefined) {
    console.warn(
      `the parent of ${oldest.path} is told by ddb.uuid.parent ${uuid} alone: whether ${target} is it is not known`,
    );
  }
  if (!request.chain && hint !== undefined && /-\d{6}\.vmdk$/.test(hint)) {
    console.warn(
      `the parent of ${oldest.path} is ${hint}, by its name a delta too: it must have been applied before`,
    );
  }
}

/** The plan, operation by operation, for `--dry-run`, and what it was judged by. */
export async function tellOperations(
  console: Console,
  request: ApplyRequest,
  of: { prepared: PreparedDeltas; target: PreparedTarget | undefined },
): Promise<void> {
  const { disk, surveys } = of.prepared;
  if (console.json || console.verbose) {
    for await (const operation of operations(disk)) tellOperation(console, operation);
  }
  const below = of.target === undefined || isNowhere(request.target)
    ? []
    : [baseOf(of.target, request.target)];
  tellDryRun(
    console,
    judgeApply({
      links: [...disk.links, ...below],
      findings: surveys.map(({ findings }) => findings),
      beside: of.target?.beside ?? of.prepared.beside,
      force: request.force,
      flags: (request.words ?? []).filter((word) => word !== "--dry-run"),
    }),
  );
}

/** What is known of the target; a device may be larger than the disk. */
function baseOf({ base, target }: PreparedTarget, path: string): LinkIdentity {
  if (base) return base;
  const capacitySectors = target.isDevice ? undefined : target.sizeBytes / SECTOR_SIZE;
  return { path, descriptor: undefined, capacitySectors, delta: false };
}

/** One stretch that would be written, for `--json` and `-v`. */
export function tellOperation(console: Console, operation: Operation): void {
  if (console.json) console.outJson({ type: "operation", ...operation });
  else if (console.verbose) {
    const from = operation.from === undefined ? "" : ` from ${operation.from}`;
    const place = `${formatCount(operation.length)} bytes at ${formatCount(operation.start)}`;
    console.out(`${operation.kind} ${place}${from}`);
  }
}

export function tellDryRun(console: Console, judgement?: Judgement): void {
  if (console.json) {
    const judged = judgement === undefined ? {} : { judgement: judgementJson(judgement) };
    console.outJson({ type: "summary", status: "dry-run", ...judged });
    return;
  }
  // The command that would do it is the one that was typed.
  const lines = judgement === undefined ? [] : judgementLines({ ...judgement, command: undefined });
  for (const line of lines) console.tell(line);
  console.tell("dry run: nothing was written");
}

/** Bytes of the disk that the counts account for. */
export function doneBytesOf(counts: ApplyCounts): number {
  return counts.writtenBytes + counts.sparedBytes + counts.zeroedBytes + counts.skippedBytes;
}

/** Bytes of the plan that are done: what is left alone costs nothing, and says nothing of how long the rest takes. */
export function workBytesOf(counts: ApplyCounts): number {
  return counts.writtenBytes + counts.sparedBytes + counts.zeroedBytes;
}

/** Bytes that a plan moves or zeroes. */
export function plannedBytesOf(plan: Pick<ApplyPlan, "writeBytes" | "zeroBytes">): number {
  return plan.writeBytes + plan.zeroBytes;
}

/** The counts as the progress shows them. */
export function partsOf(counts: ApplyCounts): Record<string, number> {
  return {
    data: counts.writtenBytes,
    zero: counts.zeroedBytes + counts.sparedBytes,
    skipped: counts.skippedBytes,
  };
}

/** The same error, which also says how far the work came and how it is completed. */
export function withProgressHint(
  error: RegrainError,
  done: ApplyCounts,
  at: {
    plan: Pick<ApplyPlan, "writeBytes" | "zeroBytes">;
    journal: string | undefined;
    /** A whole disk that began to fill a target made for it: it overwrites one by then. */
    needsForce?: boolean;
  },
): RegrainError {
  // The hints of these say what to do with all of it.
  if (isDisturbed(error)) return error;
  const moved = workBytesOf(done);
  const all = plannedBytesOf(at.plan);
  const force = at.needsForce ? ", and --force since the target is there now," : "";
  const how = at.journal === undefined
    ? `running the same command again${force} completes it`
    : `the same command with --resume${force} completes it`;
  const progress = `${moved} of ${all} bytes were applied; ${how}`;
  return error.withHint(error.hint === undefined ? progress : `${error.hint}; ${progress}`);
}

/** The last line, which adds up. */
export function tellSummary(
  console: Console,
  done: {
    target: string;
    /** Descriptor of a VMDK target. */
    base: string | undefined;
    /** What was applied, or the newest of it; `undefined` when it was taken back. */
    newest?: Link;
    undo: string | undefined;
    isNew?: boolean;
    result: RunResult;
    verified?: Verified | undefined;
    progress: Progress;
  },
): void {
  const { target, base, undo, isNew = false, result, verified, progress } = done;
  const { counts, resumedBytes, cid, undoWarnings } = result;
  for (const warning of undoWarnings) console.warn(`${undo}: ${warning}`);
  const { writtenBytes, sparedBytes, zeroedBytes, skippedBytes } = counts;
  const elapsedMs = progress.elapsedMs - (verified?.elapsedMs ?? 0);
  const bytesPerSecond = Math.round(
    (writtenBytes + sparedBytes + zeroedBytes) * 1000 / Math.max(1, elapsedMs),
  );
  const diskBytes = doneBytesOf(counts) + resumedBytes;
  if (console.json) {
    console.outJson({
      type: "summary",
      status: "done",
      target,
      ...isNowhere(target) ? { kept: false } : {},
      ...counts,
      resumedBytes,
      diskBytes,
      cid: cid === undefined ? null : formatCid(cid),
      undo: undo ?? null,
      elapsedMs: Math.round(elapsedMs),
      bytesPerSecond,
      verified: verified === undefined ? null : verifiedJson(verified),
    });
    return;
  }
  const cidSentence = done.newest ? cidNow(cid, done.newest) : cid && `CID is ${formatCid(cid)} again`;
  if (base !== undefined && cidSentence) console.tell(`${base}: ${cidSentence}`);
  if (undo !== undefined) {
    console.tell(
      `${undo}: regrain apply ${quotePath(undo)} ${
        quotePath(target)
      } takes back what this run overwrote, while nothing else writes to it`,
    );
  }
  const resumed = resumedBytes > 0 ? `${formatCount(resumedBytes)} done before + ` : "";
  const rest = restOf({ target, isNew }, {
    nowhere: "left out",
    isNew: "left as zeros",
    other: "left as they were",
  });
  const spared = sparedBytes > 0 ? ` + ${formatCount(sparedBytes)} of data that is zero` : "";
  console.tell(
    `${target}: ${resumed}${formatCount(writtenBytes)} bytes written${spared} + ${
      formatCount(zeroedBytes)
    } zeroed + ` +
      `${formatCount(skippedBytes)} ${rest} = ${formatCount(diskBytes)}; ` +
      `${formatDuration(elapsedMs)}, ${formatSize(bytesPerSecond)}/s`,
  );
  if (isNowhere(target)) console.tell(KEPT_NOTHING);
  if (verified) tellVerified(console, { path: target, isVmdk: base !== undefined, verified });
}

/** What became of the content id of a base. */
function cidNow(cid: number | undefined, { descriptor }: Link): string {
  if (cid === undefined) return "it has no CID and gets none, so nothing will tell that the delta is in it";
  const whose = cid === descriptor?.cid ? "the delta's" : "a new one, since the delta tells none";
  return `CID is ${formatCid(cid)} now, ${whose}`;
}

/** What a target could not do the good way; a target of several files has those of each. */
export function fallbacksOf(target: Target): readonly string[] {
  return target.targets?.flatMap(fallbacksOf) ?? target.fallbacks ?? [];
}
