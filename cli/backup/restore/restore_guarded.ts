/**
 * A restore in place that can be taken back, or resumed: what changes is found first, then written in the order of the
 * disk, each buffer behind what guards it.
 *
 * A chunk is compared by its hash, and of one that differs only the blocks that do are written, so that an undo file
 * is no larger than what changes. What an earlier run has saved is looked at again: it may have come back meanwhile.
 */
import { Buffer } from "node:buffer";
import {
  Batch,
  cutStretch,
  MIB,
  type RegrainError,
  type Stretch,
  type Target,
} from "../../../core-as/host/mod.ts";
import { chunkCount } from "../../../core-as/host/repo/mod.ts";
import { Gate } from "../../lanes/gate.ts";
import { ChunkSet } from "../../../core-as/host/chunk_set.ts";
import { Expectation, type ExpectedChunk, type ExpectedDisk } from "./expected.ts";
import { findChanged, isHeld } from "./find_changed.ts";
import { Held } from "./held.ts";
import type { RestoreCounts } from "./restore.ts";
import type { OnDamaged } from "./salvage.ts";

/** What guards the writes: an undo file, a journal. */
export interface WriteGuards {
  /** Bytes of the disk that an earlier run has done. */
  readonly resumedBytes: number;
  /** What an undo file holds that an earlier run made and this one continues. */
  savedBefore(): AsyncIterable<Stretch>;
  /** Why a stretch cannot be written that the earlier run passed by and did not save. */
  passedUnsaved(offsetBytes: number): RegrainError;
  /** @param touched All that may be written, in ascending order. */
  begin(touched: () => AsyncIterable<Stretch>): Promise<void>;
  beforeWrite(stretches: Batch, buffer: Uint8Array): Promise<void>;
  afterWrite(doneBytes: number, passed: { totalBytes: number; last: Stretch | undefined }): Promise<void>;
}

export interface GuardedOptions {
  readonly target: Target;
  readonly guards: WriteGuards;
  /** What cannot be read becomes zeros and is told here; the disk must be read as tolerantly. */
  readonly onDamaged?: OnDamaged | undefined;
  /** Bytes that are gathered before they are written; each time costs a sync. */
  readonly gatheredBytes?: number;
  /** Told what changes at most, before anything is written. */
  onPlan(bytes: number): void;
  /** @param comparedBytes What was compared before anything is written. */
  onProgress(counts: Readonly<RestoreCounts>, comparedBytes: number): void;
}

const GATHERED_BYTES = 16 * MIB;
/** Zeros cost no memory, and the undo file what they overwrite. */
const MOST_ZERO_BYTES = 256 * MIB;
/** Old and new are compared in blocks of this size; a chunk begins with a whole one. */
const BLOCK_BYTES = 4096;

/**
 * Makes the target equal to the disk. Does not flush.
 *
 * @throws {RegrainError} what reading and writing may; a second run completes the work.
 */
export async function restoreGuarded(disk: ExpectedDisk, options: GuardedOptions): Promise<RestoreCounts> {
  return await new GuardedRestore(disk, options).run();
}

class GuardedRestore {
  private readonly expectation: Expectation;
  private readonly held: Held;
  private readonly counts: RestoreCounts = {
    doneBytes: 0,
    fetchedBytes: 0,
    writtenBytes: 0,
    keptBytes: 0,
    zeroBytes: 0,
  };
  private readonly old: Uint8Array<ArrayBuffer>;
  private readonly zeros = new Uint8Array(BLOCK_BYTES);
  /** What is about to be written. */
  private readonly buffer: Uint8Array<ArrayBuffer>;
  private readonly stretches = new Batch();
  private readonly writes = new Batch();
  private readonly zeroed: Stretch[] = [];
  private filledBytes = 0;
  private comparedBytes = 0;

  constructor(private readonly disk: ExpectedDisk, private readonly options: GuardedOptions) {
    const { chunkBytes } = disk.snapshot;
    this.expectation = new Expectation(disk);
    this.held = new Held(options.target, { lanes: disk.lanes, calls: new Gate(1), chunkBytes, inFlight: 1 });
    this.old = new Uint8Array(chunkBytes);
    this.buffer = new Uint8Array(Math.max(options.gatheredBytes ?? GATHERED_BYTES, chunkBytes));
  }

  async run(): Promise<RestoreCounts> {
    const { guards, target, onPlan } = this.options;
    const fromBytes = guards.resumedBytes;
    const changed = await findChanged(this.expectation, {
      target,
      fromBytes,
      onProgress: (bytes) => {
        this.comparedBytes = bytes;
        this.tell();
      },
    });
    const saved = await this.savedBefore(changed);
    onPlan(changed.size * this.disk.snapshot.chunkBytes);
    await guards.begin(() => this.touched([changed, saved], fromBytes));
    for await (const { chunk, plain } of this.contents(changed, saved)) {
      if (plain === "kept") this.keep(chunk);
      else await this.put(chunk, plain);
    }
    await this.move(this.disk.snapshot.sizeBytes);
    return this.counts;
  }

  /**
   * Chunks that an earlier run has saved something of.
   *
   * @throws {RegrainError} when one is to be written that it passed by, and left as it was: that is another content
   *   now, and an undo file in the order of the disk cannot take it in any more.
   */
  private async savedBefore(changed: ChunkSet): Promise<ChunkSet> {
    const { chunkBytes } = this.disk.snapshot;
    const saved = new ChunkSet(changed.count);
    let reachedBytes = 0;
    for await (const { offsetBytes, lengthBytes } of this.options.guards.savedBefore()) {
      saved.addBytes({ start: offsetBytes, length: lengthBytes }, chunkBytes);
      reachedBytes = Math.max(reachedBytes, offsetBytes + lengthBytes);
    }
    for (const chunk of changed) {
      if ((chunk + 1) * chunkBytes > reachedBytes) break;
      if (!saved.has(chunk)) throw this.options.guards.passedUnsaved(chunk * chunkBytes);
    }
    return saved;
  }

  private async *touched(sets: readonly ChunkSet[], fromBytes: number): AsyncGenerator<Stretch> {
    const { sizeBytes, chunkBytes } = this.disk.snapshot;
    if (fromBytes > 0) yield { offsetBytes: 0, lengthBytes: fromBytes };
    for (let chunk = 0; chunk < chunkCount(this.disk.snapshot); chunk++) {
      const offsetBytes = Math.max(fromBytes, chunk * chunkBytes);
      const lengthBytes = Math.min((chunk + 1) * chunkBytes, sizeBytes) - offsetBytes;
      if (lengthBytes <= 0 || !sets.some((set) => set.has(chunk))) continue;
      yield { offsetBytes, lengthBytes };
    }
  }

  /** Every chunk in order, with what it is to hold, `kept` where it holds that already. Objects are fetched ahead. */
  private async *contents(
    changed: ChunkSet,
    saved: ChunkSet,
  ): AsyncGenerator<{ chunk: ExpectedChunk; plain: Uint8Array<ArrayBuffer> | "kept" | undefined }> {
    const most = this.disk.lanes.count * 2;
    const ahead: { chunk: ExpectedChunk; reading: Promise<Uint8Array<ArrayBuffer> | "kept" | undefined> }[] =
      [];
    for await (const chunk of this.expectation.chunks(this.options.guards.resumedBytes)) {
      const reading = this.contentOf(chunk, { changed, saved });
      // Whoever takes it in its turn hears of a failure; until then it is not an unhandled one.
      reading.catch(() => undefined);
      ahead.push({ chunk, reading });
      if (ahead.length < most) continue;
      const next = ahead.shift()!;
      yield { chunk: next.chunk, plain: await next.reading };
    }
    for (const { chunk, reading } of ahead) yield { chunk, plain: await reading };
  }

  private async contentOf(
    chunk: ExpectedChunk,
    { changed, saved }: { changed: ChunkSet; saved: ChunkSet },
  ): Promise<Uint8Array<ArrayBuffer> | "kept" | undefined> {
    if (chunk.damage === undefined && !changed.has(chunk.chunk)) {
      if (!saved.has(chunk.chunk)) return "kept";
      if (await isHeld(this.expectation, this.held, chunk)) return "kept";
    }
    const { plain, damage } = await this.expectation.read(chunk);
    if (damage !== undefined) this.options.onDamaged!({ ...stretchOf(chunk), reason: damage.message });
    return plain;
  }

  private keep({ lengthBytes, entry, isOverlaid }: ExpectedChunk): void {
    const isData = entry !== undefined || isOverlaid;
    this.counts[isData ? "keptBytes" : "zeroBytes"] += lengthBytes;
    this.done(lengthBytes);
  }

  /** Takes the blocks of a chunk that differ from what the target holds. */
  private async put(chunk: ExpectedChunk, plain: Uint8Array<ArrayBuffer> | undefined): Promise<void> {
    const { offsetBytes, lengthBytes } = chunk;
    const isFull = this.filledBytes + lengthBytes > this.buffer.length ||
      this.stretches.totalBytes + lengthBytes > MOST_ZERO_BYTES;
    if (isFull) await this.move(offsetBytes);
    const old = this.old.subarray(0, lengthBytes);
    await this.held.read(old, offsetBytes);
    let keptBytes = lengthBytes;
    for (const { at, length, isZero } of this.differing(old, plain)) {
      keptBytes -= length;
      const stretch = { offsetBytes: offsetBytes + at, lengthBytes: length };
      if (isZero) this.takeZeros(stretch);
      else this.takeData(stretch, plain!.subarray(at, at + length));
    }
    this.counts.keptBytes += keptBytes;
    plain?.buffer.transfer(0);
    this.done(lengthBytes);
  }

  private takeZeros(stretch: Stretch): void {
    this.zeroed.push(stretch);
    this.stretches.add({ ...stretch, at: -1 });
    this.counts.zeroBytes += stretch.lengthBytes;
  }

  private takeData(stretch: Stretch, bytes: Uint8Array): void {
    this.buffer.set(bytes, this.filledBytes);
    this.writes.add({ ...stretch, at: this.filledBytes });
    this.stretches.add({ ...stretch, at: this.filledBytes });
    this.filledBytes += bytes.length;
    this.counts.writtenBytes += bytes.length;
  }

  /** Stretches of a chunk in which old and new differ, in order, split by whether the new ones are zeros. */
  private *differing(
    old: Uint8Array,
    plain: Uint8Array | undefined,
  ): Generator<{ at: number; length: number; isZero: boolean }> {
    let open: { at: number; length: number; isZero: boolean } | undefined;
    for (let at = 0; at < old.length; at += BLOCK_BYTES) {
      const before = old.subarray(at, at + BLOCK_BYTES);
      const zeros = this.zeros.subarray(0, before.length);
      const after = plain?.subarray(at, at + BLOCK_BYTES) ?? zeros;
      const isZero = Buffer.compare(after, zeros) === 0;
      const isSame = Buffer.compare(before, after) === 0;
      if (open && (isSame || open.isZero !== isZero)) {
        yield open;
        open = undefined;
      }
      if (isSame) continue;
      open ??= { at, length: 0, isZero };
      open.length += before.length;
    }
    if (open) yield open;
  }

  /** Writes what is gathered, behind its guards; everything below `doneBytes` is done then. */
  private async move(doneBytes: number): Promise<void> {
    const { target, guards } = this.options;
    const { stretches, writes, zeroed } = this;
    if (stretches.count > 0) {
      await guards.beforeWrite(stretches, this.buffer);
      for (const stretch of zeroed) {
        for (const piece of cutStretch(stretch)) await target.zero({ ...piece, punch: true });
      }
      if (writes.count > 0) await target.write(writes, this.buffer);
    }
    await guards.afterWrite(doneBytes, { totalBytes: stretches.totalBytes, last: lastOf(stretches) });
    stretches.clear();
    writes.clear();
    zeroed.length = 0;
    this.filledBytes = 0;
  }

  private done(lengthBytes: number): void {
    this.counts.doneBytes += lengthBytes;
    this.tell();
  }

  private tell(): void {
    this.counts.fetchedBytes = this.expectation.fetchedBytes;
    this.options.onProgress(this.counts, this.comparedBytes);
  }
}

function stretchOf({ offsetBytes, lengthBytes }: Stretch): Stretch {
  return { offsetBytes, lengthBytes };
}

function lastOf(stretches: Batch): Stretch | undefined {
  const last = stretches.count - 1;
  if (last < 0) return undefined;
  return { offsetBytes: stretches.offsetBytes[last]!, lengthBytes: stretches.lengthBytes[last]! };
}
