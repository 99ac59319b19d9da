/**
 * Applying deltas, from the names of files to a target that is done. What is said meanwhile, and what may stop the
 * work, is up to the caller.
 */
import {
  type ApplyPlan,
  type Context,
  judgeApply,
  type Judgement,
  type LinkIdentity,
  RegrainError,
  SECTOR_SIZE,
  type Target,
  unknownLink,
} from "../../core-as/host/mod.ts";
import type { Io } from "../io/mod.ts";
import { isNowhere } from "../places/null.ts";
import { type ApplyCounts, plannedBytesOf } from "../target/counts.ts";
import { fingerprintPlan, requireJournalPlace } from "../target/journal.ts";
import { whileOpen } from "../target/made_target.ts";
import { type PreparedTarget, prepareTarget } from "../target/prepare.ts";
import { asInputs, asParts, requireOnePurpose } from "../target/purposes.ts";
import { requireRoomBeside } from "../target/room_beside.ts";
import { LaneStarter } from "./lane_starter.ts";
import { requireLikelyBase } from "./likely_base.ts";
import { type ApplyRequest, intentOf, type PreparedDeltas, prepareDeltas } from "./prepare.ts";
import { type RunOptions, runPrepared, type RunResult } from "./run.ts";
import { withProgressHint } from "./unfinished.ts";
import { type Verification, type VerifyCounts, verifyTarget } from "./verify.ts";

export interface ApplyOptions extends Pick<RunOptions, "sparse" | "undo" | "journal" | "resume"> {
  /** Reads back what was written. */
  readonly verify: boolean;
  /** Makes sums of what was written and of all of the target, and verifies: a sum of what may be wrong is no use. */
  readonly hash: boolean;
  /** A thread of its own may open all files again. */
  readonly secondLane: boolean;
}

/** What is known when all has been looked at, before the first byte is written. */
export interface PlannedApply {
  readonly prepared: PreparedDeltas;
  /** `undefined` in a dry run on a target that is yet to be made. */
  readonly target: PreparedTarget | undefined;
}

/** A target that is read back. */
export interface ReadBack {
  readonly target: Target;
  readonly totalBytes: number;
  run(onProgress: (counts: Readonly<VerifyCounts>) => void): Promise<Verification>;
}

/** What the caller is told on the way, and may do. */
export interface ApplyEvents<V extends Verification> {
  /** What may be wrong, or was taken by `--force`. */
  warn(sentence: string): void;
  detail(sentence: string): void;
  /** Comes before the first write; in a dry run it is the end. */
  planned(planned: PlannedApply): void | Promise<void>;
  /** @returns what is written to in the place of the target: it may stop the work, or slow it down. */
  begin(target: Target, plan: ApplyPlan): Target;
  progress(counts: Readonly<ApplyCounts>): void;
  /** An earlier run had written so many bytes of the plan. */
  resumed(doneBytes: number): void;
  /** Is to run the reading back. */
  readBack(work: ReadBack): Promise<V>;
}

export interface ApplyOutcome<V extends Verification> extends PlannedApply {
  readonly target: PreparedTarget;
  readonly result: RunResult;
  /** `undefined` when nobody asked. */
  readonly verified: V | undefined;
}

/**
 * Checks everything, and then writes what the deltas hold.
 *
 * @returns `undefined` after a dry run.
 * @throws {RegrainError} what opening, reading and writing may; the hint of one that ends the writing says how far it
 * came and how it is completed.
 */
export async function applyDeltas<V extends Verification>(
  request: ApplyRequest,
  options: ApplyOptions,
  tools: { io: Io; context: Context },
  events: ApplyEvents<V>,
): Promise<ApplyOutcome<V> | undefined> {
  const { io, context } = tools;
  using lane = new LaneStarter(request, options, { ...tools, detail: events.detail });
  const prepared = await prepareDeltas(request, context, (disk) => lane.start(disk));
  try {
    const intent = intentOf(prepared.disk);
    requireOnePurpose(options, asInputs(intent.inputs), io);
    const need = { operation: "apply", undoBytes: plannedBytesOf(prepared.plan) } as const;
    for (const warning of requireRoomBeside(options, need, io)) events.warn(warning);
    const target = await prepareTarget(request, intent, tools);
    return await whileOpen(target?.target, async () => {
      requireOnePurpose(options, asParts(target?.target), io);
      await requireFreeJournal(request, options, { prepared, io });
      for (const warning of await requireLikelyBase(prepared.disk, target, request)) events.warn(warning);
      await events.planned({ prepared, target });
      if (request.dryRun) return undefined;
      return await carryOut({ request, prepared, target: target!, io, lane }, options, events);
    });
  } finally {
    prepared.disk.close();
  }
}

/** That the journal is none of an unfinished run of something else. */
async function requireFreeJournal(
  { target, force }: ApplyRequest,
  { journal, resume }: ApplyOptions,
  { prepared, io }: { prepared: PreparedDeltas; io: Io },
): Promise<void> {
  if (journal === undefined || resume || !io.stat(journal)) return;
  const plan = await fingerprintPlan(prepared.disk, io);
  await requireJournalPlace(journal, { operation: "apply", plan, target: { path: target }, io, force });
}

interface Work {
  readonly request: ApplyRequest;
  readonly prepared: PreparedDeltas;
  readonly target: PreparedTarget;
  readonly io: Io;
  readonly lane: LaneStarter;
}

async function carryOut<V extends Verification>(
  { request, prepared, target, io, lane }: Work,
  options: ApplyOptions,
  events: ApplyEvents<V>,
): Promise<ApplyOutcome<V>> {
  const { disk, plan } = prepared;
  const { verify, hash, journal } = options;
  const written = events.begin(target.target, plan);
  let done: ApplyCounts | undefined;
  let verified: V | undefined;
  try {
    const result = await runPrepared({ prepared, target: { ...target, target: written }, io }, {
      ...options,
      force: request.force,
      warn: events.warn,
      second: lane.hireToApply(plan),
      verify: async () => {
        if (!verify && !hash) return;
        const second = lane.hireToVerify(plan);
        verified = await events.readBack({
          target: written,
          // A sum is of the whole target; without one, what was left alone is not read.
          totalBytes: hash ? written.sizeBytes : plannedBytesOf(plan),
          run: (onProgress) => verifyTarget(disk, written, { hash, second, onProgress }),
        });
      },
      onProgress: (counts) => {
        done = counts;
        events.progress(counts);
      },
      onResumed: events.resumed,
    });
    return { prepared, target, result, verified };
  } catch (error) {
    if (!(error instanceof RegrainError) || done === undefined || error.code === "VERIFY_FAILED") throw error;
    const needsForce = !request.force && disk.links.at(-1)!.isBase;
    throw withProgressHint(error, done, { plan, journal, needsForce });
  }
}

/** Whether the deltas can be applied, and why not, by all that was looked at. */
export function judgePlanned(request: ApplyRequest, { prepared, target }: PlannedApply): Judgement {
  const { disk, surveys } = prepared;
  const below = target === undefined || isNowhere(request.target) ? [] : [baseOf(target, request.target)];
  return judgeApply({
    links: [...disk.links, ...below],
    findings: surveys.map(({ findings }) => findings),
    beside: target?.beside ?? prepared.beside,
    force: request.force,
    flags: (request.words ?? []).filter((word) => word !== "--dry-run"),
  });
}

/** What is known of the target; a device may be larger than the disk. */
function baseOf({ base, target }: PreparedTarget, path: string): LinkIdentity {
  if (base) return base;
  const capacitySectors = target.isDevice ? undefined : target.sizeBytes / SECTOR_SIZE;
  return { ...unknownLink(path), format: "raw", capacitySectors, delta: false };
}
