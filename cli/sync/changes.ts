/** What of a load differs, and as what it is written: data, or zeros that become a hole. */
import type { Batch, Core, RunList, Stretch } from "../../core-as/host/mod.ts";

export interface ChangeOptions {
  /** What differs is written in whole blocks of this size, on the grid of the disk. */
  readonly blockBytes: number;
  /** Shortest stretch of zero blocks that is written as zeros and not as data; `undefined`: none is. */
  readonly zeroBytes: number | undefined;
}

/** Finds changes in the halves of `core.buffer`. */
export class ChangeFinder {
  private readonly halfBytes: number;

  constructor(private readonly core: Core, private readonly options: ChangeOptions) {
    this.halfBytes = core.buffer.length / 2;
  }

  /**
   * @param items As {@link Load.items}.
   * @param into Receives what is to be written, in ascending order; `at` is where its new bytes are, negative of zeros.
   */
  find(items: Batch, scratch: RunList, into: Batch): void {
    into.clear();
    for (let i = 0; i < items.count; i++) {
      const piece = {
        offsetBytes: items.offsetBytes[i]!,
        lengthBytes: items.lengthBytes[i]!,
        at: items.at[i]!,
      };
      if (piece.at < 0) into.add(piece);
      else this.findIn(piece, scratch, into);
    }
  }

  private findIn(piece: Stretch & { at: number }, scratch: RunList, into: Batch): void {
    const { blockBytes } = this.options;
    // Pieces begin where a run of the source does, which may be in the middle of a block.
    const head = Math.min(
      piece.lengthBytes,
      (blockBytes - piece.offsetBytes % blockBytes) % blockBytes,
    );
    if (head > 0) this.compare({ ...piece, lengthBytes: head }, scratch, into);
    const lengthBytes = piece.lengthBytes - head;
    if (lengthBytes === 0) return;
    this.compare(
      { offsetBytes: piece.offsetBytes + head, lengthBytes, at: piece.at + head },
      scratch,
      into,
    );
  }

  private compare({ offsetBytes, lengthBytes, at }: Stretch & { at: number }, scratch: RunList, into: Batch) {
    const { kernels, bufferAddress } = this.core;
    const address = bufferAddress + at;
    scratch.count = kernels.diffSpans(
      address,
      address + this.halfBytes,
      lengthBytes,
      this.options.blockBytes,
      scratch.address,
    );
    for (let i = 0; i < scratch.count; i++) {
      const start = scratch.start(i);
      this.add({ offsetBytes: offsetBytes + start, lengthBytes: scratch.length(i), at: at + start }, into);
    }
  }

  /** Takes out of a stretch that differs what is zeros and long enough. */
  private add(change: Stretch & { at: number }, into: Batch): void {
    const { blockBytes, zeroBytes } = this.options;
    if (zeroBytes === undefined || change.lengthBytes < zeroBytes) {
      into.add(change);
      return;
    }
    let takenBytes = 0;
    let zeros = 0;
    const take = (untilBytes: number, isZero: boolean) => {
      if (untilBytes === takenBytes) return;
      into.add({
        offsetBytes: change.offsetBytes + takenBytes,
        lengthBytes: untilBytes - takenBytes,
        at: isZero ? -1 : change.at + takenBytes,
      });
      takenBytes = untilBytes;
    };
    const endZeros = (untilBytes: number) => {
      if (zeros >= zeroBytes) {
        take(untilBytes - zeros, false);
        take(untilBytes, true);
      }
      zeros = 0;
    };
    for (let done = 0; done < change.lengthBytes;) {
      const length = Math.min(blockBytes, change.lengthBytes - done);
      if (this.core.kernels.isZero(this.core.bufferAddress + change.at + done, length) !== 0) zeros += length;
      else endZeros(done);
      done += length;
    }
    endZeros(change.lengthBytes);
    take(change.lengthBytes, false);
  }
}
