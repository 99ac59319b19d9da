/**
 * Files that are opened within bounds by default.
 *
 * This module is browser compatible.
 */
import type { Bounds, Files } from "./files.ts";

/** The same files, where all that is opened without bounds of its own has these. */
export function boundedFiles(files: Files, bounds: Bounds | undefined): Files {
  if (bounds === undefined) return files;
  return {
    open: (path, own) => files.open(path, own ?? bounds),
    exists: (path) => files.exists(path),
    realPath: (path) => files.realPath(path),
    list: (folder) => files.list(folder),
  };
}

/** The same context, for opening a file of which only its name in another one is known. */
export function boundedContext<C extends { readonly files: Files }>(
  context: C,
  bounds: Bounds | undefined,
): C {
  return bounds === undefined ? context : { ...context, files: boundedFiles(context.files, bounds) };
}
