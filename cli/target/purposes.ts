/**
 * Files that one command would use for two things. An undo file that is the journal too, or the target, or an input,
 * is overwritten by one of its purposes and gone when the other needs it. Names do not tell: links and `./` lead to
 * one file under many names.
 */
import { RegrainError, type Target } from "../../core-as/host/mod.ts";
import { type Io, isSameFile } from "../io/mod.ts";

/** A file of the command line, and what it is for. */
export interface Purpose {
  /** As a message names it: `--undo`, `the target`. */
  readonly what: string;
  readonly path: string;
}

/** What is written beside the target. */
export interface WrittenBeside {
  readonly undo?: string | undefined;
  readonly journal?: string | boolean | undefined;
}

/**
 * Makes sure that no file that is written has a second purpose.
 *
 * @param others What the command reads, and the target.
 * @throws {RegrainError} `TARGET_UNSUITABLE`.
 */
export function requireOnePurpose(
  flags: WrittenBeside,
  others: readonly Purpose[],
  io: Pick<Io, "nameFile">,
): void {
  const written = writtenBeside(flags);
  if (written.length === 0) return;
  const named = [...written, ...others].map((purpose) => ({ ...purpose, file: io.nameFile(purpose.path) }));
  for (const [i, one] of named.slice(0, written.length).entries()) {
    const other = named.slice(i + 1).find(({ file }) => isSameFile(one.file, file));
    if (!other) continue;
    const alias = other.path === one.path || other.what.includes(other.path) ? "" : `, as ${other.path}`;
    throw new RegrainError(
      "TARGET_UNSUITABLE",
      `${one.what} names the same file as ${other.what}${alias}, and it can only be one of them`,
      { path: one.path, hint: `name another file with ${one.what}` },
    );
  }
}

function writtenBeside({ undo, journal }: WrittenBeside): readonly Purpose[] {
  const purposes: Purpose[] = [];
  if (undo !== undefined) purposes.push({ what: "--undo", path: undo });
  if (typeof journal === "string") purposes.push({ what: "--journal", path: journal });
  return purposes;
}

/** Files that the data comes from. */
export function asInputs(paths: readonly string[]): readonly Purpose[] {
  return paths.map((path) => ({ what: `the input ${path}`, path }));
}

/** The files that a target consists of. */
export function asParts(target: Target | undefined): readonly Purpose[] {
  if (target === undefined) return [];
  return [{ what: "the target", path: target.path }, ...(target.targets ?? []).flatMap(asParts)];
}
