/// <reference lib="deno.worker" />
/** Judges a share of the mutants. The main thread sees which one is at work, and can end this one if it hangs. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { judgeMutant } from "./mutation_judge.ts";
import { mutationBases } from "./mutation_bases.ts";
import { nameOf, planMutants, seedOf, shareOf } from "./mutation_plan.ts";
import { addVerdict, emptyTally, type Tally } from "./mutation_tally.ts";
import { mutate } from "./mutations.ts";

/** What the main thread asks for. */
export interface WorkerTask {
  readonly count: number;
  readonly seed: number;
  readonly workers: number;
  readonly which: number;
  /** The one mutant to judge, by its name. */
  readonly only: string | undefined;
  /** Two numbers: index of the mutant at work plus one, mutants done. */
  readonly progress: SharedArrayBuffer;
}

export interface WorkerReport {
  readonly tally: Tally;
  readonly failures: readonly string[];
  /** Bytes that the thread kept more than when everything was warm. */
  readonly grownBytes: number;
}

/** Memory is measured this often, without what nobody holds any more. */
const MEASURED_MUTANTS = 50;
const WARM_UP_MUTANTS = 300;
const MAX_FAILURES = 40;

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

async function run(task: WorkerTask): Promise<WorkerReport> {
  const bases = mutationBases();
  const pool = bases.flatMap(({ files }) => Object.values(files));
  const texts = pool.filter(({ length }) => length < 4096).map((bytes) => new TextDecoder().decode(bytes));
  const whole = planMutants(bases, task.count);
  const plan = task.only === undefined ? shareOf(whole, task.seed) : whole;
  const progress = new Int32Array(task.progress);
  const tally = emptyTally();
  const failures: string[] = [];
  let warmBytes = Infinity;
  let grownBytes = 0;
  for (let index = task.which; index < plan.length; index += task.workers) {
    const planned = plan[index]!;
    if (task.only !== undefined && nameOf(planned) !== task.only) continue;
    Atomics.store(progress, 0, index + 1);
    const { base, number } = planned;
    const { files, changes } = mutate(base, { seed: seedOf(planned, task.seed), pool, texts });
    const mutant = { files, leaf: base.leaf, expected: base.expected };
    const options = { portable: number % 2 === 0 };
    let verdict = await judgeMutant(mutant, options);
    // A machine that stood still for a second says nothing about the readers: it gets another chance.
    if (verdict.outcome === "wrong") verdict = await judgeMutant(mutant, options);
    addVerdict(tally, base.format, verdict);
    if (verdict.outcome === "wrong" && failures.length < MAX_FAILURES) {
      failures.push(`${nameOf(planned)} (${changes.join("; ")}): ${verdict.message}`);
    }
    if (task.only !== undefined) console.log(changes, verdict);
    Atomics.add(progress, 1, 1);
    if (tally.mutants % MEASURED_MUTANTS !== 0) continue;
    collect();
    const { heapUsed, external } = Deno.memoryUsage();
    if (tally.mutants >= WARM_UP_MUTANTS) warmBytes = Math.min(warmBytes, heapUsed + external);
    grownBytes = Math.max(grownBytes, heapUsed + external - warmBytes);
  }
  return { tally, failures, grownBytes };
}

/** An answer to `"alive?"` says that this thread has its turn, and is not at work: it waits for something. */
self.onmessage = async ({ data }: MessageEvent<WorkerTask | "alive?">) => {
  self.postMessage(data === "alive?" ? "alive" : await run(data));
};
