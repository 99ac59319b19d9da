/** Runs programs side by side and says how long each took, and how much memory. */
import { peer } from "../helpers/peers.ts";

/** A program under measurement, with its arguments. */
export interface Contestant {
  /** How the report names it. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** What comes before each run and is not measured. */
  readonly prepare?: () => Promise<void>;
}

/** Wall-clock time of whole processes, in milliseconds. */
export interface Times {
  readonly medianMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly runs: number;
}

const MEMORY_POLL_MS = 2;

/** Ends what runs and lets nothing begin; what it is aborted with is thrown. */
export const stopping = new AbortController();

/**
 * Runs the contestants in turn, A B A B, so that what disturbs the machine disturbs all of them.
 *
 * @returns one entry a contestant, in their order.
 * @throws {Error} when one of them fails: what failed has no speed.
 */
export async function measureInTurn(contestants: readonly Contestant[], runs: number): Promise<Times[]> {
  const elapsedMs = contestants.map(() => [] as number[]);
  for (let run = 0; run < runs; run++) {
    for (const [i, contestant] of contestants.entries()) elapsedMs[i]!.push(await timeOnce(contestant));
  }
  return elapsedMs.map(summarize);
}

function summarize(elapsedMs: readonly number[]): Times {
  const sorted = elapsedMs.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const medianMs = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { medianMs, minMs: sorted[0]!, maxMs: sorted.at(-1)!, runs: sorted.length };
}

/**
 * Runs a contestant once, to its end, and returns the milliseconds it took. Signals are heard meanwhile.
 *
 * @throws what {@link stopping} was aborted with, once the contestant has ended.
 */
export async function timeOnce(contestant: Contestant): Promise<number> {
  await contestant.prepare?.();
  stopping.signal.throwIfAborted();
  const started = performance.now();
  const { success, stderr } = await commandOf(contestant).output();
  const elapsedMs = performance.now() - started;
  stopping.signal.throwIfAborted();
  if (success) return elapsedMs;
  throw new Error(`${contestant.name} failed: ${new TextDecoder().decode(stderr)}`);
}

function commandOf({ command, args }: Contestant): Deno.Command {
  return new Deno.Command(command, {
    args: [...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    signal: stopping.signal,
  });
}

/** Most memory that a contestant held at a time, in bytes: by GNU time, else by looking again and again. */
export async function peakMemory(contestant: Contestant): Promise<number> {
  const time = peer("time");
  return await (time === undefined ? watchMemory(contestant) : memoryByTime(time, contestant));
}

async function memoryByTime(time: string, contestant: Contestant): Promise<number> {
  const file = Deno.makeTempFileSync({ prefix: "regrain_bench_" });
  try {
    const { name, command, args } = contestant;
    await timeOnce({ name, command: time, args: ["-f", "%M", "-o", file, command, ...args] });
    return Number(Deno.readTextFileSync(file)) * 1024;
  } finally {
    Deno.removeSync(file);
  }
}

/** What comes after the last look is missed, which is little. */
async function watchMemory(contestant: Contestant): Promise<number> {
  stopping.signal.throwIfAborted();
  const child = commandOf(contestant).spawn();
  let peakBytes = 0;
  const timer = setInterval(() => peakBytes = highWaterMark(child.pid) ?? peakBytes, MEMORY_POLL_MS);
  try {
    const { success, stderr } = await child.output();
    stopping.signal.throwIfAborted();
    if (!success) throw new Error(`${contestant.name} failed: ${new TextDecoder().decode(stderr)}`);
    return peakBytes;
  } finally {
    clearInterval(timer);
  }
}

/** `VmHWM` of `proc(5)` in bytes, or `undefined` when the process has ended. */
function highWaterMark(pid: number): number | undefined {
  try {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
