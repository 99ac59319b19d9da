/** The command that would apply what was dropped, or restore a snapshot. */
import type { Link } from "../../core-as/host/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";

/** Letters that mean nothing to any shell. */
const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** Stands for the copy of the base where none was dropped. */
const TARGET = "TARGET";

/** A word as a POSIX shell takes it, and never as a flag. */
export function quoteForShell(word: string): string {
  const safe = word.startsWith("-") ? `./${word}` : word;
  return PLAIN.test(safe) ? safe : `'${safe.replaceAll("'", "'\\''")}'`;
}

/** Deltas oldest first, then the target; undefined where there is nothing to apply. */
export function commandFor(links: readonly Link[]): string | undefined {
  const deltas = links.filter(({ isBase }) => !isBase).map(({ path }) => quoteForShell(path)).reverse();
  if (deltas.length === 0) return undefined;
  return ["regrain apply", ...deltas, targetOf(links.at(-1)!)].join(" ");
}

/** What writes a snapshot to an image. */
export function restoreCommand({ source, id }: Pick<Snapshot, "source" | "id">, repository: string): string {
  const snapshot = quoteForShell(`${source.name}@${id}`);
  return `regrain restore ${snapshot} ${TARGET} --repo ${quoteForShell(repository)}`;
}

/** Only a flat base can be written in place: an image, or the descriptor of one. */
function targetOf(last: Link): string {
  const isFlat = last.isBase && last.extents.every(({ extent }) => extent.format === "flat");
  return isFlat ? quoteForShell(last.path) : TARGET;
}
