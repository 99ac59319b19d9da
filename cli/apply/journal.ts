/**
 * The journal: how far an apply is durable, so that `--resume` need not begin again.
 *
 * A small JSON file, replaced as a whole at every checkpoint, after the target was synced. It names the plan by a
 * fingerprint of every run, and the target by what was last written to it: a delta or a target that is not the one of
 * the interrupted run is refused.
 */
import {
  Batch,
  type Disk,
  readBytes,
  RegrainError,
  type Source,
  STRICT,
  type Target,
} from "../../core-as/host/mod.ts";
import type { Io } from "../io/mod.ts";

/** A journal is a few hundred bytes. */
const MAX_JOURNAL_BYTES = 64 * 1024;
/** Of what was written last, this much is looked at again before a resumed run believes the target. */
const PROBE_BYTES = 64 * 1024;

/** A stretch of the target with its hash. */
export interface TailProbe {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly sha256: string;
}

export interface JournalState {
  readonly version: 1;
  /** Fingerprint of the plan. */
  readonly plan: string;
  readonly targetBytes: number;
  /** Everything of the disk below this byte is applied and durable. */
  readonly doneBytes: number;
  /** The last stretch that was written below it. */
  readonly tail: TailProbe | null;
}

/**
 * Fingerprint of a plan: every run with its place, and size and time of every file that the data comes from.
 *
 * @returns 16 hexadecimal digits.
 */
export async function fingerprintPlan(disk: Disk, io: Io): Promise<string> {
  // Loading it costs every other run its time.
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  for (const file of new Set(disk.links.flatMap((link) => link.files))) {
    hash.update(`${file.sizeBytes} ${io.modifiedMs(file.path) ?? 0}\n`);
  }
  for await (const { list } of disk.walk(STRICT)) {
    for (let i = 0; i < list.count; i++) {
      hash.update(`${list.start(i)} ${list.length(i)} ${list.place(i)} ${list.owner(i)}\n`);
    }
  }
  return hash.digest("hex").slice(0, 16);
}

/** The journal of a running apply. */
export class Journal {
  private last: { offsetBytes: number; lengthBytes: number } | undefined;

  constructor(
    private readonly path: string,
    private readonly ids: { plan: string; target: Target; io: Io },
  ) {}

  /** Remembers a stretch that was written. */
  wrote(stretch: { offsetBytes: number; lengthBytes: number }): void {
    this.last = stretch;
  }

  /** Makes everything below `doneBytes` durable, and says so in the journal. */
  async checkpoint(doneBytes: number): Promise<void> {
    const { plan, target } = this.ids;
    await target.flush();
    const tail = this.last ? await probeTail(target, this.last) : null;
    const state: JournalState = { version: 1, plan, targetBytes: target.sizeBytes, doneBytes, tail };
    this.ids.io.replaceFile(this.path, new TextEncoder().encode(`${JSON.stringify(state)}\n`));
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
  const { createHash } = await import("node:crypto");
  return { offsetBytes, lengthBytes, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/**
 * Makes sure that a new journal would not overwrite anything but an old one.
 *
 * @throws {RegrainError} `TARGET_UNSUITABLE`.
 */
export async function requireJournalPlace(path: string, io: Io): Promise<void> {
  if (!io.stat(path)) return;
  try {
    await readJournal(path, io);
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

/**
 * Where an interrupted run is to be resumed.
 *
 * @returns the byte of the disk up to which all is done.
 * @throws {RegrainError} `NOT_FOUND` without a journal, `RESUME_REFUSED` when delta or target are not those of the run.
 */
export async function resumePoint(
  path: string,
  ids: { plan: string; target: Target; io: Io },
): Promise<number> {
  const state = await readJournal(path, ids.io);
  const refuse = (why: string) =>
    new RegrainError("RESUME_REFUSED", why, {
      path,
      hint: "run again without --resume: that is as right, and only takes longer",
    });
  if (state.plan !== ids.plan) {
    throw refuse("the deltas are not those of the interrupted run, or were changed since");
  }
  if (state.targetBytes !== ids.target.sizeBytes) throw refuse("the target does not have the size it had");
  if (state.tail === null) return state.doneBytes;
  const found = await probeTail(ids.target, state.tail);
  if (found.sha256 !== state.tail.sha256) {
    throw refuse("the target does not hold what the interrupted run wrote last");
  }
  return state.doneBytes;
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
  const { version, plan, targetBytes, doneBytes, tail } = state as Record<string, unknown>;
  return version === 1 && typeof plan === "string" && isCount(targetBytes) && isCount(doneBytes) &&
    (tail === null || isTail(tail, targetBytes as number));
}

function isTail(tail: unknown, targetBytes: number): boolean {
  if (typeof tail !== "object" || tail === null) return false;
  const { offsetBytes, lengthBytes, sha256 } = tail as Record<string, unknown>;
  return isCount(offsetBytes) && isCount(lengthBytes) && typeof sha256 === "string" &&
    (lengthBytes as number) <= PROBE_BYTES &&
    (offsetBytes as number) + (lengthBytes as number) <= targetBytes;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
