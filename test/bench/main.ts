/**
 * Measures apply against a loop in C, which is what the machine gives, and against qemu-img, which is what people
 * use: `deno task bench`.
 *
 * The first tables are of disks in memory (`--folder`, /dev/shm), on a target whose pages are in place, as those of a
 * copied base are; the table by place is of file systems and a loop device on the machine's disk. Results of different
 * programs are compared before anything is measured: a program that is fast and wrong does not get a number.
 */
import { parseArgs } from "node:util";
import { formatSize, parseSize } from "../../core-as/host/units.ts";
import { APPLY_CASES, measureApplies } from "./applies.ts";
import { compileLoop, qemuConvert } from "./contestants.ts";
import { Bench, ROOM_FACTOR } from "./disks.ts";
import { FOOTPRINTS, measureFootprint } from "./footprint.ts";
import { appendHistory } from "./history.ts";
import { machineLine, roomBytes } from "./machine.ts";
import { stopping } from "./measure.ts";
import { isWanted, type Options, tell } from "./options.ts";
import { measurePlaces } from "./places.ts";
import { render, type Results } from "./report.ts";
import { measureWindow, WINDOW_CASES } from "./window.ts";

const HELP = `deno task bench [--disk 8G] [--runs 7] [--only TEXT] [--no-qemu] [--write] ...

  --disk SIZE          size of the disk in memory; the folder needs 2.35 times that
  --runs N             runs of each program; the report says the median
  --only TEXT          only the cases whose name holds TEXT, such as "COWD", "window", "XFS" or "memory"
  --no-qemu            leave qemu-img out: it takes most of the time
  --folder DIR         where the disks in memory are made, for as long as it takes; /dev/shm by default
  --place-disk SIZE    size of the disk on each file system and device; 2G by default
  --place-folder DIR   where those are made, on a real disk; /var/tmp by default
  --write              write test/bench/RESULTS.md too, and add a line to test/bench/history.jsonl
`;
const RESULTS_FILE = new URL("RESULTS.md", import.meta.url);
const FLAGS = {
  disk: { type: "string", default: "8G" },
  runs: { type: "string", default: "7" },
  only: { type: "string", default: "" },
  "no-qemu": { type: "boolean", default: false },
  folder: { type: "string", default: "/dev/shm" },
  "place-disk": { type: "string", default: "2G" },
  "place-folder": { type: "string", default: "/var/tmp" },
  write: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ args: Deno.args, options: FLAGS });
  const [diskBytes, placeDiskBytes] = [sizeOf(values.disk), sizeOf(values["place-disk"])];
  const runs = Number(values.runs);
  const valid = Number.isInteger(runs) && runs >= 1;
  if (values.help || diskBytes === undefined || placeDiskBytes === undefined || !valid) {
    console.error(HELP);
    return values.help ? 0 : 2;
  }
  const lack = needsLargeDisk(values) ? lackOfRoom(values.folder, diskBytes) : undefined;
  if (lack !== undefined) {
    console.error(`skipped: ${lack}`);
    return 0;
  }
  stopOnSignals();
  const folder = Deno.makeTempDirSync({ dir: values.folder, prefix: "regrain_bench_" });
  const placeFolder = Deno.makeTempDirSync({ dir: values["place-folder"], prefix: "regrain_bench_" });
  try {
    const { only } = values;
    const qemu = !values["no-qemu"] && qemuConvert("", "") !== undefined;
    const loop = compileLoop(folder);
    const options = { diskBytes, runs, only, qemu, folder, placeDiskBytes, placeFolder, loop };
    const results = await measureAll(options, values["no-qemu"]);
    const report = render(results);
    console.log(report);
    if (values.write) {
      Deno.writeTextFileSync(RESULTS_FILE, report);
      appendHistory(results);
    }
  } catch (error) {
    if (error instanceof Stopped) return error.status;
    throw error;
  } finally {
    for (const each of [folder, placeFolder]) Deno.removeSync(each, { recursive: true });
  }
  return 0;
}

/** Bytes of a size that a disk can have. */
function sizeOf(text: string): number | undefined {
  const bytes = parseSize(text);
  return bytes === undefined || bytes % 512 !== 0 ? undefined : bytes;
}

/** Whether anything is measured that needs the disk in memory. */
function needsLargeDisk(options: { only: string }): boolean {
  return [...APPLY_CASES, ...WINDOW_CASES].some((name) => isWanted(options, name));
}

/** Why the disk in memory does not fit; `undefined` when it does. */
function lackOfRoom(folder: string, diskBytes: number): string | undefined {
  const [room, need] = [roomBytes(folder), diskBytes * ROOM_FACTOR];
  if (room >= need) return undefined;
  return `${folder} has room for ${formatSize(room)}, a disk of this size needs ${formatSize(need)}`;
}

/** Why a run ends early. */
class Stopped extends Error {
  constructor(readonly status: number) {
    super("stopped by a signal");
  }
}

/**
 * Disks, mounts and loop devices must not outlive a run that was stopped: the signal ends the program under
 * measurement, and what is thrown then takes everything down on its way.
 */
function stopOnSignals(): void {
  for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    Deno.addSignalListener(signal, () => stopping.abort(new Stopped(status)));
  }
}

/** The tables, one after the other. */
async function measureAll(options: Options, qemuUnwanted: boolean): Promise<Results> {
  const { diskBytes, placeDiskBytes, loop, qemu } = options;
  const inMemory = await measureInMemory(options);
  const byPlace = await measurePlaces(options);
  const footprint = [];
  for (const each of FOOTPRINTS) {
    if (isWanted(options, each)) footprint.push(await measureFootprint(options, each));
  }
  return {
    machine: machineLine(),
    diskBytes,
    placeDiskBytes,
    compared: [...(loop === undefined ? [] : ["the C loop"]), ...(qemu ? ["qemu-img"] : [])],
    applies: inMemory.applies.rows,
    window: inMemory.window.rows,
    places: byPlace.rows,
    placesNote: byPlace.note,
    goals: [...inMemory.applies.goals, ...inMemory.window.goals, ...footprint],
    skipped: [
      ...(loop === undefined ? ["C loop: no C compiler"] : []),
      ...(qemu ? [] : [`qemu-img: ${qemuUnwanted ? "--no-qemu" : "not installed"}`]),
      ...inMemory.window.skipped,
      ...byPlace.skipped,
    ],
  };
}

/** What is measured on the large disk in memory, which is made only if something is. */
async function measureInMemory(options: Options) {
  const applies: Awaited<ReturnType<typeof measureApplies>> = { rows: [], goals: [] };
  const window: Awaited<ReturnType<typeof measureWindow>> = { rows: [], goals: [], skipped: [] };
  if (!needsLargeDisk(options)) return { applies, window };
  tell(`base of ${formatSize(options.diskBytes)}`);
  const bench = new Bench(options.folder, options.diskBytes);
  try {
    return { applies: await measureApplies(options, bench), window: await measureWindow(options, bench) };
  } finally {
    bench.remove();
  }
}

if (import.meta.main) Deno.exit(await main());
