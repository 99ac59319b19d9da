/** The table by place: the same work on file systems and a device, with what is read in memory and with nothing. */
import { type BenchPattern, writeBenchCase } from "../../fixtures/bench.ts";
import { MIB } from "../../core-as/host/units.ts";
import { sha256File } from "../helpers/bytes.ts";
import { run } from "../helpers/peers.ts";
import { loopApply, regrainApply } from "./contestants.ts";
import { removeDisk } from "./disks.ts";
import { type Contestant, measureInTurn, timeOnce } from "./measure.ts";
import { isWanted, type Options, PATTERNS, tell } from "./options.ts";
import type { PlaceRow } from "./report.ts";
import { obstacle, type Site, SITE_NAMES, type SiteName, withSite } from "./sites.ts";

const DROP_CACHES = "/proc/sys/vm/drop_caches";
const SEED = 7;
/** Enough for a median, and for the whole table to take minutes. */
const MAX_RUNS = 5;

/** `warm`: the delta and the target are in memory as far as they fit; `cold`: neither is. */
type Cache = "warm" | "cold";

/** One measurement that `--only` may choose. */
interface Case {
  readonly site: SiteName;
  readonly pattern: BenchPattern;
  readonly cache: Cache;
  readonly name: string;
}

/** Everything in memory has no cache to drop. */
const CASES: readonly Case[] = SITE_NAMES.flatMap((site) =>
  PATTERNS.flatMap((pattern) =>
    (site === "tmpfs" ? ["warm"] as const : ["warm", "cold"] as const).map((cache) => ({
      site,
      pattern,
      cache,
      name: `${site} COWD ${pattern} ${cache}`,
    }))
  )
);

interface Places {
  readonly rows: PlaceRow[];
  /** What the numbers are of: the disk below, and how the caches were dropped. */
  readonly note: string;
  readonly skipped: string[];
}

/** What all measurements share. */
interface Run {
  readonly options: Options;
  /** Applied in memory after the caches were dropped, so that the programs are not what is cold. */
  readonly warmUp: Contestant;
}

/** Measures what `--only` leaves in and the machine can have. */
export async function measurePlaces(options: Options): Promise<Places> {
  const { wanted, skipped } = possibleCases(options);
  const rows: PlaceRow[] = [];
  if (wanted.length === 0) return { rows, note: "", skipped };
  await withWarmUp(options, async (warmUp) => {
    for (const site of SITE_NAMES) {
      const cases = wanted.filter((each) => each.site === site);
      if (cases.length === 0) continue;
      tell(`place ${site}: base`);
      const reason = await withSite(site, options, async (made) => {
        for (const pattern of PATTERNS) {
          const caches = cases.filter((each) => each.pattern === pattern);
          if (caches.length > 0) rows.push(...await measurePattern({ options, warmUp }, made, caches));
        }
      });
      if (reason !== undefined) skipped.push(`${site}: ${reason}`);
    }
  });
  return { rows, note: placesNote(options), skipped };
}

/** Splits what is wanted into what can be done and why the rest cannot. */
function possibleCases(options: Options): { wanted: Case[]; skipped: string[] } {
  const wanted: Case[] = [];
  const skipped = new Set<string>();
  for (const each of CASES.filter(({ name }) => isWanted(options, name))) {
    const reason = obstacle(each.site, options);
    if (reason !== undefined) skipped.add(`${each.site}: ${reason}`);
    else if (each.cache === "cold" && !canDropCaches()) {
      skipped.add(`cold caches: ${DROP_CACHES} cannot be written`);
    } else wanted.push(each);
  }
  return { wanted, skipped: [...skipped] };
}

function canDropCaches(): boolean {
  try {
    Deno.openSync(DROP_CACHES, { write: true }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
      return false;
    }
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A small disk in memory; large enough that the apply uses all of the program. */
async function withWarmUp({ folder }: Options, fn: (warmUp: Contestant) => Promise<void>): Promise<void> {
  const [target, path] = [`${folder}/warm_up.img`, `${folder}/warm_up.vmdk`];
  const diskBytes = 512 * MIB;
  const delta = writeBenchCase({ format: "cowd", pattern: "big", diskBytes, path, seed: SEED });
  Deno.writeFileSync(target, new Uint8Array(0));
  Deno.truncateSync(target, diskBytes);
  try {
    await fn(regrainApply([delta.descriptorPath], target));
  } finally {
    removeDisk(delta);
    Deno.removeSync(target);
  }
}

/** Warm and cold with one delta, once both programs have made the same of the target. */
async function measurePattern(run: Run, site: Site, cases: readonly Case[]): Promise<PlaceRow[]> {
  const { loop, placeDiskBytes: diskBytes, runs } = run.options;
  const { site: name, pattern } = cases[0]!;
  const path = `${site.folder}/${pattern}.vmdk`;
  const delta = writeBenchCase({ format: "cowd", pattern, diskBytes, path, seed: SEED });
  try {
    const rows: PlaceRow[] = [];
    tell(`place ${name}, COWD ${pattern}: same result`);
    const programs = [
      regrainApply([delta.descriptorPath], site.target),
      ...(loop === undefined ? [] : [loopApply(loop, delta.deltaPath, site.target)]),
    ];
    await assertSameResult(programs, site.target, `${name}, COWD ${pattern}`);
    for (const { cache } of cases) {
      tell(`place ${name}, COWD ${pattern}, ${cache}`);
      const prepared = programs.map((program) => ({ ...program, prepare: () => prepareCache(run, cache) }));
      const [ours, loopTimes] = await measureInTurn(prepared, Math.min(runs, MAX_RUNS));
      rows.push({
        place: name,
        cache,
        name: `COWD ${pattern}`,
        dataBytes: delta.dataBytes,
        ours: ours!,
        loop: loopTimes,
      });
    }
    return rows;
  } finally {
    removeDisk(delta);
  }
}

/** Ours goes first: where it left something out or wrong, the other changes the target again. */
async function assertSameResult(
  programs: readonly Contestant[],
  target: string,
  what: string,
): Promise<void> {
  const sums: string[] = [];
  for (const program of programs) {
    await timeOnce(program);
    sums.push(sha256File(target));
  }
  if (new Set(sums).size > 1) throw new Error(`${what}: the programs differ: ${sums.join(", ")}`);
}

/** What an earlier run left dirty must not be written during the next. */
async function prepareCache({ warmUp }: Run, cache: Cache): Promise<void> {
  run("sync", []);
  if (cache === "warm") return;
  Deno.writeTextFileSync(DROP_CACHES, "3");
  await timeOnce(warmUp);
}

/** What the file systems and the device stand on. */
function placesNote({ placeFolder }: Options): string {
  const type = run("df", ["--output=fstype", placeFolder]).trim().split("\n").at(-1);
  return `ext4, XFS and the loop device are over files of the machine's disk (${type}).`;
}
