/** What every command starts with: the console, the I/O of this machine, the context for opening disks. */
import type { Context } from "../../core-as/host/mod.ts";
import { createContext, type OpenFlags } from "../context.ts";
import { type Io, pickIo } from "../io/mod.ts";
import { type CommonFlags, Console, type ProgressMode } from "../ui/mod.ts";

/** Flags of a command that opens disks. */
export interface DiskFlags extends CommonFlags, OpenFlags {
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
}

export function startSession(flags: DiskFlags): Session {
  const console = new Console(flags);
  const io = pickIo(flags.io);
  console.detail(`i/o: ${io.name} (${io.reason})`);
  return { console, io, context: createContext(io, flags) };
}
