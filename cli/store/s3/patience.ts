/** An end to waiting for something that stands still. */
import { IdleConnection } from "./failure.ts";

/** Runs `fn`, and ends it when it neither ends nor says that it goes forward. */
export async function watched<T>(
  patienceMs: number,
  fn: (signal: AbortSignal, progress: () => void) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const idle = Promise.withResolvers<never>();
  const progress = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const error = new IdleConnection(`nothing moved for ${Math.round(patienceMs / 1000)} s`);
      idle.reject(error);
      controller.abort(error);
    }, patienceMs);
  };
  progress();
  const work = fn(controller.signal, progress);
  // When the clock wins, what the aborted request still throws says nothing more.
  work.catch(() => {});
  try {
    return await Promise.race([work, idle.promise]);
  } finally {
    clearTimeout(timer);
  }
}
