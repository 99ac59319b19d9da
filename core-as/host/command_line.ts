/**
 * Command lines that are printed for the user to run.
 *
 * This module is browser compatible.
 */

import { isPlaceName } from "./place_name.ts";
import { isPrintable } from "./printable.ts";

/** Letters that mean nothing to any shell. */
const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/**
 * A word as a POSIX shell takes it. One that a terminal would act upon has its bytes as octal numbers, which `$'...'`
 * of bash, zsh and ksh turns back, so that the line still works when all that is printed is escaped.
 */
export function quoteWord(word: string): string {
  if (PLAIN.test(word)) return word;
  return isPrintable(word) ? `'${word.replaceAll("'", "'\\''")}'` : `$'${byBytes(word)}'`;
}

function byBytes(word: string): string {
  const bytes = new TextEncoder().encode(word);
  return Array.from(bytes, (byte) => {
    const letter = String.fromCharCode(byte);
    return PLAIN.test(letter) ? letter : `\\${byte.toString(8).padStart(3, "0")}`;
  }).join("");
}

/** What is named so on the command line is no file, and is printed as it was given. */
const NO_FILE = /^(?:repo|null):/;

/**
 * The name of a file as a POSIX shell takes it, and never as a flag, a host and a path, or what else has a colon; or
 * a name of {@link NO_FILE}.
 */
export function quotePath(path: string): string {
  const isMistaken = path.startsWith("-") || isPlaceName(path) && !NO_FILE.test(path);
  return quoteWord(isMistaken ? `./${path}` : path);
}

/**
 * The line that applies deltas.
 *
 * @param deltas Paths, oldest first.
 * @param flags Words as they are typed, such as `--undo` and `vm.undo`.
 */
export function applyCommand(
  { deltas, target, flags = [] }: { deltas: readonly string[]; target: string; flags?: readonly string[] },
): string {
  return ["regrain apply", ...flags.map(quoteWord), ...deltas.map(quotePath), quotePath(target)].join(" ");
}
