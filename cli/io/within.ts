/** Whether what was opened for a name in a file is within its bounds. */
import type { Bounds } from "../../core-as/host/files.ts";
import { RegrainError } from "../../core-as/host/errors.ts";
import { isWithin } from "../../core-as/host/names.ts";
import type { FileStatus, Identity } from "./types.ts";

/** What is open, by its descriptor as far as the system tells. */
export interface Found {
  readonly kind: FileStatus["kind"];
  /** Where it lies, without symbolic links; `undefined` where the system does not tell. */
  readonly real: string | undefined;
  /** Names that the file has; 1 for most. */
  readonly links: number;
  /** User id of its owner; `undefined` where there are none. */
  readonly owner: number | undefined;
}

/** @throws {RegrainError} what the bounds say. */
export function requireWithin(found: Found, bounds: Bounds, owners: Owners): void {
  const { kind, real, links, owner } = found;
  if (real === undefined) {
    throw bounds.refused({ reason: "leads to where the system does not tell (is /proc there?)" });
  }
  if (!bounds.folders.some((folder) => isWithin(real, folder))) {
    throw bounds.refused({ reason: "is a link to another folder", real });
  }
  if (bounds.holder === undefined) return;
  if (kind === "device") throw bounds.refused({ reason: "is a block device" });
  // Nothing tells a hard link from the first name of a file. A file of one's own may be linked as one likes.
  if (links > 1 && owner !== undefined && owner !== owners.of(bounds.holder)) {
    throw bounds.refused({ reason: `is a hard link to a file of another user (uid ${owner})` });
  }
}

/** Who owned each file when it was opened. */
export class Owners {
  readonly #owners = new Map<string, number>();

  note(path: string, owner: number | undefined): void {
    if (owner === undefined) return;
    const before = this.#owners.get(path) ?? owner;
    // Of two files under one name nobody knows which one held a name.
    this.#owners.set(path, before === owner ? owner : NaN);
  }

  of(path: string): number | undefined {
    return this.#owners.get(path);
  }
}

/**
 * Refuses what is not the very file that was judged before.
 *
 * @param judged `undefined`: nothing was.
 */
export function requireJudged(open: Identity, judged: Identity | undefined, path: string): void {
  if (judged === undefined || isSame(open, judged)) return;
  throw new RegrainError("OPEN_FAILED", "it was replaced while it was opened", {
    path,
    hint: "see who else can write to its folder, then run it again",
  });
}

/** Where a system has no numbers for its files, they are NaN, and tell nothing. */
export function isSame(a: Identity, b: Identity): boolean {
  if (a.rdev !== undefined && b.rdev !== undefined) return a.rdev === b.rdev;
  const pairs = [[a.device, b.device], [a.inode, b.inode]] as const;
  return (a.rdev === b.rdev) && pairs.every(([x, y]) => x === y || Number.isNaN(x) || Number.isNaN(y));
}
