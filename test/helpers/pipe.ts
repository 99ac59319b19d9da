/** A disk through a pipe, in memory: what comes of it, beside what comes of the same file by its name. */
import { inflateSync } from "node:zlib";
import { type ApplyCounts, applyDisk } from "../../cli/apply/engine.ts";
import { PipeSink } from "../../cli/apply/pipe_sink.ts";
import {
  ForwardInput,
  forwardWindow,
  openForward,
  passSlack,
  type ReadNext,
  type Scratch,
  type Slack,
} from "../../core-as/host/forward/mod.ts";
import {
  Disk,
  KIB,
  MIB,
  openLink,
  RegrainError,
  requireSound,
  SECTOR_SIZE,
  surveyLink,
} from "../../core-as/host/mod.ts";
import { core, memoryContext } from "./memory.ts";
import { MemoryTarget } from "./memory_target.ts";

/** What an apply left behind. */
export interface Applied {
  readonly target: MemoryTarget;
  readonly counts: ApplyCounts;
}

/** Room in memory that counts what is kept. */
export class MemoryScratch implements Scratch {
  sizeBytes = 0;
  private readonly pieces: Uint8Array[] = [];

  append(bytes: Uint8Array): void {
    this.pieces.push(bytes.slice());
    this.sizeBytes += bytes.length;
  }

  read(offsetBytes: number, into: Uint8Array): void {
    let at = 0;
    for (const piece of this.pieces) {
      const from = Math.max(offsetBytes, at);
      const to = Math.min(offsetBytes + into.length, at + piece.length);
      if (from < to) into.set(piece.subarray(from - at, to - at), from - offsetBytes);
      at += piece.length;
    }
    if (offsetBytes + into.length > at) throw new Error("that was never kept");
  }
}

/** Bytes as a pipe brings them: in pieces of any size. */
export function pipeOf(bytes: Uint8Array, pieceBytes = 64 * KIB): ReadNext {
  let at = 0;
  return (into) => {
    const length = Math.min(into.length, pieceBytes, bytes.length - at);
    into.set(bytes.subarray(at, at + length));
    at += length;
    return length;
  };
}

/** Bytes as a pipe brings them, a read ending exactly at each of some places, which ascend. */
export function splitPipe(bytes: Uint8Array, ends: Iterable<number>): ReadNext {
  const places = ends[Symbol.iterator]();
  let at = 0;
  let end = 0;
  return (into) => {
    while (end <= at && at < bytes.length) {
      const next = places.next();
      end = next.done ? bytes.length : Math.min(next.value, bytes.length);
    }
    const length = Math.min(into.length, end - at);
    into.set(bytes.subarray(at, at + length));
    at += length;
    return length;
  };
}

export interface PipeOptions {
  readonly windowBytes?: number;
  /** Bytes read before they are looked at; with 1, every end of a read shows. */
  readonly fillBytes?: number;
  readonly scratch?: Scratch;
  /** Pieces that are waited for in memory. */
  readonly maxWaiting?: number;
  readonly force?: boolean;
  /** Holds the target when the apply fails. */
  readonly onTarget?: (target: MemoryTarget) => void;
}

/** No fixture that goes through a pipe is larger; a header that was changed may say anything. */
const MAX_TARGET_BYTES = 128 * MIB;

/** What a target held before: nothing of it may look like data of a fixture. */
function oldTarget(sizeBytes: number): MemoryTarget {
  if (sizeBytes > MAX_TARGET_BYTES) {
    throw new RegrainError("SIZE_MISMATCH", `the target cannot have ${sizeBytes} bytes`);
  }
  return new MemoryTarget(new Uint8Array(sizeBytes).fill(0xa5));
}

/** Applies what a pipe brings onto a target full of 0xa5. */
export async function applyByPipe(
  read: ReadNext,
  options: PipeOptions = {},
): Promise<Applied & { slack: Slack }> {
  const sink = new PipeSink(core, { sparse: "auto" });
  const window = forwardWindow(core).subarray(0, options.windowBytes ?? 256 * KIB);
  const { fillBytes } = options;
  const input = new ForwardInput({
    window,
    read,
    beforeMove: () => sink.flush(),
    ...(fillBytes === undefined ? {} : { fillBytes }),
  });
  const scratch = options.scratch ?? new MemoryScratch();
  const inflate = (packed: Uint8Array, maxOutputLength: number) => inflateSync(packed, { maxOutputLength });
  const disk = await openForward({ core, input, sink, scratch, maxWaiting: options.maxWaiting }, {
    inflate,
    ignoreJournal: false,
  });
  requireSound(disk.survey, { force: options.force ?? false });
  const target = oldTarget(disk.link.capacitySectors * SECTOR_SIZE);
  options.onTarget?.(target);
  sink.attach(target, { isBase: disk.link.isBase, holesAreFree: target.medium.holesAreFree });
  await disk.run();
  await sink.finish();
  return { target, counts: sink.counts, slack: await passSlack(input) };
}

/** Applies a file that has nothing beside it onto a target full of 0xa5. */
export async function applyByName(bytes: Uint8Array): Promise<Applied> {
  const link = await openLink("stdin", memoryContext({ stdin: bytes }), "delta");
  requireSound(await surveyLink(core, link, { overlaps: true }), { force: false });
  const disk = new Disk(core, [link]);
  const target = oldTarget(disk.sizeBytes);
  return { target, counts: await applyDisk(disk, target, { sparse: "auto" }) };
}

/** The code that work ends with, `ok` when it ends well; what is no error of ours is thrown. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "ok";
  } catch (error) {
    if (error instanceof RegrainError) return error.code;
    throw error;
  }
}
