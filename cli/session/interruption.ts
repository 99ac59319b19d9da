/** What long commands do on signals: end where it is clean, or say how far they came. */
import type { RegrainError, Target } from "../../core-as/host/mod.ts";
import { InterruptibleTarget } from "../target/interruptible_target.ts";
import { RateLimitedTarget } from "../target/rate_limited_target.ts";
import { Signals } from "./signals.ts";
import type { Console, Progress } from "../ui/mod.ts";

/** A target that signals stop, and a way to wait that they end. */
export interface Interruptible extends Disposable {
  readonly target: Target;
  unlessStopped<T>(work: Promise<T>): Promise<T>;
}

/**
 * A target that signals stop, for as long as it is not disposed of, and that is written no faster than
 * `bytesPerSecond`. Disposing of it does not close the target.
 *
 * What comes with it, `unlessStopped`, waits for something that may never come: a signal ends the wait, and the work
 * at once, as a safe point does.
 */
export function interruptible(
  target: Target,
  ui: { console: Console; progress: Progress; bytesPerSecond?: number | undefined },
): Interruptible {
  const { bytesPerSecond } = ui;
  const signals = listenForSignals(ui);
  const stoppable = new InterruptibleTarget(target, () => signals.safePoint());
  let stop: RegrainError | undefined;
  signals.stopped.then((error) => stop = error);
  const whileWaiting = async () => {
    await stoppable.passSafePoint();
    // Several transfers may wait at once, and only one of them is told by the safe point.
    if (stop === undefined) return;
    await target.flush();
    throw stop;
  };
  return {
    target: bytesPerSecond === undefined
      ? stoppable
      : new RateLimitedTarget(stoppable, bytesPerSecond, { whileWaiting }),
    async unlessStopped(work) {
      const isDone = await Promise.race([work.then(() => true), signals.stopped.then(() => false)]);
      if (!isDone) await stoppable.passSafePoint();
      return await work;
    },
    [Symbol.dispose]: () => signals[Symbol.dispose](),
  };
}

/** Ends the work where a signal asked for it; for work that has no target to make durable first. */
export async function passSafePoint(signals: Signals, hint?: string): Promise<void> {
  const stop = await signals.safePoint();
  if (stop !== undefined) throw hint === undefined ? stop : stop.withHint(hint);
}

/** Signals for work that shows its progress and asks at safe points of its own whether it is to stop. */
export function listenForSignals({ console, progress }: { console: Console; progress: Progress }): Signals {
  return new Signals({
    onStop: (signal) => {
      progress.end();
      console.tell(`${signal}: stopping where it is safe; a second one stops at once`);
    },
    onMissed: (signal) => {
      console.tell(`${signal}: came too late, nothing was left to stop`);
    },
    onStatus: () => progress.showNow(),
  });
}
