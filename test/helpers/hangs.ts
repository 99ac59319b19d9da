/** Limits of what hangs, by what this process does and not by the clock on the wall. */
import { cpuMs } from "./tiers.ts";

const TURN_MS = 250;
/** More work than any of what is watched takes. */
const MOST_CPU_MS = 60_000;
/** Turns that this process had, with nothing coming of them: it waits for what never comes. */
const MOST_TURNS = 480;

/**
 * Fails when something neither ends nor throws: after a minute of the processor, or after so many turns of the event
 * loop. A machine that stands still gives no turns.
 */
export async function inTime<T>(what: string, promise: Promise<T>): Promise<T> {
  const startCpuMs = cpuMs();
  let turns = 0;
  let timer: ReturnType<typeof setInterval> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setInterval(() => {
      if (++turns > MOST_TURNS || cpuMs() - startCpuMs > MOST_CPU_MS) reject(new Error(`${what}: hangs`));
    }, TURN_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearInterval(timer);
  }
}
