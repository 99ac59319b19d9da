/** Where a target has data, asked for stretch by stretch, forwards. */
import { type MaybePromise, MIB, type Run, type Target } from "../../core-as/host/mod.ts";

/** What is known of a byte: whether there is data, and up to where that holds. */
export interface Held {
  readonly isData: boolean;
  readonly untilBytes: number;
}

/** How far one question reaches. */
const STRIDE_BYTES = 256 * MIB;

const BEHIND_THE_END: Held = { isData: false, untilBytes: Infinity };

export class TargetRuns {
  private runs: readonly Run[] = [];
  private index = 0;
  private reachedBytes = 0;
  private readonly everywhere: Held;

  constructor(private readonly target: Pick<Target, "runs" | "sizeBytes">) {
    this.everywhere = { isData: true, untilBytes: target.sizeBytes };
  }

  /** What is at a byte; each call asks for one that is not below the one before. Behind the end there is nothing. */
  at(offsetBytes: number): MaybePromise<Held> {
    if (offsetBytes >= this.target.sizeBytes) return BEHIND_THE_END;
    if (this.target.runs === undefined) return this.everywhere;
    if (offsetBytes < this.reachedBytes) return this.find(offsetBytes);
    const toBytes = Math.min(this.target.sizeBytes, offsetBytes + STRIDE_BYTES);
    const runs = this.target.runs(offsetBytes, toBytes);
    const keep = (known: readonly Run[]) => {
      this.runs = known;
      this.index = 0;
      this.reachedBytes = toBytes;
      return this.find(offsetBytes);
    };
    return runs instanceof Promise ? runs.then(keep) : keep(runs);
  }

  private find(offsetBytes: number): Held {
    const { runs } = this;
    while (runs[this.index]!.start + runs[this.index]!.length <= offsetBytes) this.index++;
    const { start, length, kind } = runs[this.index]!;
    return { isData: kind === "data" || kind === "damaged", untilBytes: start + length };
  }
}
