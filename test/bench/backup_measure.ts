/** What one run of a program cost: time, work of the processors, memory. */
import { peer } from "../helpers/peers.ts";
import { type Contestant, timeOnce } from "./measure.ts";

export interface Cost {
  readonly elapsedMs: number;
  /** User and system time of all threads; `undefined` where GNU time is missing, and so is the memory. */
  readonly cpuMs: number | undefined;
  readonly peakBytes: number | undefined;
  /** Processes that were running or waiting to, on average over the minute before: of others, that is. */
  readonly load: number;
}

/** How long a run waits for the others of the machine to be quiet. */
const PATIENCE_S = 20;
/** A file that programs of this machine lock while they want it for themselves; see `--lock`. */
let lock: string | undefined;

export function setLock(path: string): void {
  lock = path;
}

/** Runs a program once. @throws {Error} when it fails: what failed has no speed. */
export async function costOf(contestant: Contestant): Promise<Cost> {
  const [load] = Deno.loadavg() as [number, number, number];
  const time = peer("time");
  if (time === undefined) {
    return { elapsedMs: await timeOnce(contestant), cpuMs: undefined, peakBytes: undefined, load };
  }
  const file = Deno.makeTempFileSync({ prefix: "regrain_bench_" });
  try {
    const { name, command, args } = contestant;
    const timed = [time, "-f", "%e %U %S %M", "-o", file, command, ...args];
    // Waiting for the lock is not measured; the program inherits it.
    const script = 'exec 9>>"$0" && { flock -x -w "$1" 9 || true; } && shift && exec "$@"';
    await timeOnce(
      lock === undefined
        ? { name, command: time, args: timed.slice(1) }
        : { name, command: "sh", args: ["-c", script, lock, String(PATIENCE_S), ...timed] },
    );
    const figures = Deno.readTextFileSync(file).trim().split(" ").map(Number);
    const [elapsed, user, system, kib] = figures as [number, number, number, number];
    return { elapsedMs: elapsed * 1000, cpuMs: (user + system) * 1000, peakBytes: kib * 1024, load };
  } finally {
    Deno.removeSync(file);
  }
}

/** Runs something several times. @returns the run of median time. */
export async function medianOf(runs: number, once: () => Promise<Cost>): Promise<Cost> {
  const costs: Cost[] = [];
  for (let run = 0; run < runs; run++) costs.push(await once());
  costs.sort((a, b) => a.elapsedMs - b.elapsedMs);
  return costs[Math.floor(costs.length / 2)]!;
}
