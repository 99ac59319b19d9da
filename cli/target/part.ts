/**
 * The unfinished disk: a file of ours beside the name that it will have, which an interrupted run leaves, and which the
 * next one carries on with.
 *
 * Two things must not happen to it. Somebody who may write to the folder puts a link there, or a file of his own, and
 * the disk of a guest goes where he wants it: so it is carried on with only if it is a regular file of ours that no
 * other name leads to, as seen on the open file. And two runs write to one: so it is locked from its first byte until
 * it has its last name, and no force goes past that.
 */
import { quotePath, RegrainError } from "../../core-as/host/mod.ts";
import {
  type Identity,
  type Io,
  type LocalTarget,
  PRIVATE_MODE,
  renameDurably,
  translating,
  unlessAbsent,
} from "../io/mod.ts";

type PartIo = Pick<Io, "openTarget">;

/** What the name of a part is made of. */
export function partOf(path: string): string {
  return `${path}.part`;
}

/** An unfinished disk, open and locked. */
export class Part {
  private isOpen = true;

  constructor(
    /** The name that it has now. */
    private name: string,
    readonly target: LocalTarget,
    /** True when an earlier run wrote to it. */
    readonly isBegun: boolean,
  ) {}

  get path(): string {
    return this.name;
  }

  /**
   * Gives it another name, while it is still locked.
   *
   * @param how `mode`: the rights that it has from then on. `replace`: whether what stands there goes.
   * @throws {RegrainError} `TARGET_UNSUITABLE` when something came to be there meanwhile, `TARGET_CHANGED` when another
   *   file was put in its place, `PERMISSION`, `WRITE_FAILED`.
   */
  moveTo(path: string, { mode = PRIVATE_MODE, replace }: { mode?: number; replace: boolean }): void {
    this.target.setMode(mode);
    if (!replace && lookAt(path) !== undefined) {
      throw new RegrainError("TARGET_UNSUITABLE", "a file came to be there while the disk was written", {
        path,
        hint:
          "--force puts the disk in the place of that file; what was written is kept, and carried on with",
      });
    }
    renameDurably(this.name, path);
    this.name = path;
    const now = lookAt(path);
    if (now !== undefined && isSame(now, this.target.identity)) return;
    throw new RegrainError(
      "TARGET_CHANGED",
      "another file was put in the place of the disk that was written",
      {
        path,
        hint: "let nobody else write to this folder, and run this again",
      },
    );
  }

  /** Lets others have it. */
  close(): void {
    if (this.isOpen) this.target.close();
    this.isOpen = false;
  }
}

/** A run that ends gives its part another name between two looks of ours; more often than that is no accident. */
const MOST_LOOKS = 4;

/**
 * Opens what an earlier run has begun.
 *
 * @param file `keepsOther`: one of another size stays, since it may be what another program is fetching: `.part` is not
 *   a name of ours alone. Else it is removed.
 * @returns `undefined` when there is none, or none any more.
 * @throws {RegrainError} `TARGET_UNSUITABLE` when it is not ours, `TARGET_BUSY` when another run writes to it.
 */
export function findPart(
  path: string,
  { io, sizeBytes, keepsOther = false }: { io: PartIo; sizeBytes: number; keepsOther?: boolean },
): Part | undefined {
  for (let look = 0; look < MOST_LOOKS; look++) {
    const seen = lookAt(path);
    if (seen === undefined) return undefined;
    requireOwn(path, seen);
    const target = openUnlessGone(path, io);
    if (target === undefined) continue;
    try {
      const now = lookAt(path);
      if (now !== undefined && isSame(now, target.identity)) {
        requireOwn(path, now);
        if (target.sizeBytes === sizeBytes) {
          target.setMode(PRIVATE_MODE);
          return new Part(path, target, true);
        }
        if (keepsOther) throw ofAnotherSize(path, { foundBytes: target.sizeBytes, sizeBytes });
        // Whoever waits for the lock of this one sees that its name is gone.
        translating({ operation: "remove", path }, () => Deno.removeSync(path));
        target.close();
        return undefined;
      }
    } catch (error) {
      target.close();
      throw error;
    }
    target.close();
  }
  throw busy(path);
}

/**
 * Makes a new one.
 *
 * @throws {RegrainError} `TARGET_BUSY` when another run has just made it, and what making a file may.
 */
export function makePart(path: string, { io, sizeBytes }: { io: PartIo; sizeBytes: number }): Part {
  try {
    return new Part(path, io.openTarget(path, { create: { sizeBytes }, force: false }), false);
  } catch (error) {
    if (lookAt(path) === undefined || !(error instanceof RegrainError)) throw error;
    throw error.code === "TARGET_UNSUITABLE" ? busy(path) : error;
  }
}

function ofAnotherSize(path: string, size: { foundBytes: number; sizeBytes: number }): RegrainError {
  return new RegrainError(
    "TARGET_UNSUITABLE",
    `it has ${size.foundBytes} bytes, and the disk that would be written there has ${size.sizeBytes}: it was begun ` +
      "for another disk, or by another program",
    { path, hint: `rm ${quotePath(path)} if nobody needs it, or name another target; --force removes it` },
  );
}

function openUnlessGone(path: string, io: PartIo): LocalTarget | undefined {
  try {
    return io.openTarget(path, { force: false });
  } catch (error) {
    if (error instanceof RegrainError && error.code === "TARGET_MISSING") return undefined;
    throw error;
  }
}

function busy(path: string): RegrainError {
  return new RegrainError("TARGET_BUSY", "another run of regrain writes to this file", {
    path,
    hint:
      "wait for it to end, or name another target; --force does not help: two that write at once make a disk " +
      "of parts of both",
  });
}

/** What a name stands for, links not followed; `undefined` when that is nothing. */
function lookAt(path: string): Deno.FileInfo | undefined {
  return unlessAbsent({ operation: "look up", path }, () => Deno.lstatSync(path));
}

function isSame(seen: Deno.FileInfo, { device, inode }: Identity): boolean {
  // Where files have no numbers, the name is all there is.
  if (seen.ino === null || Number.isNaN(inode) || Number.isNaN(device)) return seen.isFile;
  return seen.dev === device && seen.ino === inode;
}

/** @throws {RegrainError} `TARGET_UNSUITABLE` when it is anything but a regular file of whoever runs this. */
function requireOwn(path: string, seen: Deno.FileInfo): void {
  const why = seen.isSymlink
    ? "it is a symbolic link"
    : !seen.isFile
    ? "it is no regular file"
    : (seen.nlink ?? 1) > 1
    ? "the file has another name too (a hard link)"
    : seen.uid !== null && seen.uid !== ownerOfNewFiles(path)
    ? "it belongs to another user"
    : undefined;
  if (why === undefined) return;
  throw new RegrainError("TARGET_UNSUITABLE", `the unfinished disk is written by this name, and ${why}`, {
    path,
    hint:
      "if nobody needs it, remove it (of a link, the link alone), and run this again; or name another target",
  });
}

/** Not always the user who runs this: a server may make all files those of one user. */
function ownerOfNewFiles(beside: string): number | null {
  const path = `${beside}.${crypto.randomUUID().slice(0, 8)}`;
  return translating({ operation: "save", path }, () => {
    using file = Deno.openSync(path, { write: true, createNew: true, mode: PRIVATE_MODE });
    try {
      return file.statSync().uid;
    } finally {
      Deno.removeSync(path);
    }
  });
}
