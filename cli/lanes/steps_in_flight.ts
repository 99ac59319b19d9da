/**
 * Steps of one work, many under way at once, that count as done in their order.
 *
 * The medium may end them in any order. A step is done when it and all before it have ended well: so what a journal
 * says of the bytes below a place is true, whatever is still under way above it. After a failure no step is started,
 * all that are under way are waited for, and the error that is thrown is that of the first step in order.
 */
import type { MaybePromise } from "../../core-as/host/mod.ts";

/** What is to be done, and what follows when it and all before it have ended well. */
export interface Step {
  run(): Promise<void>;
  done(): MaybePromise<void>;
}

interface Running {
  readonly ended: Promise<void>;
  readonly done: Step["done"];
}

export class StepsInFlight {
  private readonly running: Running[] = [];
  private hasFailed = false;

  constructor(private readonly most: number) {}

  /**
   * Waits until another step may be started.
   *
   * @throws what a step before it has thrown; nothing is under way then.
   */
  async room(): Promise<void> {
    if (this.hasFailed) await this.drain();
    while (this.running.length >= this.most) await this.retire();
  }

  /** Starts a step; to be called after {@link room}. */
  start({ run, done }: Step): void {
    const ended = run();
    // The error is thrown in its turn; until then it is not an unhandled one.
    ended.catch(() => this.hasFailed = true);
    this.running.push({ ended, done });
  }

  /**
   * Waits until nothing is under way.
   *
   * @throws what the first step that failed has thrown; those after it are not done.
   */
  async drain(): Promise<void> {
    while (this.running.length > 0) await this.retire();
  }

  private async retire(): Promise<void> {
    const { ended, done } = this.running[0]!;
    try {
      await ended;
      this.running.shift();
      await done();
    } catch (error) {
      await Promise.allSettled(this.running.splice(0).map((each) => each.ended));
      throw error;
    }
  }
}
