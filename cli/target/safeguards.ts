/**
 * What makes writing in place safe, whichever command writes: an undo file, a journal, the content id at the end.
 *
 * The order at every buffer is what counts: what is in the target is durable in the undo file, then the target is
 * written; what the journal says is done was synced before. So at every moment a kill or a power loss leaves a target
 * that a plain second run, a resumed one, and the undo file each bring to where they should.
 */
import {
  type Batch,
  type Core,
  type LinkIdentity,
  MIB,
  RegrainError,
  SECTOR_SIZE,
  type Stretch,
  type Target,
} from "../../core-as/host/mod.ts";
import type { Io } from "../io/mod.ts";
import { Checkpoints, type Passed } from "./checkpoints.ts";
import { adoptContentId, type ContentIds } from "./content_id.ts";
import { hashStretch } from "./content_hash.ts";
import { type Difference, findDifferences, type Overwrite } from "./differences.ts";
import { Journal, type JournalState, requireJournalPlace, requireResumable } from "./journal.ts";
import { readTargetDescriptor } from "./prepare.ts";
import type { GuardedOperation } from "./spoken.ts";
import { isDisturbed } from "./undisturbed.ts";
import { UndoSaver, writtenSince } from "./undo.ts";
import { savedIn } from "./undo_file.ts";
import { baseIds, MAX_NAMED, type PlacedHash, randomUndoId } from "./undo_name.ts";
import { hashBlocks, nonZeroBlocks, Thinned, UntouchedBlocks } from "./untouched.ts";

/** Enough between two checkpoints to keep them cheap, and a resumed run short. */
const CHECKPOINT_BYTES = 256 * MIB;

/** What the user asks for. */
export interface SafetyOptions {
  /** Path of the undo file to write. */
  readonly undo?: string | undefined;
  /** Path of the journal to keep. */
  readonly journal?: string | undefined;
  /** Bytes moved between two checkpoints of the journal; each syncs the target. */
  readonly checkpointBytes?: number;
  /** Carries on where the journal says that an interrupted run was. */
  readonly resume: boolean;
  /** Replaces the journal of an unfinished run of something else. */
  readonly force?: boolean;
}

/** What is written, and to where. */
export interface GuardedWork {
  readonly operation: GuardedOperation;
  readonly core: Core;
  readonly io: Io;
  readonly target: Target;
  /** Set when the target is a VMDK. */
  readonly base: LinkIdentity | undefined;
  /** Fingerprint of what is written; of use only where there is an undo file or a journal. */
  readonly plan: string;
}

/** True where something is kept that needs the writes in the order of the disk. */
export function isGuarded({ undo, journal }: Pick<SafetyOptions, "undo" | "journal">): boolean {
  return undo !== undefined || journal !== undefined;
}

/** Places of a buffer that are looked at for what changes there, when a journal is kept. */
const JOURNAL_PLACES = 8;

export class Safeguards {
  private undo: { saver: UndoSaver; untouched: readonly number[] } | undefined;
  private checkpoints: Checkpoints | undefined;

  private constructor(
    private readonly options: SafetyOptions,
    private readonly work: GuardedWork,
    private readonly found: JournalState | undefined,
    /** Bytes of the disk that an earlier run has done, and that are left out. */
    readonly resumedBytes: number,
  ) {}

  /**
   * Looks at what an earlier run left in the journal. Nothing is written.
   *
   * @throws {RegrainError} `RESUME_REFUSED`, `NOT_FOUND`, `TARGET_UNSUITABLE`.
   */
  static async find(options: SafetyOptions, work: GuardedWork): Promise<Safeguards> {
    const { journal, resume, undo, force = false } = options;
    if (journal === undefined) return new Safeguards(options, work, undefined, 0);
    if (!resume) {
      return new Safeguards(options, work, await requireJournalPlace(journal, { ...work, force }), 0);
    }
    const found = await requireResumable(journal, { ...work, undo });
    return new Safeguards(options, work, found, found.doneBytes);
  }

  /** What an undo file holds that an earlier run made and this one continues. */
  async *savedBefore(): AsyncGenerator<Stretch> {
    if (this.options.undo !== undefined) yield* savedIn(this.options.undo, this.work.io);
  }

  /** Why a stretch cannot be written that the earlier run passed by and did not save. */
  passedUnsaved(offsetBytes: number): RegrainError {
    return writtenSince(this.options.undo!, { ...this.work, offsetBytes });
  }

  /**
   * Makes the undo file, or opens the one to continue, and writes the first journal.
   *
   * @param touched All that may be written, in ascending order; or what was gathered of it already.
   */
  async begin(touched: Touched | (() => AsyncIterable<Stretch>)): Promise<void> {
    const { options: { undo, journal, resume, checkpointBytes }, work: { plan, target, io } } = this;
    if (undo !== undefined) this.undo = await openUndo(undo, this.work, touched);
    if (journal === undefined) return;
    const kept = this.undo && { path: undo!, id: this.undo.saver.ids.id };
    const { operation } = this.work;
    this.checkpoints = new Checkpoints(
      new Journal(journal, { operation, plan, target, io, undo: kept, earlier: this.found }),
      { fromBytes: this.resumedBytes, everyBytes: checkpointBytes ?? CHECKPOINT_BYTES },
    );
    if (!resume) await this.checkpoints.begin();
  }

  /**
   * To be called before each buffer is written.
   *
   * @param stretches What is about to be overwritten, in ascending order; `at` is where the new bytes are in `buffer`,
   *   negative of zeros.
   */
  async beforeWrite(stretches: Batch, buffer: Uint8Array): Promise<void> {
    const overwrite: Overwrite = { target: this.work.target, stretches, buffer };
    await this.undo?.saver.save(stretches);
    let differences: Difference[] | undefined;
    if (this.checkpoints) {
      differences = await findDifferences(overwrite, { places: JOURNAL_PLACES, thorough: false });
      await this.checkpoints.willChange(differences);
    }
    await this.undo?.saver.mark(overwrite, differences);
  }

  /**
   * To be called when the target has taken everything below a byte of the disk, in ascending order.
   *
   * @param passed What came to it since the last call.
   */
  async afterWrite(doneBytes: number, passed: Passed): Promise<void> {
    await this.checkpoints?.reached(doneBytes, passed);
  }

  /**
   * To be called when everything is durable: the target gets its content id, and the undo file and the journal say
   * that the run is whole.
   *
   * @param ids What the disk is called now; `undefined` where nothing tells.
   * @returns the CID that a VMDK target has now.
   */
  async finish(ids: ContentIds | undefined): Promise<number | undefined> {
    const { base, io } = this.work;
    const descriptor = base && this.undo ? await readTargetDescriptor(base.path, io) : undefined;
    const cid = base ? await adoptContentId(base, ids, io) : undefined;
    await this.undo?.saver.finish(this.undo.untouched, { descriptor, cidAfter: cid });
    this.checkpoints?.finish();
    return cid;
  }

  /** To be called when the run ends by an error: the journal is brought to where it can be trusted. */
  async stop(error: unknown): Promise<void> {
    if (isDisturbed(error)) await this.checkpoints?.restart();
    else if (error instanceof RegrainError) await this.checkpoints?.stop();
  }

  /** What the undo file does not take back, one sentence each. */
  get undoWarnings(): readonly string[] {
    return this.undo?.saver.warnings ?? [];
  }

  close(): void {
    this.undo?.saver.close();
  }
}

/** Sectors looked at that are going to be overwritten. */
const AHEAD_STRETCHES = 64;

/** What an undo file needs of all that is going to be written. */
export class Touched {
  readonly blocks: UntouchedBlocks;
  readonly ahead = new Thinned<number>(AHEAD_STRETCHES);

  constructor({ sizeBytes }: Pick<Target, "sizeBytes">) {
    this.blocks = new UntouchedBlocks(sizeBytes);
  }

  /** Takes the next stretch; they come in ascending order. */
  add(stretch: Stretch): void {
    this.blocks.touch(stretch);
    this.ahead.add(stretch.offsetBytes + stretch.lengthBytes - SECTOR_SIZE);
  }
}

async function openUndo(
  path: string,
  { operation, core, target, base, io, plan }: GuardedWork,
  touched: Touched | (() => AsyncIterable<Stretch>),
): Promise<{ saver: UndoSaver; untouched: readonly number[] }> {
  const seen = touched instanceof Touched ? touched : new Touched(target);
  if (!(touched instanceof Touched)) { for await (const stretch of touched()) seen.add(stretch); }
  const untouched = seen.blocks.finish();
  const named = await nonZeroBlocks(target, { blocks: untouched, limit: MAX_NAMED.blocks });
  const saver = await UndoSaver.open(path, { core, target, io }, {
    plan,
    operation,
    id: randomUndoId(),
    isOrdered: true,
    blocks: named,
    blocksHash: await hashBlocks(target, named),
    ahead: await sectorsAhead(target, seen.ahead.items),
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
