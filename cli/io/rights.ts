/**
 * Who may read the files that hold bytes of a guest. A disk image, what was saved of one, and what is half written of
 * one hold password files, keys and databases of the guest: nobody but their owner reads them unless the user says so.
 *
 * Rights are set on the open file, never by its name: in a folder that others may write to, the name may lead to
 * another file by then.
 */
import { isAbsent, isDenied, isUnsupported } from "../deno_errors.ts";
import { translated } from "./translate.ts";

/** Rights of every new file with bytes of a guest. */
export const PRIVATE_MODE = 0o600;
/** Folders in which such files are made. */
export const PRIVATE_FOLDER_MODE = 0o700;

/** Deno's own files cannot be asked to do this by their descriptors; those of Node can. */
export function nodeFs(): typeof import("node:fs") {
  return process.getBuiltinModule("node:fs");
}

/**
 * Gives a file exactly these rights, whatever the umask.
 *
 * @param identity What it is known by: a name that leads elsewhere by now is refused.
 * @throws {RegrainError} `PERMISSION`, `TARGET_CHANGED`.
 */
export function setMode(
  path: string,
  { identity, mode }: { identity: { device: number; inode: number }; mode: number },
): void {
  const fs = nodeFs();
  const { O_RDONLY, O_NOFOLLOW = 0 } = fs.constants;
  try {
    const fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW);
    try {
      const status = fs.fstatSync(fd);
      const isOther = [identity.device, identity.inode].every(Number.isFinite) &&
        (status.dev !== identity.device || status.ino !== identity.inode);
      if (isOther) throw Object.assign(new Error("another file is there now"), { code: "ESTALE" });
      if ((status.mode & 0o7777) !== mode) fs.fchmodSync(fd, mode);
    } finally {
      fs.closeSync(fd);
    }
  } catch (cause) {
    throw translated({ operation: "set rights", path }, cause);
  }
}

/** What the rights of a new file are taken from. */
export interface RightsOf {
  /** Files that hold the same bytes. */
  readonly paths: readonly string[];
  /** True where a list of access control says more than the mode, of which group bits mean something else then. */
  readonly hasAcl: (path: string) => boolean;
}

/**
 * Gives an open file the owner and the rights of others: the least of them, where they differ. Where the owner cannot
 * be given it stays the file of whoever made it, and nobody else's.
 */
export function takeRights(fd: number, { paths, hasAcl }: RightsOf): void {
  const fs = nodeFs();
  const others = paths.map(ownerAndMode);
  const [first] = others;
  if (first === undefined) return;
  let mode = 0o666;
  for (const [i, other] of others.entries()) {
    if (other === undefined || other.uid !== first.uid || other.gid !== first.gid) return;
    mode &= other.mode;
    if (hasAcl(paths[i]!)) mode &= 0o606;
  }
  const own = fs.fstatSync(fd);
  try {
    if (own.uid !== first.uid || own.gid !== first.gid) fs.fchownSync(fd, first.uid, first.gid);
    fs.fchmodSync(fd, mode);
  } catch (error) {
    // Not everybody may give a file away, and not every file system has owners and rights.
    if (!isDenied(error) && !isUnsupported(error)) throw error;
  }
}

/** `undefined` where nobody tells. */
function ownerAndMode(path: string): { uid: number; gid: number; mode: number } | undefined {
  try {
    const { uid, gid, mode } = Deno.statSync(path);
    return uid === null || gid === null || mode === null ? undefined : { uid, gid, mode };
  } catch (error) {
    if (isAbsent(error) || isDenied(error)) return undefined;
    throw error;
  }
}
