/** A target that is written no faster than it may be, so that others on the same medium or network get their share. */
import type { Batch, Target } from "../../core-as/host/mod.ts";
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

/** Spreads bytes over time: waits until those that were moved so far are due. */
export class RateLimit {
  private dueMs: number | undefined;

  constructor(private readonly bytesPerSecond: number, private readonly clock: Clock = REAL_CLOCK) {}

  /** To be called after each transfer. What stood still for a while has not saved anything up: it may not burst. */
  async account(bytes: number): Promise<void> {
    const nowMs = this.clock.nowMs();
    this.dueMs = Math.max(this.dueMs ?? nowMs, nowMs - SHORTEST_WAIT_MS) + bytes * 1000 / this.bytesPerSecond;
    const waitMs = this.dueMs - nowMs;
    if (waitMs >= SHORTEST_WAIT_MS) await this.clock.sleep(waitMs);
  }
}

/** Spreads the written bytes over time. Zeros that are punched count as well, since a device may write them. */
export class RateLimitedTarget extends WrappedTarget {
  private readonly limit: RateLimit;

  constructor(target: Target, bytesPerSecond: number, clock?: Clock) {
    super(target);
    this.limit = new RateLimit(bytesPerSecond, clock);
  }

  override async write(batch: Batch, buffer: Uint8Array): Promise<void> {
    await this.target.write(batch, buffer);
    await this.limit.account(batch.totalBytes);
  }

  override async zero(stretch: { offsetBytes: number; lengthBytes: number; punch: boolean }): Promise<void> {
    await this.target.zero(stretch);
    await this.limit.account(stretch.lengthBytes);
  }
}
