/** What is asked of a target: by which name, for what, and by which command. */
import type { Context } from "../../core-as/host/mod.ts";
import type { Io } from "../io/mod.ts";

export interface TargetTools {
  readonly io: Io;
  readonly context: Context;
}

/** What a command can write, as its refusals say it. */
export interface TargetUse {
  /** `apply onto a raw image or a block device`. */
  readonly accepts: string;
  /** True when the flat file that a descriptor names can be written through the descriptor. */
  readonly writesVmdk: boolean;
  /** How the command is typed, where the target was an input. */
  readonly inputHint: string;
  /** What to do about a file that is smaller than the disk, where that is not the copy of a base. */
  readonly tooSmallHint?: string;
}

/** A target as the user names it. */
export interface JudgedRequest {
  readonly target: string;
  readonly force: boolean;
  readonly use: TargetUse;
}

/** What is about to be written. */
export interface Intended {
  /** Size that the target must have. */
  readonly sizeBytes: number;
  /** Files that are read, none of which may be the target. */
  readonly inputs: readonly string[];
}
