/** The tables of the backup benchmark, as Markdown. */
import { formatSize } from "../../core-as/host/units.ts";
import type { ProgramCosts, ToldCost } from "./backup_cases.ts";
import type { Cost } from "./backup_measure.ts";
import type { Absent } from "./backup_programs.ts";
import type { Goal } from "./report.ts";

export interface BackupResults {
  readonly machine: string;
  readonly diskBytes: number;
  readonly dataBytes: number;
  readonly runs: number;
  /** Ours first. */
  readonly programs: readonly ProgramCosts[];
  /** Ours to a server on this machine. */
  readonly server: ProgramCosts | undefined;
  readonly told: readonly ToldCost[];
  readonly maps: readonly { readonly what: string; readonly cost: Cost }[];
  readonly absent: readonly Absent[];
}

const MEMORY_GOAL_BYTES = 512 * 2 ** 20;
const MAP_MEMORY_GOAL_BYTES = 300 * 2 ** 20;
/** How much longer a disk of 1 TiB may take and still count as the same. */
const SAME = 1.3;

export function renderBackups(results: BackupResults): string {
  const { machine, diskBytes, dataBytes, runs, programs, server, absent } = results;
  const lines = [
    "# Results of `deno task bench:backup`",
    "",
    "Written by `deno task bench:backup --write`; not edited by hand.",
    "",
    `Machine: ${machine}.`,
    "",
    `An image of ${formatSize(diskBytes)} in memory with ${
      formatSize(dataBytes)
    } of data: text, records, and what`,
    "nothing makes smaller. Each program keeps its repository beside it. Whole processes, start-up included: time, in",
    "brackets the work of all threads, which other programs on the machine disturb less, and the load: processes that",
    `ran or waited in the minute before. ${
      runs === 1 ? "One run each." : `The run of median time of ${runs}; of second`
    }`,
    ...(runs === 1 ? [] : ["backups that read all of the disk, one run."]),
    "",
    "What was restored had the SHA-256 of the disk. Backups that were told what changed made the same disk as reading",
    "all of it.",
    ...chapter("Backup and restore"),
    "Between the first and the second backup the disk is changed in 2000 places of 4 to 64 KiB, nine of ten of them",
    "within 2 % of the disk; the second reads all of it. restic compresses as it does by default, borg by `zstd,3`",
    "without encryption, ours by level 2 without encryption. `borg extract --sparse`, restic writes zeros.",
    "",
    ...table(
      [
        "program",
        "first backup",
        "load",
        "repository",
        "second, all read",
        "load",
        "added",
        "restore",
        "load",
        "memory",
      ],
      [...programs, ...(server === undefined ? [] : [server])].map(programCells),
    ),
    ...toldChapter(results),
    ...mapChapter(results),
    ...chapter("Goals"),
    ...table(["what", "goal", "found", ""], goalsOf(results).map(goalCells)),
    ...(absent.length === 0
      ? []
      : ["", "Left out:", "", ...absent.map(({ name, reason }) => `- ${name}: ${reason}`)]),
  ];
  return `${lines.join("\n")}\n`;
}

function programCells(program: ProgramCosts): string[] {
  const { name, first, second, restore, repositoryBytes, addedBytes } = program;
  const peaks = [first, second, restore].map(({ peakBytes }) => peakBytes ?? 0);
  return [
    name,
    ...timeCells(first),
    formatSize(repositoryBytes),
    ...timeCells(second),
    formatSize(addedBytes),
    ...timeCells(restore),
    formatSize(Math.max(...peaks)),
  ];
}

function toldChapter({ told }: BackupResults): string[] {
  if (told.length === 0) return [];
  return [
    ...chapter("Second backup that is told what changed"),
    "*hot*: as above. *scattered*: every place of the disk is as likely, so that nearly two of three chunks hold a",
    "change and are stored anew; no list helps there. The disk of 1 TiB holds as much data, the rest is a hole.",
    "",
    ...table(
      ["disk", "changes", "by", "changed", "chunks", "time", "load", "memory"],
      told.map(({ diskBytes, pattern, flag, changedBytes, touchedChunks, cost }) => [
        formatSize(diskBytes),
        pattern,
        `\`${flag}\``,
        formatSize(changedBytes),
        String(touchedChunks),
        ...timeCells(cost),
        formatSize(cost.peakBytes ?? 0),
      ]),
    ),
  ];
}

function mapChapter({ maps }: BackupResults): string[] {
  if (maps.length === 0) return [];
  return [
    ...chapter("The map of a disk of 16 TiB"),
    "4 million chunks, all different, in 4096 pages; no data behind them.",
    "",
    ...table(
      ["what", "time", "load", "memory"],
      maps.map(({ what, cost }) => [what, ...timeCells(cost), formatSize(cost.peakBytes ?? 0)]),
    ),
  ];
}

/** Every goal that something was measured for. */
function goalsOf(results: BackupResults): Goal[] {
  const { programs, told, maps } = results;
  const [ours, ...others] = programs;
  return [
    ...(ours === undefined || others.length === 0 ? [] : goalsBeside(ours, others)),
    ...(ours === undefined || results.server === undefined ? [] : serverGoals(ours, results.server)),
    ...toldGoals(told),
    ...(ours === undefined
      ? []
      : [memoryGoal([ours, ...(results.server === undefined ? [] : [results.server])], told)]),
    ...maps.map(({ what, cost }): Goal => ({
      what: `16 TiB: ${what}`,
      goal: `below 2 s and ${formatSize(MAP_MEMORY_GOAL_BYTES)}`,
      found: `${seconds(cost)}, ${formatSize(cost.peakBytes ?? 0)}`,
      met: cost.elapsedMs < 2000 && (cost.peakBytes ?? 0) < MAP_MEMORY_GOAL_BYTES,
    })),
  ];
}

function goalsBeside(ours: ProgramCosts, others: readonly ProgramCosts[]): Goal[] {
  const smallest = Math.min(...others.map(({ repositoryBytes }) => repositoryBytes));
  const larger = ours.repositoryBytes / smallest;
  const faster = (what: string, least: number, pick: (costs: ProgramCosts) => Cost): Goal => {
    const fastest = others.reduce((best, each) => pick(each).elapsedMs < pick(best).elapsedMs ? each : best);
    const factor = pick(fastest).elapsedMs / pick(ours).elapsedMs;
    return {
      what,
      goal: `at least ${least} x as fast as the fastest`,
      found: `${factor.toFixed(1)} x (${fastest.name})${workOf(pick(fastest), pick(ours))}`,
      met: factor >= least,
    };
  };
  return [
    faster("first backup", 2.5, ({ first }) => first),
    {
      what: "size of the repository",
      goal: "at most 10 % above the smallest",
      found: `${((larger - 1) * 100).toFixed(1)} %`,
      met: larger <= 1.1,
    },
    faster("second backup, all read", 3, ({ second }) => second),
    faster("restore", 2, ({ restore }) => restore),
  ];
}

function workOf(theirs: Cost, ours: Cost): string {
  if (theirs.cpuMs === undefined || ours.cpuMs === undefined) return "";
  return `; work ${(theirs.cpuMs / ours.cpuMs).toFixed(1)} x`;
}

function serverGoals(ours: ProgramCosts, server: ProgramCosts): Goal[] {
  return (["first", "restore"] as const).map((what) => {
    const share = ours[what].elapsedMs / server[what].elapsedMs;
    return {
      what: `${what === "first" ? "first backup" : what} to versitygw, speed beside the folder`,
      goal: "at least 0.7",
      found: share.toFixed(2),
      met: share >= 0.7,
    };
  });
}

function toldGoals(told: readonly ToldCost[]): Goal[] {
  const below = told.map(({ flag, pattern, diskBytes, cost }) => ({
    what: `second backup by \`${flag}\`, ${pattern}, ${formatSize(diskBytes)}`,
    goal: "below 2 s",
    found: seconds(cost),
    met: cost.elapsedMs < 2000,
  }));
  const sizes = [...new Set(told.map(({ diskBytes }) => diskBytes))];
  if (sizes.length < 2) return below;
  const same = (["--delta", "--changed"] as const).map((flag) => {
    const [small, large] = sizes.map((size) =>
      told.find((each) => each.flag === flag && each.pattern === "hot" && each.diskBytes === size)!.cost
        .elapsedMs
    ) as [number, number];
    return {
      what: `the same by \`${flag}\`, 1 TiB / ${formatSize(sizes[0]!)}`,
      goal: `at most ${SAME} x`,
      found: `${(large / small).toFixed(2)} x`,
      met: large / small <= SAME,
    };
  });
  return [...below, ...same];
}

function memoryGoal(ours: readonly ProgramCosts[], told: readonly ToldCost[]): Goal {
  const costs = [
    ...ours.flatMap(({ first, second, restore }) => [first, second, restore]),
    ...told.map(({ cost }) => cost),
  ];
  const peak = Math.max(...costs.map(({ peakBytes }) => peakBytes ?? 0));
  return {
    what: "memory of every backup and restore",
    goal: `below ${formatSize(MEMORY_GOAL_BYTES)}`,
    found: formatSize(peak),
    met: peak < MEMORY_GOAL_BYTES,
  };
}

function goalCells({ what, goal, found, met }: Goal): string[] {
  return [what, goal, found, met ? "met" : "missed"];
}

/** `12.3 s (22.9)` and `0.8` */
function timeCells(cost: Cost): [string, string] {
  const work = cost.cpuMs === undefined ? "" : ` (${(cost.cpuMs / 1000).toFixed(1)})`;
  return [`${seconds(cost)}${work}`, cost.load.toFixed(1)];
}

function seconds({ elapsedMs }: Cost): string {
  return `${(elapsedMs / 1000).toFixed(elapsedMs < 10_000 ? 2 : 1)} s`;
}

function chapter(title: string): string[] {
  return ["", `## ${title}`, ""];
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(heads), `|${"---|".repeat(heads.length)}`, ...rows.map(line)];
}
