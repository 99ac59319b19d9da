/**
 * The one judgement of what is written in place, whichever command writes: that it can hold a disk, is no input, looks
 * like no image of another format, and has the right size.
 *
 * A command may be stricter about what it writes. What it may not is to judge for itself: two judgements differ, and
 * the laxer one destroys what the other refuses to touch.
 */
import {
  folderOf,
  type ImageFormat,
  isWithin,
  quotePath,
  RegrainError,
  requireSize,
  type Target,
} from "../../core-as/host/mod.ts";
import { type FileStatus, type Identity, type Io, sameStorage } from "../io/mod.ts";
import { targetForm } from "./form.ts";
import type { Intended, JudgedRequest, ResizeWish, TargetTools, TargetUse } from "./request.ts";

/** A target, and what the system knows each of its files by. */
export interface OpenedTarget {
  readonly target: Target;
  readonly identities: readonly Identity[];
}

/**
 * Opens what is there already, for writing in place, when it may be written.
 *
 * @param open Opens it as what it is written as.
 * @throws {RegrainError} `TARGET_*`, `SIZE_MISMATCH`; nothing was written then.
 */
export async function openJudged<T extends OpenedTarget>(
  request: JudgedRequest,
  intended: Intended,
  tools: TargetTools,
  open: (form: ImageFormat) => T | Promise<T>,
): Promise<T> {
  const { target: path, force, use } = request;
  const form = await targetForm({ ...request, sizeBytes: intended.sizeBytes }, tools);
  const opened = await open(form);
  try {
    requireNoInput(opened.identities, { path, ...intended, use }, tools.io);
    if (intended.resize && resized(opened.target, { ...intended, resize: intended.resize })) return opened;
    requireFit(opened.target, {
      sizeBytes: intended.sizeBytes,
      force,
      tooSmallHint: use.tooSmallHint?.[form],
    });
    return opened;
  } catch (error) {
    opened.target.close();
    throw error;
  }
}

/**
 * Gives a raw file the size of the disk, where that is meant.
 *
 * @returns true when it has that size, or would have it.
 * @throws {RegrainError} `SIZE_MISMATCH`; `NO_SPACE`, `WRITE_FAILED`, `PERMISSION`.
 */
function resized(
  target: Target & { resize?(sizeBytes: number): void },
  { sizeBytes, resize: { truncate, dryRun, keepsSize } }: Intended & { resize: ResizeWish },
): boolean {
  if (target.resize === undefined || target.isDevice || target.sizeBytes === sizeBytes) return false;
  const { path } = target;
  const sizes = `the target has ${target.sizeBytes} bytes, the disk ${sizeBytes}`;
  if (target.sizeBytes > sizeBytes && !truncate) {
    throw new RegrainError("SIZE_MISMATCH", `${sizes}: is it the right target?`, {
      path,
      hint: "--truncate cuts it to the size of the disk, and what is behind that is lost",
    });
  }
  if (keepsSize !== undefined) {
    throw new RegrainError("SIZE_MISMATCH", `${sizes}, and ${keepsSize} cannot bring the old size back`, {
      path,
      hint: `truncate -s ${sizeBytes} ${quotePath(path)} first, or leave ${keepsSize} out`,
    });
  }
  if (!dryRun) target.resize(sizeBytes);
  return true;
}

function requireFit(
  target: Target,
  disk: { sizeBytes: number; force: boolean; tooSmallHint: string | undefined },
): void {
  try {
    requireSize(target, disk);
  } catch (error) {
    const { tooSmallHint } = disk;
    const isTooSmall = error instanceof RegrainError && target.sizeBytes < disk.sizeBytes;
    if (!isTooSmall || tooSmallHint === undefined || target.isDevice) throw error;
    throw error.withHint(tooSmallHint);
  }
}

/** @throws {RegrainError} `TARGET_UNSUITABLE` when no disk can be written there, by whatever means. */
export function requireDiskKind(path: string, kind: FileStatus["kind"], otherHint?: string): void {
  if (kind === "directory") {
    throw new RegrainError(
      "TARGET_UNSUITABLE",
      "it is a folder, and a disk is written to a file or a device",
      {
        path,
        hint: `name the file in it, such as ${quotePath(`${path.replace(/\/+$/, "")}/disk.img`)}`,
      },
    );
  }
  if (kind !== "other") return;
  throw new RegrainError("TARGET_UNSUITABLE", "it is neither a file nor a block device", {
    path,
    ...otherHint === undefined ? {} : { hint: otherHint },
  });
}

/**
 * Makes sure that a new file can be made under a name, as far as its folder goes.
 *
 * @throws {RegrainError} `TARGET_MISSING` when there is no such folder, `TARGET_UNSUITABLE` when there can be none.
 */
export function requireFolderFor(path: string, io: Pick<Io, "stat">): void {
  const name = path.replace(/\/+$/, "");
  const folder = folderOf(name);
  let kind: FileStatus["kind"] | undefined;
  try {
    kind = io.stat(name === path ? folder : name)?.kind;
  } catch (error) {
    // Making a file needs no right to look at its folder; what is wrong with it is seen then.
    if (error instanceof RegrainError && error.code === "PERMISSION") return;
    throw error;
  }
  if (name !== path) {
    const make = kind === undefined ? `mkdir -p ${quotePath(name)}, and ` : "";
    throw new RegrainError("TARGET_UNSUITABLE", "is the name of a folder, and a disk is written to a file", {
      path,
      hint: `${make}name the file in it, such as ${quotePath(`${name}/disk.img`)}`,
    });
  }
  if (kind === "directory") return;
  if (kind !== undefined) {
    throw new RegrainError("TARGET_UNSUITABLE", `${folder} is no folder, and no file is made in it`, {
      path,
      hint: "name another target",
    });
  }
  throw new RegrainError("TARGET_MISSING", `there is no folder ${folder} that it could be made in`, {
    path,
    hint: `mkdir -p ${quotePath(folder)}, or name another target`,
  });
}

/** What to do where a name of a device leads nowhere. */
export const NO_DEVICE_HINT =
  "look for its right name with lsblk; a volume may have to be made or activated first, no file is made here";

/** True of a name for a device, by itself or by the folder it leads to as far as that may be looked at. */
export function leadsBelowDev(path: string, io: Pick<Io, "realPath">): boolean {
  const isDevice = (name: string) => /^\/dev(?!\/shm)(\/|$)/.test(name);
  if (isDevice(path)) return true;
  try {
    return isDevice(io.realPath(folderOf(path)) ?? "");
  } catch (error) {
    // Making a file needs no right to read its folder; then nothing but the name can tell.
    if (error instanceof RegrainError && error.code === "PERMISSION") return false;
    throw error;
  }
}

/** What must not be written to, and what is said then. */
interface Kept extends Pick<Intended, "inputs"> {
  readonly use: Pick<TargetUse, "inputHint">;
}

/**
 * Makes sure that a file which is to be replaced, or written, is none of the inputs. That there is none yet is fine.
 *
 * @throws {RegrainError} `TARGET_IS_INPUT`.
 */
export function requireNoInputAt(path: string, kept: Kept, io: Pick<Io, "stat" | "openSource">): void {
  if (kept.inputs.length === 0) return;
  const kind = io.stat(path)?.kind;
  if (kind !== "file" && kind !== "device") return;
  requireNoInput([identityAt(path, io)], { path, ...kept }, io);
}

function requireNoInput(
  identities: readonly Identity[],
  { path, inputs, use }: Kept & { path: string },
  io: Pick<Io, "openSource">,
): void {
  for (const input of inputs) {
    const identity = identityAt(input, io);
    if (!identities.some((target) => sameStorage(target, identity))) continue;
    throw new RegrainError("TARGET_IS_INPUT", `the target is the same file as the input ${input}`, {
      path,
      hint: use.inputHint,
    });
  }
}

function identityAt(path: string, io: Pick<Io, "openSource">): Identity {
  const source = io.openSource(path);
  try {
    return source.identity;
  } finally {
    source.close();
  }
}

/**
 * Makes sure that a file is not made, or replaced, among the objects of the repository that is read.
 *
 * @param repository Folder of the repository, or where else it is.
 * @throws {RegrainError} `TARGET_IS_INPUT`.
 */
export function requireOutside(path: string, repository: string, io: Pick<Io, "nameFile">): void {
  if (/^[a-z\d]+:\/\//i.test(repository)) return;
  if (!isWithin(io.nameFile(path).path, io.nameFile(repository).path)) return;
  throw new RegrainError("TARGET_IS_INPUT", "it is inside the repository that the disk is read from", {
    path,
    hint: "name a file in another folder",
  });
}
