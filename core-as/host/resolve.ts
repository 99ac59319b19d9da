/**
 * Which file a name in a descriptor means.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "./errors.ts";
import type { Files } from "./files.ts";
import { candidates, folderOf, isWithin, type SearchOptions } from "./names.ts";

/** Where names may lead, and what is there. */
export interface Surroundings {
  readonly files: Files;
  readonly names: SearchOptions;
}

/**
 * The file that a name in `holder` means.
 *
 * @throws {RegrainError} `OUTSIDE_FOLDER` when it could only be found where names must not lead, `NOT_FOUND`.
 */
export async function resolveName(
  name: string,
  holder: string,
  surroundings: Surroundings,
  what: "extent" | "parent",
): Promise<string> {
  const { files, names } = surroundings;
  const { paths, outside } = candidates(name, holder, names);
  const here = await files.realPath(folderOf(holder));
  for (const path of paths) {
    if (!(await files.exists(path))) continue;
    if (names.allowOutside || names.search.some((folder) => isWithin(path, folder))) return path;
    if (isWithin(await files.realPath(path), here)) return path;
    throw outsideFolder(name, holder, { path, what, reason: "is a link to another folder" });
  }
  if (outside !== undefined) {
    throw outsideFolder(name, holder, { path: outside, what, reason: "is in another folder" });
  }
  throw new RegrainError("NOT_FOUND", `the ${what} "${name}" is not there (looked at ${paths.join(", ")})`, {
    path: holder,
    hint: "put it beside the file that names it, or name its folder with --search DIR",
  });
}

function outsideFolder(
  name: string,
  holder: string,
  at: { path: string; what: string; reason: string },
): RegrainError {
  return new RegrainError("OUTSIDE_FOLDER", `the ${at.what} "${name}" ${at.reason} and is not followed`, {
    path: holder,
    hint: `if that is right: --search ${folderOf(at.path)}, or --allow-outside`,
  });
}
