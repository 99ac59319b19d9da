/** Whether a file can be made or written under a name, and how much there is room for: known without making it. */
import { folderOf } from "../../core-as/host/names.ts";
import { errnoOf, hasErrno, isForbidden } from "../deno_errors.ts";
import { cString, type Libc, STATFS_BYTES } from "./libc.ts";
import type { LinuxSystem } from "./linux_system.ts";
import type { Room } from "./types.ts";

/** `access(2)`: may be written; may be written and searched, as a folder must to make a file in it. */
const W_OK = 2;
const W_AND_X_OK = 3;

/** By libc. */
export function roomByLibc(path: string, libc: Libc, system: LinuxSystem): Room {
  const folder = folderOf(path);
  const found = system.status(path);
  const where = found ? path : folder;
  const status = found ?? system.status(folder);
  if (status === undefined) return { obstacle: system.errno, freeBytes: undefined };
  const wrongKind = kindObstacle(status.kind, found !== undefined);
  if (wrongKind !== undefined) return { obstacle: wrongKind, freeBytes: undefined };
  const allowed = libc.access(cString(where), found ? W_OK : W_AND_X_OK) === 0;
  return { obstacle: allowed ? undefined : libc.errno(), freeBytes: freeByLibc(folder, libc) };
}

/** `struct statfs`: size of a block at byte 8, blocks that are free for everybody at byte 32. */
function freeByLibc(folder: string, libc: Libc): number | undefined {
  const status = new BigInt64Array(STATFS_BYTES / 8);
  if (libc.statfs(cString(folder), status) < 0) return undefined;
  return Number(status[1]! * status[4]!);
}

/** By Deno's own calls: who may write is not foreseen, and free space only where Deno may ask the system. */
export function roomByDeno(path: string): Room {
  const folder = folderOf(path);
  try {
    const found = statOrAbsent(path);
    const status = found ?? Deno.statSync(folder);
    const kind = status.isDirectory ? "directory" : status.isFile ? "file" : "other";
    return { obstacle: kindObstacle(kind, found !== undefined), freeBytes: freeByDeno(folder) };
  } catch (error) {
    const obstacle = errnoOf(error);
    if (obstacle === undefined && !isForbidden(error)) throw error;
    return { obstacle, freeBytes: undefined };
  }
}

function statOrAbsent(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

function freeByDeno(folder: string): number | undefined {
  if (Deno.permissions.querySync({ name: "sys" }).state !== "granted") return undefined;
  const { bavail, bsize } = process.getBuiltinModule("node:fs").statfsSync(folder);
  return bavail * bsize;
}

/** The file must be one, and what it is in a folder. */
function kindObstacle(kind: "file" | "directory" | "device" | "other", isFound: boolean): string | undefined {
  if (isFound) return kind === "directory" ? "EISDIR" : kind === "file" ? undefined : "EINVAL";
  return kind === "directory" ? undefined : "ENOTDIR";
}
