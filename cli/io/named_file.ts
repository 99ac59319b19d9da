/** Which file a name stands for, also while there is none yet. */
import { folderOf } from "../../core-as/host/names.ts";
import { hasErrno, isAbsent, isDenied, isNoText } from "../deno_errors.ts";

/** A file as its name and the system know it. */
export interface NamedFile {
  /** Absolute path without symbolic links, of the file or of the one that would be made under this name. */
  readonly path: string;
  /** What the system knows the file by; `undefined` while there is none, or where it may not be asked. */
  readonly identity: { readonly device: number; readonly inode: number } | undefined;
}

/** As many links as Linux follows. */
const MAX_LINKS = 40;

/** Follows a name to its end. Where the system lets nobody look, the name itself is the answer. */
export function nameFile(path: string): NamedFile {
  let name = path;
  for (let i = 0; i < MAX_LINKS; i++) {
    const status = unlessHidden(() => Deno.statSync(name));
    const real = unlessHidden(() => Deno.realPathSync(name));
    if (real !== undefined) {
      return { path: real, identity: identityOf(status) };
    }
    const next = unlessHidden(() => Deno.readLinkSync(name));
    if (next === undefined) break;
    name = next.startsWith("/") ? next : `${folderOf(name)}/${next}`;
  }
  const folder = unlessHidden(() => Deno.realPathSync(folderOf(name))) ?? folderOf(name);
  return {
    path: `${folder === "/" ? "" : folder}/${name.slice(name.lastIndexOf("/") + 1)}`,
    identity: identityOf(unlessHidden(() => Deno.statSync(name))),
  };
}

/** True when both names stand for one file: by what the system knows them by, or by where they lead. */
export function isSameFile(a: NamedFile, b: NamedFile): boolean {
  if (a.path === b.path) return true;
  return a.identity !== undefined && a.identity.device === b.identity?.device &&
    a.identity.inode === b.identity.inode;
}

function identityOf(status: Deno.FileInfo | undefined): NamedFile["identity"] {
  const { dev, ino } = status ?? {};
  return ino == null || dev === undefined ? undefined : { device: dev, inode: ino };
}

/** `undefined` for what is missing, is no link, or is hidden by a missing permission. */
function unlessHidden<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (isAbsent(error) || isDenied(error)) return undefined;
    // The path that a link leads to is not UTF-8, which Deno hands to nobody.
    if (isNoText(error)) return undefined;
    // What is no link answers EINVAL; a circle of links ELOOP. Opening such a file says what is wrong with it.
    if (hasErrno(error, "EINVAL", "ELOOP")) return undefined;
    throw error;
  }
}
