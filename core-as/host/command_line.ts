/**
 * Command lines that are printed for the user to run.
 *
 * This module is browser compatible.
 */

/** Letters that mean nothing to any shell. */
const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** A word as a POSIX shell takes it. */
export function quoteWord(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The name of a file as a POSIX shell takes it, and never as a flag. */
export function quotePath(path: string): string {
  return quoteWord(path.startsWith("-") ? `./${path}` : path);
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
