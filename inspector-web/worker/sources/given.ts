/** The files that were dropped, as the core wants to see files: by name. */
import {
  baseName,
  type Context,
  type Core,
  type Files,
  folderOf,
  type ImageFormat,
  joinPath,
  RegrainError,
  type Source,
} from "../../../core-as/host/mod.ts";
import { inflatePortable, inflateRawPortable } from "../../../core-as/host/inflate.ts";
import type { GivenFile } from "../../shared/protocol.ts";
import { BlobSource } from "./blob_source.ts";
import { RangeSource } from "./range_source.ts";
import type { Life } from "./slow_source.ts";

/** What is open, whatever it is: files that were given, or a snapshot. */
export interface OpenFiles extends Files {
  readonly names: readonly string[];
  /** What was odd about the names. */
  readonly remarks: readonly string[];
  open(path: string): Source;
  context(core: Core): Context;
}

export class GivenFiles implements OpenFiles {
  readonly names: readonly string[];
  /** What was odd about the names. */
  readonly remarks: readonly string[];
  private readonly byName = new Map<string, GivenFile>();

  constructor(given: readonly GivenFile[], private readonly life: Life) {
    const remarks: string[] = [];
    for (const file of given) {
      const name = this.freeName(joinPath(".", file.name));
      if (name !== file.name && this.byName.has(file.name)) {
        remarks.push(`two files are called ${file.name}; the second is shown as ${name}`);
      }
      this.byName.set(name, file);
    }
    this.names = [...this.byName.keys()];
    this.remarks = remarks;
  }

  /** What `regrain inspect --format` said of a file. */
  formatOf(path: string): ImageFormat | undefined {
    const given = this.byName.get(joinPath(".", path));
    return given && "url" in given ? given.format : undefined;
  }

  open(path: string): Source {
    const name = joinPath(".", path);
    const given = this.byName.get(name);
    if (!given) throw new RegrainError("NOT_FOUND", "this file was not dropped", { path });
    if ("file" in given) return new BlobSource(name, given.file, this.life);
    return new RangeSource({ name, url: given.url, sizeBytes: given.sizeBytes }, this.life);
  }

  exists(path: string): boolean {
    return this.byName.has(joinPath(".", path));
  }

  realPath(path: string): string {
    return joinPath(".", path);
  }

  list(folder: string): string[] {
    const within = joinPath(".", folder);
    return this.names.filter((name) => folderOf(name) === within).map((name) => baseName(name));
  }

  /** Names lead to whatever was dropped, from whichever folder, and to nothing else: there is nothing else. */
  context(core: Core): Context {
    const search = [...new Set(this.names.map(folderOf))];
    return {
      core,
      files: this,
      names: { search, allowOutside: false },
      inflate: inflatePortable,
      unpackers: { inflateRaw: inflateRawPortable },
      ignoreJournal: false,
      format: undefined,
      warn: () => undefined,
    };
  }

  private freeName(name: string): string {
    let free = name;
    for (let i = 2; this.byName.has(free); i++) free = `${name} (${i})`;
    return free;
  }
}
