/** What is asked of a target: by which name, for what, and by which command. */
import type { Context, ImageFormat } from "../../core-as/host/mod.ts";
import type { Io } from "../io/mod.ts";

export interface TargetTools {
  readonly io: Io;
  readonly context: Context;
}

/** What a command can write, as its refusals say it. */
export interface TargetUse {
  /** `apply onto a raw image or a block device`. */
  readonly accepts: string;
  /** How the command is typed, where the target was an input. */
  readonly inputHint: string;
  /** What to do about a target that is smaller than the disk, where that is not the copy of a base. */
  readonly tooSmallHint?: Readonly<Partial<Record<ImageFormat, string>>>;
}

/** What an apply can write. */
export const APPLY: TargetUse = {
  accepts: "apply onto a raw image, a block device, or the descriptor of a flat VMDK",
  inputHint: "the target comes last: regrain apply DELTA TARGET",
};

/** What a restore can write in place. */
export const RESTORE: TargetUse = {
  accepts:
    "restore onto a raw image, a block device, or the descriptor of a flat VMDK, or make a new file by another name",
  inputHint: "name another target: this one is needed until the disk is written",
  tooSmallHint: {
    raw: "--force without --delta puts a new file in its place",
    vmdk: "--force --format vmdk-flat without --delta puts a new disk in its place",
  },
};

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
