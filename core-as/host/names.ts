/**
 * Names that files give each other, and where they may lead.
 *
 * A descriptor names extents and its parent. Those names come from another machine (`/vmfs/volumes/...`, `C:\...`) or
 * from somebody hostile (`../../etc/shadow`), so a name never leads out of the folder of the file that holds it unless
 * the user says so: its last part is looked for beside that file and in the folders the user gave.
 *
 * This module is browser compatible; paths are POSIX.
 */

/** Where else names may lead. */
export interface SearchOptions {
  /** Folders that the user named, searched for the last part of a name. */
  readonly search: readonly string[];
  /** True: a name is followed wherever it points. */
  readonly allowOutside: boolean;
}

/** Places to look at. */
export interface Candidates {
  /** In order, the likeliest first. */
  readonly paths: readonly string[];
  /** The one of them that the name itself points to. */
  readonly exact: string | undefined;
  /** Those of them that are in folders which the user named. */
  readonly search: readonly string[];
  /** Where the name itself points, when that was refused. */
  readonly outside: string | undefined;
}

/** Folder part of a path, `.` when there is none. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : slash === 0 ? "/" : path.slice(0, slash);
}

/** Last part of a path, whichever way its slashes lean. */
export function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("/"), isWindowsPath(path) ? path.lastIndexOf("\\") : -1) + 1);
}

/** Joins and tidies: `a/b` + `../c` is `a/c`. */
export function joinPath(folder: string, name: string): string {
  const path = name.startsWith("/") ? name : `${folder}/${name}`;
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (part !== ".." || !path.startsWith("/")) parts.push(part);
  }
  return (path.startsWith("/") ? "/" : "") + (parts.join("/") || (path.startsWith("/") ? "" : "."));
}

/** `C:\vm\base.vmdk` or `\\host\share\base.vmdk`; a backslash alone may be part of a POSIX name. */
function isWindowsPath(name: string): boolean {
  return /^[A-Za-z]:[\\/]/.test(name) || name.startsWith("\\\\") || /^(\.\.?\\)/.test(name);
}

/** True when `path` lies in `folder` or below it; both tidied the same way. */
export function isWithin(path: string, folder: string): boolean {
  const inside = joinPath(".", path);
  const outer = joinPath(".", folder);
  if (outer === ".") return !inside.startsWith("/") && inside !== ".." && !inside.startsWith("../");
  if (inside === outer || outer === "/") return inside === outer || inside.startsWith("/");
  // Below `..` there is still a way up: `../..`.
  return inside.startsWith(`${outer}/`) && !`${inside.slice(outer.length + 1)}/`.startsWith("../");
}

/**
 * Where a name in a file may be found: where it points, if it may; in the folders that the user named; beside the file
 * that holds it. A name that points elsewhere is looked for in the named folders first.
 *
 * @param name   As written in the descriptor.
 * @param holder Path of the file that holds the name.
 */
export function candidates(name: string, holder: string, options: SearchOptions): Candidates {
  const folder = folderOf(holder);
  const last = baseName(name);
  const direct = isWindowsPath(name) ? undefined : joinPath(folder, name);
  const directInside = direct !== undefined && !name.startsWith("/") && isWithin(direct, folder);
  const exact = directInside || options.allowOutside ? direct : undefined;
  const usable = last !== "" && last !== "." && last !== "..";
  const search = usable ? options.search.map((place) => joinPath(place, last)) : [];
  const beside = usable ? [joinPath(folder, last)] : [];
  const paths = new Set([...(exact === undefined ? [] : [exact]), ...search, ...beside]);
  return {
    paths: [...paths],
    exact,
    search,
    outside: exact === undefined ? direct : undefined,
  };
}

/** Names are the same in this form when they differ in case alone, or in how their accents are composed. */
export function foldName(name: string): string {
  return name.normalize("NFC").toLowerCase();
}

/** A name whose backslashes are slashes too: its last part, and its folder where it points below the holder's. */
export function looseNames(name: string): { last: string; below: string | undefined } {
  const parts = name.split(/[\\/]+/).filter((part) => part !== ".");
  const last = parts.at(-1) ?? "";
  const folders = parts.slice(0, -1);
  const isBelow = folders.length > 0 && !/^[A-Za-z]:$/.test(folders[0]!) && !folders.includes("") &&
    !parts.includes("..");
  return { last: last === ".." ? "" : last, below: isBelow ? folders.join("/") : undefined };
}

/** How many of the last folders of a name are those of a path: 2 of `/vmfs/ds1/vm/a` and `/mnt/ds1/vm/a`. */
export function sharedFolders(name: string, path: string): number {
  const [wanted, found] = [name, path].map((each) => each.split(/[\\/]+/).slice(0, -1).reverse());
  const differs = wanted!.findIndex((folder, i) =>
    found![i] === undefined || foldName(folder) !== foldName(found![i]!)
  );
  return differs < 0 ? wanted!.length : differs;
}

/** A device of the machine that wrote the descriptor: `\\.\PhysicalDrive3`, `/dev/sdb`. */
export function isDeviceName(name: string): boolean {
  return /^\\\\[.?]\\/.test(name) || /^\/dev\/|^\/vmfs\/devices\//.test(name);
}

/** The redo log of a nonpersistent disk is called `vm.vmdk.REDO_a1B2c3`, its extent `vm.vmdk-delta.REDO_a1B2c3`. */
const REDO_NAME = /\.REDO_[A-Za-z0-9]{6}$/;

/** True for the name of a redo log. */
export function isRedoName(name: string): boolean {
  return REDO_NAME.test(name);
}

/** True for a name that VMware gives a VMDK, or an extent of one. */
export function isVmdkName(name: string): boolean {
  return /\.vmdk$/i.test(name) || isRedoName(name);
}

const EXTENT_SUFFIX = /(?:-delta|-sesparse|-flat|-[sf]\d{3,})\.vmdk$/i;
const REDO_EXTENT_SUFFIX = /(?:-delta|-sesparse)(?=\.REDO_[A-Za-z0-9]{6}$)/;

/** The descriptor that would name an extent file: `vm-000001-delta.vmdk` belongs to `vm-000001.vmdk`. */
export function descriptorBeside(path: string): string | undefined {
  if (REDO_EXTENT_SUFFIX.test(path)) return path.replace(REDO_EXTENT_SUFFIX, "");
  return EXTENT_SUFFIX.test(path) ? path.replace(EXTENT_SUFFIX, ".vmdk") : undefined;
}
