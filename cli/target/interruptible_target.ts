/** A target whose work can be stopped between two transfers. */
import {
  type Batch,
  type MaybePromise,
  MIB,
  MOST_BYTES_A_CALL,
  type RegrainError,
  type Target,
} from "../../core-as/host/mod.ts";
import { WrappedTarget } from "./wrapped_target.ts";

/** Answers with an error, once, when the work is to end here. */
export type SafePoint = () => MaybePromise<RegrainError | undefined>;

/** Pieces of zeros: the first one's size, and the time that one should take at most. */
const FIRST_PIECE_BYTES = 4 * MIB;
const SMALLEST_PIECE_BYTES = MIB;
const LONGEST_PIECE_MS = 100;

/**
 * Asks at every transfer whether to go on. If not, what was written so far is made durable, and the transfer throws
 * instead of being done. Reading asks too: looking a target through takes as long as writing it.
 *
 * Zeros come in stretches as long as the disk, and a medium that cannot make them by itself writes every byte. They
 * are cut into pieces that take about {@link LONGEST_PIECE_MS}: a punched hole takes none, and 64 MiB of zeros on
 * a slow network file system take a minute.
 */
export class InterruptibleTarget extends WrappedTarget {
  private pieceBytes = FIRST_PIECE_BYTES;
  /** Writes and zeros that are under way. */
  private readonly underWay = new Set<Promise<void>>();
  /** Why the work ended: of several calls that ask at once, one is given the reason, and none may write. */
  private stop: RegrainError | undefined;

  constructor(
    target: Target,
    private readonly safePoint: SafePoint,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    super(target);
  }

  override async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    await this.passSafePoint();
    await this.target.read(batch, buffer);
  }

  override async write(batch: Batch, buffer: Uint8Array): Promise<void> {
    await this.passSafePoint();
    if (this.stop) throw this.stop;
    await this.track(this.target.write(batch, buffer));
  }

  override async zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): Promise<void> {
    const endBytes = stretch.offsetBytes + stretch.lengthBytes;
    for (let at = stretch.offsetBytes; at < endBytes;) {
      await this.passSafePoint();
      if (this.stop) throw this.stop;
      const piece = { offsetBytes: at, lengthBytes: Math.min(this.pieceBytes, endBytes - at) };
      await this.zeroPiece({ ...piece, punch: stretch.punch });
      at += piece.lengthBytes;
    }
  }

  /**
   * Ends the work here if it is to end.
   *
   * @throws {RegrainError} the reason; what was written before is durable then.
   */
  async passSafePoint(): Promise<void> {
    const stop = await this.safePoint();
    if (!stop) return;
    this.stop = stop;
    // What other calls began before is written too; how it ended is theirs to say.
    await Promise.allSettled(this.underWay);
    await this.target.flush();
    throw stop;
  }

  private async track(call: MaybePromise<void>): Promise<void> {
    if (!(call instanceof Promise)) return;
    this.underWay.add(call);
    try {
      await call;
    } finally {
      this.underWay.delete(call);
    }
  }

  private async zeroPiece(
    piece: { offsetBytes: number; lengthBytes: number; punch: boolean },
  ): Promise<void> {
    const startedMs = this.nowMs();
    await this.track(this.target.zero(piece));
    const tookMs = this.nowMs() - startedMs;
    if (tookMs > LONGEST_PIECE_MS) {
      this.pieceBytes = Math.max(SMALLEST_PIECE_BYTES, piece.lengthBytes / 2);
    } else if (tookMs < LONGEST_PIECE_MS / 4 && piece.lengthBytes === this.pieceBytes) {
      this.pieceBytes = Math.min(MOST_BYTES_A_CALL, this.pieceBytes * 2);
    }
  }
}
