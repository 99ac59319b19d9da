/**
 * The journal: how far a run is durable, so that `--resume` need not begin again.
 *
 * A small JSON file, replaced as a whole at every checkpoint, after the target was synced. It names the plan by a
 * fingerprint of every run, and the target by what was written to it: a delta or a target that is not the one of
 * the interrupted run is refused. What was written last tells nothing where it is what was there before, as in a
 * target that was taken back or copied again; so places are kept, spread over what is done, that the apply changed.
 */
import {
  applyCommand,
  Batch,
  type Disk,
  quotePath,
  readBytes,
  RegrainError,
  SECTOR_SIZE,
  type Source,
  type Stretch,
  STRICT,
  type Target,
} from "../../core-as/host/mod.ts";
import { type Io, PRIVATE_MODE } from "../io/mod.ts";
import { RbdDiff } from "../stream/rbd_diff.ts";
import { contentHash, hashStretch, sha256Hex } from "./content_hash.ts";
import type { Difference } from "./differences.ts";
import { type GuardedOperation, spoken } from "./spoken.ts";
import { parseUndoName, type UndoIds } from "./undo_name.ts";

/** A journal is a few hundred bytes. */
const MAX_JOURNAL_BYTES = 64 * 1024;
/** Of what was written last, this much is looked at again before a resumed run believes the target. */
const PROBE_BYTES = 64 * 1024;

/** A target by its name. */
type Named = Pick<Target, "path">;

/** A stretch of the target with its hash. */
export interface TailProbe {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly sha256: string;
}

/** A sector that the apply changed. */
export interface ChangedSector {
  readonly offsetBytes: number;
  /** Hashes of what it held before, and of what was written: 16 hexadecimal digits each. */
  readonly before: string;
  readonly after: string;
}

/** The undo file that a run keeps beside its journal. */
export interface JournalUndo {
  readonly path: string;
  readonly id: string;
}

export interface JournalState {
  /** 1: without what changed; it cannot be resumed. */
  readonly version: 1 | 2;
  /** What wrote to the target; an apply where nothing is said. */
  readonly operation?: GuardedOperation;
  /** Fingerprint of the plan. */
  readonly plan: string;
  readonly targetBytes: number;
  /** Everything of the disk below this byte is applied and durable. */
  readonly doneBytes: number;
  /** The last stretch that was written below it. */
  readonly tail: TailProbe | null;
  /** All that the plan changed in a few places, spread over what was passed; those below `doneBytes` are durable. */
  readonly changed: readonly ChangedSector[];
  readonly undo: JournalUndo | null;
}

/**
 * Fingerprint of a plan: every run with its place, and size and time of every file that the data comes from.
 *
 * @returns 16 hexadecimal digits.
 */
export async function fingerprintPlan(
  disk: Disk,
  io: Io,
  onWritten: (stretch: Stretch) => void = () => {},
): Promise<string> {
  // Loading it costs every other run its time.
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  for (const file of new Set(disk.links.flatMap((link) => link.files))) {
    // What is no file of this machine, as a snapshot, has a name that stands for its content.
    const known = "identity" in file ? io.modifiedMs(file.path) ?? 0 : file.path;
    hash.update(`${file.sizeBytes} ${known}\n`);
  }
  for await (const { list } of disk.walk(STRICT)) {
    for (let i = 0; i < list.count; i++) {
      hash.update(`${list.start(i)} ${list.length(i)} ${list.place(i)} ${list.owner(i)}\n`);
      if (disk.kindOf(list.place(i)) === "hole") continue;
      onWritten({ offsetBytes: list.start(i) * SECTOR_SIZE, lengthBytes: list.length(i) * SECTOR_SIZE });
    }
  }
  return hash.digest("hex").slice(0, 16);
}

/** Most changed sectors that are kept: looking at them takes a moment on a slow disk. */
const MAX_CHANGED = 256;

/** The journal of a running apply. */
export class Journal {
  private last: { offsetBytes: number; lengthBytes: number } | undefined;
  private changed: ChangedSector[];

  /** @param ids `earlier`: what a journal of the same plan knows already. */
  constructor(
    private readonly path: string,
    private readonly ids: {
      operation: GuardedOperation;
      plan: string;
      target: Target;
      io: Io;
      undo: JournalUndo | undefined;
      earlier: JournalState | undefined;
    },
  ) {
    this.changed = [...ids.earlier?.changed ?? []];
  }

  /** Remembers what is about to change. */
  async willChange(differences: readonly Difference[]): Promise<void> {
    const known = new Set(this.changed.map(({ offsetBytes }) => offsetBytes));
    for (const { offsetBytes, before, after } of differences) {
      if (known.has(offsetBytes)) continue;
      this.changed.push({
        offsetBytes,
        before: await contentHash(before),
        after: await contentHash(after),
      });
    }
    this.changed.sort((a, b) => a.offsetBytes - b.offsetBytes);
    while (this.changed.length > MAX_CHANGED) this.changed = this.changed.filter((_, i) => i % 2 === 0);
  }

  /** Remembers a stretch that was written. */
  wrote(stretch: { offsetBytes: number; lengthBytes: number }): void {
    this.last = stretch;
  }

  /** Makes everything below `doneBytes` durable, and says so in the journal. */
  async checkpoint(doneBytes: number): Promise<void> {
    const { operation, plan, target, undo } = this.ids;
    await target.flush();
    const state: JournalState = {
      version: 2,
      operation,
      plan,
      targetBytes: target.sizeBytes,
      doneBytes,
      tail: this.last ? await probeTail(target, this.last) : null,
      changed: this.changed,
      undo: undo ?? null,
    };
    const bytes = new TextEncoder().encode(`${JSON.stringify(state)}\n`);
    // Hashes of single sectors tell what a guest holds there, to whoever can guess it.
    this.ids.io.replaceFile(this.path, bytes, PRIVATE_MODE);
  }

  /** The apply is whole: there is nothing to resume. */
  remove(): void {
    this.ids.io.removeFile(this.path);
  }
}

async function probeTail(
  target: Source,
  last: { offsetBytes: number; lengthBytes: number },
): Promise<TailProbe> {
  const lengthBytes = Math.min(last.lengthBytes, PROBE_BYTES);
  const offsetBytes = last.offsetBytes + last.lengthBytes - lengthBytes;
  const bytes = new Uint8Array(lengthBytes);
  const batch = new Batch();
  batch.add({ offsetBytes, lengthBytes, at: 0 });
  await target.read(batch, bytes);
  return { offsetBytes, lengthBytes, sha256: await sha256Hex(bytes) };
}

/**
 * Makes sure that a new journal would not overwrite anything but an old one that nobody needs any more. As long as a
 * run of other deltas is unfinished, its journal is the one thing that knows.
 *
 * @returns that one, where it is of the same plan: what it knows holds for a run that begins again.
 * @throws {RegrainError} `TARGET_UNSUITABLE`.
 */
export async function requireJournalPlace(
  path: string,
  { operation, plan, target, io, force }: {
    operation: GuardedOperation;
    plan: string;
    target: Named;
    io: Io;
    force: boolean;
  },
): Promise<JournalState | undefined> {
  if (!io.stat(path)) return undefined;
  const state = await readOldJournal(path, io);
  if (state.plan === plan) return state.version === 2 ? state : undefined;
  if (force || await wasTakenBack(state, io)) return undefined;
  const by = spoken(operationOf(state));
  const stays = operation === "apply"
    ? "what came of those deltas stays where these write nothing"
    : "what came of it is overwritten, and an undo file made now does not bring back what was there before it";
  throw new RegrainError(
    "TARGET_UNSUITABLE",
    `it is the journal of ${by.other} that is not finished, and half of ${by.pronoun} may be on this target`,
    {
      path,
      hint: `${by.own} and --resume finish it; before others, ${wayBack(path, state, target)}; for another ` +
        `target name another file with --journal; --force replaces this one: ${stays}`,
    },
  );
}

function operationOf({ operation = "apply" }: JournalState): GuardedOperation {
  return operation;
}

async function readOldJournal(path: string, io: Io): Promise<JournalState> {
  try {
    return await readJournal(path, io);
  } catch (cause) {
    if (!(cause instanceof RegrainError) || cause.code !== "RESUME_REFUSED") throw cause;
    throw new RegrainError(
      "TARGET_UNSUITABLE",
      "the journal would overwrite this file, which is no journal",
      {
        path,
        hint: "name another file with --journal",
      },
    );
  }
}

/** How a target becomes what it was before an unfinished run, or something whole. */
function wayBack(path: string, state: JournalState, target: Named): string {
  const { undo } = state;
  if (undo) return `take it back with ${applyCommand({ deltas: [undo.path], target: target.path })}`;
  return operationOf(state) === "apply" ? `copy the base again and remove ${path}` : `remove ${path}`;
}

async function wasTakenBack({ undo }: JournalState, io: Io): Promise<boolean> {
  if (!undo) return false;
  const found = await readUndoIds(undo.path, io);
  return found?.id === undo.id && found.state === "returned";
}

/**
 * The journal of an interrupted run that is to be resumed.
 *
 * @param undo Path of the undo file of the resumed run.
 * @throws {RegrainError} `NOT_FOUND` without a journal, `RESUME_REFUSED` when delta, target or undo file are not those
 * of the run.
 */
export async function requireResumable(
  path: string,
  ids: { operation: GuardedOperation; plan: string; target: Target; io: Io; undo: string | undefined },
): Promise<JournalState> {
  const state = await readJournal(path, ids.io);
  const { operation } = ids;
  const again = againWith(operation);
  if (state.version !== 2) {
    throw refusal(
      path,
      "an older version made the journal, which cannot tell whether the target was taken back",
      again,
    );
  }
  if (operationOf(state) !== operation) {
    throw refusal(
      path,
      `the interrupted run is ${
        operationOf(state) === "apply" ? "an apply" : "a restore"
      }, and not this command`,
      `finish that one first, or ${wayBack(path, state, ids.target)}`,
    );
  }
  if (state.plan !== ids.plan) {
    throw refusal(path, spoken(operation).differs, afterOtherPlan(path, state, ids));
  }
  if (state.targetBytes !== ids.target.sizeBytes) {
    throw refusal(
      path,
      "the target does not have the size it had",
      "give the target of that run; for another one, leave --resume out and name another file with --journal",
    );
  }
  await requireSameUndo(path, { state, ...ids });
  await requireWritten(path, { state, ...ids });
  return state;
}

function afterOtherPlan(path: string, state: JournalState, { operation, target }: {
  operation: GuardedOperation;
  target: Named;
}): string {
  const { ofThatRun } = spoken(operation);
  const back = wayBack(path, state, target);
  if (operation !== "apply") return `resume with ${ofThatRun}; before another is written, ${back}`;
  return `resume with ${ofThatRun}; before others are applied, ${back}; if they are the same, copied again, ` +
    `remove ${path} and run again without --resume`;
}

/** An undo file that lacks what the interrupted run overwrote would take back only a part. */
async function requireSameUndo(
  path: string,
  { operation, state, undo, io }: {
    operation: GuardedOperation;
    state: JournalState;
    undo: string | undefined;
    io: Io;
  },
): Promise<void> {
  const kept = state.undo;
  if (kept === null) {
    if (undo === undefined) return;
    throw refusal(
      path,
      "the interrupted run saved nothing of what it overwrote, so an undo file begun now would take back only a part",
      operation === "apply"
        ? "resume without --undo; the way back is then to copy the base again"
        : "resume without --undo; there is then no way back",
    );
  }
  const named = undo ?? kept.path;
  const found = await readUndoIds(named, io);
  const isKept = found?.id === kept.id;
  if (isKept && (found.state === "returning" || found.state === "returned")) {
    throw refusal(
      path,
      `what the interrupted run wrote was taken back since, by ${named}`,
      AGAIN_WITH_NEW_UNDO,
    );
  }
  if (isKept && undo !== undefined) return;
  throw refusal(
    path,
    `the interrupted run saved what it overwrote in ${kept.path}, which a run without it would leave with a part only`,
    `resume with --undo ${
      quotePath(kept.path)
    }; if that is gone, or was taken back, run again without --resume and --undo`,
  );
}

const AGAIN_WITH_NEW_UNDO = "run again without --resume, and with another file for --undo";

/** Looks at what was written last, and at every place that is known to have changed. */
async function requireWritten(
  path: string,
  { operation, state, target }: { operation: GuardedOperation; state: JournalState; target: Target },
): Promise<void> {
  const { tail, doneBytes } = state;
  for (const { offsetBytes, before, after } of state.changed) {
    if (offsetBytes + SECTOR_SIZE > doneBytes) continue;
    const found = await hashStretch(target, { offsetBytes, lengthBytes: SECTOR_SIZE });
    if (found === after) continue;
    throw refusal(
      path,
      found === before
        ? `at byte ${offsetBytes} the target is what it was before the interrupted run: it was taken back, or ` +
          (operation === "apply" ? "the base was copied again" : "copied again")
        : `at byte ${offsetBytes} the target does not hold what the interrupted run wrote`,
      found === before ? againWith(operation) : otherTarget(operation),
    );
  }
  if (tail === null || (await probeTail(target, tail)).sha256 === tail.sha256) return;
  throw refusal(
    path,
    "the target does not hold what the interrupted run wrote last",
    otherTarget(operation),
  );
}

/** True only for the same deltas or snapshot, and a target to which nothing else wrote. */
function againWith(operation: GuardedOperation): string {
  return `run again without --resume, with ${
    spoken(operation).same
  }: that is as right, and only takes longer`;
}

function otherTarget(operation: GuardedOperation): string {
  return `it is another target, or something else wrote to it: ${spoken(operation).anew}`;
}

function refusal(path: string, why: string, hint: string): RegrainError {
  return new RegrainError("RESUME_REFUSED", why, { path, hint });
}

/** What an undo file says of itself; `undefined` when there is none. */
async function readUndoIds(path: string, io: Io): Promise<UndoIds | undefined> {
  if (!io.stat(path)) return undefined;
  const source = io.openSource(path);
  try {
    return parseUndoName((await RbdDiff.open(source)).meta.toSnapshot);
  } catch (error) {
    if (error instanceof RegrainError && error.exit === 4) return undefined;
    throw error;
  } finally {
    source.close();
  }
}

async function readJournal(path: string, io: Io): Promise<JournalState> {
  if (!io.stat(path)) {
    throw new RegrainError("NOT_FOUND", "there is no journal of an interrupted run", {
      path,
      hint: "run without --resume; --journal FILE names a journal that is elsewhere",
    });
  }
  const source = io.openSource(path);
  try {
    const bytes = await readBytes(source, 0, Math.min(source.sizeBytes, MAX_JOURNAL_BYTES));
    return parseJournal(new TextDecoder().decode(bytes), path);
  } finally {
    source.close();
  }
}

function parseJournal(text: string, path: string): JournalState {
  const invalid = (cause?: unknown) =>
    new RegrainError("RESUME_REFUSED", "this is no journal of regrain", { path, cause });
  let state: unknown;
  try {
    state = JSON.parse(text);
  } catch (cause) {
    throw invalid(cause);
  }
  if (!isJournal(state)) throw invalid();
  return state;
}

function isJournal(state: unknown): state is JournalState {
  if (typeof state !== "object" || state === null) return false;
  const fields = state as Record<string, unknown>;
  const { version, operation, plan, targetBytes, doneBytes, tail, changed, undo } = fields;
  if (![undefined, "apply", "restore", "sync"].includes(operation as string | undefined)) return false;
  const isCommon = typeof plan === "string" && isCount(targetBytes) && isCount(doneBytes) &&
    (tail === null || isTail(tail, targetBytes as number));
  // The first version knew nothing of what follows; it is known, so that it is not taken for another file.
  if (version === 1) return isCommon;
  return version === 2 && isCommon && isUndo(undo) && Array.isArray(changed) &&
    changed.length <= MAX_CHANGED &&
    changed.every((sector) => isChanged(sector, targetBytes as number));
}

function isTail(tail: unknown, targetBytes: number): boolean {
  if (typeof tail !== "object" || tail === null) return false;
  const { offsetBytes, lengthBytes, sha256 } = tail as Record<string, unknown>;
  return isCount(offsetBytes) && isCount(lengthBytes) && typeof sha256 === "string" &&
    (lengthBytes as number) <= PROBE_BYTES &&
    (offsetBytes as number) + (lengthBytes as number) <= targetBytes;
}

function isChanged(sector: unknown, targetBytes: number): boolean {
  if (typeof sector !== "object" || sector === null) return false;
  const { offsetBytes, before, after } = sector as Record<string, unknown>;
  return isCount(offsetBytes) && (offsetBytes as number) + SECTOR_SIZE <= targetBytes &&
    typeof before === "string" && typeof after === "string";
}

function isUndo(undo: unknown): boolean {
  if (undo === null) return true;
  const { path, id } = (undo ?? {}) as Record<string, unknown>;
  return typeof path === "string" && typeof id === "string";
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
