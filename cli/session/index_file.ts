/** The file in the cache folder of this user that holds the index of a repository's snapshots. */
import { RegrainError } from "../../core-as/host/mod.ts";
import type { Repository } from "../backup/repository.ts";
import type { IndexFile } from "../backup/snapshots/snapshot_index.ts";
import { variable } from "../environment.ts";
import { PRIVATE_FOLDER_MODE, PRIVATE_MODE, replaceFile, translating } from "../io/mod.ts";

/** Of a hundred thousand snapshots it has some 80 MB. */
const MAX_INDEX_BYTES = 512 * 1024 * 1024;
/** Bits of a mode by which others may write. */
const OTHERS_WRITE = 0o022;

/** `undefined` where there is no cache folder, or Deno allows none: then every manifest is read. */
export function indexFileOf({ description }: Repository): IndexFile | undefined {
  const folder = cacheFolder();
  if (folder === undefined) return undefined;
  // The id is checked when the description is read: it is no way out of the folder.
  const path = `${folder}/snapshots-${description.id}`;
  return {
    path,
    read: () => Promise.resolve(readIfOurs(folder, path)),
    write: (bytes) => Promise.resolve(replace(folder, path, bytes)),
  };
}

function cacheFolder(): string | undefined {
  if (Deno.build.os === "windows") return undefined;
  const xdg = variable("XDG_CACHE_HOME");
  const home = variable("HOME");
  const parent = xdg?.startsWith("/") ? xdg : home?.startsWith("/") ? `${home}/.cache` : undefined;
  if (parent === undefined) return undefined;
  const folder = `${parent}/regrain`;
  const needs = [
    { name: "read", path: folder },
    { name: "write", path: folder },
    { name: "sys", kind: "uid" },
  ] as const;
  return needs.every((need) => Deno.permissions.querySync(need).state === "granted") ? folder : undefined;
}

/** True for what no other user may have written. */
function isOurs({ uid, mode }: Deno.FileInfo): boolean {
  return uid === Deno.uid() && ((mode ?? 0) & OTHERS_WRITE) === 0;
}

/** An index that cannot be read, or that others may have written, is none: it is built again. */
function readIfOurs(folder: string, path: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    if (!isOurs(Deno.lstatSync(folder))) return undefined;
    const info = Deno.lstatSync(path);
    return info.isFile && isOurs(info) && info.size <= MAX_INDEX_BYTES ? Deno.readFileSync(path) : undefined;
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

function replace(folder: string, path: string, bytes: Uint8Array): void {
  translating({ operation: "save", path: folder }, () => {
    Deno.mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER_MODE });
    if (isOurs(Deno.lstatSync(folder))) return;
    throw new RegrainError("WRITE_FAILED", "others may write to the folder", { path: folder });
  });
  replaceFile(path, bytes, PRIVATE_MODE);
}
