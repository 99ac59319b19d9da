/** The files that are served: looked up by their place in the address, opened anew for every request. */
import { folderOf, type ImageFormat, RegrainError } from "../../core-as/host/mod.ts";
import type { Io, LocalSource } from "../io/mod.ts";
import type { FoundFile } from "./belongings.ts";
import type { Served, ServedImage } from "./page.ts";
import { isAbsent } from "../deno_errors.ts";

/** A file that is served. */
export interface ServedFile {
  readonly name: string;
  /** See {@link ServedImage.path}. */
  readonly path: string;
  readonly realPath: string;
  readonly named: boolean;
  readonly format?: ImageFormat | undefined;
}

/** What tells a file at one moment from the same file at another. */
export interface FileState {
  readonly sizeBytes: number;
  readonly modifiedMs: number | undefined;
  /** Stands for the state in HTTP, in quotes as there: size, time of change, and which file it is. */
  readonly etag: string;
}

/** A file that is open to be read. */
export interface OpenedFile {
  readonly source: LocalSource;
  readonly state: FileState;
}

export class ServedFiles {
  readonly #files = new Map<string, ServedFile>();
  /** As each file was when it was seen last. */
  readonly #lastStates = new Map<ServedFile, FileState>();

  constructor(private readonly io: Io, found: readonly FoundFile[]) {
    const folders: string[] = [];
    for (const file of found) {
      const folder = folderOf(slashed(file.realPath));
      if (!folders.includes(folder)) folders.push(folder);
      const path = `${folders.indexOf(folder)}/${addressable(file.name)}`;
      this.#files.set(path, { ...file, path });
    }
  }

  /** @param path As an address has it, neither decoded nor tidied: nothing but what is listed can be meant. */
  find(path: string): ServedFile | undefined {
    return this.#files.get(path);
  }

  /** What there is, as it is now; of what has vanished, as it was. */
  list(): Served {
    const files = [...this.#files.values()];
    const isAmbiguous = ({ name }: ServedFile) => files.filter((other) => other.name === name).length > 1;
    const open = files.filter(({ named }) => named).map((file) => isAmbiguous(file) ? file.path : file.name);
    return { images: files.map((file) => this.#describe(file)), open };
  }

  /**
   * Opens a file to read.
   *
   * @throws {RegrainError} as {@link Io.openSource}; `NOT_FOUND` also when its name leads elsewhere by now.
   */
  open(file: ServedFile): OpenedFile {
    const { realPath } = file;
    // A link that somebody has put in its place could lead to anything.
    if (this.io.realPath(realPath) !== realPath) throw goneError(file);
    const source = this.io.openSource(realPath, {
      folders: [realPath],
      holder: undefined,
      refused: () => goneError(file),
    });
    try {
      const state = stateOf(source, this.#modifiedMs(file));
      this.#lastStates.set(file, state);
      return { source, state };
    } catch (error) {
      source.close();
      throw error;
    }
  }

  /** Whether a file still is in the state in which it was opened. */
  isUnchanged(file: ServedFile, { etag }: FileState): boolean {
    return this.#stateNow(file)?.etag === etag;
  }

  #describe(file: ServedFile): ServedImage {
    const state = this.#stateNow(file) ?? this.#lastStates.get(file);
    const { name, path, format } = file;
    const said = format === undefined ? {} : { format };
    return { name, path, sizeBytes: state?.sizeBytes ?? 0, modifiedMs: state?.modifiedMs ?? null, ...said };
  }

  #stateNow(file: ServedFile): FileState | undefined {
    try {
      const { source, state } = this.open(file);
      source.close();
      return state;
    } catch (error) {
      if (error instanceof RegrainError) return undefined;
      throw error;
    }
  }

  #modifiedMs(file: ServedFile): number | undefined {
    try {
      return this.io.modifiedMs(file.realPath);
    } catch (error) {
      if (isAbsent(error)) throw goneError(file);
      throw error;
    }
  }
}

function stateOf({ sizeBytes, identity }: LocalSource, modifiedMs: number | undefined): FileState {
  return { sizeBytes, modifiedMs, etag: `"${sizeBytes}-${modifiedMs ?? ""}-${identity.inode}"` };
}

function goneError({ realPath }: ServedFile): RegrainError {
  return new RegrainError("NOT_FOUND", "it is not there any more", { path: realPath });
}

function slashed(path: string): string {
  return Deno.build.os === "windows" ? path.replaceAll("\\", "/") : path;
}

const encoder = new TextEncoder();

/** A name in letters that stand for themselves in an address; any other as `~` and its bytes, so that no two mix. */
function addressable(name: string): string {
  return name.replace(
    /[^A-Za-z0-9._-]/gu,
    (char) => Array.from(encoder.encode(char), (byte) => `~${byte.toString(16).padStart(2, "0")}`).join(""),
  );
}
