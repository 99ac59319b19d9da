/** Where `regrain restore` writes to, and what is known to stand there; what cannot be a target is refused first. */
import { formatSize, RegrainError, type Target } from "../../core-as/host/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import type { TargetContent } from "../backup/restore.ts";
import {
  leadsBelowDev,
  NO_DEVICE_HINT,
  openJudged,
  requireDiskKind,
  requireFolderFor,
  requireNoInputAt,
  requireOutside,
} from "../target/judge.ts";
import { findPart, makePart, type Part, partOf } from "../target/part.ts";
import type { TargetUse } from "../target/request.ts";
import type { Session } from "./session.ts";

/** What is written to, under which name, and what is known to stand there. */
export interface Place {
  readonly target: Target;
  readonly content: TargetContent;
  /** The file that is written before it gets its name; `undefined` when the target is changed in place. */
  readonly part: Part | undefined;
}

/** What a restore can write in place. */
const RESTORE: TargetUse = {
  accepts: "restore onto a raw image or a block device, or make a new file by another name",
  writesVmdk: false,
  inputHint: "name another target: this one is needed until the disk is written",
  tooSmallHint: "--force without --delta puts a new file in its place",
};

/**
 * The name that is written to: of a symbolic link to a file, or to none yet, the name that it leads to.
 *
 * @throws {RegrainError} `TARGET_UNSUITABLE`, `TARGET_MISSING` when no disk can be written there.
 */
export function findTarget(path: string, { io, console }: Pick<Session, "io" | "console">): string {
  const status = io.stat(path);
  if (status !== undefined) requireDiskKind(path, status.kind, "- writes to standard output");
  const real = isLink(path) && status?.kind !== "device" ? io.nameFile(path).path : path;
  if (status === undefined && leadsBelowDev(real, io)) {
    throw new RegrainError("TARGET_MISSING", "there is no such device", { path: real, hint: NO_DEVICE_HINT });
  }
  if (status === undefined) requireFolderFor(real, io);
  if (real !== path) console.warn(`${path} is a symbolic link: the disk is written to ${real}`);
  return real;
}

function isLink(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSymlink;
  } catch (error) {
    const isHidden = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable ||
      error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotADirectory;
    // What is wrong with the name is said when it is opened.
    if (isHidden) return false;
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
  io: Session["io"],
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
  io: Session["io"],
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
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) return 0;
    throw error;
  }
}

export interface PlaceFlags {
  readonly force?: boolean | undefined;
  readonly delta?: boolean | undefined;
  readonly ignoreFreeSpace?: boolean | undefined;
  readonly format?: string | undefined;
}

/**
 * A new file is written beside its name, and one that was begun is carried on with; what stands is changed in place.
 */
export async function openPlace(
  path: string,
  need: Need,
  { io, console, context, flags }: Pick<Session, "io" | "console" | "context"> & { flags: PlaceFlags },
): Promise<Place> {
  const { sizeBytes } = need.snapshot;
  const checkRoom = (file: string) => {
    if (!flags.ignoreFreeSpace) requireRoom(file, need, io);
  };
  const status = io.stat(path);
  const force = flags.force ?? false;
  const part = partOf(path);
  if (status?.kind === "device" || status !== undefined && flags.delta) {
    if (status?.kind === "file" && status.sizeBytes === sizeBytes) checkRoom(path);
    // An input is refused as such, whatever it looks like.
    requireNoInputs([path], need, io);
    // Of a target that is there, the flag says what it is.
    const said = { ...context, format: flags.format === "raw" ? "raw" as const : undefined };
    const request = { target: path, force, use: RESTORE };
    const { target } = await openJudged(
      request,
      { sizeBytes, inputs: need.inputs },
      { io, context: said },
      () => {
        const target = io.openTarget(path, { force });
        return { target, identities: [target.identity] };
      },
    );
    return { target, content: flags.delta ? "compare" : "unknown", part: undefined };
  }
  requireNoInputs([path, part], need, io);
  if (status !== undefined && !force) {
    throw new RegrainError("TARGET_UNSUITABLE", "the file exists already, and is not overwritten", {
      path,
      hint: "--delta changes it in place where it differs; --force puts a new file in its place",
    });
  }
  const found = findPart(part, { io, sizeBytes });
  try {
    if (found) console.tell(`${part} was begun before; what is right in it is kept`);
    checkRoom(part);
  } catch (error) {
    found?.close();
    throw error;
  }
  const begun = found ?? makePart(part, { io, sizeBytes });
  return { target: begun.target, content: found ? "compare" : "zeros", part: begun };
}
