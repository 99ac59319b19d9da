/** What `apply` says: its plan, its operations where they are asked for, its end. */
import {
  type ApplyPlan,
  formatCid,
  formatCount,
  formatSize,
  type Judgement,
  type Link,
  type LinkSurvey,
  type Operation,
  plural,
  quotePath,
} from "../../core-as/host/mod.ts";
import type { PlannedApply } from "../apply/apply_deltas.ts";
import type { GivenBack } from "../apply/apply_diff.ts";
import type { PipeResult } from "../apply/pipe.ts";
import type { ApplyRequest } from "../apply/prepare.ts";
import type { RunResult } from "../apply/run.ts";
import { isNowhere, KEPT_NOTHING } from "../places/null.ts";
import { type ApplyCounts, doneBytesOf, workBytesOf } from "../target/counts.ts";
import { fallbacksOf } from "../target/fallbacks.ts";
import { isNewTarget, type PreparedTarget, type TargetRequest } from "../target/prepare.ts";
import type { PreparedDiff } from "../target/undo_file.ts";
import { type Console, formatDuration, type ProgressState } from "../ui/mod.ts";
import { formatOf, surveyJson } from "../ui/describe.ts";
import { judgementJson, judgementLines } from "../ui/describe_judgement.ts";
import { warnBefore } from "./apply_warnings.ts";
import { tellVerified, type Verified, verifiedJson } from "./verified.ts";

/** A stream whose front was looked at, and its target. */
export interface OpenedStream {
  readonly link: Link;
  readonly survey: LinkSurvey;
  readonly target: PreparedTarget | undefined;
  /** Damage cannot come as a surprise, or an undo file saves from it, or nothing is written. */
  readonly isSafe: boolean;
}

/** What became of a run. */
export interface ApplyEnd {
  /** As it was named. */
  readonly name: string;
  readonly target: PreparedTarget | undefined;
  /** What was applied, or the newest of it. */
  readonly newest: Link;
  readonly undo: string | undefined;
  readonly result: RunResult;
  readonly verified?: Verified | undefined;
  /** Of all of it, reading back too. */
  readonly elapsedMs: number;
}

/** What the last line says. */
interface Sums extends Pick<ApplyEnd, "name" | "undo" | "result" | "verified" | "elapsedMs"> {
  /** Descriptor of a VMDK target. */
  readonly base: string | undefined;
  readonly isNew: boolean;
  /** Absent when it was taken back. */
  readonly newest?: Link;
}

/** Warnings are the same for a person and as JSON; all else each form says in its own way. */
export abstract class ApplyReport {
  /** Each operation of a dry run is shown. */
  abstract readonly showsOperations: boolean;

  constructor(protected readonly console: Console) {}

  /** What is about to happen, and all that is odd about it. */
  planned(request: ApplyRequest, planned: PlannedApply): void {
    const { disk, surveys, verdicts } = planned.prepared;
    const { target } = planned;
    warnBefore(this.console, request, { surveys, target, verdicts, oldest: disk.links.at(-1)! });
    this.plan(request.target, planned);
  }

  stream(request: TargetRequest, opened: OpenedStream): void {
    const { survey, target, link } = opened;
    warnBefore(this.console, { ...request, chain: false }, { surveys: [survey], target, oldest: link });
    this.streamBegins(opened);
  }

  /** What a stream was found to hold, and what became of it. */
  streamed(request: TargetRequest, result: PipeResult, of: Pick<ApplyEnd, "undo" | "elapsedMs">): void {
    const { target, survey, counts, cid, undoWarnings, isLeft, slackBytes } = result;
    this.warnOfFallbacks(request.target, target);
    if (isLeft) {
      this.console.warn(
        `stdin: it goes on ${formatSize(slackBytes)} behind the disk's last grain; the rest was not read`,
      );
    }
    this.streamPlan(request, result);
    if (request.dryRun) return this.dryRun();
    this.finish({
      ...of,
      name: request.target,
      target,
      newest: survey.link,
      result: { counts, resumedBytes: 0, cid, undoWarnings },
    });
  }

  done(end: ApplyEnd): void {
    this.warnOfFallbacks(end.name, end.target);
    this.finish(end);
  }

  /** An undo file was taken back, or one of another program applied. */
  diffApplied(
    name: string,
    { counts, ids }: { counts: ApplyCounts; ids: GivenBack | undefined },
    elapsedMs: number,
  ): void {
    const result = { counts, resumedBytes: 0, cid: ids?.cid, undoWarnings: [] };
    this.sums({ name, base: ids?.path, undo: undefined, isNew: false, result, elapsedMs });
  }

  /** One stretch that would be written. */
  abstract operation(operation: Operation): void;
  abstract dryRun(judgement?: Judgement): void;
  /** An undo file, or one of another program. */
  abstract diff(path: string, diff: PreparedDiff): void;
  abstract savedOnly(path: string, operation: string): void;
  /** An undo file had been taken back before, but perhaps for the ids of a descriptor. */
  abstract takenBackBefore(path: string, target: string, ids: GivenBack | undefined): void;

  protected abstract plan(target: string, planned: PlannedApply): void;
  protected abstract streamBegins(opened: OpenedStream): void;
  protected abstract streamPlan(request: TargetRequest, result: PipeResult): void;
  /** The last line, which adds up. */
  protected abstract sums(sums: Sums): void;

  private finish({ target, ...end }: ApplyEnd): void {
    for (const warning of end.result.undoWarnings) this.console.warn(`${end.undo}: ${warning}`);
    this.sums({ ...end, base: target?.base?.path, isNew: isNewTarget(target) });
  }

  private warnOfFallbacks(name: string, target: PreparedTarget | undefined): void {
    for (const fallback of target ? fallbacksOf(target.target) : []) {
      this.console.warn(`${name}: ${fallback}`);
    }
  }
}

export function applyReport(console: Console): ApplyReport {
  return console.json ? new JsonApplyReport(console) : new TextApplyReport(console);
}

/** The counts as the progress shows them. */
export function progressOf(counts: ApplyCounts): ProgressState {
  return {
    doneBytes: workBytesOf(counts),
    parts: {
      data: counts.writtenBytes,
      zero: counts.zeroedBytes + counts.sparedBytes,
      skipped: counts.skippedBytes,
    },
  };
}

class JsonApplyReport extends ApplyReport {
  readonly showsOperations = true;

  plan(target: string, { prepared: { surveys, plan }, ...planned }: PlannedApply): void {
    const links = [...surveys].reverse().map((survey) => ({ path: survey.link.path, ...surveyJson(survey) }));
    this.console.outJson({ type: "plan", target, links, ...plan, isNew: isNewTarget(planned.target) });
  }

  streamBegins(): void {}

  streamPlan({ target }: TargetRequest, { survey, plan }: PipeResult): void {
    const links = [{ path: survey.link.path, ...surveyJson(survey) }];
    this.console.outJson({ type: "plan", target, links, ...plan });
  }

  operation(operation: Operation): void {
    this.console.outJson({ type: "operation", ...operation });
  }

  dryRun(judgement?: Judgement): void {
    const judged = judgement === undefined ? {} : { judgement: judgementJson(judgement) };
    this.console.outJson({ type: "summary", status: "dry-run", ...judged });
  }

  diff(): void {}

  savedOnly(): void {}

  takenBackBefore(_path: string, target: string, ids: GivenBack | undefined): void {
    const cid = ids && formatCid(ids.cid);
    this.console.outJson({ type: "summary", status: "taken-back-before", target, cid });
  }

  sums(sums: Sums): void {
    const { name: target, undo, result: { counts, resumedBytes, cid }, verified } = sums;
    const { elapsedMs, bytesPerSecond } = speedOf(sums);
    this.console.outJson({
      type: "summary",
      status: "done",
      target,
      ...isNowhere(target) ? { kept: false } : {},
      ...counts,
      resumedBytes,
      diskBytes: doneBytesOf(counts) + resumedBytes,
      cid: cid === undefined ? null : formatCid(cid),
      undo: undo ?? null,
      elapsedMs: Math.round(elapsedMs),
      bytesPerSecond,
      verified: verified === undefined ? null : verifiedJson(verified),
    });
  }
}

class TextApplyReport extends ApplyReport {
  get showsOperations(): boolean {
    return this.console.verbose;
  }

  plan(target: string, { prepared: { surveys, plan }, ...planned }: PlannedApply): void {
    for (const { link } of [...surveys].reverse()) this.console.tell(`${link.path}: ${formatOf(link)}`);
    this.console.tell(planLine(plan, { target, isNew: isNewTarget(planned.target) }));
  }

  streamBegins({ link, isSafe }: OpenedStream): void {
    this.console.tell(`${link.path}: ${formatOf(link)}`);
    if (isSafe) return;
    this.console.tell(
      "a pipe is checked as it comes, not before; --undo FILE saves what is overwritten, to take it back",
    );
  }

  streamPlan({ target, dryRun }: TargetRequest, result: PipeResult): void {
    if (!dryRun) return;
    this.console.tell(planLine(result.plan, { target, isNew: isNewTarget(result.target) }));
  }

  operation({ kind, start, length, from }: Operation): void {
    const place = `${formatCount(length)} bytes at ${formatCount(start)}`;
    this.console.out(`${kind} ${place}${from === undefined ? "" : ` from ${from}`}`);
  }

  dryRun(judgement?: Judgement): void {
    // The command that would do it is the one that was typed.
    const lines = judgement === undefined ? [] : judgementLines({ ...judgement, command: undefined });
    for (const line of lines) this.console.tell(line);
    this.console.tell("dry run: nothing was written");
  }

  diff(path: string, { undo, writeBytes, zeroBytes, recordCount }: PreparedDiff): void {
    this.console.tell(
      `${path}: ${undo ? "undo file" : "rbd-diff"}, ${formatSize(writeBytes)} to write and ` +
        `${formatSize(zeroBytes)} to zero in ${plural(recordCount, "record")}`,
    );
  }

  savedOnly(path: string, operation: string): void {
    this.console.tell(`${path}: it takes back only what the ${operation} overwrote`);
  }

  takenBackBefore(path: string, target: string, ids: GivenBack | undefined): void {
    const before = `${path}: it was taken back before, and ${target} holds what it held`;
    this.console.tell(
      ids === undefined
        ? `${before}: nothing was written`
        : `${before}; CID of ${ids.path} is ${formatCid(ids.cid)} again`,
    );
  }

  sums(sums: Sums): void {
    const { console } = this;
    const { name: target, base, newest, undo, isNew, result, verified } = sums;
    const { counts, resumedBytes, cid } = result;
    const { writtenBytes, sparedBytes, zeroedBytes, skippedBytes } = counts;
    const { elapsedMs, bytesPerSecond } = speedOf(sums);
    const cidSentence = newest ? cidNow(cid, newest) : cid && `CID is ${formatCid(cid)} again`;
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
    const diskBytes = doneBytesOf(counts) + resumedBytes;
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
}

/** `plan: 749.8 MiB to write and 0 B to zero in 965 runs, 3.3 GiB of 4.0 GiB stay as they are`. */
function planLine(plan: ApplyPlan, at: { target: string; isNew: boolean }): string {
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

/** Of the writing alone. */
function speedOf({ result: { counts }, elapsedMs: allMs, verified }: Sums) {
  const elapsedMs = allMs - (verified?.elapsedMs ?? 0);
  return { elapsedMs, bytesPerSecond: Math.round(workBytesOf(counts) * 1000 / Math.max(1, elapsedMs)) };
}

/** What became of the content id of a base. */
function cidNow(cid: number | undefined, { identity }: Link): string {
  if (cid === undefined) return "it has no CID and gets none, so nothing will tell that the delta is in it";
  const whose = cid === identity?.own.cid ? "the delta's" : "a new one, since the delta tells none";
  return `CID is ${formatCid(cid)} now, ${whose}`;
}
