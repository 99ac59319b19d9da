/** What does not depend on the disk, or must not: memory and start-up. */
import { writeSparseDelta } from "../../fixtures/bench.ts";
import { formatSize, GIB } from "../../core-as/host/units.ts";
import { emptyScript, regrain, regrainApply } from "./contestants.ts";
import { removeDisk } from "./disks.ts";
import { measureInTurn, peakMemory } from "./measure.ts";
import { type Options, tell } from "./options.ts";
import { formatTimes, type Goal, ratio } from "./report.ts";

/** Names that `--only` looks at. */
export const FOOTPRINTS = ["memory", "start-up"] as const;

const STARTUP_RUNS = 15;
/** Scattered runs for each GiB of the disk, where the memory of large deltas is measured. */
const SPARSE_RUNS_PER_GIB = 2500;
const MEMORY_GOAL_BYTES = 160 * 1024 * 1024;
const LARGE_DISK_BYTES = 64 * GIB;

/** Measures one of {@link FOOTPRINTS}. */
export function measureFootprint(options: Options, what: typeof FOOTPRINTS[number]): Promise<Goal> {
  return what === "memory" ? memoryGoal(options) : startupGoal(options);
}

/** Memory must not follow the delta: the disk of the tables, 64 GiB, and ten times the disk of the tables. */
async function memoryGoal(options: Options): Promise<Goal> {
  const sizes = [...new Set([options.diskBytes, LARGE_DISK_BYTES, options.diskBytes * 10])];
  const found: { diskBytes: number; peakBytes: number }[] = [];
  for (const diskBytes of sizes.toSorted((a, b) => a - b)) {
    tell(`memory, sparse delta of a disk of ${formatSize(diskBytes)}`);
    found.push({ diskBytes, peakBytes: await memoryOfSparse(options, diskBytes) });
  }
  const peaks = found.map(({ peakBytes }) => peakBytes);
  const each = found.map(({ diskBytes, peakBytes }) => `${formatSize(peakBytes)} (${formatSize(diskBytes)})`);
  return {
    what: "memory, sparse deltas of larger and larger disks",
    goal: `at most ${formatSize(MEMORY_GOAL_BYTES)} each`,
    found: `${each.join(", ")}; last / first ${ratio(peaks.at(-1)!, peaks[0]!)}`,
    met: Math.max(...peaks) <= MEMORY_GOAL_BYTES,
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

async function startupGoal(options: Options): Promise<Goal> {
  tell("start-up");
  const [help, empty] = await measureInTurn([regrain("--help"), emptyScript(options.folder)], STARTUP_RUNS);
  return {
    what: "`--help`",
    goal: "below 60 ms; more only where an empty script takes more than 35",
    found: `${formatTimes(help!)}, empty script ${formatTimes(empty!)}`,
    met: help!.medianMs < 60 * Math.max(1, empty!.medianMs / 35),
  };
}
