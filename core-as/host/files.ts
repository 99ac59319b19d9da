/**
 * The files around, as the core sees them: it asks by path, and knows no file system.
 *
 * This module is browser compatible.
 */
import type { MaybePromise, Source } from "./source.ts";

/** The files around: a folder tree in the command line, what was dropped in the page. */
export interface Files {
  /** @throws {RegrainError} `NOT_FOUND`, `NOT_A_DISK` for a folder, `OPEN_FAILED`, `PERMISSION`. */
  open(path: string): MaybePromise<Source>;
  exists(path: string): MaybePromise<boolean>;
  /** The path with symbolic links resolved. */
  realPath(path: string): MaybePromise<string>;
  /** Names in a folder, in no order; `undefined` where the folder cannot be read. */
  list(folder: string): MaybePromise<readonly string[] | undefined>;
}
