/** A target whose work can be stopped between two transfers. */
import type { Batch, MaybePromise, RegrainError, Target } from "../../core-as/host/mod.ts";
import { WrappedTarget } from "./wrapped_target.ts";

/** Answers with an error, once, when the work is to end here. */
export type SafePoint = () => MaybePromise<RegrainError | undefined>;

/**
 * Asks at every transfer whether to go on. If not, what was written so far is made durable, and the transfer throws
 * instead of being done. Reading asks too: looking a target through takes as long as writing it.
 */
export class InterruptibleTarget extends WrappedTarget {
  constructor(target: Target, private readonly safePoint: SafePoint) {
    super(target);
  }

  override async read(batch: Batch, buffer: Uint8Array): Promise<void> {
    await this.#passSafePoint();
    await this.target.read(batch, buffer);
  }

  override async write(batch: Batch, buffer: Uint8Array): Promise<void> {
    await this.#passSafePoint();
    await this.target.write(batch, buffer);
  }

  override async zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): Promise<void> {
    await this.#passSafePoint();
    await this.target.zero(stretch);
  }

  async #passSafePoint(): Promise<void> {
    const stop = await this.safePoint();
    if (!stop) return;
    await this.target.flush();
    throw stop;
  }
}
