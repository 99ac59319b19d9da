/** Files and block devices of this machine as sources and targets. */
import { RegrainError } from "../../core-as/host/errors.ts";
import { openLinuxIo } from "./linux.ts";
import { openPortableIo } from "./portable.ts";
import type { Io } from "./types.ts";

export { renameDurably, replaceFile, writeNewFile } from "./durable.ts";
export { isBadMedium, systemError } from "./errno.ts";
export type { LogFile } from "./log_file.ts";
export { isSameFile, type NamedFile } from "./named_file.ts";
export { PRIVATE_FOLDER_MODE, PRIVATE_MODE } from "./rights.ts";
export { translated, translating, unlessAbsent } from "./translate.ts";
export { sameStorage } from "./types.ts";
export type { FileStatus, Identity, Io, LocalSource, LocalTarget, Room, TargetOptions } from "./types.ts";

/**
 * Picks the implementation: libc through FFI where that is possible and allowed, else Deno's own files.
 *
 * @param choice The one to take; `undefined` to let this machine decide.
 * @throws {RegrainError} `UNSUPPORTED` when `linux` was asked for and cannot be had.
 */
export function pickIo(choice?: Io["name"]): Io {
  if (choice === "portable") return openPortableIo("asked for");
  const obstacle = obstacleToLinux();
  if (obstacle !== undefined) return withoutLinux(choice, obstacle);
  try {
    return openLinuxIo("libc through FFI");
  } catch (cause) {
    return withoutLinux(choice, cause instanceof Error ? cause.message : String(cause));
  }
}

function obstacleToLinux(): string | undefined {
  if (Deno.build.os !== "linux") return "not Linux";
  // A list in --allow-ffi names files, and libc is found by the loader, not by its path.
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return "no FFI permission";
  return undefined;
}

function withoutLinux(choice: Io["name"] | undefined, obstacle: string): Io {
  if (choice === undefined) return openPortableIo(obstacle);
  throw new RegrainError("UNSUPPORTED", `local I/O by libc cannot be had: ${obstacle}`, {
    hint: "run with --allow-ffi on Linux",
  });
}
