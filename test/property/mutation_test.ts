/**
 * Damaged metadata, many thousand times: each time the right image or an error with a code, in time and in memory.
 *
 * ```
 * deno test -A test/property/mutation_test.ts
 * REGRAIN_MUTATIONS=200000 REGRAIN_SEED=7 deno test -A test/property/mutation_test.ts
 * REGRAIN_MUTANT=cowd-grain-1#17 deno test -A test/property/mutation_test.ts
 * ```
 *
 * A seeded share of the mutants, of every base; all with `REGRAIN_DEEP=1`.
 *
 * What is allowed is decided by a second reader (helpers/reference.ts) that knows all rules of the formats: where it
 * finds one broken, the real readers must not give other bytes than those before the damage.
 */
import assert from "node:assert/strict";
import { mutationBases } from "./mutation_bases.ts";
import { cpuMs } from "../helpers/tiers.ts";
import { nameOf, planMutants, type PlannedMutant, shareOf } from "./mutation_plan.ts";
import { describeTally, sumTallies } from "./mutation_tally.ts";
import type { WorkerReport, WorkerTask } from "./mutation_worker.ts";

const FULL_COUNT = 21_000;
const COUNT = Number(Deno.env.get("REGRAIN_MUTATIONS") ?? FULL_COUNT);
const SEED = Number(Deno.env.get("REGRAIN_SEED") ?? "1");
const ONLY = Deno.env.get("REGRAIN_MUTANT");
const WORKERS = 2;
/** A mutant that works for longer hangs: milliseconds of the processor, of which every worker takes its part. */
const HANG_CPU_MS = 10_000 * WORKERS;
/** A worker that has its turn so often, and is at no work, waits for what never comes. */
const HANG_ANSWERS = 120;
const MAX_GROWN_BYTES = 256 * 1024 * 1024;

Deno.test("no damage to metadata hangs, crashes, or is taken for another disk", async () => {
  const reports = await Promise.all(Array.from({ length: WORKERS }, (_, which) => runWorker(which)));
  const tally = sumTallies(reports.map((report) => report.tally));
  console.log(describeTally(tally));
  const failures = reports.flatMap((report) => report.failures);
  const again = `REGRAIN_SEED=${SEED} REGRAIN_MUTATIONS=${COUNT} REGRAIN_MUTANT=<name>`;
  assert.ok(tally.wrong === 0, `${tally.wrong} mutants (${again} repeats one)\n${failures.join("\n")}`);
  const grownBytes = Math.max(...reports.map((report) => report.grownBytes));
  console.log(`memory kept: ${(grownBytes / 1024 / 1024).toFixed(1)} MiB`);
  assert.ok(grownBytes <= MAX_GROWN_BYTES, `a thread kept ${grownBytes} bytes`);
  if (ONLY === undefined) {
    assert.equal(tally.mutants, shareOf(planMutants(mutationBases(), COUNT), SEED).length);
  }
});

/** Runs one worker to its end, or ends it when it stays with one mutant for too long. */
function runWorker(which: number): Promise<WorkerReport> {
  const progress = new SharedArrayBuffer(8);
  const seen = new Int32Array(progress);
  const worker = new Worker(new URL("./mutation_worker.ts", import.meta.url), { type: "module" });
  const task: WorkerTask = { count: COUNT, seed: SEED, workers: WORKERS, which, only: ONLY, progress };
  const { promise, resolve, reject } = Promise.withResolvers<WorkerReport>();
  let last = { done: 0, cpuMs: cpuMs(), answers: 0 };
  const watch = setInterval(() => {
    const done = Atomics.load(seen, 1);
    if (done !== last.done || seen[0] === 0) last = { done, cpuMs: cpuMs(), answers: 0 };
    else if (cpuMs() - last.cpuMs > HANG_CPU_MS || last.answers > HANG_ANSWERS) {
      reject(new Error(hangMessage(seen[0]!)));
    }
    worker.postMessage("alive?");
  }, 500);
  worker.onmessage = ({ data }: MessageEvent<WorkerReport | "alive">) => {
    if (data === "alive") last.answers++;
    else resolve(data);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new Error(`${event.message} at ${hangMessage(seen[0]!)}`));
  };
  worker.postMessage(task);
  return promise.finally(() => {
    clearInterval(watch);
    worker.terminate();
  });
}

function hangMessage(started: number): string {
  const whole = planMutants(mutationBases(), COUNT);
  const planned = (ONLY === undefined ? shareOf(whole, SEED) : whole)[started - 1];
  if (!planned) return "a worker's start";
  return `mutant ${nameOf(planned)} of seed ${SEED} did not come to an end`;
}

Deno.test("the share of mutants has each base about as often as the whole", () => {
  const whole = planMutants(mutationBases(), FULL_COUNT);
  const counts = (plan: readonly PlannedMutant[]) => {
    const byBase = new Map<string, number>();
    for (const { base } of plan) byBase.set(base.name, (byBase.get(base.name) ?? 0) + 1);
    return byBase;
  };
  const share = counts(shareOf(whole, SEED));
  for (const [name, count] of counts(whole)) {
    const taken = share.get(name) ?? 0;
    assert.ok(taken >= Math.max(1, count / 10), `${taken} of ${count} mutants of ${name}`);
  }
});
