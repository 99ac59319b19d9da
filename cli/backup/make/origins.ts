/** Where a backup comes from: a disk, the places of it that changed, a stream; of a delta see `delta_origin.ts`. */
import {
  Batch,
  buffersInFlight,
  formatCid,
  type Link,
  type MaybePromise,
  ONE_AT_A_TIME,
  plural,
  type Run,
  type Source,
} from "../../../core-as/host/mod.ts";
import { chunkCount, type Snapshot } from "../../../core-as/host/repo/mod.ts";
import { type ChangedArea, type ChangedAreas, notCovered } from "./changed_areas.ts";
import { ChunkSet } from "../../../core-as/host/chunk_set.ts";
import type { BackupPlan } from "./plan.ts";

/** A disk to read, and what is known of it. */
export interface DiskOrigin {
  readonly source: Source;
  readonly chunkBytes: number;
  /** CID of its descriptor. */
  readonly cid: string | undefined;
}

/** Reads the whole disk; what it knows to be zeros is not read. */
export function planFull(origin: DiskOrigin, reason?: string): BackupPlan {
  const { source, chunkBytes, cid } = origin;
  const reader = new ChunkReader(source, chunkBytes);
  return {
    sizeBytes: source.sizeBytes,
    method: "full",
    reason,
    cid,
    touched: "all",
    rereadable: true,
    inFlight: reader.inFlight,
    read: (chunk, plain) => reader.read(chunk, plain),
  };
}

/**
 * Reads the places that changed since the snapshot before, and those that the list does not speak of. Where there is
 * any doubt about the list itself, the whole disk is read; what is stored already is not stored again.
 */
export function planChanged(
  origin: DiskOrigin,
  parent: Snapshot | undefined,
  areas: ChangedAreas,
): BackupPlan {
  const { source, chunkBytes, cid } = origin;
  const doubt = doubtAbout(source, { parent, areas });
  if (doubt !== undefined) return planFull(origin, doubt);
  const touched = new ChunkSet(chunkCount({ sizeBytes: source.sizeBytes, chunkBytes }));
  const gaps = notCovered(areas, source.sizeBytes);
  for (const area of [...areas.list, ...gaps]) touched.addBytes(area, chunkBytes);
  const reader = new ChunkReader(source, chunkBytes);
  return {
    sizeBytes: source.sizeBytes,
    method: "changed-areas",
    reason: gaps.length === 0 ? undefined : gapText(gaps),
    cid,
    touched,
    rereadable: true,
    inFlight: reader.inFlight,
    read: (chunk, plain) => reader.read(chunk, plain),
  };
}

function doubtAbout(
  source: Source,
  known: { parent: Snapshot | undefined; areas: ChangedAreas },
): string | undefined {
  const { parent, areas } = known;
  if (parent === undefined) return "there is no snapshot that the changes could be against";
  if (parent.sizeBytes !== source.sizeBytes) {
    return `the snapshot before has ${parent.sizeBytes} bytes, the disk ${source.sizeBytes}`;
  }
  if (areas.sizeBytes !== undefined && areas.sizeBytes !== source.sizeBytes) {
    return `the list of changes is that of a disk of ${areas.sizeBytes} bytes, and this one has ${source.sizeBytes}`;
  }
  const beyond = areas.covered?.find(({ start, length }) => start + length > source.sizeBytes);
  if (beyond !== undefined) {
    return `the list of changes is about bytes up to ${beyond.start + beyond.length}, and the disk has ` +
      `${source.sizeBytes}`;
  }
  const [gap] = notCovered(areas, source.sizeBytes);
  if (gap?.length === source.sizeBytes) return "the list of changes says nothing of any part of the disk";
  const outside = areas.list.find(({ start, length }) => start + length > source.sizeBytes);
  return outside === undefined
    ? undefined
    : `a change at byte ${outside.start} lies behind the end of the disk`;
}

function gapText(gaps: readonly ChangedArea[]): string {
  const [{ start, length }] = gaps as [ChangedArea];
  const others = gaps.length === 1
    ? ""
    : ` and ${plural(gaps.length - 1, "other stretch", "other stretches")}`;
  return `the list of changes says nothing of bytes ${start} to ${start + length}${others} of the disk`;
}

/** CID of a link as manifests hold it: eight hexadecimal digits. */
export function cidText({ identity }: Link): string | undefined {
  const cid = identity?.own.cid;
  return cid === undefined ? undefined : formatCid(cid);
}

/**
 * A stream, whose size is known when it has ended.
 *
 * @param next Reads into a buffer what there is, at least a byte; 0 at the end.
 * @param onEnd Told how many bytes came, before anything of them is visible; throws when that cannot be all.
 */
export function planStream(
  next: (into: Uint8Array) => MaybePromise<number>,
  onEnd: (sizeBytes: number) => MaybePromise<void> = () => undefined,
): BackupPlan {
  const stream = new StreamReader(next, onEnd);
  return {
    sizeBytes: undefined,
    method: "stream",
    reason: undefined,
    cid: undefined,
    touched: "all",
    rereadable: false,
    atEnd: () => stream.atEnd(),
    read: (_, plain) => stream.read(plain),
  };
}

/** Fills buffers from a stream, and looks a little ahead to know whether it has ended. */
class StreamReader {
  private readonly ahead = new Uint8Array(4096);
  private aheadBytes = 0;
  private readBytes = 0;

  constructor(
    private readonly next: (into: Uint8Array) => MaybePromise<number>,
    private readonly onEnd: (sizeBytes: number) => MaybePromise<void>,
  ) {}

  async atEnd(): Promise<boolean> {
    if (this.aheadBytes === 0) this.aheadBytes = await this.next(this.ahead);
    if (this.aheadBytes > 0) return false;
    await this.onEnd(this.readBytes);
    return true;
  }

  /**
   * To be called when it is not at its end.
   *
   * @returns bytes read: fewer than there is room for only at the end.
   */
  async read(plain: Uint8Array): Promise<number> {
    plain.set(this.ahead.subarray(0, this.aheadBytes));
    let at = this.aheadBytes;
    this.aheadBytes = 0;
    while (at < plain.length) {
      const count = await this.next(plain.subarray(at));
      if (count === 0) break;
      at += count;
    }
    this.readBytes += at;
    return at;
  }
}

/** Reads chunks of a source that knows its holes. */
class ChunkReader {
  private window: { from: number; to: number; runs: readonly Run[] } = { from: 0, to: 0, runs: [] };
  /** Runs are asked for in the order of the chunks, once a window. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly source: Source, private readonly chunkBytes: number) {}

  get inFlight(): number {
    return buffersInFlight(this.source.medium ?? ONE_AT_A_TIME, this.chunkBytes);
  }

  async read(chunk: number, plain: Uint8Array<ArrayBuffer>): Promise<number> {
    const start = chunk * this.chunkBytes;
    if (!await this.hasData(start, start + plain.length)) return 0;
    const batch = new Batch();
    batch.add({ offsetBytes: start, lengthBytes: plain.length, at: 0 });
    await this.source.read(batch, plain);
    return plain.length;
  }

  private hasData(from: number, to: number): MaybePromise<boolean> {
    if (this.source.runs === undefined) return true;
    const answer = this.turn.then(() => this.lookUp(from, to));
    // The caller hears of a failure; the next one asks again.
    this.turn = answer.catch(() => undefined);
    return answer;
  }

  private async lookUp(from: number, to: number): Promise<boolean> {
    if (from < this.window.from || to > this.window.to) {
      const end = Math.min(this.source.sizeBytes, from + RUN_WINDOW_CHUNKS * this.chunkBytes);
      this.window = { from, to: end, runs: await this.source.runs!(from, end) };
    }
    return this.window.runs.some(({ start, length, kind }) =>
      kind === "data" && start < to && start + length > from
    );
  }
}

/** Runs are asked for this many chunks at once. */
const RUN_WINDOW_CHUNKS = 64;
