/**
 * What a file has beside its content: owner, group, mode, and extended attributes, among them its access control
 * list. A file that replaces another one takes these over.
 */
import { isDenied, isUnsupported } from "../deno_errors.ts";
import { cString, type Libc } from "./libc.ts";

/** Copies extended attributes; false when one could not be copied. */
export type AttributeCopier = (from: string, to: string) => boolean;

/** More than Linux lets a file have of names, and of one value (`linux/limits.h`: 64 KiB each). */
const MAX_ATTRIBUTE_BYTES = 65_536;

/**
 * By libc. `system.posix_acl_access` is the access control list; labels of SELinux are attributes too, and those of a
 * new file are its folder's, so that one that may not be set is no reason to stop.
 */
export function attributeCopier(libc: Libc): AttributeCopier {
  return (from, to) => {
    const names = attributesOf(libc, from);
    const found = attributesOf(libc, to);
    if (names === undefined || found === undefined) return libc.errno() === "EOPNOTSUPP";
    // A folder may give its new files an access control list that the old file does not have.
    if (found.some((name) => !names.includes(name) && !isLabel(name))) return false;
    const buffer = new Uint8Array(MAX_ATTRIBUTE_BYTES);
    return names.every((name) => {
      const got = libc.getxattr(cString(from), cString(name), buffer, BigInt(buffer.length));
      if (got < 0) return libc.errno() === "ENODATA";
      return libc.setxattr(cString(to), cString(name), buffer, BigInt(got), 0) === 0 || isLabel(name);
    });
  };
}

/** Whether a file has a list of access control beside its mode. */
export function aclFinder(libc: Libc): (path: string) => boolean {
  return (path) => attributesOf(libc, path)?.includes("system.posix_acl_access") ?? false;
}

function isLabel(name: string): boolean {
  return name.startsWith("security.");
}

function attributesOf(libc: Libc, path: string): string[] | undefined {
  const buffer = new Uint8Array(MAX_ATTRIBUTE_BYTES);
  const listed = libc.listxattr(cString(path), buffer, BigInt(buffer.length));
  if (listed < 0) return undefined;
  const names = new TextDecoder("latin1").decode(buffer.subarray(0, listed)).split("\0");
  return names.filter((name) => name !== "");
}

/** For systems without libc: nothing tells whether there are any, so that a replaced file may lose them. */
export const NO_COPIER: AttributeCopier = () => false;

/**
 * Gives a new file all that the old one has.
 *
 * @returns false when something could not be taken over; the new file is not to take the old one's place then.
 */
export function takeOver(old: string, successor: string, copy: AttributeCopier): boolean {
  // A link to a name that is not UTF-8 could not be followed to its end.
  if (Deno.lstatSync(old).isSymlink) return false;
  const from = Deno.statSync(old);
  // Another name of the file would keep the old content.
  if ((from.nlink ?? 1) > 1) return false;
  const to = Deno.statSync(successor);
  try {
    if (from.uid !== to.uid || from.gid !== to.gid) Deno.chownSync(successor, from.uid, from.gid);
    if (from.mode !== null) Deno.chmodSync(successor, from.mode & 0o7777);
  } catch (error) {
    if (isDenied(error) || isUnsupported(error)) return false;
    throw error;
  }
  return copy(old, successor);
}
