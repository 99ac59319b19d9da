/** A target that is written no faster than it may be, so that others on the same medium or network get their share. */
import { Batch, cutStretch, KIB, type MaybePromise, MIB, type Target } from "../../core-as/host/mod.ts";
import { WrappedTarget } from "./wrapped_target.ts";

/** What waits; a test counts instead. */
export interface Clock {
  nowMs(): number;
  sleep(delayMs: number): Promise<void>;
}

const REAL_CLOCK: Clock = {
  nowMs: () => performance.now(),
  sleep: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
};

/** Waits that are shorter are saved up: a timer is no finer. */
const SHORTEST_WAIT_MS = 5;
/** A longer wait is cut into such slices: between two of them the work may end. */
const LONGEST_SLEEP_MS = 100;
/** Zeros are accounted for in pieces as large as the buffers of data, so that they are no burst either. */
const ZERO_PIECE_BYTES = 4 * MIB;
/** A batch may be larger than what is due in a second: it is cut into pieces of a tenth, not below this size. */
const LEAST_PIECE_BYTES = 32 * KIB;
const PIECES_A_SECOND = 10;

export interface RateLimitOptions {
  readonly clock?: Clock;
  /** Called between two slices of a wait; what it throws ends the wait. */
  readonly whileWaiting?: () => MaybePromise<void>;
}

/** Spreads bytes over time: waits until those that were moved so far are due. */
export class RateLimit {
  private dueMs: number | undefined;
  private readonly clock: Clock;

  constructor(private readonly bytesPerSecond: number, private readonly options: RateLimitOptions = {}) {
    this.clock = options.clock ?? REAL_CLOCK;
  }

  /** Notes bytes that were moved. Time in which nothing was moved is not saved up: no burst follows it. */
  add(bytes: number): void {
    const nowMs = this.clock.nowMs();
    this.dueMs = Math.max(this.dueMs ?? nowMs, nowMs - SHORTEST_WAIT_MS) + bytes * 1000 / this.bytesPerSecond;
  }

  /** Waits until what was moved so far is due. */
  async wait(): Promise<void> {
    const { dueMs, clock } = this;
    if (dueMs === undefined || dueMs - clock.nowMs() < SHORTEST_WAIT_MS) return;
    for (let waitMs = dueMs - clock.nowMs(); waitMs > 0; waitMs = dueMs - clock.nowMs()) {
      await clock.sleep(Math.min(waitMs, LONGEST_SLEEP_MS));
      await this.options.whileWaiting?.();
    }
  }

  /** To be called after each transfer. */
  async account(bytes: number): Promise<void> {
    this.add(bytes);
    await this.wait();
  }
}

/**
 * Spreads the bytes that are really written over time. Zeros that the medium makes by itself, such as holes, cost
 * others nothing and do not count; where a target cannot tell, only those that are to be punched do not.
 *
 * It waits before a transfer, not after it: what was written is then counted when the wait ends the work. A large batch
 * is cut, so that a whole buffer is no burst.
 */
export class RateLimitedTarget extends WrappedTarget {
  private readonly limit: RateLimit;
  private readonly pieceBytes: number;
  /** Calls wait in a row: each takes its share of the time before the next one looks what is left. */
  private turn: Promise<void> = Promise.resolve();
  /** Calls of `zero` under way, and the bytes of zeros written that were accounted for before. */
  private zeroing = 0;
  private zerosBytes: number | undefined;

  constructor(target: Target, bytesPerSecond: number, options?: RateLimitOptions) {
    super(target);
    const share = Math.floor(bytesPerSecond / PIECES_A_SECOND / LEAST_PIECE_BYTES) * LEAST_PIECE_BYTES;
    this.pieceBytes = Math.max(LEAST_PIECE_BYTES, share);
    this.limit = new RateLimit(bytesPerSecond, options);
  }

  override async write(batch: Batch, buffer: Uint8Array): Promise<void> {
    for (const piece of this.piecesOf(batch)) {
      await this.admit(piece.totalBytes);
      await this.target.write(piece, buffer);
    }
  }

  /** Waits until bytes may be written, and counts them. */
  private admit(bytes: number): Promise<void> {
    const admitted = this.turn.then(async () => {
      await this.limit.wait();
      if (bytes > 0) this.limit.add(bytes);
    });
    // The caller hears of a stop; whoever waits behind it asks again.
    this.turn = admitted.catch(() => undefined);
    return admitted;
  }

  /** The same transfers in batches of few bytes; each is valid until the next is asked for. */
  private *piecesOf(batch: Batch): Generator<Batch> {
    const { pieceBytes } = this;
    if (batch.totalBytes <= pieceBytes) return yield batch;
    const piece = new Batch();
    for (let i = 0; i < batch.count; i++) {
      for (let done = 0; done < batch.lengthBytes[i]!;) {
        const lengthBytes = Math.min(batch.lengthBytes[i]! - done, pieceBytes - piece.totalBytes);
        piece.add({ offsetBytes: batch.offsetBytes[i]! + done, lengthBytes, at: batch.at[i]! + done });
        done += lengthBytes;
        if (piece.totalBytes < pieceBytes) continue;
        yield piece;
        piece.clear();
      }
    }
    if (piece.totalBytes > 0) yield piece;
  }

  override async zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): Promise<void> {
    if (this.zeroing++ === 0) this.zerosBytes = this.target.zerosWrittenBytes;
    try {
      for (const piece of cutStretch(stretch, ZERO_PIECE_BYTES)) {
        await this.admit(0);
        await this.target.zero({ ...piece, punch: stretch.punch });
        this.accountZeros({ ...piece, punch: stretch.punch });
      }
    } finally {
      this.zeroing--;
    }
  }

  private accountZeros(piece: { lengthBytes: number; punch: boolean }): void {
    const before = this.zerosBytes;
    const after = this.target.zerosWrittenBytes;
    this.zerosBytes = after;
    if (before !== undefined && after !== undefined) this.limit.add(after - before);
    else if (!piece.punch) this.limit.add(piece.lengthBytes);
  }
}
