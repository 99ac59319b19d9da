/**
 * Files that must survive a power loss: undo files and journals. Undo files and journals are
 * written in large pieces, so that files of Deno and Node do: their fsync is the same system call.
 */
import { RegrainError } from "../../core-as/host/errors.ts";
import { type AttributeCopier, takeOver } from "./attributes.ts";
import { nodeFs, PRIVATE_MODE, type RightsOf, takeRights } from "./rights.ts";

/** A small file, or a growing one, that is written at any place and synced on demand. */
export interface LogFile {
  readonly path: string;
  /** @throws {RegrainError} `NO_SPACE`, `WRITE_FAILED`; a part of the bytes may stand in the file then. */
  write(offsetBytes: number, bytes: Uint8Array): void;
  /** Returns when everything written is durable. */
  sync(): void;
  close(): void;
}

export interface LogOptions {
  /** True makes a new one, false opens one that is there. */
  readonly create: boolean;
  /** Files that hold the same bytes: a new one takes their owner and rights. */
  readonly like?: readonly string[];
}

/**
 * Opens a log file. A new one is its owner's alone until it has the rights of the files that it is like.
 *
 * @param hasAcl Whether a list of access control belongs to a file; nobody knows where the system is not asked.
 * @throws {RegrainError} `TARGET_UNSUITABLE` when a new one stands there already, `PERMISSION`, `OPEN_FAILED`.
 */
export function openLogFile(
  path: string,
  { create, like = [] }: LogOptions,
  hasAcl: RightsOf["hasAcl"] = () => false,
): LogFile {
  const fs = nodeFs();
  const fd = openOrExplain(path, create);
  try {
    if (create) {
      guard(path, "open", () => takeRights(fd, { paths: like, hasAcl }));
      syncFolder(path);
    }
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
  return {
    path,
    write(offsetBytes, bytes) {
      guard(path, "write", () => {
        for (let at = 0; at < bytes.length;) {
          at += fs.writeSync(fd, bytes, at, bytes.length - at, offsetBytes + at);
        }
      });
    },
    sync: () => guard(path, "sync", () => fs.fsyncSync(fd)),
    close: () => fs.closeSync(fd),
  };
}

function openOrExplain(path: string, create: boolean): number {
  const fs = nodeFs();
  const { O_WRONLY, O_CREAT, O_EXCL } = fs.constants;
  try {
    return fs.openSync(path, create ? O_WRONLY | O_CREAT | O_EXCL : O_WRONLY, PRIVATE_MODE);
  } catch (cause) {
    if (codeOf(cause) === "EEXIST") {
      throw new RegrainError("TARGET_UNSUITABLE", "the file exists already, and is not overwritten", {
        path,
        cause,
      });
    }
    throw explain(path, "open", cause);
  }
}

/**
 * Replaces a small file as a whole: written beside it, made durable, put in place by rename.
 *
 * @throws {RegrainError} `NO_SPACE`, `WRITE_FAILED`, `PERMISSION`; the old file stands then.
 */
export function replaceFile(path: string, bytes: Uint8Array, mode = modeOf(path)): void {
  const temporary = writeBeside(path, bytes, mode);
  renameInto(temporary, path);
}

/**
 * Replaces the content of a small file, and nothing else of it: see {@link Io.rewriteFile}.
 *
 * @param path Without symbolic links.
 * @param copy Takes over what only the system can.
 */
export function rewriteFile(path: string, bytes: Uint8Array, copy: AttributeCopier): void {
  const temporary = writeBeside(path, bytes, modeOf(path));
  let isSuccessor: boolean;
  try {
    isSuccessor = takeOver(path, temporary, copy);
  } catch (error) {
    removeIfThere(temporary);
    throw error;
  }
  if (isSuccessor) renameInto(temporary, path);
  else overwrite(path, bytes, temporary);
}

/** Writes a file in place. Until that is durable the new content stays beside it, for the case of a power loss. */
function overwrite(path: string, bytes: Uint8Array, copy: string): void {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { write: true });
  } catch (cause) {
    removeIfThere(copy);
    throw explain(path, "open", cause);
  }
  try {
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    file.truncateSync(bytes.length);
    file.syncSync();
  } catch (cause) {
    const error = explain(path, "write", cause);
    if (!(error instanceof RegrainError)) throw error;
    throw error.withHint(`what it was to hold is in ${copy}: copy that over it`);
  } finally {
    file.close();
  }
  removeIfThere(copy);
  syncFolder(path);
}

/** Makes a durable file of the new content beside the old one. */
function writeBeside(path: string, bytes: Uint8Array, mode: number): string {
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    guard(temporary, "write", () => {
      using file = Deno.openSync(temporary, { write: true, createNew: true, mode });
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      file.syncSync();
    });
    return temporary;
  } catch (error) {
    removeIfThere(temporary);
    throw error;
  }
}

function renameInto(temporary: string, path: string): void {
  try {
    guard(path, "rename", () => Deno.renameSync(temporary, path));
  } catch (error) {
    removeIfThere(temporary);
    throw error;
  }
  syncFolder(path);
}

/** Removes a file; that it is gone already is fine. */
export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** When a file was changed last; a device needs more permissions to be asked than the answer is worth. */
export function modifiedMs(path: string): number | undefined {
  try {
    return Deno.statSync(path).mtime?.getTime();
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

const DEFAULT_MODE = 0o644;

function modeOf(path: string): number {
  try {
    return (Deno.statSync(path).mode ?? DEFAULT_MODE) & 0o777;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return DEFAULT_MODE;
    throw error;
  }
}

/**
 * A new name is durable when its folder is; where Deno may not open the folder, or its file system has no fsync of
 * folders (older CIFS, some in user space), the file's own fsync must do.
 */
function syncFolder(path: string): void {
  const slash = path.lastIndexOf("/");
  try {
    using folder = Deno.openSync(slash < 0 ? "." : slash === 0 ? "/" : path.slice(0, slash), { read: true });
    folder.syncSync();
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.IsADirectory) return;
    if (!(error instanceof Error) || !/\(os error (?:22|25|38|45|95)\)/.test(error.message)) {
      throw explain(path, "sync", error);
    }
  }
}

function guard(path: string, operation: string, action: () => void): void {
  try {
    action();
  } catch (cause) {
    throw explain(path, operation, cause);
  }
}

function explain(path: string, operation: string, cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  const detail = { path, cause };
  const isDenied = cause instanceof Deno.errors.NotCapable || cause instanceof Deno.errors.PermissionDenied;
  const code = codeOf(cause);
  if (isDenied || code === "EACCES" || code === "EPERM") {
    return new RegrainError("PERMISSION", `${operation} is not allowed (${cause.message})`, detail);
  }
  if (code === "ENOSPC" || code === "EDQUOT" || /os error (28|122)\b/.test(cause.message)) {
    return new RegrainError("NO_SPACE", `${operation} failed: no space left`, detail);
  }
  const failed = operation === "open" ? "OPEN_FAILED" : "WRITE_FAILED";
  return new RegrainError(failed, `${operation} failed (${cause.message})`, detail);
}

/** The name of the error number, where Deno or Node hand it on. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
