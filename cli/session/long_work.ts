/**
 * Work that takes long and writes to a target: its progress, the signals that end it where that is clean, and a limit
 * on its rate.
 */
import type { Target } from "../../core-as/host/mod.ts";
import { type Console, Progress, type ProgressMode, type ProgressState } from "../ui/mod.ts";
import { rateLimitOf } from "./flags.ts";
import { type Interruptible, interruptible } from "./interruption.ts";

export interface LongWorkFlags {
  readonly progress?: ProgressMode | undefined;
  readonly rateLimit?: string | undefined;
}

/** To be disposed of when the work has ended, well or not. */
export class LongWork implements Disposable {
  private progress: Progress | undefined;
  private stopping: Interruptible | undefined;
  private readonly bytesPerSecond: number | undefined;

  /** @throws {RegrainError} `USAGE` when the rate limit is none. */
  constructor(private readonly console: Console, private readonly flags: LongWorkFlags) {
    this.bytesPerSecond = rateLimitOf(flags);
  }

  /**
   * From here on there is progress, and time counts; signals are heard.
   *
   * @param totalBytes Bytes of work; 0 where that is not known.
   * @returns what is written to in the place of the target.
   */
  begin(target: Target, totalBytes: number): Target {
    const { console, bytesPerSecond } = this;
    const progress = this.beginReading(totalBytes);
    this.stopping = interruptible(target, { console, progress, bytesPerSecond });
    return this.stopping.target;
  }

  /** The same of work that writes nothing, which a signal may just kill. */
  beginReading(totalBytes: number): Progress {
    return this.progress = this.newProgress(totalBytes);
  }

  update(state: ProgressState): void {
    this.progress?.update(state);
  }

  /** Takes work off the total: it was done before. */
  reduce(bytes: number): void {
    this.progress?.reduce(bytes);
  }

  /** Takes the bar off the terminal. */
  end(): void {
    this.progress?.end();
  }

  /** Since the beginning. */
  get elapsedMs(): number {
    return this.progress?.elapsedMs ?? 0;
  }

  /** Waits for what may never come: from the beginning on a signal ends the wait, and the work at once. */
  unlessStopped<T>(waited: Promise<T>): Promise<T> {
    return this.stopping?.unlessStopped(waited) ?? waited;
  }

  /** Reads back what was written, with a progress of its own. */
  async readBack<T extends object>(
    { target, totalBytes }: { target: Target; totalBytes: number },
    run: (update: (state: ProgressState) => void) => Promise<T>,
  ): Promise<T & { readonly elapsedMs: number }> {
    this.end();
    const progress = this.newProgress(totalBytes);
    this.console.detail(`${target.path}: reading back what was written`);
    try {
      const found = await run((state) => progress.update(state));
      return { ...found, elapsedMs: progress.elapsedMs };
    } finally {
      progress.end();
    }
  }

  [Symbol.dispose](): void {
    this.end();
    this.stopping?.[Symbol.dispose]();
  }

  private newProgress(totalBytes: number): Progress {
    return new Progress(this.console, this.flags.progress ?? "auto", totalBytes);
  }
}
