/** Where a restore writes to, and what is known to stand there; what cannot be a target is refused first. */
import { formatSize, RegrainError } from "../../../core-as/host/mod.ts";
import type { Snapshot } from "../../../core-as/host/repo/mod.ts";
import type { TargetContent } from "./restore.ts";
import {
  leadsBelowDev,
  NO_DEVICE_HINT,
  requireDiskKind,
  requireFolderFor,
  requireNoInputAt,
  requireOutside,
} from "../../target/judge.ts";
import { findPart, makePart, type Part, partOf } from "../../target/part.ts";
import { RESTORE } from "../../target/request.ts";
import { PIPE } from "../../places/pipe.ts";
import { type Io, systemError } from "../../io/mod.ts";
import { isAbsent, isDenied, isForbidden } from "../../deno_errors.ts";

/** A file that is written before it gets its name, and what is known to be in it. */
export interface NewFile {
  readonly content: TargetContent;
  readonly part: Part;
}

/** Whether a target that is there is changed: a device always, a file with `--delta`. */
export function isChangedInPlace(
  path: string,
  { delta }: { delta?: boolean | undefined },
  io: Pick<Io, "stat">,
): boolean {
  const kind = path === PIPE ? undefined : io.stat(path)?.kind;
  return kind === "device" || kind === "file" && (delta ?? false);
}

/**
 * The name that is written to: of a symbolic link to a file, or to none yet, the name that it leads to.
 *
 * @throws {RegrainError} `TARGET_UNSUITABLE`, `TARGET_MISSING` when no disk can be written there.
 */
export function findTarget(
  path: string,
  { io, warn }: { io: Io; warn(sentence: string): void },
): string {
  const status = io.stat(path);
  if (status !== undefined) {
    requireDiskKind(path, status.kind, "- writes to standard output, null: keeps nothing");
  }
  const real = isLink(path) && status?.kind !== "device" ? io.nameFile(path).path : path;
  if (status === undefined && leadsBelowDev(real, io)) {
    throw new RegrainError("TARGET_MISSING", "there is no such device", { path: real, hint: NO_DEVICE_HINT });
  }
  if (status === undefined) requireFolderFor(real, io);
  if (real !== path) warn(`${path} is a symbolic link: the disk is written to ${real}`);
  return real;
}

function isLink(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSymlink;
  } catch (error) {
    // What is wrong with the name is said when it is opened.
    if (isAbsent(error) || isDenied(error)) return false;
    throw error;
  }
}

/** What is going to be written. */
export interface Need {
  readonly snapshot: Snapshot;
  /** Chunks that a delta over it may make data of. */
  readonly overlaidChunks: number;
  /** How many files of that size are there at once in the end. */
  readonly copies: number;
  /** Files that are read, and where the repository is: nothing is written to them. */
  readonly inputs: readonly string[];
  readonly repository: string;
}

/** Makes sure that files which are made, or replaced, are nothing that is read. */
export function requireNoInputs(
  paths: readonly string[],
  { inputs, repository }: Pick<Need, "inputs" | "repository">,
  io: Io,
): void {
  for (const path of paths) {
    requireNoInputAt(path, { inputs, use: RESTORE }, io);
    requireOutside(path, repository, io);
  }
}

/**
 * Refuses to begin what may fill the file system: others that write there would fail as well.
 *
 * @param path The file, or the one that was begun; what it has already is not needed again.
 * @throws {RegrainError} `NO_SPACE`.
 */
export function requireRoom(
  path: string,
  { snapshot, overlaidChunks, copies }: Pick<Need, "snapshot" | "overlaidChunks" | "copies">,
  io: Io,
): void {
  const { freeBytes } = io.roomAt(path);
  if (freeBytes === undefined) return;
  const { sizeBytes, chunkBytes, stats } = snapshot;
  const dataBytes = Math.min(sizeBytes, (stats.chunks + overlaidChunks) * chunkBytes);
  const needBytes = dataBytes * copies - allocatedBytes(path);
  if (needBytes <= freeBytes) return;
  throw new RegrainError(
    "NO_SPACE",
    `the disk may take ${formatSize(needBytes)} more, and ${formatSize(freeBytes)} are free there`,
    {
      path,
      hint:
        "make room, or name another place; --ignore-free-space begins all the same: zeros inside of the data may " +
        "make it fit, else the file system gets full and others that write there fail",
    },
  );
}

function allocatedBytes(path: string): number {
  try {
    return (Deno.statSync(path).blocks ?? 0) * 512;
  } catch (error) {
    if (isAbsent(error) || isForbidden(error)) return 0;
    throw error;
  }
}

interface NewFileMeans {
  readonly io: Io;
  readonly force: boolean;
  readonly ignoreFreeSpace: boolean;
  tell(sentence: string): void;
}

/** What {@link openNewFile} looks at, without making or opening anything. */
export function lookAtNewFile(
  path: string,
  need: Need,
  { io, tell, force, ignoreFreeSpace }: NewFileMeans,
): undefined {
  const part = partOf(path);
  requireNewName(path, need, { io, force });
  const begun = io.stat(part);
  if (begun !== undefined) tell(`${part} was begun before; what is right in it would be kept`);
  const { obstacle } = io.roomAt(part);
  if (obstacle !== undefined) throw systemError({ operation: "open target", errno: obstacle, path: part });
  if (!ignoreFreeSpace) requireRoom(part, need, io);
}

function requireNewName(path: string, need: Need, { io, force }: { io: Io; force: boolean }): void {
  requireNoInputs([path, partOf(path)], need, io);
  if (io.stat(path) === undefined || force) return;
  throw new RegrainError("TARGET_UNSUITABLE", "the file exists already, and is not overwritten", {
    path,
    hint: "--delta changes it in place where it differs; --force puts a new file in its place",
  });
}

/**
 * A new file is written beside its name, and one that was begun is carried on with.
 *
 * @throws {RegrainError} `TARGET_UNSUITABLE` when there is a file of that name, and nobody said that it may go.
 */
export function openNewFile(
  path: string,
  need: Need,
  { io, tell, force, ignoreFreeSpace }: NewFileMeans,
): NewFile {
  const { sizeBytes } = need.snapshot;
  const part = partOf(path);
  requireNewName(path, need, { io, force });
  const found = findPart(part, { io, sizeBytes, keepsOther: !force });
  try {
    if (found) tell(`${part} was begun before; what is right in it is kept`);
    if (!ignoreFreeSpace) requireRoom(part, need, io);
  } catch (error) {
    found?.close();
    throw error;
  }
  return { part: found ?? makePart(part, { io, sizeBytes }), content: found ? "compare" : "zeros" };
}
