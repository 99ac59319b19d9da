/** The flags of `regrain restore` that guard what is written, and where they mean something. */
import { RegrainError } from "../../core-as/host/mod.ts";
import { PIPE } from "../places/pipe.ts";
import { requireJournalToResume } from "../session/flags.ts";
import type { RestoreFormat } from "./restore_format.ts";
import type { RestoreFlags } from "./restore_work.ts";

/** Formats that another program makes of the disk that was written. */
const CONVERTED: readonly RestoreFormat[] = ["vmdk-sparse", "stream", "qcow2"];

/** @throws {RegrainError} `USAGE` when a flag cannot do what it promises. */
export function requireSafeguards(
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
