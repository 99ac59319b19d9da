/**
 * The files around, as the core sees them: it asks by path, and knows no file system.
 *
 * This module is browser compatible.
 */
import type { RegrainError } from "./errors.ts";
import type { MaybePromise, Source } from "./source.ts";

/**
 * What may be opened for a name that stands in a file.
 *
 * Who wrote the name may be hostile, and may change links and files between a look and the opening. So whoever opens
 * a file judges what is open, not what was there before, and these are the limits that it is judged by.
 */
export interface Bounds {
  /** Real paths of folders. What is opened lies in one of them or below, or is one of them. */
  readonly folders: readonly string[];
  /**
   * The file that holds the name. What is opened is a regular file then, and not one of another user by a hard link.
   * `undefined`: the user gave the name, and any kind is fine.
   */
  readonly holder: string | undefined;
  /**
   * The error for what is not within the bounds.
   *
   * @param found What it is, as the middle of a sentence; `real`: where it leads, when that is what speaks against it.
   */
  refused(found: { readonly reason: string; readonly real?: string }): RegrainError;
}

/** The files around: a folder tree in the command line, what was dropped in the page. */
export interface Files {
  /**
   * @param bounds What is opened must be within them; without, the user has given the name.
   * @throws {RegrainError} `NOT_FOUND`, `NOT_A_DISK` for a folder, `OPEN_FAILED`, `PERMISSION`, `OUTSIDE_FOLDER`.
   */
  open(path: string, bounds?: Bounds): MaybePromise<Source>;
  exists(path: string): MaybePromise<boolean>;
  /** The path with symbolic links resolved. */
  realPath(path: string): MaybePromise<string>;
  /** Names in a folder, in no order; `undefined` where the folder cannot be read. */
  list(folder: string): MaybePromise<readonly string[] | undefined>;
}
