/** A target whose work can be stopped between two transfers. */
import type { Batch, MaybePromise, RegrainError, Run, Target } from "../../core-as/host/mod.ts";

/** Answers with an error, once, when the work is to end here. */
export type SafePoint = () => MaybePromise<RegrainError | undefined>;

/**
 * Asks at every transfer whether to go on. If not, what was written so far is made durable, and the transfer throws
 * instead of being done. Reading asks too: looking a target through takes as long as writing it.
 */
export class InterruptibleTarget implements Target {
  readonly kind: Target["kind"];
  readonly path: string;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  /** The target below. */
  readonly targets: readonly [Target];
  readonly runs?: (fromBytes: number, toBytes: number) => MaybePromise<Run[]>;

  constructor(private readonly target: Target, private readonly safePoint: SafePoint) {
    this.kind = target.kind;
    this.path = target.path;
    this.sizeBytes = target.sizeBytes;
    this.blockBytes = target.blockBytes;
    this.targets = [target];
    if (target.runs) this.runs = (fromBytes, toBytes) => target.runs!(fromBytes, toBytes);
  }

  async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    await this.#passSafePoint();
    await this.target.read(batch, buffer);
  }

  async write(batch: Batch, buffer: Uint8Array): Promise<void> {
    await this.#passSafePoint();
    await this.target.write(batch, buffer);
  }

  async zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): Promise<void> {
    await this.#passSafePoint();
    await this.target.zero(stretch);
  }

  flush(): MaybePromise<void> {
    return this.target.flush();
  }

  close(): void {
    this.target.close();
  }

  async #passSafePoint(): Promise<void> {
    const stop = await this.safePoint();
    if (!stop) return;
    await this.target.flush();
    throw stop;
  }
}
