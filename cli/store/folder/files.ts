/** What a folder store does to files and folders, with the errors of stores. */
import { RegrainError } from "../../../core-as/host/errors.ts";

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
  return await guard(path, "stat", async () => {
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
    if (error instanceof Deno.errors.AlreadyExists) return false;
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
  return await guard(path, "stat", async () => {
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
  return await guard(path, "stat", async () => {
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
  const end = await guard(path, "stat", async () => {
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

/**
 * Writes a new file; when this returns, its bytes are durable.
 *
 * @returns false where the file system does not know when they are.
 */
export async function writeDurably(
  path: string,
  bytes: Uint8Array,
  { file: mode }: Rights = OWNERS,
): Promise<boolean> {
  using file = await Deno.open(path, { write: true, createNew: true, mode });
  if (mode !== OWNERS.file) await Deno.chmod(path, mode);
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
  return await sync(file);
}

/** @returns false where there is no such thing. */
async function sync(file: Deno.FsFile): Promise<boolean> {
  try {
    await file.sync();
    return true;
  } catch (error) {
    if (!isUnsyncable(error)) throw error;
    return false;
  }
}

/** EINVAL, ENOTTY, ENOSYS, ENOTSUP: older CIFS says so of folders, some file systems in user space of everything. */
function isUnsyncable(error: unknown): boolean {
  return error instanceof Error && /\(os error (?:22|25|38|45|95)\)/.test(error.message);
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

/** True when anything has that name. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw explain(path, "stat", error);
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

/** A new name is durable when its folder is. @returns false where the file system does not know when that is. */
export async function syncFolder(path: string): Promise<boolean> {
  const slash = path.lastIndexOf("/");
  const folder = slash < 0 ? "." : path.slice(0, slash) || "/";
  return await guard(folder, "sync", async () => {
    try {
      using opened = await Deno.open(folder, { read: true });
      return await sync(opened);
    } catch (error) {
      // Windows opens no folders; there the file's own sync must do.
      if (!(error instanceof Deno.errors.IsADirectory) && Deno.build.os !== "windows") throw error;
      return true;
    }
  });
}

/** True when an error says that there is nothing of that name. */
export function isAbsent(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}

/** Runs an operation, and names its error by a code of ours. */
export async function guard<T>(path: string, operation: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw explain(path, operation, cause);
  }
}

function explain(path: string, operation: string, cause: unknown): unknown {
  if (!(cause instanceof Error) || cause instanceof RegrainError) return cause;
  const detail = { path, cause };
  if (cause instanceof Deno.errors.NotCapable || cause instanceof Deno.errors.PermissionDenied) {
    const isAnothers = cause instanceof Deno.errors.PermissionDenied;
    return new RegrainError("PERMISSION", `${operation} is not allowed (${cause.message})`, {
      ...detail,
      ...isAnothers ? { hint: ANOTHERS } : {},
    });
  }
  if (/os error (28|122)\b/.test(cause.message)) {
    return new RegrainError("NO_SPACE", `${operation} failed: no space left`, {
      ...detail,
      hint: `make room there (${USED_UP}), and run it again; ${NEEDED_BY_NOBODY}`,
    });
  }
  const [, errno] = /os error (18|30)\b/.exec(cause.message) ?? [];
  const hint = errno === "18" ? LINKED_ELSEWHERE : READ_ONLY;
  return new RegrainError("STORE_FAILED", `${operation} failed (${cause.message})`, {
    ...detail,
    ...errno === undefined ? {} : { hint },
  });
}
