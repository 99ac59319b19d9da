/** Wires the core to this machine: the kernels, the files, the native inflate. */
import * as kernels from "../core-as/core.wasm";
import {
  type Context,
  Core,
  type Files,
  type ImageFormat,
  type Inflater,
  RegrainError,
  type Unpackers,
} from "../core-as/host/mod.ts";
import type { Io } from "./io/mod.ts";

/**
 * Deno's own zlib: faster than fflate, and as strict. Asked for by name when the first grain is packed: to import it
 * takes 15 ms of every start, and few disks need it.
 */
const inflateNative: Inflater = (packed, maxBytes) =>
  process.getBuiltinModule("node:zlib").inflateSync(packed, { maxOutputLength: maxBytes });

const unpackersNative: Unpackers = {
  inflateRaw: (packed, maxBytes) =>
    process.getBuiltinModule("node:zlib").inflateRawSync(packed, { maxOutputLength: maxBytes }),
  zstd: (packed, maxBytes) =>
    process.getBuiltinModule("node:zlib").zstdDecompressSync(packed, { maxOutputLength: maxBytes }),
};

let core: Core | undefined;

/** The kernels of this thread. */
export function theCore(): Core {
  return core ??= new Core(kernels);
}

/** What flags say about opening disks. */
export interface OpenFlags {
  readonly search?: readonly string[] | undefined;
  readonly allowOutside?: boolean | undefined;
  readonly ignoreJournal?: boolean | undefined;
  readonly format?: ImageFormat | undefined;
}

/** The flags that say what is found where, as they are typed, for a command that is printed. */
export function openingWords({ search = [], allowOutside, ignoreJournal }: OpenFlags): string[] {
  return [
    ...search.flatMap((folder) => ["--search", folder]),
    ...allowOutside ? ["--allow-outside"] : [],
    ...ignoreJournal ? ["--ignore-journal"] : [],
  ];
}

/** @param warn Told what was taken in one of two ways, each sentence once. */
export function createContext(
  io: Io,
  flags: OpenFlags,
  warn: (sentence: string) => void = () => undefined,
): Context {
  const told = new Set<string>();
  return {
    core: theCore(),
    files: filesOf(io),
    names: { search: flags.search ?? [], allowOutside: flags.allowOutside ?? false },
    inflate: inflateNative,
    unpackers: unpackersNative,
    ignoreJournal: flags.ignoreJournal ?? false,
    format: flags.format,
    warn(sentence) {
      if (!told.has(sentence)) warn(sentence);
      told.add(sentence);
    },
  };
}

function filesOf(io: Io): Files {
  return {
    open: (path, bounds) => io.openSource(path, bounds),
    exists: (path) => io.stat(path) !== undefined,
    realPath: (path) => io.realPath(path) ?? path,
    list: (folder) => unlessForbidden(() => io.list(folder)),
  };
}

/** What lies beside a file only adds to what is said of it: where it may not be looked at, there is nothing to add. */
function unlessForbidden<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof RegrainError && error.code === "PERMISSION") return undefined;
    throw error;
  }
}
