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
  /** What makes a target that is missing. */
  readonly makes: string;
  /** The flag that says what the target is. */
  readonly formatFlag: "--format" | "--format-target";
  /** What to do about a target that is smaller than the disk, where that is not the copy of a base. */
  readonly tooSmallHint?: Readonly<Partial<Record<ImageFormat, string>>>;
}

/** What an apply can write. */
export const APPLY: TargetUse = {
  accepts: "apply onto a raw image, a block device, or the descriptor of a flat VMDK",
  inputHint: "the target comes last: regrain apply DELTA TARGET",
  makes: "--create",
  formatFlag: "--format",
};

/** What a restore can write in place. */
export const RESTORE: TargetUse = {
  accepts:
    "restore onto a raw image, a block device, or the descriptor of a flat VMDK, or make a new file by another name",
  inputHint: "name another target: this one is needed until the disk is written",
  makes: "restore",
  formatFlag: "--format",
  tooSmallHint: {
    raw: "--force without --delta puts a new file in its place",
    vmdk: "--force --format vmdk-flat without --delta puts a new disk in its place",
  },
};

/** What a sync can write. */
export const SYNC: TargetUse = {
  accepts: "sync onto a raw image, a block device, or the descriptor of a flat VMDK",
  inputHint: "the target comes last: regrain sync SOURCE TARGET",
  makes: "sync",
  formatFlag: "--format-target",
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
  /** Set when a raw file of another size gets that size: one that is smaller grows, one that is larger may be cut. */
  readonly resize?: ResizeWish | undefined;
}

/** How a target may come to the size of the disk. */
export interface ResizeWish {
  readonly truncate: boolean;
  /** Nothing is done yet: a target of another size is taken as it is. */
  readonly dryRun: boolean;
  /** Why the size must stay, as a flag; then it is refused. */
  readonly keepsSize: string | undefined;
}
