/** The main table: each format, and a chain, beside the loop in C and qemu-img. */
import type { BenchDisk } from "../../fixtures/bench.ts";
import type { DeltaKind } from "../../fixtures/mod.ts";
import { GIB } from "../../core-as/host/units.ts";
import { loopApply, qemuConvert, regrainApply } from "./contestants.ts";
import { assertSame, type Bench } from "./disks.ts";
import { measureInTurn, peakMemory, timeOnce, type Times } from "./measure.ts";
import { isWanted, type Options, PATTERNS, tell } from "./options.ts";
import type { ApplyRow, Goal } from "./report.ts";

const CHAIN: readonly DeltaKind[] = ["cowd", "sesparse", "hosted", "cowd", "sesparse"];
const CHAIN_CASE = "chain of five";
const NAMES = { cowd: "COWD", sesparse: "SESparse", hosted: "hosted sparse" } as const;
const DELTAS = (["cowd", "sesparse", "hosted"] as const).flatMap((format) =>
  PATTERNS.map((pattern) => ({ format, pattern, name: `${NAMES[format]} ${pattern}` }))
);

/** Names that `--only` looks at. */
export const APPLY_CASES: readonly string[] = [...DELTAS.map(({ name }) => name), CHAIN_CASE];

/** Most that regrain may take, as a multiple of the loop. */
const LOOP_GOALS: ReadonlyMap<string, number> = new Map([["COWD big", 0.85], ["COWD small", 1.15]]);
const QEMU_GOAL = 40;

/** Measures what `--only` leaves in. */
export async function measureApplies(
  options: Options,
  bench: Bench,
): Promise<{ rows: ApplyRow[]; goals: Goal[] }> {
  const run = { options, bench };
  const rows: ApplyRow[] = [];
  for (const { name, ...spec } of DELTAS) {
    if (!isWanted(options, name)) continue;
    rows.push(await bench.withDelta(spec, (delta) => measureApply(run, name, [delta])));
  }
  if (isWanted(options, CHAIN_CASE)) {
    rows.push(await bench.withChain(CHAIN, "small", (chain) => measureApply(run, CHAIN_CASE, chain)));
  }
  return { rows, goals: applyGoals(options, rows) };
}

interface Run {
  readonly options: Options;
  readonly bench: Bench;
}

/** One case: same result first, then times, memory, and qemu-img. */
async function measureApply(run: Run, name: string, chain: readonly BenchDisk[]): Promise<ApplyRow> {
  const { bench, options } = run;
  const { loop } = options;
  tell(`${name}: same result`);
  const ours = regrainApply(chain.map(({ descriptorPath }) => descriptorPath), bench.target);
  await timeOnce(ours);
  if (loop !== undefined) {
    for (const { deltaPath } of chain) await timeOnce(loopApply(loop, deltaPath, bench.copy));
    assertSame(bench.target, bench.copy, name);
  }
  tell(`${name}: ${options.runs} runs`);
  const loops = loop === undefined
    ? []
    : chain.map(({ deltaPath }) => loopApply(loop, deltaPath, bench.target));
  const [oursTimes, ...loopTimes] = await measureInTurn([ours, ...loops], options.runs);
  const qemuMs = await measureQemu(run, name, chain);
  return {
    name,
    dataBytes: chain.reduce((sum, { dataBytes }) => sum + dataBytes, 0),
    ours: oursTimes!,
    loop: loopTimes.length === 0 ? undefined : addUp(loopTimes),
    qemuMs,
    memoryBytes: await peakMemory(ours),
  };
}

/** The loop takes the links of a chain one after the other. */
function addUp(times: readonly Times[]): Times {
  const sum = (key: "medianMs" | "minMs" | "maxMs") => times.reduce((total, each) => total + each[key], 0);
  return { medianMs: sum("medianMs"), minMs: sum("minMs"), maxMs: sum("maxMs"), runs: times[0]!.runs };
}

/**
 * Converts the chain over an empty base, so that qemu-img has the deltas to move and no base to copy: over a full
 * one it goes through the whole disk in pieces of a grain, which takes ten times as long.
 */
async function measureQemu(run: Run, name: string, chain: readonly BenchDisk[]): Promise<number | undefined> {
  const { bench, options } = run;
  const output = `${options.folder}/converted.img`;
  const qemu = options.qemu ? qemuConvert(chain.at(-1)!.descriptorPath, output) : undefined;
  if (qemu === undefined) return undefined;
  tell(`${name}: qemu-img`);
  const expected = `${options.folder}/expected.img`;
  // Memory is scarce: the copy makes room.
  bench.dropCopy();
  bench.makeEmpty(expected);
  await timeOnce(regrainApply(chain.map(({ descriptorPath }) => descriptorPath), expected));
  const elapsedMs = await timeOnce(qemu);
  assertSame(expected, output, `${name}, qemu-img`);
  for (const path of [expected, output]) Deno.removeSync(path);
  bench.makeCopy();
  return elapsedMs;
}

/** The goals are those of a disk of 8 GiB: on smaller ones start-up is most of what is measured. */
function applyGoals({ diskBytes }: Options, rows: readonly ApplyRow[]): Goal[] {
  const goals: Goal[] = [];
  if (diskBytes < 8 * GIB) return goals;
  for (const { name, ours, loop, qemuMs } of rows) {
    const limit = LOOP_GOALS.get(name);
    if (limit === undefined) continue;
    if (loop) {
      const times = ours.medianMs / loop.medianMs;
      goals.push({
        what: `${name}, regrain / C`,
        goal: `at most ${limit} x`,
        found: `${times.toFixed(2)} x`,
        met: times <= limit,
      });
    }
    if (qemuMs === undefined) continue;
    const times = qemuMs / ours.medianMs;
    goals.push({
      what: `${name}, qemu-img / regrain`,
      goal: `at least ${QEMU_GOAL} x`,
      found: `${times.toFixed(0)} x`,
      met: times >= QEMU_GOAL,
    });
  }
  return goals;
}
