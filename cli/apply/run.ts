/**
 * Carries out a prepared apply, with what makes it safe: an undo file, a journal, the content id at the end.
 *
 * The order at every buffer is what counts: what stands in the target is durable in the undo file, then the target is
 * written; what the journal says is done was synced before. So at every moment a kill or a power loss leaves a target
 * that a plain second run, a resumed one, and the undo file each bring to where they should.
 */
import {
  type Batch,
  MIB,
  plannedBytesBefore,
  RegrainError,
  SECTOR_SIZE,
  type Target,
} from "../../core-as/host/mod.ts";
import type { Io } from "../io/mod.ts";
import { adoptContentId } from "../target/content_id.ts";
import { hashStretch } from "../target/content_hash.ts";
import { type ApplyCounts, applyDisk, type Passed, type SparseMode, sumOfCounts } from "./engine.ts";
import { type Difference, findDifferences, type Overwrite } from "../target/differences.ts";
import {
  fingerprintPlan,
  Journal,
  type JournalState,
  requireJournalPlace,
  requireResumable,
} from "../target/journal.ts";
import { inBothLanes, type LaneForHire } from "./lanes.ts";
import { type PreparedTarget, readTargetDescriptor } from "../target/prepare.ts";
import type { PreparedDeltas } from "./prepare.ts";
import { isDisturbed, requireInPlace, requireUnchanged } from "../target/undisturbed.ts";
import { UndoSaver } from "../target/undo.ts";
import { baseIds, MAX_NAMED, type PlacedHash, randomUndoId } from "../target/undo_name.ts";
import { hashBlocks, nonZeroBlocks, Thinned, UntouchedBlocks } from "../target/untouched.ts";

/** Enough between two checkpoints to keep them cheap, and a resumed run short. */
const CHECKPOINT_BYTES = 256 * MIB;

export interface RunOptions {
  readonly sparse: SparseMode;
  /** Path of the undo file to write. */
  readonly undo?: string | undefined;
  /** Path of the journal to keep. */
  readonly journal?: string | undefined;
  /** Bytes moved between two checkpoints of the journal; each syncs the target. */
  readonly checkpointBytes?: number;
  /** Carries on where the journal says that an interrupted run was. */
  readonly resume: boolean;
  /** Replaces the journal of an unfinished run of other deltas, and takes deltas that changed while they were read. */
  readonly force?: boolean;
  /** Told what `force` has let pass. */
  readonly warn?: (sentence: string) => void;
  /** A second lane that was started, and what it must know; it is used where the order of writes is free. */
  readonly second?: LaneForHire | undefined;
  readonly onProgress: (counts: Readonly<ApplyCounts>) => void;
  /** Called before anything is written with what an earlier run wrote of the plan, in bytes. */
  readonly onResumed?: (doneBytes: number) => void;
  /** Called when everything is durable, before anything says that the target is done. What it throws ends the run. */
  readonly verify?: (() => Promise<void>) | undefined;
}

export interface RunResult {
  readonly counts: ApplyCounts;
  /** Bytes of the disk that an earlier run had done. */
  readonly resumedBytes: number;
  /** The content id that a VMDK target took. */
  readonly cid: number | undefined;
  /** What the undo file does not take back, one sentence each. */
  readonly undoWarnings: readonly string[];
}

/** What a run works on. */
export interface RunWork {
  readonly prepared: PreparedDeltas;
  readonly target: PreparedTarget;
  readonly io: Io;
}

/** @throws {RegrainError} what reading and writing may; `RESUME_REFUSED`; the target can always be completed. */
export async function runPrepared(work: RunWork, options: RunOptions): Promise<RunResult> {
  const { prepared: { disk }, target: { target, base }, io } = work;
  const guarded = options.undo !== undefined || options.journal !== undefined;
  const plan = guarded ? await fingerprintPlan(disk, io) : "";
  const { found, resumedBytes } = await lookAtJournal(options, { plan, target, io });
  const undo = options.undo === undefined ? undefined : await openUndo(options.undo, work, plan);
  const journal = options.journal === undefined ? undefined : new Checkpoints(
    new Journal(options.journal, {
      plan,
      target,
      io,
      undo: undo && { path: options.undo!, id: undo.saver.ids.id },
      earlier: found,
    }),
    { fromBytes: resumedBytes, everyBytes: options.checkpointBytes ?? CHECKPOINT_BYTES },
  );
  try {
    if (journal && !options.resume) await journal.begin();
    const fromSector = resumedBytes / SECTOR_SIZE;
    if (fromSector > 0) options.onResumed?.(await plannedBytesBefore(disk, fromSector));
    const counts = options.second && !guarded
      ? await applyInLanes(work, options, options.second)
      : await applyDisk(disk, target, {
        sparse: options.sparse,
        ranges: [{ fromSector, toSector: disk.capacitySectors }],
        onProgress: options.onProgress,
        ...(guarded ? { beforeWrite: guard(work, { undo: undo?.saver, journal }) } : {}),
        ...(journal ? { afterWrite: (doneBytes, passed) => journal.reached(doneBytes, passed) } : {}),
      });
    await target.flush();
    requireUndisturbed(work, options);
    if (options.verify) {
      await options.verify();
      requireUndisturbed(work, options);
    }
    const descriptor = base && undo ? await readTargetDescriptor(base.path, io) : undefined;
    const cid = base ? await adoptContentId(base, disk.links[0]!, io) : undefined;
    await undo?.saver.finish(undo.untouched, { descriptor, cidAfter: cid });
    journal?.finish();
    return { counts, resumedBytes, cid, undoWarnings: undo?.saver.warnings ?? [] };
  } catch (error) {
    if (journal && isDisturbed(error)) await journal.restart();
    else if (journal && error instanceof RegrainError) await journal.stop();
    throw error;
  } finally {
    undo?.saver.close();
  }
}

/** That nobody wrote to the deltas or put the target away; else its content id must not say that all is well. */
function requireUndisturbed({ prepared: { disk }, target: { target } }: RunWork, options: RunOptions): void {
  const { force = false, warn = () => {} } = options;
  requireInPlace(target);
  requireUnchanged(disk.links.flatMap((link) => link.files), { force, warn });
}

/** Both lanes at once; the first error of either ends both. */
async function applyInLanes(work: RunWork, options: RunOptions, hire: LaneForHire): Promise<ApplyCounts> {
  const { prepared: { disk }, target: { target } } = work;
  const { sparse } = options;
  const { own, other } = await inBothLanes(hire, {
    task: "apply",
    sparse,
    own: (board) =>
      applyDisk(disk, target, {
        sparse,
        ranges: board.stripes(disk),
        lanes: 2,
        onProgress: (counts) => options.onProgress(board.addPublished(counts)),
      }),
  });
  if (own.status === "rejected") {
    // What the second lane wrote since the first one stopped is to be durable too.
    if (other.status === "fulfilled") await target.flush();
    throw own.reason;
  }
  if (other.status === "rejected") throw other.reason;
  return sumOfCounts(own.value, other.value);
}

/** What an earlier run left in the journal, and where a resumed one begins. */
async function lookAtJournal(
  { journal, resume, undo, force = false }: RunOptions,
  ids: { plan: string; target: Target; io: Io },
): Promise<{ found: JournalState | undefined; resumedBytes: number }> {
  if (journal === undefined) return { found: undefined, resumedBytes: 0 };
  if (!resume) return { found: await requireJournalPlace(journal, { ...ids, force }), resumedBytes: 0 };
  const found = await requireResumable(journal, { ...ids, undo });
  return { found, resumedBytes: found.doneBytes };
}

/** Places of a buffer that are looked at for what changes there, when a journal is kept. */
const JOURNAL_PLACES = 8;

/** What happens before each buffer is written. */
function guard(
  { prepared: { disk }, target: { target } }: RunWork,
  { undo, journal }: { undo: UndoSaver | undefined; journal: Checkpoints | undefined },
): (stretches: Batch) => Promise<void> {
  return async (stretches) => {
    const overwrite: Overwrite = { target, stretches, buffer: disk.core.buffer };
    await undo?.save(stretches);
    let differences: Difference[] | undefined;
    if (journal) {
      differences = await findDifferences(overwrite, { places: JOURNAL_PLACES, thorough: false });
      await journal.willChange(differences);
    }
    await undo?.mark(overwrite, differences);
  };
}

/** Sectors looked at that the plan will overwrite. */
const AHEAD_STRETCHES = 64;

async function openUndo(
  path: string,
  work: RunWork,
  plan: string,
): Promise<{ saver: UndoSaver; untouched: readonly number[] }> {
  const { prepared: { disk }, target: { target, base }, io } = work;
  const blocks = new UntouchedBlocks(target.sizeBytes);
  const ahead = new Thinned<number>(AHEAD_STRETCHES);
  for await (const { list } of disk.walk()) {
    for (let i = 0; i < list.count; i++) {
      if (disk.kindOf(list.place(i)) === "hole") continue;
      const offsetBytes = list.start(i) * SECTOR_SIZE;
      const lengthBytes = list.length(i) * SECTOR_SIZE;
      blocks.touch({ offsetBytes, lengthBytes });
      ahead.add(offsetBytes + lengthBytes - SECTOR_SIZE);
    }
  }
  const untouched = blocks.finish();
  const named = await nonZeroBlocks(target, { blocks: untouched, limit: MAX_NAMED.blocks });
  const saver = await UndoSaver.open(path, { core: disk.core, target, io }, {
    plan,
    id: randomUndoId(),
    isOrdered: true,
    blocks: named,
    blocksHash: await hashBlocks(target, named),
    ahead: await sectorsAhead(target, ahead.items),
    base: baseIds(base),
  });
  return { saver, untouched };
}

/** What the target holds at a few places that will be overwritten late. */
async function sectorsAhead(target: Target, places: readonly number[]): Promise<PlacedHash[]> {
  const count = Math.min(MAX_NAMED.ahead, places.length);
  const sectors: PlacedHash[] = [];
  for (let i = 1; i <= count; i++) {
    const offsetBytes = places[Math.ceil(places.length * i / count) - 1]!;
    const hash = (await hashStretch(target, { offsetBytes, lengthBytes: SECTOR_SIZE })).slice(0, 8);
    sectors.push({ offsetBytes, hash });
  }
  return sectors;
}

/** When the journal is written. */
class Checkpoints {
  private doneBytes: number;
  private savedBytes: number;
  private movedBytes = 0;

  constructor(
    private readonly journal: Journal,
    private readonly options: { fromBytes: number; everyBytes: number },
  ) {
    this.doneBytes = options.fromBytes;
    this.savedBytes = options.fromBytes;
  }

  /** Writes the first journal, so that one that cannot be written is found out before anything else is. */
  async begin(): Promise<void> {
    await this.save();
  }

  /** Takes what is about to change. */
  willChange(differences: readonly Difference[]): Promise<void> {
    return this.journal.willChange(differences);
  }

  /** The target has taken everything below a byte; more may be under way above it, of which nothing is said. */
  async reached(doneBytes: number, { totalBytes, last }: Passed): Promise<void> {
    if (last) this.journal.wrote(last);
    this.movedBytes += totalBytes;
    this.doneBytes = doneBytes;
    if (this.movedBytes >= this.options.everyBytes) await this.save();
  }

  /**
   * The work ends early by another error, which is the one to tell: what is done so far is written down if it can be,
   * and otherwise the last checkpoint holds.
   */
  async stop(): Promise<void> {
    if (this.doneBytes === this.savedBytes) return;
    await this.saveIfPossible();
  }

  /** What was done is not to be trusted: a run that resumes does all of it again. */
  async restart(): Promise<void> {
    this.doneBytes = 0;
    await this.saveIfPossible();
  }

  private async saveIfPossible(): Promise<void> {
    try {
      await this.save();
    } catch (error) {
      if (!(error instanceof RegrainError)) throw error;
    }
  }

  finish(): void {
    this.journal.remove();
  }

  private async save(): Promise<void> {
    await this.journal.checkpoint(this.doneBytes);
    this.savedBytes = this.doneBytes;
    this.movedBytes = 0;
  }
}
