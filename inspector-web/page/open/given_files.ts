/**
 * Files as they come to the page: picked, dropped, pasted, or named by `regrain inspect`.
 */
import type { ImageFormat } from "../../../core-as/host/formats/image_format.ts";
import type { GivenFile, RepositoryPlace } from "../../shared/protocol.ts";
import type { Folder } from "../actions/opening.ts";
import { DroppedFolder, kindOf } from "./folder.ts";

/** Files and what could not be taken, in words. */
export interface Taken {
  readonly files: readonly GivenFile[];
  readonly refused: readonly string[];
}

export function fromList(list: Iterable<File>): Taken {
  return { files: [...list].map(given), refused: [] };
}

/** What was dropped or pasted; folders have to be looked into, which takes longer than the event lasts. */
export interface Transferred {
  readonly files: readonly GivenFile[];
  readonly folders: readonly FileSystemDirectoryEntry[];
}

export function fromTransfer(transfer: DataTransfer): Transferred {
  const files: GivenFile[] = [];
  const folders: FileSystemDirectoryEntry[] = [];
  for (const item of transfer.items) {
    if (item.kind !== "file") continue;
    const entry = item.webkitGetAsEntry();
    const file = item.getAsFile();
    if (entry?.isDirectory) folders.push(entry as FileSystemDirectoryEntry);
    else if (file) files.push(given(file));
  }
  return { files, folders };
}

/** A folder is a repository or refused in words: what of it belongs together is chosen by the user. */
export async function fromFolders(
  folders: readonly FileSystemDirectoryEntry[],
): Promise<{ readonly repository: Folder | undefined; readonly refused: readonly string[] }> {
  const refused: string[] = [];
  for (const folder of folders) {
    const kind = await kindOf(folder);
    if (kind === "repository") return { repository: new DroppedFolder(folder), refused: [] };
    const way = kind === "closed" ? ", or choose it with Open repository… if it is one" : "";
    refused.push(`${folder.name} is a folder: drop the files in it that belong together${way}`);
  }
  return { repository: undefined, refused };
}

function given(file: File): GivenFile {
  return { name: file.name, file, modifiedMs: file.lastModified };
}

/** A file that `regrain inspect` serves; see `cli/inspect/page.ts`. */
interface ServedImage {
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number | null;
  readonly format?: ImageFormat;
}

/** Files that are served, and which of them the user named first. */
export interface ServedFiles {
  readonly files: readonly GivenFile[];
  readonly leaf: number | undefined;
}

/** What the server says it serves; nothing when the page was opened as a file. */
export function fromServer(json: string, base: string): ServedFiles {
  const served = JSON.parse(json) as
    | { readonly images: readonly ServedImage[]; readonly open: readonly string[] }
    | null;
  const images = served?.images ?? [];
  const first = served?.open[0];
  const leaf = images.findIndex(({ name, path }) => path === first || name === first);
  const files = images.map(({ name, path, sizeBytes, modifiedMs, format }) => ({
    ...(format === undefined ? {} : { format }),
    name,
    url: new URL(`files/${path}`, base).href,
    sizeBytes,
    modifiedMs,
  }));
  return { files, leaf: leaf < 0 ? undefined : leaf };
}

/** A repository that is served, and the snapshots of it that the user named. */
export interface ServedRepository {
  readonly place: RepositoryPlace;
  readonly open: readonly string[];
}

/** The repository that the server says it serves. */
export function repositoryFromServer(json: string, base: string): ServedRepository | undefined {
  const served = JSON.parse(json) as
    | { readonly repository?: { readonly label: string; readonly open: readonly string[] } }
    | null;
  if (!served?.repository) return undefined;
  const { label, open } = served.repository;
  return { place: { label, url: new URL("repository/", base).href }, open };
}
