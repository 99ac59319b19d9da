/** What a folder store does to files and folders, with the errors of stores. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import { hasErrno, isAbsent, isDenied, isForbidden, isFull, isTaken } from "../../deno_errors.ts";
import type { Operation } from "../../io/errno.ts";
import { translated } from "../../io/translate.ts";

/** Rights of what is made. */
export interface Rights {
  readonly folder: number;
  readonly file: number;
}

const OWNERS: Rights = { folder: 0o700, file: 0o600 };
const GROUP_READS = 0o040;
const GROUP_WRITES = 0o020;
/** Among them that what is made in a folder is its group's. */
const SPECIAL_BITS = 0o7000;

const ANOTHERS =
  "another user may own it; the owner of a repository lets a group in by chgrp -R GROUP REPO, chmod -R g+rwX REPO " +
  "and find REPO -type d -exec chmod g+s {} +, and what is stored from then on is the group's too";
const USED_UP = "df and df -i tell what is used up: bytes, or files; a quota may be, too";

const READ_ONLY =
  "the file system takes no writes: mount -o remount,rw, or see why it was made read-only; snapshots, verify and " +
  "restore work as it is";

const NEEDED_BY_NOBODY =
  "regrain gc removes what runs that failed had stored, and what snapshots needed that regrain prune removed";

const LINKED_ELSEWHERE =
  "a link in the repository leads to another file system, and an object is put in its place by a rename: mount that " +
  "file system there instead of linking to it (mount --bind), or move the whole repository";

/** What stands in a folder; nothing where there is none. */
export async function entriesOf(path: string): Promise<Deno.DirEntry[]> {
  return await guard(path, "list", async () => {
    try {
      return await Array.fromAsync(Deno.readDir(path));
    } catch (error) {
      if (isAbsent(error)) return [];
      throw error;
    }
  });
}

/**
 * The rights of what is made in a repository: its owner's alone. Where the owner has opened `repo.json` to the group,
 * the group has them too, or what one user stores could not even be listed by the others; nobody else ever has.
 */
export async function rightsIn(root: string): Promise<Rights> {
  const mode = await modeOf(`${root}/repo.json`);
  if ((mode & GROUP_READS) === 0) return OWNERS;
  return { folder: 0o750 | await modeOf(root) & GROUP_WRITES, file: 0o640 };
}

/** 0 where there is nothing, or no rights. */
async function modeOf(path: string): Promise<number> {
  return await guard(path, "look up", async () => {
    try {
      return (await Deno.stat(path)).mode ?? 0;
    } catch (error) {
      if (isAbsent(error)) return 0;
      throw error;
    }
  });
}

/** Makes a folder. @returns false when it was there already. */
export async function makeOne(path: string, { folder: mode }: Rights = OWNERS): Promise<boolean> {
  try {
    await Deno.mkdir(path, { mode });
    if (mode !== OWNERS.folder) await Deno.chmod(path, await modeOf(path) & SPECIAL_BITS | mode);
    return true;
  } catch (error) {
    if (isTaken(error)) return false;
    throw error;
  }
}

/** What tells a folder from another under the same name. */
export type FolderIdentity = Pick<Deno.FileInfo, "dev" | "ino">;

/**
 * @returns `undefined` when there is nothing.
 * @throws {RegrainError} `USAGE` when it is a file.
 */
export async function identityOf(path: string): Promise<FolderIdentity | undefined> {
  return await guard(path, "look up", async () => {
    try {
      const status = await Deno.stat(path);
      if (status.isDirectory) return status;
      throw new RegrainError("USAGE", "is a file, and a repository is in a folder or a bucket", {
        path,
        hint: "name a folder, one that is there or a new one, or s3://bucket/prefix",
      });
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  });
}

/** True for a symbolic link, wherever it leads. */
export async function isLink(path: string): Promise<boolean> {
  return await guard(path, "look up", async () => {
    try {
      return (await Deno.lstat(path)).isSymlink;
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  });
}

/**
 * What a link inside of the store leads to.
 *
 * @throws {RegrainError} `STORE_FAILED` when it leads nowhere, such as to what is not mounted, since the objects there
 * would seem to be gone; and when it leads back to a folder above it, since a listing would never end.
 */
export async function followed(
  root: string,
  key: string,
): Promise<Pick<Deno.FileInfo, "isDirectory" | "isFile">> {
  const path = `${root}/${key}`;
  const end = await guard(path, "look up", async () => {
    try {
      return await Deno.stat(path);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  });
  if (end === undefined) {
    throw new RegrainError("STORE_FAILED", "is a link that leads nowhere", {
      path,
      hint: "is what it leads to not mounted? A link that is not needed is to be removed",
    });
  }
  if (!end.isDirectory) return end;
  for (let above = key; above !== "";) {
    above = above.slice(0, Math.max(0, above.lastIndexOf("/")));
    const { dev, ino } = await identityOf(`${root}/${above}`) ?? {};
    if (dev !== end.dev || ino !== end.ino) continue;
    throw new RegrainError("STORE_FAILED", "is a link to a folder above it", {
      path,
      hint: "remove the link: no object is in its place there",
    });
  }
  return end;
}

/** Reads a file that must not become shorter meanwhile. */
export async function readWhole(
  file: Deno.FsFile,
  due: { size: number; path: string },
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(due.size);
  for (let at = 0; at < due.size;) {
    const count = await file.read(bytes.subarray(at));
    if (count === null) {
      throw new RegrainError("STORE_FAILED", `became shorter while it was read`, {
        path: due.path,
        offsetBytes: at,
      });
    }
    at += count;
  }
  return bytes;
}

/** Removes a file. @returns whether it was there, and was written before that time. */
export async function removeIfOlder(path: string, beforeMs: number): Promise<boolean> {
  try {
    const { mtime } = await Deno.stat(path);
    if (mtime === null || mtime.getTime() > beforeMs) return false;
    await Deno.remove(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

/** Removes a file; that it is gone already is fine. */
export async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
}

/** Runs an operation; its error has the code of a store that fails, of a right that is missing, or of a full one. */
export async function guard<T>(path: string, operation: Operation, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    const error = translated({ operation, path, otherwise: "STORE_FAILED" }, cause);
    const hint = hintOf(cause);
    throw error instanceof RegrainError && hint !== undefined ? error.withHint(hint) : error;
  }
}

/** What helps, as far as only a repository knows it. */
function hintOf(cause: unknown): string | undefined {
  if (isDenied(cause) && !isForbidden(cause)) return ANOTHERS;
  if (isFull(cause)) return `make room there (${USED_UP}), and run it again; ${NEEDED_BY_NOBODY}`;
  if (hasErrno(cause, "EROFS")) return READ_ONLY;
  return hasErrno(cause, "EXDEV") ? LINKED_ELSEWHERE : undefined;
}
