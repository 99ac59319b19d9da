/** `regrain apply`: deltas, or an undo file, onto a target. */
import { type ApplyPlan, type Disk, probe, quotePath, RegrainError } from "../../core-as/host/mod.ts";
import type { ApplyCounts } from "../apply/engine.ts";
import { type ApplyRequest, intentOf, prepareDeltas } from "../apply/prepare.ts";
import { prepareTarget } from "../target/prepare.ts";
import { fingerprintPlan, requireJournalPlace } from "../target/journal.ts";
import { requireLikelyBase } from "../apply/likely_base.ts";
import { isWorthwhile, type LaneForHire, SecondLane } from "../apply/lanes.ts";
import { discardMade } from "../target/made_target.ts";
import { requireRoomBeside } from "../target/room_beside.ts";
import { runPrepared, type RunWork } from "../apply/run.ts";
import { asInputs, asParts, type Purpose, requireOnePurpose } from "../target/purposes.ts";
import { isRbdDiff } from "../stream/rbd_diff.ts";
import { Progress } from "../ui/mod.ts";
import {
  fallbacksOf,
  isNewTarget,
  partsOf,
  plannedBytesOf,
  tellOperations,
  tellPlan,
  tellSummary,
  withProgressHint,
  workBytesOf,
} from "./apply_report.ts";
import type { Verified } from "./apply_verify.ts";
import { warnNewer } from "../ui/describe.ts";
import { interruptible } from "../session/interruption.ts";
import { PIPE } from "../places/pipe.ts";
import { isNowhere, refuseNowhere } from "../places/null.ts";
import type { Need } from "../places/place.ts";
import { findPlace } from "../places/registry.ts";
import { type ApplyFlags, rateLimitOf, requireJournalToResume, wordsOf } from "./apply_flags.ts";
import { type Session, startSession } from "../session/session.ts";

const DELTA: Need = { command: "apply", argument: "DELTA", anyOf: ["delta", "receive"] };
const TARGET: Need = { command: "apply", argument: "TARGET", anyOf: ["write"] };

/** @param paths One delta or more, oldest first, and the target. */
export async function runApply(paths: readonly string[], flags: ApplyFlags): Promise<number> {
  const request = requestOf(paths, flags);
  rateLimitOf(flags);
  const session = startSession(flags);
  try {
    requireOnePurpose(flags, namedBy(request), session.io);
    // What only one of the forms needs is loaded for that one alone.
    if (request.deltas.includes(PIPE)) {
      await (await import("./apply_pipe.ts")).runPipe(request, flags, session);
    } else if (await isUndoFile(request, session)) {
      if (isNowhere(request.target)) refuseNowhere([`the undo file ${quotePath(request.deltas[0]!)}`]);
      await (await import("./apply_take_back.ts")).runTakeBack(request, flags, session);
    } else await applyDeltas(request, flags, session);
  } finally {
    session.console.flush();
  }
  return 0;
}

function requestOf(paths: readonly string[], flags: ApplyFlags): ApplyRequest {
  const deltas = paths.slice(0, -1);
  const target = paths.at(-1);
  if (target === undefined || deltas.length === 0) {
    throw new RegrainError("USAGE", "apply needs a delta and a target: regrain apply DELTA... TARGET");
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

async function applyDeltas(request: ApplyRequest, flags: ApplyFlags, session: Session): Promise<void> {
  const { console, io, context } = session;
  using lane = new LaneStarter(request, flags, session);
  const prepared = await prepareDeltas(request, context, (disk) => lane.start(disk));
  try {
    const intent = intentOf(prepared.disk);
    requireOnePurpose(flags, asInputs(intent.inputs), io);
    const { plan } = prepared;
    const need = { operation: "apply", undoBytes: plan.writeBytes + plan.zeroBytes } as const;
    for (const warning of requireRoomBeside(flags, need, io)) console.warn(warning);
    const target = await prepareTarget(request, intent, { io, context });
    try {
      requireOnePurpose(flags, asParts(target?.target), io);
      if (flags.journal !== undefined && !flags.resume && io.stat(flags.journal)) {
        const plan = await fingerprintPlan(prepared.disk, io);
        const at = {
          operation: "apply",
          plan,
          target: { path: request.target },
          io,
          force: request.force,
        } as const;
        await requireJournalPlace(flags.journal, at);
      }
      for (const warning of await requireLikelyBase(prepared.disk, target, request)) console.warn(warning);
      await warnNewer(session, prepared.disk.links[0]!);
      tellPlan(console, request, prepared, target);
      if (request.dryRun) await tellOperations(console, request, { prepared, target });
      else await carryOut(request, { prepared, target: target!, io }, { flags, session, lane });
    } catch (error) {
      discardMade(target?.target);
      throw error;
    } finally {
      target?.target.close();
    }
  } finally {
    prepared.disk.close();
  }
}

async function carryOut(
  request: ApplyRequest,
  work: RunWork,
  how: { flags: ApplyFlags; session: Session; lane: LaneStarter },
): Promise<void> {
  const { flags, session: { console } } = how;
  const { plan } = work.prepared;
  const progress = new Progress(console, flags.progress ?? "auto", plannedBytesOf(plan));
  using stopping = interruptible(work.target.target, {
    console,
    progress,
    bytesPerSecond: rateLimitOf(flags),
  });
  let done: ApplyCounts | undefined;
  let verified: Verified | undefined;
  try {
    const result = await runPrepared({ ...work, target: { ...work.target, target: stopping.target } }, {
      sparse: flags.sparse ?? "auto",
      undo: flags.undo,
      journal: flags.journal,
      resume: flags.resume ?? false,
      force: request.force,
      warn: (sentence) => console.warn(sentence),
      second: how.lane.hireToApply(plan),
      verify: async () => {
        if (!flags.verify && flags.hash === undefined) return;
        progress.end();
        const { disk } = work.prepared;
        const { verifyApplied } = await import("./apply_verify.ts");
        const second = how.lane.hireToVerify(plan);
        verified = await verifyApplied({ disk, plan, target: stopping.target }, { flags, console, second });
      },
      onProgress: (counts) => {
        done = counts;
        progress.update({ doneBytes: workBytesOf(counts), parts: partsOf(counts) });
      },
      onResumed: (doneBytes) => progress.reduce(doneBytes),
    });
    progress.end();
    for (const fallback of fallbacksOf(work.target.target)) console.warn(`${request.target}: ${fallback}`);
    tellSummary(console, {
      target: request.target,
      base: work.target.base?.path,
      newest: work.prepared.disk.links[0]!,
      undo: flags.undo,
      isNew: isNewTarget(work.target),
      result,
      verified,
      progress,
    });
  } catch (error) {
    progress.end();
    if (!(error instanceof RegrainError) || done === undefined || error.code === "VERIFY_FAILED") throw error;
    const needsForce = !request.force && work.prepared.disk.links.at(-1)!.isBase;
    throw withProgressHint(error, done, { plan, journal: flags.journal, needsForce });
  }
}

/** Starts the second lane while the deltas are looked at, and lets it go when there is too little for it to do. */
class LaneStarter implements Disposable {
  private lane: SecondLane | undefined;

  constructor(
    private readonly request: ApplyRequest,
    private readonly flags: ApplyFlags,
    private readonly session: Session,
  ) {}

  start(disk: Disk): void {
    if (this.request.dryRun || this.inOrder || !this.allowed) return;
    const files = new Set(disk.links.flatMap((link) => link.files));
    const fileBytes = [...files].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (isWorthwhile(fileBytes)) this.lane = new SecondLane();
  }

  hireToApply(plan: ApplyPlan): LaneForHire | undefined {
    return this.inOrder || this.lane === undefined ? undefined : this.hire(plan);
  }

  /** Reading back has no order, so that it has a second lane even where the apply could not. */
  hireToVerify(plan: ApplyPlan): LaneForHire | undefined {
    return this.allowed && this.flags.hash === undefined ? this.hire(plan) : undefined;
  }

  private hire(plan: ApplyPlan): LaneForHire | undefined {
    if (!isWorthwhile(plan.writeBytes)) return undefined;
    this.session.console.detail("two lanes: one reads while the other writes");
    this.lane ??= new SecondLane();
    const { names, ignoreJournal, format } = this.session.context;
    return { lane: this.lane, job: { request: this.request, names, ignoreJournal, format } };
  }

  private get inOrder(): boolean {
    return this.flags.undo !== undefined || this.flags.journal !== undefined;
  }

  private get allowed(): boolean {
    const { io, rateLimit } = this.flags;
    return rateLimit === undefined && io === undefined && this.session.io.name === "linux";
  }

  [Symbol.dispose](): void {
    this.lane?.close();
  }
}
