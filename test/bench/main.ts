/**
 * Measures apply against a loop in C, which is what the machine gives, and against qemu-img, which is what people
 * use: `deno task bench`.
 *
 * Everything lies in memory (`--folder`, /dev/shm), on a target whose pages are in place, as those of a copied base
 * are. Each case is applied by ours and by the loop to equal disks and the results are compared before anything is
 * measured: a program that is fast and wrong does not get a number.
 */
import { parseArgs } from "node:util";
import { type BenchDisk, type BenchPattern, writeSparseDelta } from "../../fixtures/bench.ts";
import type { DeltaKind } from "../../fixtures/mod.ts";
import { formatSize, GIB, parseSize } from "../../core-as/host/units.ts";
import { compileLoop, emptyScript, loopApply, qemuConvert, regrain, regrainApply } from "./contestants.ts";
import { assertSame, Bench, removeDisk, ROOM_FACTOR } from "./disks.ts";
import { machineLine, roomBytes } from "./machine.ts";
import { measureInTurn, peakMemory, timeOnce, type Times } from "./measure.ts";
import { type ApplyRow, formatTimes, type Goal, ratio, render, type Results } from "./report.ts";

const HELP = `deno task bench [--disk 8G] [--runs 7] [--only TEXT] [--no-qemu] [--folder /dev/shm] [--write]

  --disk SIZE    size of the disk; the folder needs 2.35 times that
  --runs N       runs of each program; the report says the median
  --only TEXT    only the cases whose name holds TEXT, such as "COWD" or "small"
  --no-qemu      leave qemu-img out: it takes most of the time
  --folder DIR   where the disks are made, for as long as it takes
  --write        write test/bench/RESULTS.md too
`;
const RESULTS_FILE = new URL("RESULTS.md", import.meta.url);
const STARTUP_RUNS = 15;
const CHAIN: readonly DeltaKind[] = ["cowd", "sesparse", "hosted", "cowd", "sesparse"];
const NAMES: Record<DeltaKind, string> = { cowd: "COWD", sesparse: "SESparse", hosted: "hosted sparse" };
/** Scattered runs for each GiB of the disk, where the memory of large deltas is measured. */
const SPARSE_RUNS_PER_GIB = 2500;
const MEMORY_GOAL_BYTES = 160 * 1024 * 1024;

interface Options {
  readonly diskBytes: number;
  readonly runs: number;
  readonly only: string;
  readonly qemu: boolean;
  readonly folder: string;
}

/** What all cases have in common. */
interface Run {
  readonly options: Options;
  readonly bench: Bench;
  /** The compiled loop. */
  readonly loop: string | undefined;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      disk: { type: "string", default: "8G" },
      runs: { type: "string", default: "7" },
      only: { type: "string", default: "" },
      "no-qemu": { type: "boolean", default: false },
      folder: { type: "string", default: "/dev/shm" },
      write: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const diskBytes = parseSize(values.disk);
  const runs = Number(values.runs);
  if (
    values.help || diskBytes === undefined || diskBytes % 512 !== 0 || !Number.isInteger(runs) || runs < 1
  ) {
    console.error(HELP);
    return values.help ? 0 : 2;
  }
  const room = roomBytes(values.folder);
  if (room < diskBytes * ROOM_FACTOR) {
    const need = formatSize(diskBytes * ROOM_FACTOR);
    console.error(
      `skipped: ${values.folder} has room for ${formatSize(room)}, a disk of this size needs ${need}`,
    );
    return 0;
  }
  const folder = Deno.makeTempDirSync({ dir: values.folder, prefix: "regrain_bench_" });
  removeWhenStopped(folder);
  try {
    const { only } = values;
    const options = { diskBytes, runs, only, qemu: !values["no-qemu"], folder };
    const report = render(await measureAll(options));
    console.log(report);
    if (values.write) Deno.writeTextFileSync(RESULTS_FILE, report);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
  return 0;
}

/** The disks take most of the memory: they must not outlive a run that was stopped. */
function removeWhenStopped(folder: string): void {
  for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    Deno.addSignalListener(signal, () => {
      Deno.removeSync(folder, { recursive: true });
      Deno.exit(status);
    });
  }
}

async function measureAll(options: Options): Promise<Results> {
  const { folder, diskBytes } = options;
  const loop = compileLoop(folder);
  const qemu = options.qemu && qemuConvert("", "") !== undefined;
  const compared = [...(loop === undefined ? [] : ["the C loop"]), ...(qemu ? ["qemu-img"] : [])];
  const skipped = [
    ...(loop === undefined ? ["C loop: no C compiler"] : []),
    ...(qemu ? [] : [`qemu-img: ${options.qemu ? "not installed" : "--no-qemu"}`]),
  ];
  tell(`base of ${formatSize(diskBytes)}`);
  const run = { options, loop, bench: new Bench(folder, diskBytes) };
  const applies: ApplyRow[] = [];
  for (const format of ["cowd", "sesparse", "hosted"] as const) {
    for (const pattern of ["big", "small"] as const) await measureDelta(run, { format, pattern }, applies);
  }
  await measureChain(run, applies);
  Deno.removeSync(run.bench.copy);
  const goals = [...applyGoals(options, applies), await memoryGoal(run), await startupGoal(run)];
  return { machine: machineLine(), diskBytes, compared, applies, goals, skipped };
}

function isWanted({ only }: Options, name: string): boolean {
  return name.toLowerCase().includes(only.toLowerCase());
}

async function measureDelta(
  run: Run,
  spec: { format: DeltaKind; pattern: BenchPattern },
  rows: ApplyRow[],
): Promise<void> {
  const name = `${NAMES[spec.format]} ${spec.pattern}`;
  if (!isWanted(run.options, name)) return;
  rows.push(await run.bench.withDelta(spec, (delta) => measureApply(run, name, [delta])));
}

async function measureChain(run: Run, rows: ApplyRow[]): Promise<void> {
  const name = "chain of five";
  if (!isWanted(run.options, name)) return;
  rows.push(await run.bench.withChain(CHAIN, "small", (chain) => measureApply(run, name, chain)));
}

/** One case: same result first, then times, memory, and qemu-img. */
async function measureApply(run: Run, name: string, chain: readonly BenchDisk[]): Promise<ApplyRow> {
  const { bench, loop, options } = run;
  tell(`${name}: same result`);
  const ours = regrainApply(chain.map(({ descriptorPath }) => descriptorPath), bench.target);
  await timeOnce(ours);
  if (loop !== undefined) {
    for (const { deltaPath } of chain) await timeOnce(loopApply(loop, deltaPath, bench.copy));
    assertSame(bench.target, bench.copy, name);
  }
  tell(`${name}: ${options.runs} runs`);
  const [oursTimes, ...loopTimes] = await measureInTurn(
    [
      ours,
      ...(loop === undefined ? [] : chain.map(({ deltaPath }) => loopApply(loop, deltaPath, bench.target))),
    ],
    options.runs,
  );
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
  Deno.removeSync(bench.copy);
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
  const limits = new Map([["COWD big", 1.25], ["COWD small", 1.6]]);
  for (const { name, ours, loop, qemuMs } of rows) {
    const limit = limits.get(name);
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
      goal: "at least 40 x",
      found: `${times.toFixed(0)} x`,
      met: times >= 40,
    });
  }
  return goals;
}

/** Memory must not follow the delta: measured again on a disk and with a delta ten times as large. */
async function memoryGoal({ bench, options }: Run): Promise<Goal> {
  tell("memory, delta and ten times the delta");
  Deno.removeSync(bench.target);
  const small = await memoryOfSparse(options, options.diskBytes);
  const large = await memoryOfSparse(options, options.diskBytes * 10);
  return {
    what: "memory, a delta and one ten times as large",
    goal: `at most ${formatSize(MEMORY_GOAL_BYTES)} both`,
    found: `${formatSize(small)}, ${formatSize(large)} (${ratio(large, small)})`,
    met: Math.max(small, large) <= MEMORY_GOAL_BYTES,
  };
}

/** On a sparse target: only what is written takes room. */
async function memoryOfSparse({ folder }: Options, diskBytes: number): Promise<number> {
  const runs = Math.ceil(diskBytes / GIB * SPARSE_RUNS_PER_GIB);
  const delta = writeSparseDelta({ format: "cowd", diskBytes, runs, seed: 9, path: `${folder}/sparse.vmdk` });
  const target = `${folder}/sparse.img`;
  try {
    using file = Deno.openSync(target, { write: true, create: true });
    file.truncateSync(diskBytes);
    return await peakMemory(regrainApply([delta.descriptorPath], target));
  } finally {
    removeDisk(delta);
    Deno.removeSync(target);
  }
}

async function startupGoal({ options }: Run): Promise<Goal> {
  tell("start-up");
  const [help, empty] = await measureInTurn([regrain("--help"), emptyScript(options.folder)], STARTUP_RUNS);
  return {
    what: "`--help`",
    goal: "below 60 ms; more only where an empty script takes more than 35",
    found: `${formatTimes(help!)}, empty script ${formatTimes(empty!)}`,
    met: help!.medianMs < 60 * Math.max(1, empty!.medianMs / 35),
  };
}

function tell(step: string): void {
  console.error(`bench: ${step}`);
}

if (import.meta.main) Deno.exit(await main());
