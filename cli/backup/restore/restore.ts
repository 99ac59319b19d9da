/**
 * Writing a snapshot to a disk, or to a stream.
 *
 * Every chunk's length and hash is checked before a byte of it is used. What the target has already is found by the
 * same hash: an interrupted restore is resumed that way, and a target that differs little is mended.
 */
import { Buffer } from "node:buffer";
import { Batch, buffersInFlight, type RegrainError, type Target } from "../../../core-as/host/mod.ts";
import type { ChunkEntry, Snapshot } from "../../../core-as/host/repo/mod.ts";
import type { ChunkSet } from "../../../core-as/host/chunk_set.ts";
import { Gate } from "../../lanes/gate.ts";
import { TaskGroup } from "../../lanes/in_flight.ts";
import { Held } from "./held.ts";
import type { Lanes } from "../lanes.ts";
import { isDamage } from "../places.ts";
import type { Repository } from "../repository.ts";
import { fromOtherGeneration, type OnDamaged, salvagedPages } from "./salvage.ts";

/** What stands in the target before: `zeros` in a new file, `unknown` is overwritten, `compare` is looked at first. */
export type TargetContent = "zeros" | "unknown" | "compare";

export interface RestoreCounts {
  /** Bytes of the disk that are done. */
  doneBytes: number;
  /** Bytes of objects that were fetched. */
  fetchedBytes: number;
  /** Bytes of data that were written. */
  writtenBytes: number;
  /** Bytes of the target that were right already. */
  keptBytes: number;
  /** Bytes that read as zeros now, by holes or by writing. */
  zeroBytes: number;
}

/** What lies over a snapshot, such as a delta: the chunks it touches, and what they hold then. */
export interface Overlay {
  readonly touched: ChunkSet;
  /** Fills the buffer with a chunk it touches; answers 0, and leaves it alone, when that is zeros. One at a time. */
  read(chunk: number, plain: Uint8Array<ArrayBuffer>): Promise<number>;
}

export interface RestoreOptions {
  readonly lanes: Lanes;
  readonly content: TargetContent;
  readonly overlay?: Overlay | undefined;
  /** What cannot be read becomes zeros and is told here; without it, that is an error. In no order. */
  readonly onDamaged?: OnDamaged | undefined;
  /** @param idleBytes Of `doneBytes`, chunks of zeros that a new target had before: nothing was done about them. */
  onProgress?(counts: Readonly<RestoreCounts>, idleBytes: number): void;
}

/** Objects on their way at once. */
const GETS_AT_ONCE = 16;
/** Zeros are looked for in blocks of this size; a chunk begins with a whole one. */
const BLOCK_BYTES = 4096;
const ZERO_BLOCK = new Uint8Array(BLOCK_BYTES);

/**
 * Makes the target equal to the snapshot. Does not flush.
 *
 * @throws {RegrainError} `CHUNK_MISSING`, `CHUNK_DAMAGED`, `SNAPSHOT_DAMAGED`, and what reading and writing may.
 */
export async function restoreTo(
  repository: Repository,
  snapshot: Snapshot,
  work: { target: Target } & RestoreOptions,
): Promise<RestoreCounts> {
  return await new Restore(repository, snapshot, work).run();
}

/** Calls that a restore has under way at its target; each has a chunk of the snapshot in memory. */
export function targetCallsInFlight(target: Target, { chunkBytes }: Pick<Snapshot, "chunkBytes">): number {
  return buffersInFlight(target.medium, chunkBytes);
}

class Restore {
  private readonly counts: RestoreCounts = newCounts();
  private idleBytes = 0;
  private readonly held: Held;
  private readonly gets = new Gate(GETS_AT_ONCE);
  private readonly tasks: TaskGroup;
  /** Calls that the target wants under way. */
  private readonly inFlight: number;
  private readonly calls: Gate;
  /** The overlay's reader has the kernels to itself. */
  private readonly overlaying = new Gate(1);

  constructor(
    private readonly repository: Repository,
    private readonly snapshot: Snapshot,
    private readonly work: { target: Target } & RestoreOptions,
  ) {
    this.inFlight = targetCallsInFlight(work.target, snapshot);
    this.calls = new Gate(this.inFlight);
    // Besides what is fetched, a chunk for each call that waits for the target.
    this.tasks = new TaskGroup(GETS_AT_ONCE + (this.inFlight > 1 ? this.inFlight : 0));
    this.held = new Held(work.target, {
      lanes: work.lanes,
      calls: this.calls,
      chunkBytes: snapshot.chunkBytes,
      inFlight: this.inFlight,
    });
  }

  async run(): Promise<RestoreCounts> {
    const { sizeBytes, chunkBytes } = this.snapshot;
    const pages = salvagedPages(this.repository, this.snapshot, this.work.onDamaged);
    try {
      for await (const { page, firstChunk, damage } of pages) {
        for (let i = 0; i < page.entries; i++) {
          const offsetBytes = (firstChunk + i) * chunkBytes;
          const lengthBytes = Math.min(chunkBytes, sizeBytes - offsetBytes);
          const entry = page.get(i);
          if (this.work.overlay?.touched.has(firstChunk + i)) {
            await this.tasks.start(() => this.makeOverlaid(firstChunk + i, { offsetBytes, lengthBytes }));
          } else if (damage !== undefined) await this.makeDamaged(damage, { offsetBytes, lengthBytes });
          else if (entry === undefined && (this.work.content === "zeros" || this.inFlight === 1)) {
            await this.makeZero(offsetBytes, lengthBytes);
          } else if (entry === undefined) {
            await this.tasks.start(() => this.makeZero(offsetBytes, lengthBytes));
          } else await this.tasks.start(() => this.makeData(entry, { offsetBytes, lengthBytes }));
        }
      }
    } finally {
      await this.tasks.settle();
    }
    this.tasks.check();
    return this.counts;
  }

  private async makeZero(offsetBytes: number, lengthBytes: number): Promise<void> {
    const { content } = this.work;
    if (
      content !== "zeros" && !(content === "compare" && await this.held.isZero({ offsetBytes, lengthBytes }))
    ) {
      await this.zero({ offsetBytes, lengthBytes });
    }
    this.counts.zeroBytes += lengthBytes;
    if (content === "zeros") this.idleBytes += lengthBytes;
    this.step(lengthBytes);
  }

  private zero(stretch: { offsetBytes: number; lengthBytes: number }): Promise<void> {
    return this.calls.run(async () => await this.work.target.zero({ ...stretch, punch: true }));
  }

  private async makeData(entry: ChunkEntry, at: { offsetBytes: number; lengthBytes: number }): Promise<void> {
    if (this.work.content === "compare" && await this.held.isThere(entry, at)) {
      this.counts.keptBytes += at.lengthBytes;
      this.step(at.lengthBytes);
      return;
    }
    const plain = await this.fetchPlain(entry, at);
    if (plain === undefined) return;
    await this.write(plain, at.offsetBytes);
    // Left to the collector of garbage, hundreds of MiB of it would lie about.
    plain.buffer.transfer(0);
    this.step(at.lengthBytes);
  }

  /** The content of a chunk; `undefined` when it is damaged, and that was dealt with. */
  private async fetchPlain(
    entry: ChunkEntry,
    at: { offsetBytes: number; lengthBytes: number },
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const name = { kind: "chunks", ...entry } as const;
    try {
      const stored = await this.gets.run(() => this.repository.fetch(name, at.lengthBytes));
      this.counts.fetchedBytes += stored.bytes.length;
      const { key, path, name: { id } } = stored;
      return await this.work.lanes.unseal(stored.bytes, { key, path, id, plainBytes: at.lengthBytes });
    } catch (error) {
      if (this.work.onDamaged === undefined || !isDamage(error)) throw error;
      const { repository, work: { lanes } } = this;
      const other = await fromOtherGeneration(name, at.lengthBytes, { repository, lanes });
      if (other === undefined) await this.makeDamaged(error, at);
      return other;
    }
  }

  /** Zeros where nobody knows what stood: a target must not keep what it held there before. */
  private async makeDamaged(
    { message }: RegrainError,
    at: { offsetBytes: number; lengthBytes: number },
  ): Promise<void> {
    this.work.onDamaged!({ ...at, reason: message });
    await this.makeZero(at.offsetBytes, at.lengthBytes);
  }

  private async makeOverlaid(chunk: number, at: { offsetBytes: number; lengthBytes: number }): Promise<void> {
    const plain = await this.readOverlaid(chunk, at);
    if (plain === undefined) return;
    if (this.work.content === "compare" && await this.held.holds(plain, at.offsetBytes)) {
      this.counts.keptBytes += at.lengthBytes;
    } else await this.write(plain, at.offsetBytes);
    plain.buffer.transfer(0);
    this.step(at.lengthBytes);
  }

  /** What the overlay holds of a chunk; `undefined` when it is zeros or damaged, and that was dealt with. */
  private async readOverlaid(
    chunk: number,
    at: { offsetBytes: number; lengthBytes: number },
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const plain = new Uint8Array(at.lengthBytes);
    let count: number;
    try {
      count = await this.overlaying.run(() => this.work.overlay!.read(chunk, plain));
    } catch (error) {
      // What the overlay does not cover of this chunk comes from the snapshot.
      if (this.work.onDamaged === undefined || !isDamage(error)) throw error;
      await this.makeDamaged(error, at);
      return undefined;
    }
    if (count > 0) return plain;
    await this.makeZero(at.offsetBytes, at.lengthBytes);
    return undefined;
  }

  /** Writes a chunk; what is zeros in it becomes a hole. */
  private async write(plain: Uint8Array<ArrayBuffer>, offsetBytes: number): Promise<void> {
    const { target, content } = this.work;
    const zeros: { offsetBytes: number; lengthBytes: number }[] = [];
    const batch = new Batch();
    for (const { at, lengthBytes, isZero } of this.stretches(plain)) {
      if (isZero) zeros.push({ offsetBytes: offsetBytes + at, lengthBytes });
      else batch.add({ offsetBytes: offsetBytes + at, lengthBytes, at });
    }
    await this.calls.run(async () => await target.write(batch, plain));
    this.counts.writtenBytes += batch.totalBytes;
    for (const zero of zeros) {
      if (content !== "zeros") await this.zero(zero);
      this.counts.zeroBytes += zero.lengthBytes;
    }
  }

  /** Splits a chunk by whether its blocks are zeros; the kernels would want it copied to them first. */
  private *stretches(plain: Uint8Array): Generator<{ at: number; lengthBytes: number; isZero: boolean }> {
    let start = 0;
    let before: boolean | undefined;
    for (let at = 0; at < plain.length; at += BLOCK_BYTES) {
      const isZero = this.isZeroBlock(plain.subarray(at, at + BLOCK_BYTES));
      if (before !== undefined && isZero !== before) {
        yield { at: start, lengthBytes: at - start, isZero: before };
        start = at;
      }
      before = isZero;
    }
    if (before !== undefined) yield { at: start, lengthBytes: plain.length - start, isZero: before };
  }

  /** A piece of a block, as at the end of an odd disk, is taken for data. */
  private isZeroBlock(block: Uint8Array): boolean {
    if (block.length < BLOCK_BYTES || block[0] !== 0 || block[BLOCK_BYTES / 2] !== 0) return false;
    return Buffer.compare(block, ZERO_BLOCK) === 0;
  }

  private step(lengthBytes: number): void {
    this.counts.doneBytes += lengthBytes;
    this.work.onProgress?.(this.counts, this.idleBytes);
  }
}

function newCounts(): RestoreCounts {
  return { doneBytes: 0, fetchedBytes: 0, writtenBytes: 0, keptBytes: 0, zeroBytes: 0 };
}

/** Plain chunks of a snapshot in order, fetched ahead; zeros are given as zeros, and damage too where it is told. */
export async function* readInOrder(
  repository: Repository,
  snapshot: Snapshot,
  lanes: Lanes,
  over: { overlay?: Overlay | undefined; onDamaged?: OnDamaged | undefined } = {},
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { overlay, onDamaged } = over;
  const { sizeBytes, chunkBytes } = snapshot;
  const ahead: Promise<Uint8Array<ArrayBuffer>>[] = [];
  const zeros = new Uint8Array(chunkBytes);
  const most = lanes.count * 2;
  const fetch = async (entry: ChunkEntry, plainBytes: number) => {
    const name = { kind: "chunks", ...entry } as const;
    try {
      const { bytes, key, path, name: { id } } = await repository.fetch(name, plainBytes);
      return await lanes.unseal(bytes, { key, path, id, plainBytes });
    } catch (error) {
      if (onDamaged === undefined || !isDamage(error)) throw error;
      const other = await fromOtherGeneration(name, plainBytes, { repository, lanes });
      if (other === undefined) throw error;
      return other;
    }
  };
  const oneByOne = new Gate(1);
  const readOverlaid = async (chunk: number, plainBytes: number) => {
    const plain = new Uint8Array(plainBytes);
    const count = await oneByOne.run(() => overlay!.read(chunk, plain));
    return count === 0 ? zeros.subarray(0, plainBytes) : plain;
  };
  const orZeros = async (
    reading: Promise<Uint8Array<ArrayBuffer>>,
    at: { offsetBytes: number; lengthBytes: number },
  ) => {
    try {
      return await reading;
    } catch (error) {
      if (onDamaged === undefined || !isDamage(error)) throw error;
      onDamaged({ ...at, reason: error.message });
      return zeros.subarray(0, at.lengthBytes);
    }
  };
  for await (const { page, firstChunk, damage } of salvagedPages(repository, snapshot, onDamaged)) {
    for (let i = 0; i < page.entries; i++) {
      const offsetBytes = (firstChunk + i) * chunkBytes;
      const plainBytes = Math.min(chunkBytes, sizeBytes - offsetBytes);
      const entry = page.get(i);
      const reading = overlay?.touched.has(firstChunk + i)
        ? readOverlaid(firstChunk + i, plainBytes)
        : damage !== undefined
        ? Promise.reject(damage)
        : entry === undefined
        ? Promise.resolve(zeros.subarray(0, plainBytes))
        : fetch(entry, plainBytes);
      const next = orZeros(reading, { offsetBytes, lengthBytes: plainBytes });
      // Whoever takes it in its turn hears of a failure; until then it is not an unhandled one.
      next.catch(() => undefined);
      ahead.push(next);
      if (ahead.length >= most) yield await ahead.shift()!;
    }
  }
  for (const next of ahead) yield await next;
}
