/**
 * Marks of chunks and pages that a verification found damaged. A marked name is used by no backup any more: what it
 * should hold is stored anew under the next generation, as soon as a backup meets it.
 */
import { RegrainError } from "../../../core-as/host/errors.ts";
import { Fields } from "../../../core-as/host/repo/mod.ts";
import { DAMAGED, parseMark } from "./intents.ts";
import type { Repository } from "../repository.ts";

const MAX_MARK_BYTES = 1024 * 1024;

/** The mark that a key in `damaged/` is, as `markOf` writes it; `undefined` for any other key. */
export function markIn(key: string): string | undefined {
  const mark = key.startsWith(DAMAGED) && key.endsWith(".json") ? key.slice(DAMAGED.length, -5) : "";
  return parseMark(mark) === undefined ? undefined : mark;
}

/** Every mark, with what was found then. */
export async function readMarks(repository: Repository): Promise<Map<string, string>> {
  const marks = new Map<string, string>();
  for await (const { key } of repository.store.list(DAMAGED)) {
    const mark = markIn(key);
    if (mark !== undefined) marks.set(mark, await readReason(repository, key));
  }
  return marks;
}

/**
 * Marked content that readers still stumble over. Of the rest the damaged object is gone, and they take another
 * generation; its mark must stay, since it is what makes collections leave that generation alone.
 */
export async function unhealedMarks(repository: Repository): Promise<Set<string>> {
  const marks = new Set<string>();
  for (const mark of (await readMarks(repository)).keys()) {
    const name = parseMark(mark)!;
    const generations = await repository.generationsOf(name);
    const isThere = generations.some(({ generation }) => generation === name.generation);
    if (isThere || generations.length === 0) marks.add(mark);
  }
  return marks;
}

async function readReason(repository: Repository, key: string): Promise<string> {
  try {
    const bytes = await repository.store.get(key, MAX_MARK_BYTES);
    const about = { path: repository.pathOf(key), code: "SNAPSHOT_DAMAGED" } as const;
    return bytes === undefined ? "" : Fields.parse(bytes, about).text("reason");
  } catch (error) {
    if (!(error instanceof RegrainError) || error.code.startsWith("STORE_")) throw error;
    return "the mark itself cannot be read";
  }
}

export async function removeMark(repository: Repository, mark: string): Promise<void> {
  await repository.store.remove([`${DAMAGED}${mark}.json`]);
}
