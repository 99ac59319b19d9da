/** What is measured of each program: first backup, restore, second backup; and of ours what the others have not. */
import { createHash } from "node:crypto";
import { run } from "../helpers/peers.ts";
import { changeImage, type ChangePattern, describeChanges, makeImage } from "./backup_disk.ts";
import { type Cost, costOf, medianOf } from "./backup_measure.ts";
import { NAME, ourProgram, type Program, regrainCall } from "./backup_programs.ts";
import { roomBytes } from "./machine.ts";
import { tell } from "./options.ts";

export interface BackupOptions {
  readonly diskBytes: number;
  readonly runs: number;
  /** Folder of this run; everything is made in it. */
  readonly folder: string;
}

/** What one program cost. */
export interface ProgramCosts {
  readonly name: string;
  readonly first: Cost;
  readonly restore: Cost;
  /** With some of the disk changed, all of it read. */
  readonly second: Cost;
  /** Size of the repository after the first backup, and what the second added. */
  readonly repositoryBytes: number;
  readonly addedBytes: number;
}

/** A second backup of ours that is told what changed. */
export interface ToldCost {
  readonly flag: "--delta" | "--changed";
  readonly pattern: ChangePattern;
  readonly diskBytes: number;
  readonly changedBytes: number;
  /** Chunks that hold a change: each is read, hashed and packed whole. */
  readonly touchedChunks: number;
  readonly cost: Cost;
}

export const LARGE_DISK_BYTES = 2 ** 40;
const CHUNK_BYTES = 4 * 1024 * 1024;
const PIECE_BYTES = 8 * 1024 * 1024;

/** What was changed since the image was made, so that it can be made again as it is. */
const history: Parameters<typeof changeImage>[1][] = [];

/** Changes the image. */
function change(image: string, changes: Parameters<typeof changeImage>[1]) {
  history.push(changes);
  return changeImage(image, changes);
}

function makeAgain(image: string, diskBytes: number): void {
  makeImage(image, diskBytes);
  for (const changes of history) changeImage(image, changes);
}

/** The image that everything is measured on; each program finds it as the one before left it, 43 MB changed. */
export function imageOf({ folder }: BackupOptions): string {
  return `${folder}/disk.img`;
}

/**
 * First backup, restore and second backup of one program.
 *
 * @param home Folder for its repository, which is `repo` in it, and all else it keeps.
 * @param options.keep What is in the folder belongs to a server that runs, and is not removed before a run.
 */
export async function measureProgram(
  options: BackupOptions,
  program: Program,
  home = `${options.folder}/${program.name}`,
  { keep = false } = {},
): Promise<ProgramCosts> {
  const { diskBytes, runs, folder } = options;
  const image = imageOf(options);
  tell(`${program.name}: first backup`);
  const first = await medianOf(runs, async () => {
    if (!keep) remove(home);
    Deno.mkdirSync(home, { recursive: true });
    for (const each of program.init) await costOf(each);
    return await costOf(program.backup(image));
  });
  const repositoryBytes = sizeOf(home);
  tell(`${program.name}: restore`);
  const restore = await medianOf(runs, () => restored(program, { folder, image, diskBytes }));
  const changed = change(image, { pattern: "hot", seed: repositoryBytes, withinBytes: diskBytes });
  tell(`${program.name}: second backup, ${changed.length} changes`);
  const second = await costOf(program.backup(image));
  const addedBytes = sizeOf(home) - repositoryBytes;
  return { name: program.name, first, restore, second, repositoryBytes, addedBytes };
}

/** Where there is no room for the disk and all of its copy, some of which have no holes, the disk goes meanwhile. */
async function restored(
  program: Program,
  { folder, image, diskBytes }: { folder: string; image: string; diskBytes: number },
): Promise<Cost> {
  const due = sumOf(image);
  const target = `${folder}/restored`;
  const isCramped = roomBytes(folder) < diskBytes * 1.1;
  if (isCramped) remove(image);
  Deno.mkdirSync(target);
  try {
    const cost = await costOf(program.restore(image, `${target}/disk.img`));
    if (sumOf(largestFile(target)) === due) return cost;
    throw new Error(`${program.name} restored something else`);
  } finally {
    remove(target);
    if (isCramped) makeAgain(image, diskBytes);
  }
}

/**
 * Second backups of ours by `--delta` and `--changed`: on the disk; with changes that are nowhere near each other; and
 * on a disk of 1 TiB that holds as much.
 *
 * @param repository Holds the image as it is now; every way is measured on a copy of it, whose objects are links.
 */
export async function measureTold(options: BackupOptions, repository: string): Promise<ToldCost[]> {
  const { diskBytes } = options;
  const image = imageOf(options);
  const costs: ToldCost[] = [];
  const rounds = [
    { pattern: "hot", sizeBytes: diskBytes },
    { pattern: "scattered", sizeBytes: diskBytes },
    { pattern: "hot", sizeBytes: LARGE_DISK_BYTES },
  ] as const;
  for (const [i, { pattern, sizeBytes }] of rounds.entries()) {
    tell(`told what changed: ${pattern}, ${sizeBytes / 2 ** 30} GiB`);
    // What comes behind is a hole.
    Deno.truncateSync(image, sizeBytes);
    if (i > 0) await costOf(ourProgram(repository).backup(image));
    costs.push(...await measureWays(options, { repository, pattern, sizeBytes, seed: 20 + i }));
  }
  Deno.truncateSync(image, diskBytes);
  return costs;
}

async function measureWays(
  options: BackupOptions,
  round: { repository: string; pattern: ChangePattern; sizeBytes: number; seed: number },
): Promise<ToldCost[]> {
  const { folder, runs, diskBytes } = options;
  const { repository, pattern, sizeBytes, seed } = round;
  const image = imageOf(options);
  const changes = change(image, { pattern, seed, withinBytes: diskBytes });
  const [delta, list] = [`${folder}/changes.vmdk`, `${folder}/changes.json`];
  describeChanges(image, changes, { delta, list });
  const about = {
    pattern,
    diskBytes: sizeBytes,
    changedBytes: changes.reduce((sum, { length }) => sum + length, 0),
    touchedChunks:
      new Set(changes.flatMap(({ start, length }) => [chunkOf(start), chunkOf(start + length - 1)])).size,
  };
  const copy = `${folder}/copy`;
  const ways = { "--delta": ["--delta", delta], "--changed": [image, "--changed", list] } as const;
  const costs: ToldCost[] = [];
  for (const flag of ["--delta", "--changed"] as const) {
    const cost = await medianOf(runs, async () => {
      remove(copy);
      run("cp", ["-al", repository, copy]);
      return await costOf(regrainCall("backup", ...ways[flag], "--name", NAME, "--repo", copy, "--quiet"));
    });
    costs.push({ flag, ...about, cost });
    await checkTold(copy, { flag, image });
    remove(copy);
  }
  return costs;
}

/** A backup of all the disk must find nothing that the one before it did not have. */
async function checkTold(
  repository: string,
  { flag, image }: { flag: string; image: string },
): Promise<void> {
  const before = newestRoot(repository);
  await costOf(ourProgram(repository).backup(image));
  if (newestRoot(repository) !== before) throw new Error(`${flag} made another disk than reading it makes`);
}

/** Root of the newest manifest; their names are in the order of time. */
function newestRoot(repository: string): string {
  const newest = filesBelow(`${repository}/snaps`).sort((a, b) => a < b ? -1 : 1).at(-1)!;
  return JSON.parse(Deno.readTextFileSync(newest)).snapshot.root;
}

function chunkOf(offsetBytes: number): number {
  return Math.floor(offsetBytes / CHUNK_BYTES);
}

function sumOf(path: string): string {
  using file = Deno.openSync(path, { read: true });
  const hash = createHash("sha256");
  const piece = new Uint8Array(PIECE_BYTES);
  for (let count = file.readSync(piece); count !== null; count = file.readSync(piece)) {
    hash.update(piece.subarray(0, count));
  }
  return hash.digest("hex");
}

function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${folder}/${name}`) : [`${folder}/${name}`]
  );
}

/** The disk among what a program restored: some put all its folders around it. */
function largestFile(folder: string): string {
  const size = (path: string) => Deno.statSync(path).size;
  return filesBelow(folder).reduce((best, path) => size(path) > size(best) ? path : best);
}

/** Bytes of the files below a folder, without what programs keep beside the repository. */
function sizeOf(home: string): number {
  return filesBelow(`${home}/repo`).reduce((sum, path) => sum + Deno.statSync(path).size, 0);
}

export function remove(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
