/** Where `regrain restore` writes to, and what is known to stand there. */
import { RegrainError, type Target } from "../../core-as/host/mod.ts";
import type { TargetContent } from "../backup/restore.ts";
import type { Session } from "./session.ts";

/** What is written to, under which name, and what is known to stand there. */
export interface Place {
  readonly target: Target;
  readonly content: TargetContent;
  /** The file that is written before it gets its name; `undefined` when the target is changed in place. */
  readonly part: string | undefined;
  /** Puts what was written under the name that was asked for. */
  finish(): void;
}

/**
 * A new file is written beside its name, and one that was begun is carried on with; what stands is changed in place.
 */
export function openPlace(
  path: string,
  sizeBytes: number,
  { io, console, flags }: Pick<Session, "io" | "console"> & {
    flags: { force?: boolean | undefined; delta?: boolean | undefined };
  },
): Place {
  const status = io.stat(path);
  const force = flags.force ?? false;
  if (status?.kind === "device" || status !== undefined && flags.delta) {
    const content = flags.delta ? "compare" : "unknown";
    return { target: io.openTarget(path, { force }), content, part: undefined, finish: () => undefined };
  }
  if (status !== undefined && !force) {
    throw new RegrainError("TARGET_UNSUITABLE", "the file exists already, and is not overwritten", {
      path,
      hint: "--delta changes it in place where it differs; --force puts a new file in its place",
    });
  }
  const part = `${path}.part`;
  const begun = io.stat(part)?.sizeBytes === sizeBytes;
  if (begun) console.tell(`${part} was begun before; what is right in it is kept`);
  else if (io.stat(part) !== undefined) changeFolder(part, () => io.removeFile(part));
  const create = begun ? {} : { create: { sizeBytes: sizeBytes } };
  return {
    target: io.openTarget(part, { force, ...create }),
    content: begun ? "compare" : "zeros",
    part,
    finish: () => changeFolder(path, () => Deno.renameSync(part, path)),
  };
}

/** What the system or Deno says to a change of names, as an error that has a code. */
function changeFolder(path: string, change: () => void): void {
  try {
    change();
  } catch (cause) {
    if (!(cause instanceof Error) || cause instanceof RegrainError) throw cause;
    const isDenied = cause instanceof Deno.errors.NotCapable || cause instanceof Deno.errors.PermissionDenied;
    throw new RegrainError(isDenied ? "PERMISSION" : "WRITE_FAILED", cause.message, { path, cause });
  }
}
