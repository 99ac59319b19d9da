/**
 * Notes of what was verified, and the slices of a sample. A slice is every chunk whose id falls into it, so a chunk
 * stays in its slice, and as many runs as there are slices read every chunk.
 */
import { RegrainError } from "../../../core-as/host/errors.ts";
import { Fields, isUlid } from "../../../core-as/host/repo/mod.ts";
import type { Repository } from "../repository.ts";

const PREFIX = "verify/";
const MAX_NOTE_BYTES = 64 * 1024;
/** A ten-thousandth of the chunks is the least that is worth a run. */
const MAX_SLICES = 10_000;

export type VerifyMode = "quick" | "sample" | "deep" | "restore";

/** One of so many parts of all chunks. */
export interface Slice {
  readonly index: number;
  readonly count: number;
}

export interface VerifyNote {
  readonly mode: VerifyMode;
  readonly slice: Slice | undefined;
  readonly snapshots: number;
  readonly chunks: number;
  readonly readChunks: number;
  readonly damaged: number;
}

/** The verification that a key in `verify/` is of. */
export function notedId(key: string): string | undefined {
  const id = key.startsWith(PREFIX) && key.endsWith(".json") ? key.slice(PREFIX.length, -5) : "";
  return isUlid(id) ? id : undefined;
}

/**
 * Into how many slices a share such as `2%` cuts the chunks.
 *
 * @throws {RegrainError} `USAGE`.
 */
export function sliceCount(text: string): number {
  const [, digits] = /^(\d{1,3}(?:\.\d{1,4})?)%$/.exec(text) ?? [];
  const percent = Number(digits ?? NaN);
  const count = Math.ceil(100 / percent);
  if (percent > 0 && percent <= 100 && count <= MAX_SLICES) return count;
  throw new RegrainError("USAGE", `--sample ${text} is no share of the chunks`, {
    hint: "such as 2% or 0.5%; 50 runs of 2% read everything once",
  });
}

/** @param id The bytes of an id: a hash, so that its first bytes are as good as any. */
export function isInSlice(id: Uint8Array, { index, count }: Slice): boolean {
  return (id[0]! * 0x1000000 + (id[1]! << 16 | id[2]! << 8 | id[3]!)) % count === index;
}

/** The slice after that of the newest sample with as many; the first one where there is none. */
export async function nextSlice(repository: Repository, count: number): Promise<Slice> {
  const keys: string[] = [];
  for await (const { key } of repository.store.list(PREFIX)) if (notedId(key) !== undefined) keys.push(key);
  for (const key of keys.sort().reverse()) {
    const slice = await readSlice(repository, key);
    if (slice?.count === count) return { index: (slice.index + 1) % count, count };
  }
  return { index: 0, count };
}

/** A note that cannot be read says nothing, and stops nobody. */
async function readSlice(repository: Repository, key: string): Promise<Slice | undefined> {
  try {
    const bytes = await repository.store.get(key, MAX_NOTE_BYTES);
    if (bytes === undefined) return undefined;
    const note = Fields.parse(bytes, { path: repository.pathOf(key), code: "SNAPSHOT_DAMAGED" });
    return note.optional("slice", (from) => {
      const slice = from.object("slice");
      const count = slice.count("count", { least: 1, most: MAX_SLICES });
      return { index: slice.count("index", { most: count - 1 }), count };
    });
  } catch (error) {
    if (!(error instanceof RegrainError) || error.code.startsWith("STORE_")) throw error;
    return undefined;
  }
}

/** Leaves a note in the repository. */
export async function putNote(repository: Repository, note: VerifyNote): Promise<void> {
  const { world, store } = repository;
  const created = new Date(world.nowMs()).toISOString();
  const document = { version: 1, created, host: world.host, tool: world.tool, ...note };
  await store.put(
    `${PREFIX}${repository.newId()}.json`,
    new TextEncoder().encode(`${JSON.stringify(document)}\n`),
  );
}
