/** Applying an undo file, which takes an apply back, or what `rbd export-diff` wrote. */
import { type Context, RegrainError, type Target } from "../../core-as/host/mod.ts";
import type { Io } from "../io/mod.ts";
import type { ApplyCounts } from "../target/counts.ts";
import { IdsBefore } from "../target/ids_before.ts";
import { whileOpen } from "../target/made_target.ts";
import { prepareTarget, type TargetRequest } from "../target/prepare.ts";
import { damageOf } from "../target/record_sum.ts";
import { requireOwnTarget } from "../target/recognise.ts";
import { APPLY } from "../target/request.ts";
import { takeBack } from "../target/take_back.ts";
import { type PreparedDiff, prepareDiff } from "../target/undo_file.ts";
import { withProgressHint } from "./unfinished.ts";

/** What the caller is told on the way, and may do. */
export interface DiffEvents {
  /** What may be wrong, or was taken by `--force`. */
  warn(sentence: string): void;
  /** The file is whole, and there is a target for it. */
  opened(diff: PreparedDiff): void;
  /** It was not taken back before: so only what it saved comes back, and nothing else. */
  savedOnly(operation: string): void;
  /** @returns what is written to in the place of the target: it may stop the work, or slow it down. */
  begin(target: Target, plan: PreparedDiff): Target;
  progress(counts: Readonly<ApplyCounts>): void;
}

/** The descriptor of a VMDK target, with the CID that it has again. */
export interface GivenBack {
  readonly path: string;
  readonly cid: number;
}

export type DiffOutcome =
  | { readonly state: "dry-run" }
  /** It was done before; the ids of a descriptor may have come back only now. */
  | { readonly state: "taken-back-before"; readonly ids: GivenBack | undefined }
  | { readonly state: "done"; readonly counts: ApplyCounts; readonly ids: GivenBack | undefined };

/** @throws {RegrainError} before anything is written, when the file was cut short or made for another target. */
export async function applyDiff(
  path: string,
  request: TargetRequest,
  { io, context }: { io: Io; context: Context },
  events: DiffEvents,
): Promise<DiffOutcome> {
  const source = io.openSource(path);
  try {
    const prepared = await prepareDiff(source);
    const intent = { use: APPLY, sizeBytes: prepared.diff.meta.sizeBytes, inputs: [path], links: [] };
    const target = await prepareTarget(request, intent, { io, context });
    return await whileOpen(target?.target, async (): Promise<DiffOutcome> => {
      events.opened(prepared);
      for (const warning of target?.warnings ?? []) events.warn(warning);
      const known = target &&
        await requireOwnTarget(prepared, { target: target.target, force: request.force });
      for (const warning of known?.warnings ?? []) events.warn(`${path}: ${warning}`);
      if (prepared.undo && !known?.isReturned) events.savedOnly(prepared.undo.operation);
      const ids = await IdsBefore.find(prepared, { target, path: request.target }, { io, context });
      if (!known?.isReturned) await ids?.requireOwn(request.force);
      const damage = known?.isReturned ? undefined : await damageOf(prepared);
      if (damage && !request.force) throw damage;
      if (damage) events.warn(damage.message);
      if (request.dryRun) return { state: "dry-run" };
      if (known?.isReturned) return { state: "taken-back-before", ids: await completeIds(ids, events) };
      const counts = await carryOut({ prepared, target: target!.target, ids }, { io, context }, events);
      return { state: "done", counts, ids };
    });
  } finally {
    source.close();
  }
}

/** Nothing was written since it was taken back; the ids of a descriptor may still have to come back. */
async function completeIds(
  ids: IdsBefore | undefined,
  { warn }: Pick<DiffEvents, "warn">,
): Promise<GivenBack | undefined> {
  const isCompleted = await ids?.complete() ?? false;
  const doubt = await ids?.doubt();
  if (doubt !== undefined) warn(doubt);
  return isCompleted ? ids : undefined;
}

async function carryOut(
  { prepared, target, ids }: { prepared: PreparedDiff; target: Target; ids: IdsBefore | undefined },
  { io, context }: { io: Io; context: Context },
  events: DiffEvents,
): Promise<ApplyCounts> {
  const written = events.begin(target, prepared);
  let done: ApplyCounts | undefined;
  try {
    return await takeBack({ core: context.core, io, prepared, target: written }, {
      onProgress(now) {
        done = now;
        events.progress(now);
      },
      async whenDurable() {
        await ids?.giveBack();
      },
    });
  } catch (error) {
    if (!(error instanceof RegrainError) || done === undefined) throw error;
    throw withProgressHint(error, done, { plan: prepared, journal: undefined });
  }
}
