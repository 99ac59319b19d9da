/**
 * A sync of two disks that are both here, from opened source to a target that is done. What is said meanwhile, and
 * what may stop the work, is up to the caller.
 */
import {
  type Context,
  type Disk,
  formatCid,
  RegrainError,
  type Stretch,
  type Target,
} from "../../core-as/host/mod.ts";
import type { Io } from "../io/mod.ts";
import { contentIdsOf } from "../target/content_id.ts";
import { whileOpen } from "../target/made_target.ts";
import { type PreparedTarget, prepareTarget } from "../target/prepare.ts";
import { asInputs, asParts, requireOnePurpose } from "../target/purposes.ts";
import { dropCaches } from "../target/read_back.ts";
import { SYNC } from "../target/request.ts";
import { requireRoomBeside } from "../target/room_beside.ts";
import { isGuarded } from "../target/safeguards.ts";
import { isDisturbed } from "../target/undisturbed.ts";
import { runSync, syncDisk, type SyncOptions, type SyncResult } from "./run.ts";
import { verifySynced } from "./verify.ts";
import { passedBytes, type SyncCounts } from "./write.ts";

export interface SyncRequest
  extends Pick<SyncOptions, "sparse" | "blockBytes" | "undo" | "journal" | "resume"> {
  readonly target: string;
  readonly force: boolean;
  readonly dryRun: boolean;
  /** A target that is longer is cut. */
  readonly truncate: boolean;
  /** Reads both again afterwards. */
  readonly verify: boolean;
}

export interface SyncTools {
  readonly io: Io;
  /** Its format is that of the target. */
  readonly context: Context;
}

/** What a target was found to read as. */
export interface Reread {
  /** Why it may have come from memory, one sentence each. */
  readonly obstacles: readonly string[];
}

/** A target that is read back. */
export interface SyncReadBack {
  readonly target: Target;
  readonly totalBytes: number;
  run(onProgress: (doneBytes: number) => void): Promise<Reread>;
}

/** What the caller is told on the way, and may do. */
export interface SyncEvents<V extends Reread> {
  /** What may be wrong, or was taken by `--force`. */
  warn(sentence: string): void;
  /** @returns what is written to in the place of the target: it may stop the work, or slow it down. */
  begin(target: Target, totalBytes: number): Target;
  /** @param comparedBytes What a first pass looked through, where there is one. */
  progress(counts: Readonly<SyncCounts>, comparedBytes: number): void;
  /** One stretch that would be written, in a dry run. */
  change(stretch: Stretch & { readonly isZero: boolean }): void;
  /** Is to run the reading back. */
  readBack(work: SyncReadBack): Promise<V>;
}

export interface SyncOutcome<V extends Reread> {
  /** `undefined` in a dry run on a target that is yet to be made. */
  readonly target: PreparedTarget | undefined;
  readonly result: SyncResult;
  /** `undefined` when nobody asked. */
  readonly verified: V | undefined;
}

/**
 * Makes the target read as the disk does, or finds out what that takes.
 *
 * @throws {RegrainError} what opening, reading and writing may; a second run completes the work.
 */
export async function syncDisks<V extends Reread>(
  disk: Disk,
  request: SyncRequest,
  tools: SyncTools,
  events: SyncEvents<V>,
): Promise<SyncOutcome<V>> {
  const inputs = pathsOf(disk);
  requireOnePurpose(request, asInputs(inputs), tools.io);
  tellRoom(undefined, { request, tools, events });
  const cid = contentIdsOf(disk.links[0]!)?.cid;
  const source = { sizeBytes: disk.sizeBytes, inputs, cid };
  const target = await prepareSyncTarget(source, request, tools);
  return await whileOpen(target?.target, async () => {
    for (const warning of target?.warnings ?? []) events.warn(warning);
    if (request.dryRun) return await look(disk, target, request, events);
    try {
      return await carryOut({ disk, target: target!, request, tools }, events);
    } catch (error) {
      throw withAgain(error, request);
    }
  });
}

/** The files of this machine that a disk is read from, each once. */
function pathsOf({ links }: Disk): string[] {
  const files = links.flatMap((link) => link.files);
  return [...new Set(files.filter((file) => "identity" in file).map(({ path }) => path))];
}

/** Opens the target, judged and as large as the disk; `undefined` in a dry run where it is yet to be made. */
export async function prepareSyncTarget(
  source: { sizeBytes: number; inputs: readonly string[]; cid: number | undefined },
  request: Pick<SyncRequest, "target" | "force" | "dryRun" | "truncate" | "undo" | "journal">,
  tools: SyncTools,
): Promise<PreparedTarget | undefined> {
  const { target, force, dryRun, truncate, undo, journal } = request;
  const { sizeBytes, inputs, cid } = source;
  const prepared = await prepareTarget({ target, create: true, dryRun, force }, {
    use: SYNC,
    sizeBytes,
    inputs,
    links: [],
    replacement: { cid: cid === undefined ? undefined : formatCid(cid) },
    resize: { truncate, dryRun, keepsSize: undo ? "--undo" : journal ? "--journal" : undefined },
  }, tools);
  try {
    requireOnePurpose(request, asParts(prepared?.target), tools.io);
    return prepared;
  } catch (error) {
    prepared?.target.close();
    throw error;
  }
}

/** @param undoBytes Most that an undo file may come to hold; `undefined` while nobody knows. */
function tellRoom(
  undoBytes: number | undefined,
  { request, tools, events }: {
    request: SyncRequest;
    tools: SyncTools;
    events: { warn(sentence: string): void };
  },
): void {
  for (const warning of requireRoomBeside(request, { operation: "sync", undoBytes }, tools.io)) {
    events.warn(warning);
  }
}

/** What would be written. */
async function look<V extends Reread>(
  disk: Disk,
  target: PreparedTarget | undefined,
  { sparse, blockBytes, target: path }: SyncRequest,
  events: SyncEvents<V>,
): Promise<SyncOutcome<V>> {
  const looked = events.begin(target?.target ?? new EmptyTarget(path, disk.sizeBytes), disk.sizeBytes);
  const counts = await syncDisk(disk, looked, {
    sparse,
    blockBytes,
    target: undefined,
    onChange: (change) => events.change(change),
    onProgress: (counts) => events.progress(counts, 0),
  });
  const result = { counts, resumedBytes: 0, cid: undefined, undoWarnings: [] };
  return { target, result, verified: undefined };
}

/** Stands for a target that is yet to be made: it is looked at and holds nothing. */
class EmptyTarget implements Target {
  readonly medium = { preferredBytes: 4096, inFlight: 1, granularityBytes: 4096, holesAreFree: true };

  constructor(readonly path: string, readonly sizeBytes: number) {}

  runs(fromBytes: number, toBytes: number) {
    return [{ start: fromBytes, length: toBytes - fromBytes, kind: "zero" as const }];
  }

  read(): void {
    throw new Error("a target that is yet to be made was read");
  }

  write(): void {
    throw new Error("a target that is yet to be made was written");
  }

  zero(): void {
    this.write();
  }

  flush(): void {}

  close(): void {}
}

async function carryOut<V extends Reread>(
  work: { disk: Disk; target: PreparedTarget; request: SyncRequest; tools: SyncTools },
  events: SyncEvents<V>,
): Promise<SyncOutcome<V>> {
  const { disk, target: prepared, request, tools } = work;
  const target = events.begin(prepared.target, disk.sizeBytes * (isGuarded(request) ? 2 : 1));
  let verified: V | undefined;
  const result = await runSync({ disk, prepared: { ...prepared, target }, io: tools.io }, {
    ...request,
    warn: (sentence) => events.warn(sentence),
    onPlan: (bytes) => tellRoom(bytes, { request, tools, events }),
    onProgress: (counts, comparedBytes) => events.progress(counts, comparedBytes),
    verify: async () => {
      if (!request.verify) return;
      verified = await events.readBack({
        target,
        totalBytes: disk.sizeBytes,
        async run(onProgress) {
          const obstacles = dropCaches(target);
          await verifySynced(disk, target, { onProgress });
          return { obstacles };
        },
      });
    },
  });
  return { target: prepared, result, verified };
}

/** The same error, which also says how the work is completed. */
function withAgain(error: unknown, { journal }: SyncRequest): unknown {
  const isOwn = error instanceof RegrainError && error.exit === 6 && error.code !== "VERIFY_FAILED";
  // What was disturbed has a hint of its own.
  if (!isOwn || isDisturbed(error)) return error;
  const again = `${
    journal === undefined ? "running the same command again" : "the same command with --resume"
  } completes it, and writes only what is not right yet`;
  return error.withHint(error.hint === undefined ? again : `${error.hint}; ${again}`);
}

/** Where what is compared stands, of all that there is to look through. */
export function syncProgressOf(counts: Readonly<SyncCounts>, comparedBytes: number) {
  const { writtenBytes, zeroedBytes, equalBytes } = counts;
  return {
    doneBytes: comparedBytes + passedBytes(counts),
    parts: { written: writtenBytes, zeroed: zeroedBytes, equal: equalBytes },
  };
}
