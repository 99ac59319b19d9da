/** What every command starts with: the console, the I/O of this machine, the context for opening disks. */
import type { Context } from "../../core-as/host/mod.ts";
import { createContext, type OpenFlags } from "../context.ts";
import { type Io, pickIo } from "../io/mod.ts";
import { Places } from "../places/places.ts";
import { type CommonFlags, Console, type ProgressMode } from "../ui/mod.ts";
import type { RepoFlags } from "./open_repository.ts";
import { openSnapshot } from "./open_snapshot.ts";

/** Flags of a command that opens disks; those of a repository are for `repo:VM/DISK@latest` in a disk's place. */
export interface DiskFlags extends CommonFlags, OpenFlags, RepoFlags {
  readonly io?: "linux" | "portable" | undefined;
}

/** Flags of a command that may take long. */
export interface LongFlags extends DiskFlags {
  readonly progress?: ProgressMode | undefined;
}

export interface Session {
  readonly console: Console;
  readonly io: Io;
  readonly context: Context;
  /** What the command line names. */
  readonly places: Places;
}

/** What only libc can do. */
const NAMES_BY_LOOKING =
  "names in descriptors: looked at before and after a file is opened, since without libc nothing " +
  "tells where an open file lies; who can change the folder meanwhile may get past that";

export function startSession(flags: DiskFlags): Session {
  const console = new Console(flags);
  const io = pickIo(flags.io);
  console.detail(`i/o: ${io.name} (${io.reason})`);
  if (io.name === "portable") console.detail(NAMES_BY_LOOKING);
  const onNotice = (sentence: string) => console.warn(sentence);
  const context = createContext(io, flags, onNotice);
  const places = new Places({ io, openSnapshot: (spec) => openSnapshot(spec, { flags, onNotice }) });
  return { console, io, context: { ...context, files: places.over(context.files) }, places };
}
