/** `regrain verify`: whether what snapshots need is there, and is what was stored. */
import { formatSize, plural, RegrainError } from "../../core-as/host/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import { choose, type Chosen } from "../backup/snapshots/choose.ts";
import type { Place } from "../backup/places.ts";
import type { Repository } from "../backup/repository.ts";
import { parseSnapshotSpec } from "../backup/snapshots/snapshots.ts";
import { type Finding, verify, type VerifyReport } from "../backup/verify/verify.ts";
import {
  nextSlice,
  putNote,
  type Slice,
  sliceCount,
  type VerifyMode,
} from "../backup/verify/verify_notes.ts";
import { type CommonFlags, Console, formatDuration, Progress, type ProgressMode } from "../ui/mod.ts";
import { rememberNewest, warnOfHidden } from "../session/newest_seen.ts";
import { lanesOf, openRepository, type RepoFlags } from "../session/open_repository.ts";
import { EXIT_DAMAGE } from "../exit_status.ts";

export interface VerifyFlags extends CommonFlags, RepoFlags {
  readonly quick?: boolean | undefined;
  readonly sample?: string | undefined;
  readonly deep?: boolean | undefined;
  readonly restoreTest?: boolean | undefined;
  readonly progress?: ProgressMode | undefined;
}

/** Places of one piece that a person is shown. */
const SHOWN_PLACES = 8;

/** What is verified, and how. */
interface Task {
  readonly mode: VerifyMode;
  readonly slice: Slice | undefined;
  readonly chosen: Chosen;
}

export async function runVerify(specs: readonly string[], flags: VerifyFlags): Promise<number> {
  const console = new Console(flags);
  const mode = modeOf(flags);
  const count = flags.sample === undefined ? undefined : sliceCount(flags.sample);
  const repository = await openRepository(flags);
  try {
    const chosen = await chooseRemembered(repository, specs, console);
    const slice = count === undefined ? undefined : await nextSlice(repository, count);
    const task = { mode, slice, chosen };
    const { report, elapsedMs } = await verifyWithProgress(repository, { task, flags, console });
    const damaged = damageOf(report).length + chosen.damaged.length;
    await leaveNote(repository, { task, report, damaged, console });
    if (console.json) printJson(report, { task, console, elapsedMs });
    else print(report, { task, console, elapsedMs });
    return damaged === 0 ? 0 : EXIT_DAMAGE;
  } finally {
    repository.close();
    console.flush();
  }
}

/** Chooses snapshots, and warns where this host remembers a newer one of a disk that is not there. */
async function chooseRemembered(
  repository: Repository,
  specs: readonly string[],
  console: Console,
): Promise<Chosen> {
  const named = await disksOf(repository, specs);
  await warnOfHidden(repository, { console, disks: named });
  const chosen = await choose(repository, specs, (sentence) => console.warn(sentence));
  if (named !== undefined) {
    // What is named by an id is of a disk that is known only now.
    const others = chosen.snapshots.filter(({ source }) => !named.has(source.key));
    const disks = new Map(others.map(({ source }) => [source.key, source.name]));
    await warnOfHidden(repository, { console, disks });
  }
  await rememberNewest(repository, chosen.snapshots, console);
  return chosen;
}

/** The disks that are named; `undefined` where none is, and every disk is meant. */
async function disksOf(
  repository: Repository,
  specs: readonly string[],
): Promise<ReadonlyMap<string, string> | undefined> {
  if (specs.length === 0) return undefined;
  const disks = new Map<string, string>();
  for (const { name } of specs.map(parseSnapshotSpec)) disks.set(await repository.sourceKey(name), name);
  return disks;
}

function modeOf(flags: VerifyFlags): VerifyMode {
  const modes = [
    ...flags.quick ? ["quick" as const] : [],
    ...flags.sample === undefined ? [] : ["sample" as const],
    ...flags.deep ? ["deep" as const] : [],
    ...flags.restoreTest ? ["restore" as const] : [],
  ];
  if (modes.length <= 1) return modes[0] ?? "quick";
  throw new RegrainError("USAGE", "--quick, --sample, --deep and --restore-test exclude each other", {
    hint: "--restore-test does all that --deep does, and --deep all that --quick does",
  });
}

async function verifyWithProgress(
  repository: Repository,
  work: { task: Task; flags: VerifyFlags; console: Console },
): Promise<{ report: VerifyReport; elapsedMs: number }> {
  const { task: { mode, slice, chosen: { snapshots } }, flags, console } = work;
  const progress = new Progress(console, flags.progress ?? "auto", bytesToDo(mode, { snapshots, slice }));
  using lanes = lanesOf(repository);
  try {
    const report = await verify(repository, snapshots, {
      mode,
      slice,
      lanes,
      onProgress: ({ doneBytes, fetchedBytes }) =>
        progress.update({ doneBytes, parts: { fetched: fetchedBytes } }),
      onNotice: (sentence) => console.warn(sentence),
    });
    return { report, elapsedMs: progress.elapsedMs };
  } finally {
    progress.end();
  }
}

/** A bound: what snapshots share is read once, and how much that is is known in the end. */
function bytesToDo(
  mode: VerifyMode,
  of: { snapshots: readonly Snapshot[]; slice: Slice | undefined },
): number {
  const sum = (bytes: (snapshot: Snapshot) => number) =>
    of.snapshots.reduce((total, snapshot) => total + bytes(snapshot), 0);
  const sizes = sum(({ sizeBytes }) => sizeBytes);
  const data = sum(({ stats, chunkBytes }) => stats.chunks * chunkBytes);
  if (mode === "quick") return sizes;
  if (mode === "sample") return Math.ceil(data / (of.slice?.count ?? 1));
  return mode === "deep" ? data : data + sizes;
}

function damageOf({ findings }: VerifyReport): (Finding & { places: readonly Place[] })[] {
  return findings.filter((finding) => "places" in finding);
}

async function leaveNote(
  repository: Repository,
  about: { task: Task; report: VerifyReport; damaged: number; console: Console },
): Promise<void> {
  const { task: { mode, slice, chosen }, report: { chunks, readChunks }, damaged, console } = about;
  try {
    await putNote(repository, {
      mode,
      slice,
      snapshots: chosen.snapshots.length,
      chunks,
      readChunks,
      damaged,
    });
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
    console.warn(`no note of this verification could be left: ${error.message}`);
  }
}

type Shown = { readonly task: Task; readonly console: Console; readonly elapsedMs: number };

function printJson(report: VerifyReport, { task, console, elapsedMs }: Shown): void {
  for (const { name, damage } of task.chosen.damaged) {
    console.outJson({ type: "damage", kind: "manifest", id: name.id, reason: damage!.message });
  }
  for (const finding of report.findings) {
    if (!("places" in finding)) {
      const { kind, stem, reason } = finding;
      console.outJson({ type: kind, stem, reason });
      continue;
    }
    const { kind, stem, reason, places } = finding;
    console.outJson({ type: "damage", kind, stem, reason, places: places.map(placeJson) });
  }
  const { pages, chunks, readChunks, fetchedBytes, hitSnapshots } = report;
  console.outJson({
    type: "summary",
    mode: task.mode,
    slice: task.slice,
    snapshots: task.chosen.snapshots.length,
    pages,
    chunks,
    readChunks,
    fetchedBytes,
    damaged: damageOf(report).length + task.chosen.damaged.length,
    hitSnapshots,
    elapsedMs: Math.round(elapsedMs),
  });
}

function placeJson({ snapshot, offsetBytes, lengthBytes }: Place) {
  return { snapshot: snapshot.id, name: snapshot.source.name, offsetBytes, lengthBytes };
}

function print(report: VerifyReport, { task, console, elapsedMs }: Shown): void {
  const { mode, slice, chosen } = task;
  for (const { damage } of chosen.damaged) console.out(`manifest: ${damage!.message}`);
  for (const finding of report.findings) printFinding(finding, console);
  const { pages, chunks, readChunks, fetchedBytes, hitSnapshots } = report;
  const what = slice === undefined ? mode : `sample ${slice.index + 1} of ${slice.count}`;
  console.tell(
    `${what}: ${plural(chosen.snapshots.length, "snapshot")}, ${plural(pages, "page")}, ` +
      `${plural(chunks, "chunk")}; ${readChunks} of them read, ${formatSize(fetchedBytes)}, ` +
      formatDuration(elapsedMs),
  );
  const damaged = damageOf(report).length + chosen.damaged.length;
  // Of chunks that were not read it is known that they are there, and no more.
  if (damaged === 0) console.out(readChunks === 0 ? "everything that is needed is there" : "no damage found");
  else {
    console.out(
      `${plural(damaged, "damage")} found; ${
        plural(hitSnapshots.length + chosen.damaged.length, "snapshot")
      } hit`,
    );
    adviseOn(report, console);
  }
}

/** What makes it whole again; nothing of it is done here, since a verification removes nothing that is needed. */
function adviseOn({ findings }: VerifyReport, console: Console): void {
  if (findings.some(({ kind }) => kind === "chunk")) {
    console.tell("the next backup of these disks stores the chunks anew, where they still hold the same");
  }
  if (findings.some(({ kind }) => kind === "page")) {
    console.tell(
      "a page is stored anew by the next backup that reads the whole disk, if it is the same still",
    );
  }
}

function printFinding(finding: Finding, console: Console): void {
  const { kind, stem, reason } = finding;
  console.out(`${kind} ${stem}: ${reason}`);
  if (!("places" in finding)) return;
  for (const { snapshot, offsetBytes, lengthBytes } of finding.places.slice(0, SHOWN_PLACES)) {
    console.out(
      `  ${snapshot.source.name}@${snapshot.id}: ${formatSize(lengthBytes)} at byte ${offsetBytes}`,
    );
  }
  const more = finding.places.length - SHOWN_PLACES;
  if (more > 0) console.out(`  and ${more} more places; --json lists them all`);
}
