/**
 * Measures backups beside restic, borg and kopia, whichever are installed, in one run: `deno task bench:backup`.
 *
 * A program that restores something else than what it was given does not get a number.
 */
import { parseArgs } from "node:util";
import { formatSize, parseSize } from "../../core-as/host/units.ts";
import { peer } from "../helpers/peers.ts";
import { startVersitygw } from "../stores/servers.ts";
import {
  type BackupOptions,
  imageOf,
  measureProgram,
  measureTold,
  type ProgramCosts,
  remove,
} from "./backup_cases.ts";
import { makeImage } from "./backup_disk.ts";
import { MAP_CHANGES } from "./backup_map.ts";
import { costOf, setLock } from "./backup_measure.ts";
import { type Absent, otherPrograms, ourProgram, type Program, regrainCall } from "./backup_programs.ts";
import { type BackupResults, renderBackups } from "./backup_report.ts";
import { machineLine, roomBytes } from "./machine.ts";
import { stopping } from "./measure.ts";
import { isWanted, tell } from "./options.ts";

const HELP = `deno task bench:backup [--disk 8G] [--runs 1] [--only TEXT] [--folder DIR] [--write]

  --disk SIZE    size of the disk; the folder needs 1.6 times that
  --runs N       runs of each program; the report says the median
  --only TEXT    only what its name holds TEXT: "regrain", "restic", "borg", "kopia", "told", "versitygw", "map"
  --folder DIR   where disk and repositories are made, for as long as it takes; /dev/shm by default
  --lock FILE    run each program under a lock of FILE, where others use it to leave the machine alone; waits 20 s
  --write        write test/bench/BACKUPS.md too
`;
const RESULTS_FILE = new URL("BACKUPS.md", import.meta.url);
const MAP_PROGRAM = new URL("backup_map.ts", import.meta.url).pathname;
const ROOM_FACTOR = 1.6;
const FLAGS = {
  disk: { type: "string", default: "8G" },
  runs: { type: "string", default: "1" },
  only: { type: "string", default: "" },
  folder: { type: "string", default: "/dev/shm" },
  lock: { type: "string" },
  write: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

type Options = BackupOptions & { readonly only: string };

async function main(): Promise<number> {
  const { values } = parseArgs({ args: Deno.args, options: FLAGS });
  const diskBytes = parseSize(values.disk);
  const runs = Number(values.runs);
  if (values.help || diskBytes === undefined || diskBytes % 4096 !== 0 || !(runs >= 1)) {
    console.error(HELP);
    return values.help ? 0 : 2;
  }
  const room = roomBytes(values.folder);
  if (room < diskBytes * ROOM_FACTOR) {
    console.error(`skipped: ${values.folder} has room for ${formatSize(room)}`);
    return 0;
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stopping.abort(new Error(`stopped by ${signal}`)));
  }
  if (values.lock !== undefined) setLock(values.lock);
  const folder = Deno.makeTempDirSync({ dir: values.folder, prefix: "regrain_bench_" });
  try {
    const report = renderBackups(await measureAll({ diskBytes, runs, folder, only: values.only }));
    console.log(report);
    if (values.write) Deno.writeTextFileSync(RESULTS_FILE, report);
  } finally {
    remove(folder);
  }
  return 0;
}

async function measureAll(options: Options): Promise<BackupResults> {
  const { diskBytes, runs, folder } = options;
  tell(`disk of ${formatSize(diskBytes)}`);
  const image = imageOf(options);
  const dataBytes = makeImage(image, diskBytes);
  const others = otherPrograms(folder);
  const programs: ProgramCosts[] = [];
  for (const program of others.filter(takesPart)) {
    if (!isWanted(options, program.name)) continue;
    programs.push(await measureProgram(options, program));
    remove(`${folder}/${program.name}`);
  }
  const home = `${folder}/regrain`;
  const wantsOurs = ["regrain", "told", "versitygw"].some((name) => isWanted(options, name));
  if (wantsOurs) programs.unshift(await measureProgram(options, ourProgram(`${home}/repo`)));
  const told = isWanted(options, "told") ? await measureTold(options, `${home}/repo`) : [];
  remove(home);
  const absent = others.filter((each) => !takesPart(each)) as Absent[];
  const server = isWanted(options, "versitygw") ? await measureServer(options, absent) : undefined;
  remove(image);
  const maps = isWanted(options, "map") ? await measureMaps(folder) : [];
  return { machine: machineLine(), diskBytes, dataBytes, runs, programs, server, told, maps, absent };
}

function takesPart(program: Program | Absent): program is Program {
  return !("reason" in program);
}

/** Ours to a server on this machine, whose objects are files in the same folder. */
async function measureServer(options: Options, absent: Absent[]): Promise<ProgramCosts | undefined> {
  if (peer("versitygw") === undefined) {
    absent.push({ name: "versitygw", reason: "not installed" });
    return undefined;
  }
  const home = `${options.folder}/versitygw`;
  Deno.mkdirSync(`${home}/repo`, { recursive: true });
  const server = await startVersitygw(`${home}/repo`);
  try {
    const flags = ["--endpoint", server.endpoint, "--profile", "server"];
    const program = ourProgram(`s3://${server.bucket}/bench`, flags);
    // A repository cannot be made twice, so there is one run.
    return {
      ...await measureProgram({ ...options, runs: 1 }, program, home, { keep: true }),
      name: "regrain to versitygw",
    };
  } finally {
    await server.close();
    remove(home);
  }
}

async function measureMaps(folder: string): Promise<BackupResults["maps"]> {
  tell("map of a disk of 16 TiB");
  const repository = `${folder}/map`;
  const call = (command: string) => ({
    name: `map ${command}`,
    command: Deno.execPath(),
    args: ["run", "-A", "--no-check", MAP_PROGRAM, command, repository],
  });
  await costOf(regrainCall("repo", "init", "--repo", repository, "--quiet"));
  await costOf(call("make"));
  const what =
    `read the map of the snapshot before, change ${MAP_CHANGES} chunks anywhere, write the new one`;
  const change = { what, cost: await costOf(call("change")) };
  return [change, { what: "read two snapshots and note every name", cost: await costOf(call("read")) }];
}

if (import.meta.main) Deno.exit(await main());
