/** A target around another one: hands everything on. What wraps a target overrides what it changes. */
import type { Batch, MaybePromise, Run, Target, TargetMedium } from "../../core-as/host/mod.ts";

export class WrappedTarget implements Target {
  readonly path: string;
  readonly sizeBytes: number;
  /** The target below. */
  readonly targets: readonly [Target];
  readonly runs?: (fromBytes: number, toBytes: number) => MaybePromise<Run[]>;

  constructor(protected readonly target: Target) {
    this.path = target.path;
    this.sizeBytes = target.sizeBytes;
    this.targets = [target];
    if (target.runs) this.runs = (fromBytes, toBytes) => target.runs!(fromBytes, toBytes);
  }

  get medium(): TargetMedium {
    return this.target.medium;
  }

  get isDevice(): boolean {
    return this.target.isDevice === true;
  }

  get zerosWrittenBytes(): number | undefined {
    return this.target.zerosWrittenBytes;
  }

  read(batch: Batch, buffer: Uint8Array): MaybePromise<void> {
    return this.target.read(batch, buffer);
  }

  write(batch: Batch, buffer: Uint8Array): MaybePromise<void> {
    return this.target.write(batch, buffer);
  }

  zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): MaybePromise<void> {
    return this.target.zero(stretch);
  }

  flush(): MaybePromise<void> {
    return this.target.flush();
  }

  close(): void {
    this.target.close();
  }
}
