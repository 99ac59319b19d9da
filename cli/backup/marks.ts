/**
 * Marks of chunks that a verification found damaged. A marked name is used by no backup any more: what it should hold
 * is stored anew under the next generation, as soon as a backup meets it.
 */
import { RegrainError } from "../../core-as/host/errors.ts";
import { Fields, parseContentStem } from "../../core-as/host/repo/mod.ts";
import type { Repository } from "./repository.ts";

const PREFIX = "damaged/";
const MAX_MARK_BYTES = 1024 * 1024;

/** The content that a key in `damaged/` is about, as `<id>[.<generation>]`; `undefined` for any other key. */
export function markedStem(key: string): string | undefined {
  const stem = key.startsWith(PREFIX) && key.endsWith(".json") ? key.slice(PREFIX.length, -5) : "";
  return parseContentStem(stem) === undefined ? undefined : stem;
}

/** Every mark by its stem, with what was found then. */
export async function readMarks(repository: Repository): Promise<Map<string, string>> {
  const marks = new Map<string, string>();
  for await (const { key } of repository.store.list(PREFIX)) {
    const stem = markedStem(key);
    if (stem !== undefined) marks.set(stem, await readReason(repository, key));
  }
  return marks;
}

/**
 * Marked content that readers still stumble over. Of the rest the damaged object is gone, and they take another
 * generation; its mark must stay, since it is what makes collections leave that generation alone.
 */
export async function unhealedStems(repository: Repository): Promise<Set<string>> {
  const stems = new Set<string>();
  for (const stem of (await readMarks(repository)).keys()) {
    const name = { kind: "chunks", ...parseContentStem(stem)! } as const;
    const generations = await repository.generationsOf(name);
    const isThere = generations.some(({ generation }) => generation === name.generation);
    if (isThere || generations.length === 0) stems.add(stem);
  }
  return stems;
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

export async function removeMark(repository: Repository, stem: string): Promise<void> {
  await repository.store.remove([`${PREFIX}${stem}.json`]);
}
