/** `regrain apply`: deltas, a stream of one, or an undo file, onto a target. */
import {
  type ApplyPlan,
  Disk,
  operations,
  planOf,
  probe,
  quotePath,
  RegrainError,
  type Target,
} from "../../core-as/host/mod.ts";
import type { ApplyRequest } from "../apply/prepare.ts";
import { isNowhere, refuseNowhere } from "../places/null.ts";
import { PIPE } from "../places/pipe.ts";
import type { Need } from "../places/place.ts";
import { findPlace } from "../places/registry.ts";
import { type ApplyReport, applyReport, progressOf } from "../report/apply.ts";
import { readBackOf } from "../report/verified.ts";
import { rateLimitOf, requireJournalToResume, type SafetyFlags, wordsOf } from "../session/flags.ts";
import { LongWork } from "../session/long_work.ts";
import { type LongFlags, type Session, startSession } from "../session/session.ts";
import type { SpillFlags } from "../session/standard_input.ts";
import { isRbdDiff } from "../stream/rbd_diff.ts";
import { type ApplyCounts, plannedBytesOf } from "../target/counts.ts";
import type { SparseMode } from "../target/sparse.ts";
import { asInputs, asParts, type Purpose, requireOnePurpose } from "../target/purposes.ts";
import { warnNewer } from "../ui/describe.ts";

export interface ApplyFlags extends LongFlags, SafetyFlags, SpillFlags {
  readonly chain?: boolean | undefined;
  readonly create?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  readonly force?: boolean | undefined;
  readonly hash?: boolean | undefined;
  readonly sparse?: SparseMode | undefined;
  readonly rateLimit?: string | undefined;
}

const DELTA: Need = { command: "apply", argument: "DELTA", anyOf: ["delta", "receive"] };
const TARGET: Need = { command: "apply", argument: "TARGET", anyOf: ["write"] };

/** What each of the three forms of the command works with. */
interface Run extends Session {
  readonly request: ApplyRequest;
  readonly flags: ApplyFlags;
  readonly report: ApplyReport;
  readonly work: LongWork;
}

/** @param paths One delta or more, oldest first, and the target. */
export async function runApply(paths: readonly string[], flags: ApplyFlags): Promise<number> {
  const request = requestOf(paths, flags);
  rateLimitOf(flags);
  const session = startSession(flags);
  const { console } = session;
  using work = new LongWork(console, flags);
  const run: Run = { ...session, request, flags, work, report: applyReport(console) };
  try {
    requireOnePurpose(flags, namedBy(request), session.io);
    if (request.deltas.includes(PIPE)) await applyStream(run);
    else if (await isUndoFile(request, session)) await applyUndoFile(run);
    else await applyFiles(run);
  } finally {
    work.end();
    console.flush();
  }
  return 0;
}

/** Applies files. What only one of the forms needs is loaded for that one alone. */
async function applyFiles(run: Run): Promise<void> {
  const { request, flags, report, work, console, io, context } = run;
  const { applyDeltas, judgePlanned } = await import("../apply/apply_deltas.ts");
  const { sparse = "auto", undo, journal, resume = false, verify = false, hash = false } = flags;
  const secondLane = flags.rateLimit === undefined && flags.io === undefined;
  const options = { sparse, undo, journal, resume, verify, hash, secondLane };
  const outcome = await applyDeltas(request, options, { io, context }, {
    ...eventsOf(run),
    detail: (sentence) => console.detail(sentence),
    async planned(planned) {
      const { disk } = planned.prepared;
      await warnNewer({ console, context }, disk.links[0]!);
      report.planned(request, planned);
      if (!request.dryRun) return;
      if (report.showsOperations) {
        for await (const operation of operations(disk)) report.operation(operation);
      }
      report.dryRun(judgePlanned(request, planned));
    },
    resumed: (doneBytes) => work.reduce(doneBytes),
    readBack: (back) =>
      work.readBack(back, (update) => back.run((counts) => update(readBackOf(counts, { hash })))),
  });
  work.end();
  if (outcome === undefined) return;
  const { prepared: { disk }, target, result, verified } = outcome;
  const { elapsedMs } = work;
  report.done({ name: request.target, target, newest: disk.links[0]!, undo, result, verified, elapsedMs });
}

/** Takes an apply back, or applies what `rbd export-diff` wrote. */
async function applyUndoFile(run: Run): Promise<void> {
  const { request, flags, report, work, io, context } = run;
  const path = request.deltas[0]!;
  if (isNowhere(request.target)) refuseNowhere([`the undo file ${quotePath(path)}`]);
  refuseBesideUndoFile(flags);
  const { applyDiff } = await import("../apply/apply_diff.ts");
  const outcome = await applyDiff(path, request, { io, context }, {
    ...eventsOf(run),
    opened: (diff) => report.diff(path, diff),
    savedOnly: (operation) => report.savedOnly(path, operation),
  });
  work.end();
  if (outcome.state === "dry-run") report.dryRun();
  else if (outcome.state === "done") report.diffApplied(request.target, outcome, work.elapsedMs);
  else report.takenBackBefore(path, request.target, outcome.ids);
}

/** Applies what comes through standard input. */
async function applyStream(run: Run): Promise<void> {
  const { request, flags, report, work, console, io, context } = run;
  refuseBesideStream(flags);
  const { applyPipe, requireOneDisk } = await import("../apply/pipe.ts");
  const { filesOfStdin, openInput } = await import("../session/standard_input.ts");
  const { requireRoomBeside } = await import("../target/room_beside.ts");
  const { undo, sparse = "auto" } = flags;
  const { dryRun } = request;
  const inputs = filesOfStdin(io);
  requireOnePurpose(flags, asInputs(inputs), io);
  const need = { operation: "apply", undoBytes: undefined } as const;
  for (const warning of requireRoomBeside(flags, need, io)) console.warn(warning);
  using input = await openInput({ io, console }, flags, work);
  const result = await applyPipe({ ...request, inputs }, {
    ...{ ...input, io, context, undo },
    onOpen({ link, survey, isSurveyed }, target) {
      requireOnePurpose(flags, asParts(target?.target), io);
      report.stream(request, { link, survey, target, isSafe: isSurveyed || undo !== undefined || dryRun });
      // What a stream will bring that does not begin with its tables, nobody knows.
      const plan = isSurveyed ? planOf(new Disk(context.core, [link]), survey) : NOT_KNOWN;
      if (target) return work.begin(target.target, plannedBytesOf(plan));
      work.beginReading(plannedBytesOf(plan));
      return undefined;
    },
  }, {
    sparse,
    onProgress: (counts) => work.update(progressOf(counts)),
    ...dryRun && report.showsOperations ? { onOperation: (each) => report.operation(each) } : {},
  });
  work.end();
  report.streamed(request, result, { undo, elapsedMs: work.elapsedMs });
  requireOneDisk(result, request);
}

const NOT_KNOWN = { writeBytes: 0, zeroBytes: 0 };

/** What any of the works says on its way. */
function eventsOf({ console, work }: Run) {
  return {
    warn: (sentence: string) => console.warn(sentence),
    begin: (target: Target, plan: Pick<ApplyPlan, "writeBytes" | "zeroBytes">) =>
      work.begin(target, plannedBytesOf(plan)),
    progress: (counts: Readonly<ApplyCounts>) => work.update(progressOf(counts)),
  };
}

function undoLine(undo: string, target: string): string {
  return `regrain apply ${quotePath(undo)} ${quotePath(target)}`;
}

function requestOf(paths: readonly string[], flags: ApplyFlags): ApplyRequest {
  const deltas = paths.slice(0, -1);
  const target = paths.at(-1);
  if (target === undefined || deltas.length === 0) {
    throw new RegrainError("USAGE", "apply needs a delta and a target: regrain apply DELTA... TARGET", {
      ...flags.undo === undefined || target === undefined
        ? {}
        : { hint: `to take back what ${flags.undo} holds: ${undoLine(flags.undo, target)}` },
    });
  }
  for (const delta of deltas) findPlace(delta, DELTA);
  findPlace(target, TARGET);
  if (isNowhere(target)) refuseNowhere(aboutContent(flags));
  if (flags.chain && deltas.length !== 1) {
    throw new RegrainError("USAGE", `--chain takes one leaf descriptor, ${deltas.length} were given`);
  }
  requireJournalToResume(flags);
  if (deltas.includes(PIPE)) requireAlone(deltas, flags);
  return {
    deltas,
    target,
    chain: flags.chain ?? false,
    create: flags.create ?? false,
    force: flags.force ?? false,
    dryRun: flags.dryRun ?? false,
    words: wordsOf(flags),
  };
}

/** Flags about what the target holds before or afterwards, as they are typed. */
function aboutContent(flags: ApplyFlags): string[] {
  const names = ["undo", "journal", "resume", "verify", "hash"] as const;
  const given = names.filter((name) => flags[name]).map((name) => `--${name}`);
  return flags.format === "vmdk" ? [...given, "--format vmdk"] : given;
}

/** What the command line names beside the undo file and the journal. */
function namedBy({ deltas, target }: ApplyRequest): readonly Purpose[] {
  return [...asInputs(deltas.filter((path) => path !== PIPE)), { what: "the target", path: target }];
}

/** What comes through a pipe brings no names, so nothing can be found from it or laid over it. */
function requireAlone(deltas: readonly string[], flags: ApplyFlags): void {
  if (flags.chain) {
    throw new RegrainError("USAGE", "--chain follows names from file to file, a pipe has none", {
      hint: "apply the deltas one after the other, oldest first",
    });
  }
  if (deltas.length === 1) return;
  throw new RegrainError("USAGE", "- is standard input and can only be the one delta that is applied", {
    hint: "apply the deltas one after the other, oldest first",
  });
}

/** What needs to see the deltas twice, or in the order of the disk. */
function refuseBesideStream(flags: ApplyFlags): void {
  const names = ["journal", "resume", "verify", "hash"] as const;
  const given = names.find((name) => flags[name] !== undefined);
  if (given === undefined) return;
  throw new RegrainError("USAGE", `--${given} needs to read the delta twice, a pipe brings it once`, {
    hint: "copy the file here and apply it by its name",
  });
}

function refuseBesideUndoFile({ undo, journal, resume, verify, hash }: ApplyFlags): void {
  const isGuarded = undo !== undefined || journal !== undefined || resume;
  if (!isGuarded && !verify && !hash) return;
  throw new RegrainError(
    "USAGE",
    isGuarded
      ? "--undo, --journal and --resume do not go with an undo file: running it again is safe"
      : "--verify and --hash do not go with an undo file: it is no disk to compare with",
  );
}

/** An undo file is told by its first bytes, as every input is. */
async function isUndoFile(request: ApplyRequest, { io }: Session): Promise<boolean> {
  if (request.deltas.length !== 1 || request.chain) return false;
  const source = io.openSource(request.deltas[0]!);
  try {
    return isRbdDiff((await probe(source)).head);
  } finally {
    source.close();
  }
}
