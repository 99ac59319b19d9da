/**
 * Applies a disk that comes through a pipe: one pass, front to back.
 *
 * What can be looked at before the first write is what the front of the file tells: the headers, the embedded
 * descriptor, the target; for formats that have all their tables in front, those too. The rest is checked when it comes
 * by, so that an error may find a part applied. That does no harm: applying the whole delta once more completes it.
 */
import {
  type ApplyPlan,
  type Context,
  type Core,
  type LinkIdentity,
  quotePath,
  RegrainError,
  requireSound,
  SECTOR_SIZE,
  type Target,
} from "../../core-as/host/mod.ts";
import {
  type ForwardDisk,
  ForwardInput,
  forwardWindow,
  openForward,
  passSlack,
  PIPE_NAME,
  type ReadNext,
  type Scratch,
} from "../../core-as/host/forward/mod.ts";
import type { Io } from "../io/mod.ts";
import { adoptContentId, contentIdsOf } from "../target/content_id.ts";
import type { ApplyCounts } from "./engine.ts";
import { discardMade } from "../target/made_target.ts";
import { PipeSink, type PipeSinkOptions } from "./pipe_sink.ts";
import {
  type PreparedTarget,
  prepareTarget,
  readTargetDescriptor,
  type TargetRequest,
} from "../target/prepare.ts";
import { APPLY } from "../target/request.ts";
import { isDisturbed, requireInPlace } from "../target/undisturbed.ts";
import { UndoSaver } from "../target/undo.ts";
import { baseIds, randomUndoId } from "../target/undo_name.ts";
import { UndoTarget } from "../target/undo_target.ts";
import { hashBlocks } from "../target/untouched.ts";

export interface PipeRequest extends TargetRequest {
  /** Files that the stream itself comes from, where they are known. */
  readonly inputs: readonly string[];
}

export interface PipeTools {
  readonly io: Io;
  readonly context: Context;
  readonly read: ReadNext;
  readonly scratch: Scratch;
  /** Path of the undo file to write. */
  readonly undo?: string | undefined;
  /** Bytes of the window; as many as there is room for by default. */
  readonly windowBytes?: number;
  /**
   * Called when the front of the file and the target were looked at, before the first write.
   *
   * @returns what to write to in place of the target itself.
   */
  readonly onOpen: (disk: ForwardDisk, target: PreparedTarget | undefined) => Target | undefined;
}

/**
 * Whoever sent two disks believes that both are applied; the first one is whole by now.
 *
 * @throws {RegrainError} `UNSUPPORTED`.
 */
export function requireOneDisk(
  { nextDiskAt }: Pick<PipeResult, "nextDiskAt">,
  request: Pick<TargetRequest, "target" | "dryRun">,
): void {
  if (nextDiskAt === undefined) return;
  const done = request.dryRun ? "is sound" : "is applied whole";
  throw new RegrainError("UNSUPPORTED", "another disk follows the first, and was not applied", {
    path: PIPE_NAME,
    offsetBytes: nextDiskAt,
    hint: `the first one ${done}; send each by itself: cat DELTA | regrain apply - ${
      quotePath(request.target)
    }, oldest first`,
  });
}

export interface PipeResult {
  readonly counts: ApplyCounts;
  /** What was known before the first grain, with the sums that are known now. */
  readonly survey: ForwardDisk["survey"];
  /** `undefined` in a dry run on a target that is yet to be made. */
  readonly target: PreparedTarget | undefined;
  readonly plan: ApplyPlan;
  /** The content id that a VMDK target took. */
  readonly cid: number | undefined;
  /** What the undo file does not take back, one sentence each. */
  readonly undoWarnings: readonly string[];
  /** Bytes behind the last one that means anything. */
  readonly slackBytes: number;
  /** True when the stream went on and on, and its end was not waited for. */
  readonly isLeft: boolean;
  /** Byte of the stream at which another disk begins, which was not applied. */
  readonly nextDiskAt: number | undefined;
}

/** What has passed by cannot be looked at again. */
const CHECK_SAVED = "save the stream to a file first, with cat > FILE: regrain check FILE";

/** @throws {RegrainError} what reading the stream and writing the target may; its hint says how far the work came. */
export async function applyPipe(
  request: PipeRequest,
  tools: PipeTools,
  options: PipeSinkOptions,
): Promise<PipeResult> {
  const { core, inflate, ignoreJournal } = tools.context;
  const sink = new PipeSink(core, options);
  const window = forwardWindow(core);
  const input = new ForwardInput({
    window: window.subarray(0, tools.windowBytes ?? window.length),
    read: tools.read,
    beforeMove: () => sink.flush(),
  });
  const disk = await openForward(
    { core, input, sink, scratch: tools.scratch },
    { inflate, ignoreJournal },
  );
  requireSound(disk.survey, { force: request.force, check: CHECK_SAVED });
  const { link } = disk;
  const sizeBytes = link.capacitySectors * SECTOR_SIZE;
  const intent = { use: APPLY, sizeBytes, inputs: request.inputs, links: [link] };
  const prepared = await prepareTarget(request, intent, tools);
  let undo: { saver: UndoSaver; target: UndoTarget } | undefined;
  try {
    const target = tools.onOpen(disk, prepared) ?? prepared?.target;
    if (tools.undo !== undefined && prepared && target && !request.dryRun) {
      undo = await createUndo(tools.undo, { core, io: tools.io, target, base: prepared.base });
    }
    sink.attach(request.dryRun ? undefined : undo?.target ?? target, {
      isBase: link.isBase,
      holesAreFree: target?.medium.holesAreFree ?? true,
    });
    try {
      await disk.run();
      await sink.finish();
      const slack = await passSlack(input);
      const end = { ...endOf(disk, sink), ...slack, target: prepared };
      if (request.dryRun || !prepared) return { ...end, cid: undefined, undoWarnings: [] };
      await prepared.target.flush();
      requireInPlace(prepared.target);
      const { base } = prepared;
      const descriptor = base && undo ? await readTargetDescriptor(base.path, tools.io) : undefined;
      const cid = base ? await adoptContentId(base, contentIdsOf(link), tools.io) : undefined;
      await undo?.saver.finish(undo.target.untouched, { descriptor, cidAfter: cid });
      return { ...end, cid, undoWarnings: undo?.saver.warnings ?? [] };
    } catch (error) {
      throw error instanceof RegrainError
        ? withAppliedHint(error, sink.counts, { ...request, undo: tools.undo })
        : error;
    }
  } catch (error) {
    discardMade(prepared?.target);
    throw error;
  } finally {
    undo?.saver.close();
    prepared?.target.close();
  }
}

/** What will be left alone is not known beforehand; until the end the file knows its target by its marks alone. */
async function createUndo(
  path: string,
  { core, io, target, base }: { core: Core; io: Io; target: Target; base: LinkIdentity | undefined },
): Promise<{ saver: UndoSaver; target: UndoTarget }> {
  const saver = await UndoSaver.open(path, { core, target, io }, {
    plan: crypto.randomUUID().replaceAll("-", "").slice(0, 16),
    operation: "apply",
    id: randomUndoId(),
    isOrdered: false,
    blocks: [],
    blocksHash: await hashBlocks(target, []),
    ahead: [],
    base: baseIds(base),
  });
  return { saver, target: new UndoTarget(target, saver) };
}

function endOf(disk: ForwardDisk, sink: PipeSink): Pick<PipeResult, "counts" | "plan" | "survey"> {
  const { counts, operationCount } = sink;
  const plan = {
    diskBytes: disk.link.capacitySectors * SECTOR_SIZE,
    writeBytes: counts.writtenBytes + counts.sparedBytes,
    zeroBytes: counts.zeroedBytes,
    skipBytes: counts.skippedBytes,
    damagedBytes: 0,
    operationCount,
  };
  const knownBytes = plan.writeBytes + plan.zeroBytes + plan.skipBytes;
  if (knownBytes !== plan.diskBytes) {
    throw new Error(`${knownBytes} of ${plan.diskBytes} bytes of the disk were accounted for`);
  }
  if (disk.isSurveyed) return { counts, plan, survey: disk.survey };
  const totals = {
    dataBytes: plan.writeBytes,
    zeroBytes: plan.zeroBytes,
    holeBytes: plan.skipBytes,
    runCount: operationCount,
  };
  return { counts, plan, survey: { ...disk.survey, ...totals } };
}

/** The same error, which also says what was done before it. */
function withAppliedHint(
  error: RegrainError,
  done: ApplyCounts,
  request: Pick<PipeRequest, "dryRun" | "target"> & { undo: string | undefined },
): RegrainError {
  if (request.dryRun || isDisturbed(error)) return error;
  const moved = done.writtenBytes + done.sparedBytes + done.zeroedBytes;
  const before = `${moved} bytes were applied before that`;
  if (request.undo !== undefined) {
    const taken = `regrain apply ${quotePath(request.undo)} ${quotePath(request.target)} takes them back`;
    const how =
      `${before}; ${taken}; after that the delta can be applied again with another file for --undo; ` +
      "one begun before that would take back only a part";
    return error.withHint(error.hint === undefined ? how : `${error.hint}; ${how}`);
  }
  return error.withHint(
    error.hint === undefined
      ? `${before}; applying the whole delta again completes it`
      : `${error.hint}: that completes the ${moved} bytes that were applied before`,
  );
}
