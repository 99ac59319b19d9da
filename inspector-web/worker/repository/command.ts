/** The command that restores a snapshot. */
import { quotePath, quoteWord } from "../../../core-as/host/mod.ts";
import type { Snapshot } from "../../../core-as/host/repo/mod.ts";

/** What writes a snapshot to an image. */
export function restoreCommand({ source, id }: Pick<Snapshot, "source" | "id">, repository: string): string {
  return `regrain restore ${quoteWord(`${source.name}@${id}`)} TARGET --repo ${quotePath(repository)}`;
}
