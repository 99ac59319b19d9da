/**
 * Damaged metadata, many thousand times: each time the right image or an error with a code, in time and in memory.
 *
 * ```
 * deno test -A test/property/mutation_test.ts
 * REGRAIN_MUTATIONS=200000 REGRAIN_SEED=7 deno test -A test/property/mutation_test.ts
 * REGRAIN_MUTANT=cowd-grain-1#17 deno test -A test/property/mutation_test.ts
 * ```
 *
 * What is allowed is decided by a second reader (helpers/reference.ts) that knows all rules of the formats: where it
 * finds one broken, the real readers must not give other bytes than those before the damage.
 */
import assert from "node:assert/strict";
import { mutationBases } from "./mutation_bases.ts";
import { nameOf, planMutants } from "./mutation_plan.ts";
import { describeTally, sumTallies } from "./mutation_tally.ts";
import type { WorkerReport, WorkerTask } from "./mutation_worker.ts";

const COUNT = Number(Deno.env.get("REGRAIN_MUTATIONS") ?? "21000");
const SEED = Number(Deno.env.get("REGRAIN_SEED") ?? "1");
const ONLY = Deno.env.get("REGRAIN_MUTANT");
const WORKERS = 2;
/** A mutant that takes longer hangs. */
const HANG_MS = 10_000;
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
  if (ONLY === undefined) assert.ok(tally.mutants >= COUNT);
});

/** Runs one worker to its end, or ends it when it stays with one mutant for too long. */
function runWorker(which: number): Promise<WorkerReport> {
  const progress = new SharedArrayBuffer(8);
  const seen = new Int32Array(progress);
  const worker = new Worker(new URL("./mutation_worker.ts", import.meta.url), { type: "module" });
  const task: WorkerTask = { count: COUNT, seed: SEED, workers: WORKERS, which, only: ONLY, progress };
  const { promise, resolve, reject } = Promise.withResolvers<WorkerReport>();
  let last = { done: 0, at: performance.now() };
  const watch = setInterval(() => {
    const done = Atomics.load(seen, 1);
    if (done !== last.done) last = { done, at: performance.now() };
    else if (performance.now() - last.at > HANG_MS) reject(new Error(hangMessage(seen[0]!)));
  }, 500);
  worker.onmessage = ({ data }: MessageEvent<WorkerReport>) => resolve(data);
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
  const planned = planMutants(mutationBases(), COUNT)[started - 1];
  if (!planned) return "a worker did not begin";
  return `mutant ${nameOf(planned)} of seed ${SEED} did not come to an end`;
}
