/**
 * Keeping snapshots where nobody can remove them before a date, not even with the credentials of the backup.
 *
 * What is made new is locked as it is written. What is reused may be locked for a shorter time, so its lock is
 * prolonged, before the manifest says that everything is locked. Dates are rounded up to generations of ten days: all
 * backups of such a time lock until the same date, so most of them need not prolong what their parent locked.
 */
import { RegrainError } from "../../../core-as/host/errors.ts";
import {
  entriesOfPage,
  type MapPage,
  type PageReference,
  type Snapshot,
  type TellingStore,
} from "../../../core-as/host/repo/mod.ts";
import type { ContentWriter } from "./content_writer.ts";
import { IdTable } from "../id_table.ts";
import type { Intent } from "../signs/intents.ts";
import type { MapBuilder } from "./map_builder.ts";
import type { Repository } from "../repository.ts";

const GENERATION_MS = 10 * 24 * 3600 * 1000;
/** Requests to lock that are handed to the store at once. */
const KEYS_AT_ONCE = 256;

/** The end of the generation in which a window that begins now ends. */
export function retainUntil(nowMs: number, windowMs: number | undefined): number | undefined {
  if (windowMs === undefined) return undefined;
  return Math.ceil((nowMs + windowMs) / GENERATION_MS) * GENERATION_MS;
}

/**
 * Refuses a store that would not keep its word. One that does not say whether it locks counts as one that does not:
 * some take the wish and forget it.
 *
 * @throws {RegrainError} `USAGE`.
 */
export async function refuseUnlockable(store: TellingStore): Promise<void> {
  const locks = store.extendRetention === undefined ? false : await store.features?.objectLock();
  if (locks) return;
  const what = locks === undefined
    ? "the store does not say whether it has object lock"
    : "the store has no object lock";
  throw new RegrainError("USAGE", `${what}, and --retain rests on it`, {
    path: store.label,
    hint: locks === undefined
      ? "the credentials need s3:GetBucketObjectLockConfiguration"
      : "make the bucket of an S3 store with object lock, or leave --retain out",
  });
}

/** A snapshot whose content is all stored, and not its manifest. */
export interface Unretained {
  readonly repository: Repository;
  readonly pages: readonly (PageReference | null)[];
  readonly map: MapBuilder;
  readonly writer: ContentWriter;
  readonly untilMs: number;
  readonly parent: Snapshot | undefined;
  readonly intent: Intent;
}

/**
 * Locks what the snapshot reuses for as long as what is new in it.
 *
 * @throws {RegrainError} `CHUNK_MISSING` for what is gone, and what the store throws.
 */
export async function retainContent(work: Unretained): Promise<void> {
  const { pages, parent, untilMs, repository, map } = work;
  const isCovered = parent?.retainUntil !== undefined && Date.parse(parent.retainUntil) >= untilMs;
  const extender = new Extender(work);
  for (const [index, reference] of pages.entries()) {
    if (reference === null) continue;
    const before = isCovered ? parent.pages[index] : null;
    if (before?.id === reference.id && before.generation === reference.generation) continue;
    await extender.add("maps", reference);
    const covered = before ? await repository.readPage(parent!, index) : undefined;
    const entries = entriesOfPage(map.disk, index);
    await addChunks(await map.load(index), { extender, covered, entries });
  }
  await extender.send();
}

async function addChunks(
  page: MapPage,
  about: { extender: Extender; covered: MapPage | undefined; entries: number },
): Promise<void> {
  const { extender, covered, entries } = about;
  for (let i = 0; i < entries; i++) {
    const entry = page.get(i);
    if (entry === undefined) continue;
    const before = covered !== undefined && i < covered.entries ? covered.get(i) : undefined;
    if (before?.id === entry.id && before.generation === entry.generation) continue;
    await extender.add("chunks", entry);
  }
}

/** Gathers what is to be locked for longer, each only once. */
class Extender {
  private keys: string[] = [];
  private readonly seen = { chunks: new IdTable(), maps: new IdTable() };

  constructor(private readonly work: Unretained) {}

  async add(kind: "chunks" | "maps", name: { id: string; generation: number }): Promise<void> {
    if (this.work.writer.hasLocked(kind, name) || this.seen[kind].hasNamed(name)) return;
    this.seen[kind].setNamed(name, 0);
    this.keys.push(this.work.repository.keyOf(kind, name));
    if (this.keys.length >= KEYS_AT_ONCE) await this.send();
  }

  async send(): Promise<void> {
    const { repository, untilMs, intent } = this.work;
    const { keys } = this;
    if (keys.length === 0) return;
    this.keys = [];
    await intent.beat();
    const [gone] = await repository.store.extendRetention!(keys, untilMs);
    if (gone === undefined) return;
    throw new RegrainError("CHUNK_MISSING", "is to be kept for longer, and is not there", {
      path: repository.pathOf(gone),
    });
  }
}
