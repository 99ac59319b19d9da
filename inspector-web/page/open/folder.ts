/** A folder as the browser hands it over: its files are looked up by their path, none is read before it is wanted. */
import type { Provided, Wanted } from "../../shared/protocol.ts";
import type { Folder } from "../actions/opening.ts";

/** Beside it everything else of a repository lies. */
export const DESCRIPTION = "repo.json";

/** A folder that was chosen: the browser has listed all that is in it. */
export class ChosenFolder implements Folder {
  private readonly files = new Map<string, File>();
  readonly label: string;

  /** @param files With their paths from the folder on, its own name first. */
  constructor(files: Iterable<File>) {
    let label = "";
    for (const file of files) {
      const slash = file.webkitRelativePath.indexOf("/");
      label ||= file.webkitRelativePath.slice(0, Math.max(0, slash));
      this.files.set(file.webkitRelativePath.slice(slash + 1), file);
    }
    this.label = label || "the folder";
  }

  provide({ what, key }: Wanted): Promise<Provided> {
    const found = what === "object" ? this.one(key) : this.all(key);
    return Promise.resolve(found);
  }

  private one(key: string): { key: string; file: File }[] {
    const file = this.files.get(key);
    return file ? [{ key, file }] : [];
  }

  private all(prefix: string): { key: string; file: File }[] {
    return [...this.files].flatMap(([key, file]) => key.startsWith(prefix) ? [{ key, file }] : []);
  }
}

/** A folder that was dropped: it is asked for one file at a time, however many there are. */
export class DroppedFolder implements Folder {
  readonly label: string;

  constructor(private readonly root: FileSystemDirectoryEntry) {
    this.label = root.name;
  }

  async provide({ what, key }: Wanted): Promise<Provided> {
    try {
      return what === "object" ? await this.one(key) : await this.all(key);
    } catch (error) {
      if (isAbsent(error)) return [];
      return { reason: error instanceof Error ? error.message : String(error) };
    }
  }

  private async one(key: string): Promise<{ key: string; file: File }[]> {
    const entry = await new Promise<FileSystemEntry>((resolve, reject) =>
      this.root.getFile(key, {}, resolve, reject)
    );
    return [{ key, file: await fileOf(entry as FileSystemFileEntry) }];
  }

  /** What lies below the folder that a prefix names; the rest of it is the beginning of names there. */
  private async all(prefix: string): Promise<{ key: string; file: File }[]> {
    const slash = prefix.lastIndexOf("/");
    const found: { key: string; file: File }[] = [];
    await this.walk(slash < 0 ? this.root : await this.directory(prefix.slice(0, slash)), {
      path: prefix.slice(0, slash + 1),
      prefix,
      found,
    });
    return found;
  }

  private async walk(
    directory: FileSystemDirectoryEntry,
    at: { readonly path: string; readonly prefix: string; readonly found: { key: string; file: File }[] },
  ): Promise<void> {
    for (const entry of await entriesOf(directory)) {
      const key = at.path + entry.name;
      if (!key.startsWith(at.prefix)) continue;
      if (entry.isFile) at.found.push({ key, file: await fileOf(entry as FileSystemFileEntry) });
      else await this.walk(entry as FileSystemDirectoryEntry, { ...at, path: `${key}/` });
    }
  }

  private async directory(path: string): Promise<FileSystemDirectoryEntry> {
    const entry = await new Promise<FileSystemEntry>((resolve, reject) =>
      this.root.getDirectory(path, {}, resolve, reject)
    );
    return entry as FileSystemDirectoryEntry;
  }
}

/** What a folder that was dropped turned out to be. */
export type FolderKind = "repository" | "folder" | "closed";

/** `closed`: the browser does not let a page that is a file look into folders; Chromium is one of those. */
export async function kindOf(root: FileSystemDirectoryEntry): Promise<FolderKind> {
  try {
    await new Promise((resolve, reject) => root.getFile(DESCRIPTION, {}, resolve, reject));
    return "repository";
  } catch (error) {
    return isAbsent(error) ? "folder" : "closed";
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof DOMException && ["NotFoundError", "TypeMismatchError"].includes(error.name);
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

/** A reader gives some entries at a time, and none at the end. */
async function entriesOf(directory: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = directory.createReader();
  const entries: FileSystemEntry[] = [];
  while (true) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject)
    );
    if (some.length === 0) return entries;
    entries.push(...some);
  }
}
