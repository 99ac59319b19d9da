/**
 * The one way to write a small file, so that a power loss at any moment leaves what was there or what is new, whole:
 * under another name in the same folder, made durable, put in place by its name, and the folder made durable.
 */
import { quotePath } from "../../core-as/host/command_line.ts";
import { RegrainError } from "../../core-as/host/errors.ts";
import { folderOf } from "../../core-as/host/names.ts";
import { hasErrno, isAbsent, isDenied, isTaken, isUnsupported } from "../deno_errors.ts";
import { type AttributeCopier, takeOver } from "./attributes.ts";
import { PRIVATE_MODE } from "./rights.ts";
import { translated, translating, translatingLater, unlessAbsent } from "./translate.ts";

/** What a new file may be read by, where nothing in it is of a guest. */
const DEFAULT_MODE = 0o644;

/**
 * Replaces a small file as a whole.
 *
 * @param mode Rights of the file; without it those of the one that is there, or what everybody may read.
 * @throws {RegrainError} `NO_SPACE`, `WRITE_FAILED`, `PERMISSION`; the old file stands then.
 */
export function replaceFile(path: string, bytes: Uint8Array, mode?: number): void {
  const temporary = writeBeside(path, bytes, mode ?? modeOf(path));
  orRemove(temporary, () => renameDurably(temporary, path));
}

/**
 * Makes a small file under a name that nothing has.
 *
 * @throws {RegrainError} `TARGET_UNSUITABLE` when something is there, or came to be there meanwhile, which stays as it
 * is; else as {@link replaceFile}.
 */
export function writeNewFile(path: string, bytes: Uint8Array, mode = PRIVATE_MODE): void {
  if (isThere(path)) throw isThereAlready(path);
  const temporary = writeBeside(path, bytes, mode);
  orRemove(temporary, () => {
    try {
      Deno.linkSync(temporary, path);
    } catch (cause) {
      if (isTaken(cause) || isThere(path)) throw isThereAlready(path);
      if (!cannotLink(cause)) throw translated({ operation: "save", path }, cause);
      return renameDurably(temporary, path);
    }
    removeIfThere(temporary);
    syncFolderOf(path);
  });
}

function isThere(path: string): boolean {
  return unlessAbsent({ operation: "look up", path }, () => Deno.lstatSync(path)) !== undefined;
}

/** FAT and some network file systems have no second names of a file. */
function cannotLink(error: unknown): boolean {
  return isDenied(error) || isUnsupported(error);
}

export function isThereAlready(path: string): RegrainError {
  return new RegrainError("TARGET_UNSUITABLE", "the file exists already, and is not overwritten", {
    path,
    hint: "give another name",
  });
}

/**
 * Replaces the content of a small file, and nothing else of it: see {@link Io.rewriteFile}.
 *
 * @param path Without symbolic links.
 * @param copy Takes over what only the system can.
 */
export function rewriteFile(path: string, bytes: Uint8Array, copy: AttributeCopier): void {
  const temporary = writeBeside(path, bytes, modeOf(path));
  if (orRemove(temporary, () => takeOver(path, temporary, copy))) {
    orRemove(temporary, () => renameDurably(temporary, path));
  } else overwrite(path, bytes, temporary);
}

/** Writes a file in place. Until that is durable the new content stays beside it, for the case of a power loss. */
function overwrite(path: string, bytes: Uint8Array, copy: string): void {
  const operation = "save";
  using file = orRemove(
    copy,
    () => translating({ operation, path }, () => Deno.openSync(path, { write: true })),
  );
  try {
    writeAll(file, bytes);
    file.truncateSync(bytes.length);
    file.syncSync();
  } catch (cause) {
    const error = translated({ operation, path }, cause);
    if (!(error instanceof RegrainError)) throw error;
    throw error.withHint(`what it was to hold is in ${copy}: copy that over it`);
  }
  removeIfThere(copy);
  syncFolderOf(path);
}

/**
 * Makes a durable file of the new content beside the old one.
 *
 * @param mode Exactly its rights, whatever the umask; `undefined` for those of any new file.
 */
function writeBeside(path: string, bytes: Uint8Array, mode: number | undefined): string {
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  return orRemove(
    temporary,
    () =>
      translating({ operation: "save", path: temporary, grant: folderOf(path) }, () => {
        using file = openNew(temporary, { path, mode: mode ?? DEFAULT_MODE });
        if (mode !== undefined) setExactly(temporary, file, mode);
        writeAll(file, bytes);
        file.syncSync();
        return temporary;
      }),
  );
}

function openNew(temporary: string, { path, mode }: { path: string; mode: number }): Deno.FsFile {
  try {
    return Deno.openSync(temporary, { write: true, createNew: true, mode });
  } catch (cause) {
    if (!isAbsent(cause)) throw cause;
    const folder = folderOf(path);
    throw new RegrainError("TARGET_MISSING", `there is no folder ${folder} that it could be made in`, {
      path,
      cause,
      hint: `mkdir -p ${quotePath(folder)}, or name another file`,
    });
  }
}

/** Where rights cannot be set, the file has those it was made with, or fewer. */
function setExactly(path: string, file: Deno.FsFile, mode: number): void {
  const found = file.statSync().mode;
  if (found === null || (found & 0o777) === mode) return;
  try {
    Deno.chmodSync(path, mode);
  } catch (error) {
    if (!isDenied(error) && !isUnsupported(error)) throw error;
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}

function orRemove<T>(temporary: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    removeIfThere(temporary);
    throw error;
  }
}

/** Gives a file another name, in the place of what has it, and returns when that is durable. */
export function renameDurably(from: string, to: string): void {
  translating({ operation: "rename", path: to }, () => Deno.renameSync(from, to));
  syncFolderOf(to);
}

/** Removes a file; that it is gone already is fine. */
export function removeIfThere(path: string): void {
  unlessAbsent({ operation: "remove", path }, () => Deno.removeSync(path));
}

/** `undefined` where there is no file, or files have no rights. */
function modeOf(path: string): number | undefined {
  const mode = unlessAbsent({ operation: "look up", path }, () => Deno.statSync(path))?.mode;
  return mode == null ? undefined : mode & 0o777;
}

/**
 * A new name is durable when its folder is; where the folder may not be opened, or its file system has no fsync of
 * folders, the file's own fsync must do.
 */
export function syncFolderOf(path: string): void {
  const folder = folderOf(path);
  translating({ operation: "flush", path: folder }, () => {
    let opened: Deno.FsFile;
    try {
      opened = Deno.openSync(folder, { read: true });
    } catch (error) {
      if (cannotBeOpened(error)) return;
      throw error;
    }
    using file = opened;
    try {
      file.syncSync();
    } catch (error) {
      if (!isUnsupported(error)) throw error;
    }
  });
}

/** Deno may not, the user may not, or no program can: on Windows. */
function cannotBeOpened(error: unknown): boolean {
  return isDenied(error) || hasErrno(error, "EISDIR") || Deno.build.os === "windows";
}

/** For stores, which write many files at once, each of them up to 64 MiB. */
export const later = {
  /**
   * Writes a new file; when this returns, its bytes are durable. Its name is so by {@link later.syncFolderOf}.
   *
   * @returns false where the file system does not tell when they are.
   */
  async write(path: string, bytes: Uint8Array, mode: number): Promise<boolean> {
    using file = await Deno.open(path, { write: true, createNew: true, mode });
    // The umask takes nothing from the owner.
    if (mode !== PRIVATE_MODE) await Deno.chmod(path, mode);
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    return await syncLater(file);
  },

  rename: (from: string, to: string): Promise<void> => Deno.rename(from, to),

  /**
   * Gives a file a second name, unless something has it.
   *
   * @returns false when something has it. Where there are no second names the file is renamed, and of two that do so
   * at once the last has its way.
   */
  async linkOnce(from: string, to: string): Promise<boolean> {
    try {
      await Deno.link(from, to);
    } catch (cause) {
      if (isTaken(cause) || await later.exists(to)) return false;
      if (!cannotLink(cause)) throw cause;
      await Deno.rename(from, to);
    }
    return true;
  },

  /** True when anything has that name. */
  async exists(path: string): Promise<boolean> {
    try {
      await Deno.lstat(path);
      return true;
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  },

  /** See {@link syncFolderOf}. @returns false where the file system does not tell when the name is durable. */
  syncFolderOf(path: string): Promise<boolean> {
    const folder = folderOf(path);
    return translatingLater({ operation: "flush", path: folder }, async () => {
      let opened: Deno.FsFile;
      try {
        opened = await Deno.open(folder, { read: true });
      } catch (error) {
        if (cannotBeOpened(error)) return true;
        throw error;
      }
      using file = opened;
      return await syncLater(file);
    });
  },
};

/** Older CIFS has no fsync of folders, some file systems in user space have none of anything. */
async function syncLater(file: Deno.FsFile): Promise<boolean> {
  try {
    await file.sync();
    return true;
  } catch (error) {
    if (!isUnsupported(error)) throw error;
    return false;
  }
}
