/**
 * What somebody else did while a disk was read or written. No lock keeps a VM on another host, or a copy that is
 * renamed into place, from it; so it is looked at in the end, before anything says that all is well.
 */
import { RegrainError, type Source, type Target } from "../../core-as/host/mod.ts";

/** What `--force` makes of a change. */
export interface Leniency {
  readonly force: boolean;
  readonly warn: (sentence: string) => void;
}

/** True for the errors of this module: what was done before them is not to be built on. */
export function isDisturbed(error: unknown): boolean {
  return error instanceof RegrainError && (error.code === "INPUT_CHANGED" || error.code === "TARGET_CHANGED");
}

/** @throws {RegrainError} `INPUT_CHANGED`, unless forced: then it is a warning. */
export function requireUnchanged(files: Iterable<Source>, { force, warn }: Leniency): void {
  for (const file of new Set(files)) {
    const change = file.changed?.();
    if (change === undefined) continue;
    const error = new RegrainError("INPUT_CHANGED", `it was changed while it was read: ${change}`, {
      path: file.path,
      hint:
        "somebody writes to it: turn the VM off first, then run this again; with --force it is a warning, and " +
        "what was made may hold old and new places of the disk mixed",
    });
    if (!force) throw error;
    warn(`${error.message}; taken by --force`);
  }
}

/** @throws {RegrainError} `TARGET_CHANGED` when what was written is not, or no longer, what its name leads to. */
export function requireInPlace(target: Target): void {
  if (target.targets) return target.targets.forEach(requireInPlace);
  const why = target.displaced?.();
  if (why === undefined) return;
  throw new RegrainError("TARGET_CHANGED", `it was changed while it was written: ${why}`, {
    path: target.path,
    hint:
      "what is there now is not the disk that was written: put a copy of the base there, let nobody else write to " +
      "it, and run this again from the start",
  });
}
