/** A target that this apply has made: when nothing was written to it, it is to go again. */
import type { Batch, MaybePromise, Target } from "../../core-as/host/mod.ts";
import type { Io } from "../io/mod.ts";
import { WrappedTarget } from "./wrapped_target.ts";

export class MadeTarget extends WrappedTarget {
  private isTouched = false;

  constructor(target: Target, private readonly io: Pick<Io, "removeFile">) {
    super(target);
  }

  override write(batch: Batch, buffer: Uint8Array): MaybePromise<void> {
    this.isTouched = true;
    return this.target.write(batch, buffer);
  }

  override zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): MaybePromise<void> {
    this.isTouched = true;
    return this.target.zero(stretch);
  }

  /** Removes the file again unless something was written. */
  discard(): void {
    if (!this.isTouched) this.io.removeFile(this.path);
  }
}

/**
 * Works on a target and closes it, whatever becomes of the work.
 *
 * @param target `undefined` in a dry run on a target that is yet to be made.
 * @throws what the work does; an empty target that was made for it is gone then.
 */
export async function whileOpen<T>(target: Target | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    discardMade(target);
    throw error;
  } finally {
    target?.close();
  }
}

/** To be called when an apply has failed: an empty target that it made is not left behind. */
export function discardMade(target: Target | undefined): void {
  if (target instanceof MadeTarget) target.discard();
}
