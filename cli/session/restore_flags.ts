/** The flags of `regrain restore`: what they mean, and which go together. */
import { RegrainError } from "../../core-as/host/mod.ts";
import { formatOf, type RestoreFormat } from "../backup/restore/format.ts";
import { isChangedInPlace } from "../backup/restore/place.ts";
import { isNowhere, refuseNowhere } from "../places/null.ts";
import { PIPE } from "../places/pipe.ts";
import type { Need } from "../places/place.ts";
import { findPlace } from "../places/registry.ts";
import { rateLimitOf, requireJournalToResume, type SafetyFlags } from "./flags.ts";
import type { RepoFlags } from "./open_repository.ts";
import type { LongFlags, Session } from "./session.ts";
import type { WatchFlags } from "./watched.ts";

const TARGET: Need = { command: "restore", argument: "TARGET", anyOf: ["write", "send"] };
const DELTA: Need = { command: "restore --apply", argument: "DELTA", anyOf: ["delta"] };

export interface RestoreFlags extends Omit<LongFlags, "format">, RepoFlags, WatchFlags, SafetyFlags {
  readonly force?: boolean | undefined;
  /** A target that is there is changed where it differs. */
  readonly delta?: boolean | undefined;
  readonly ignoreFreeSpace?: boolean | undefined;
  readonly apply?: string | undefined;
  /** Writes nothing, and says what would be. */
  readonly dryRun?: boolean | undefined;
  /** What stands for what cannot be read; without it that is an error. */
  readonly damaged?: "zeros" | undefined;
  /** What the target is, or is to be, not what is read: a delta is a VMDK by its place. */
  readonly format?: RestoreFormat | undefined;
  readonly rateLimit?: string | undefined;
  /** Rights of a file that is made, in octal digits. */
  readonly mode?: string | undefined;
}

/** @throws {RegrainError} `USAGE` when flags do not go together, or with that target. */
export function checkRestore(path: string, flags: RestoreFlags, { io }: Pick<Session, "io">): void {
  if (isNowhere(findPlace(path, TARGET).name)) refuseFlagsNowhere(flags);
  if (flags.apply !== undefined) findPlace(flags.apply, DELTA);
  rateLimitOf(flags);
  modeOf(flags);
  if (flags.dryRun && (path === PIPE || isNowhere(path))) {
    const what = path === PIPE ? "a pipe" : "null:";
    throw new RegrainError("USAGE", `--dry-run looks at a target, and ${what} is none`, {
      hint: "without --dry-run; regrain verify looks whether the snapshot can be restored",
    });
  }
  const { delta } = flags;
  if (flags.mode !== undefined && (delta || path === PIPE)) {
    throw new RegrainError(
      "USAGE",
      `--mode gives rights to a new file, and ${
        delta ? "--delta changes one that is there" : "a pipe has none"
      }`,
    );
  }
  const isInPlace = isChangedInPlace(path, flags, io);
  const format = formatOf(path, flags.format, { isInPlace });
  requireSafeguards(flags, { path, format, isInPlace });
  if (format === "raw" || isInPlace && format === "vmdk") return;
  if (path === PIPE) {
    throw new RegrainError("USAGE", `a disk of format ${format} is made in a file, not in a pipe`);
  }
  if (delta) {
    throw new RegrainError(
      "USAGE",
      `--delta changes a raw disk or a flat VMDK in place, --format ${format} makes a new file`,
      format === "vmdk-flat" ? { hint: "--format vmdk, with the descriptor of the flat VMDK as TARGET" } : {},
    );
  }
}

/** Rights of a file that is made; whoever may read it reads everything that the guest keeps. */
export function modeOf({ mode }: RestoreFlags): number | undefined {
  if (mode === undefined) return undefined;
  if (/^0?[0-7]{3}$/.test(mode)) return parseInt(mode, 8);
  throw new RegrainError(
    "USAGE",
    `--mode ${mode} is no rights of a file as chmod takes them in digits, such as 640`,
  );
}

/** Flags about what a target holds, or is to be. */
const ABOUT_CONTENT = ["delta", "format", "mode", "undo", "journal", "resume", "verify"];

/** Refuses flags that mean nothing without a target that keeps what is written. */
function refuseFlagsNowhere(flags: object): void {
  const given = new Map(Object.entries(flags));
  const isGiven = (name: string) => given.get(name) !== undefined && given.get(name) !== "raw";
  refuseNowhere(ABOUT_CONTENT.filter(isGiven).map((name) => `--${name}`));
}

/** Formats that another program makes of the disk that was written. */
const CONVERTED: readonly RestoreFormat[] = ["vmdk-sparse", "stream", "qcow2"];

/** @throws {RegrainError} `USAGE` when a flag cannot do what it promises. */
function requireSafeguards(
  flags: RestoreFlags,
  { path, format, isInPlace }: { path: string; format: RestoreFormat; isInPlace: boolean },
): void {
  requireJournalToResume(flags);
  for (const flag of ["undo", "journal"] as const) if (flags[flag] !== undefined) requireInPlace(flag);
  if (flags.journal !== undefined && flags.damaged !== undefined) {
    throw new RegrainError(
      "USAGE",
      "--journal does not go with --damaged: a run that resumes does not see what the one before wrote zeros for",
      { hint: "leave --journal out; running the same command again keeps what is right in the target" },
    );
  }
  if (!flags.verify) return;
  if (path === PIPE) {
    throw new RegrainError("USAGE", "--verify reads back what was written, and a pipe cannot be read back");
  }
  if (CONVERTED.includes(format)) {
    throw new RegrainError(
      "USAGE",
      `--verify reads back a raw disk, and --format ${format} is made by qemu-img`,
      {
        hint: "--format raw --verify, and qemu-img convert then",
      },
    );
  }

  function requireInPlace(flag: "undo" | "journal"): void {
    if (isInPlace) return;
    throw new RegrainError(
      "USAGE",
      `--${flag} is about a disk that is changed in place, and ${
        path === PIPE ? "a pipe is none" : "a new file is made here"
      }`,
      {
        hint: "--delta changes a TARGET that is there; " +
          "a new file overwrites nothing, and is carried on with by running the same command again",
      },
    );
  }
}
