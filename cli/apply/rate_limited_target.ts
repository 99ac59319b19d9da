/** A target that is written no faster than it may be, so that others on the same medium or network get their share. */
import type { Batch, MaybePromise, Run, Target } from "../../core-as/host/mod.ts";

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

/**
 * Spreads the written bytes over time: after each transfer it waits until the bytes so far are due. Zeros that are
 * punched count as well, since a device may write them.
 */
export class RateLimitedTarget implements Target {
  readonly kind: Target["kind"];
  readonly path: string;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  /** The target below. */
  readonly targets: readonly [Target];
  readonly runs?: (fromBytes: number, toBytes: number) => MaybePromise<Run[]>;
  private dueMs: number | undefined;

  constructor(
    private readonly target: Target,
    private readonly bytesPerSecond: number,
    private readonly clock: Clock = REAL_CLOCK,
  ) {
    this.kind = target.kind;
    this.path = target.path;
    this.sizeBytes = target.sizeBytes;
    this.blockBytes = target.blockBytes;
    this.targets = [target];
    if (target.runs) this.runs = (fromBytes, toBytes) => target.runs!(fromBytes, toBytes);
  }

  read(batch: Batch, buffer: Uint8Array): MaybePromise<void> {
    return this.target.read(batch, buffer);
  }

  async write(batch: Batch, buffer: Uint8Array): Promise<void> {
    await this.target.write(batch, buffer);
    await this.account(batch.totalBytes);
  }

  async zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): Promise<void> {
    await this.target.zero(stretch);
    await this.account(stretch.lengthBytes);
  }

  flush(): MaybePromise<void> {
    return this.target.flush();
  }

  close(): void {
    this.target.close();
  }

  /** A target that stood still for a while has not saved anything up: it may not burst afterwards. */
  private async account(bytes: number): Promise<void> {
    const nowMs = this.clock.nowMs();
    this.dueMs = Math.max(this.dueMs ?? nowMs, nowMs - SHORTEST_WAIT_MS) + bytes * 1000 / this.bytesPerSecond;
    const waitMs = this.dueMs - nowMs;
    if (waitMs >= SHORTEST_WAIT_MS) await this.clock.sleep(waitMs);
  }
}
