/**
 * The options that make an outage safe, each beside the plain apply; the loop in C where it can do the same; and a
 * loop of 512 bytes in Ruby, in the place of vmdksync.
 */
import type { BenchDisk } from "../../fixtures/bench.ts";
import { GIB } from "../../core-as/host/units.ts";
import {
  loopApply,
  loopApplyUndo,
  regrainApply,
  regrainApplyUndo,
  regrainApplyVerify,
  regrainPipe,
  sectorLoop,
} from "./contestants.ts";
import { assertSame, type Bench } from "./disks.ts";
import { type Contestant, measureInTurn, timeOnce, type Times } from "./measure.ts";
import { isWanted, type Options, PATTERNS, tell } from "./options.ts";
import { type Goal, ratio, type WindowRow } from "./report.ts";

const CASES = PATTERNS.map((pattern) => ({ pattern, name: `COWD ${pattern}` }));

/** Names that `--only` looks at. */
export const WINDOW_CASES: readonly string[] = CASES.map(({ name }) => `window ${name}`);

/** Most that an option may take, as a multiple of the plain apply. */
const PLAIN_GOALS = { undo: 2.3, verify: 1.8 } as const;
const PIPE_GOAL_BYTES = 1e9;
const SECTORS_GOAL = 10;
/** It is slow, and far from its goal either way. */
const SECTORS_RUNS = 3;

type WayName = "plain" | "undo" | "verify" | "pipe" | "loop" | "loopUndo" | "sectors";
/** Ways to apply a delta to any target. */
type Ways = Map<WayName, (target: string) => Contestant>;
type WayTimes = ReadonlyMap<WayName, Times>;

/** What was measured with one delta. */
interface Measured {
  readonly name: string;
  /** Bytes that go through the pipe. */
  readonly deltaBytes: number;
  readonly times: WayTimes;
}

/** Measures what `--only` leaves in. The copy of the disk makes room for undo files. */
export async function measureWindow(
  options: Options,
  bench: Bench,
): Promise<{ rows: WindowRow[]; goals: Goal[]; skipped: string[] }> {
  bench.dropCopy();
  const measured: Measured[] = [];
  for (const { name, pattern } of CASES) {
    if (!isWanted(options, `window ${name}`)) continue;
    measured.push(
      await bench.withDelta({ format: "cowd", pattern }, async (delta) => ({
        name,
        deltaBytes: Deno.statSync(delta.deltaPath).size,
        times: await measureCase(options, bench, { name, delta }),
      })),
    );
  }
  const skips = measured.filter(({ times }) => !times.has("sectors"));
  return {
    rows: measured.flatMap(windowRows),
    goals: options.diskBytes < 8 * GIB ? [] : measured.flatMap(windowGoals),
    skipped: skips.map(({ name }) => `${name}, loop of 512 bytes: no Ruby`),
  };
}

async function measureCase(
  options: Options,
  bench: Bench,
  { name, delta }: { name: string; delta: BenchDisk },
): Promise<WayTimes> {
  const undo = `${options.folder}/window.undo`;
  const ways = waysFor(options, delta, undo);
  tell(`window ${name}: same result`);
  await assertAllSame(bench, name, ways);
  tell(`window ${name}: ${options.runs} runs`);
  const onto = ([, way]: [WayName, (target: string) => Contestant]) => way(bench.target);
  const [slow, fast] = [[...ways].filter(isSlow), [...ways].filter((way) => !isSlow(way))];
  const times = await measureInTurn(fast.map(onto), options.runs);
  times.push(...await measureInTurn(slow.map(onto), Math.min(options.runs, SECTORS_RUNS)));
  Deno.removeSync(undo);
  return new Map([...fast, ...slow].map(([way], i) => [way, times[i]!]));
}

function isSlow([name]: readonly [WayName, unknown]): boolean {
  return name === "sectors";
}

/** All that this machine has the programs for. */
function waysFor({ loop }: Options, { descriptorPath, deltaPath }: BenchDisk, undo: string): Ways {
  const ways: Ways = new Map([
    ["plain", (target) => regrainApply([descriptorPath], target)],
    ["undo", (target) => regrainApplyUndo({ delta: descriptorPath, target, undo })],
    ["verify", (target) => regrainApplyVerify(descriptorPath, target)],
    ["pipe", (target) => regrainPipe(deltaPath, target)],
  ]);
  if (loop !== undefined) {
    ways.set("loop", (target) => loopApply(loop, deltaPath, target));
    ways.set("loopUndo", (target) => loopApplyUndo(loop, { delta: deltaPath, target, undo }));
  }
  const sectors = sectorLoop();
  if (sectors !== undefined) ways.set("sectors", (target) => sectors(deltaPath, target));
  return ways;
}

/** Applies every way to a disk that is one hole and compares with what the plain way made of one. */
async function assertAllSame(bench: Bench, name: string, ways: Ways): Promise<void> {
  const [expected, output] = [`${bench.folder}/expected.img`, `${bench.folder}/output.img`];
  bench.makeEmpty(expected);
  await timeOnce(ways.get("plain")!(expected));
  for (const [wayName, way] of ways) {
    if (wayName === "plain") continue;
    bench.makeEmpty(output);
    await timeOnce(way(output));
    assertSame(expected, output, `${name}, ${wayName}`);
    Deno.removeSync(output);
  }
  Deno.removeSync(expected);
}

/** Ours in the order of the table, each with the loop that does the same, and what the table calls it. */
const ROWS = [
  { way: "plain", text: "`regrain apply`", loop: "loop" },
  { way: "undo", text: "`--undo FILE`, a fresh file", loop: "loopUndo" },
  { way: "verify", text: "`--verify`" },
  { way: "pipe", text: "`cat delta \\| regrain apply -`" },
  { way: "sectors", text: "loop of 512 bytes in Ruby" },
] as const satisfies { way: WayName; text: string; loop?: WayName }[];

function windowRows({ name, deltaBytes, times }: Measured): WindowRow[] {
  return ROWS.flatMap((row) => {
    const own = times.get(row.way);
    if (own === undefined) return [];
    const loop = "loop" in row ? times.get(row.loop) : undefined;
    return [{ name, what: row.text, times: own, plain: times.get("plain")!, loop, deltaBytes }];
  });
}

function windowGoals({ name, deltaBytes, times }: Measured): Goal[] {
  const goals: Goal[] = [];
  const plain = times.get("plain")!;
  for (const way of ["undo", "verify"] as const) {
    const [found, limit] = [times.get(way)!, PLAIN_GOALS[way]];
    goals.push({
      what: `${name}, \`--${way}\` / plain`,
      goal: `at most ${limit} x`,
      found: ratio(found.medianMs, plain.medianMs),
      met: found.medianMs <= limit * plain.medianMs,
    });
  }
  if (name === "COWD big") {
    const rate = deltaBytes / times.get("pipe")!.medianMs * 1000;
    goals.push({
      what: `${name}, from a pipe`,
      goal: "at least 1 GB/s",
      found: `${(rate / 1e9).toFixed(2)} GB/s`,
      met: rate >= PIPE_GOAL_BYTES,
    });
  }
  const sectors = times.get("sectors");
  if (sectors === undefined) return goals;
  const factor = sectors.medianMs / plain.medianMs;
  goals.push({
    what: `${name}, loop of 512 bytes in Ruby / regrain`,
    goal: `at least ${SECTORS_GOAL} x`,
    found: `${factor.toFixed(0)} x (in the place of vmdksync, which cannot be had here)`,
    met: factor >= SECTORS_GOAL,
  });
  return goals;
}
