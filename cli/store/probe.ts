/**
 * Tries out what a store keeps, before a repository is laid in it.
 *
 * A repository rests on three things: an object comes back whole and as it was written; what was written or removed
 * is so for every later request, listings too; a listing names every object. A store that fails one of these is
 * refused by name. Conditional writes, versions and locks are only noted.
 */
import { RegrainError } from "../../core-as/host/errors.ts";
import type {
  ObjectInfo,
  ObjectStore,
  StoreFeatures,
  TellingStore,
} from "../../core-as/host/repo/objects.ts";

export interface StoreProbe {
  /** `ignored` also where of several writers at once more than one is told that it created the object. */
  readonly conditionalPut: "atomic" | "ignored" | "rejected";
  readonly versioned?: boolean;
  readonly objectLock?: boolean;
  /** What a person should know, a sentence each. */
  readonly warnings: readonly string[];
}

/** What follows from versions, of a bucket. */
export const VERSIONED =
  "keeps older versions: what regrain gc removes is hidden, and takes place until a lifecycle rule for noncurrent " +
  "versions removes it";

/** Not a round number: a store that works in blocks shows. */
const CONTENT_BYTES = 256 * 1024 + 13;
const OBJECTS = 5;
const PAGE_KEYS = 2;
const WRITERS = 8;
/** `getRandomValues` gives no more at once. */
const RANDOM_BYTES = 65536;

/**
 * Writes a few objects below `probe/`, looks at them from every side, and removes them.
 *
 * @throws {RegrainError} `STORE_UNSUITABLE` names what the store does not keep; otherwise as the store throws.
 */
export async function probeStore(store: TellingStore): Promise<StoreProbe> {
  const folder = `probe/${crypto.randomUUID()}`;
  const warnings: string[] = [];
  try {
    await probeContent(store, folder);
    const conditionalPut = await probeConditions(store, folder);
    await probeListing(store, `${folder}/list/`);
    const versioned = await store.features?.versioned();
    const objectLock = await store.features?.objectLock();
    if (await store.features?.takesAnySecret()) {
      warnings.push("the store lets in a wrong secret: whoever reaches it can read and remove everything");
    }
    if (!await canRemove(store, folder)) {
      warnings.push("these credentials cannot remove objects: enough for backups, not for prune and gc");
    }
    return {
      conditionalPut,
      warnings,
      ...(versioned === undefined ? {} : { versioned }),
      ...(objectLock === undefined ? {} : { objectLock }),
    };
  } catch (error) {
    await tidyUp(store, folder);
    throw error;
  }
}

async function probeConditions(store: TellingStore, folder: string): Promise<StoreProbe["conditionalPut"]> {
  const key = `${folder}/once`;
  const first = randomBytes(100);
  // After a reply that was lost, what is said to be there is this very object.
  const isFirst = await store.put(key, first, { ifAbsent: true }) === "created" ||
    isEqual(await store.get(key, 100), first);
  if (!isFirst) {
    throw unsuitable(store, "says that an object is there already that was never written");
  }
  const second = await store.put(key, randomBytes(100), { ifAbsent: true });
  const kept = isEqual(await store.get(key, 100), first);
  if (second === "exists" && !kept) {
    throw unsuitable(store, "says that it left an object alone, and replaced it");
  }
  if (store.features?.refusesConditions()) return "rejected";
  return second === "exists" && await isAtomic(store, `${folder}/race`) ? "atomic" : "ignored";
}

async function isAtomic(store: ObjectStore, key: string): Promise<boolean> {
  const bytes = randomBytes(CONTENT_BYTES);
  const outcomes = await Promise.all(
    Array.from({ length: WRITERS }, () => store.put(key, bytes, { ifAbsent: true })),
  );
  return outcomes.filter((outcome) => outcome === "created").length === 1;
}

async function probeContent(store: ObjectStore, folder: string): Promise<void> {
  const key = `${folder}/content`;
  for (const what of ["an object that was just written", "an object that was just replaced"]) {
    const bytes = randomBytes(CONTENT_BYTES);
    await store.put(key, bytes);
    const read = await store.get(key, 2 * CONTENT_BYTES);
    if (read === undefined) throw unsuitable(store, `does not find ${what}`);
    if (!isEqual(read, bytes)) throw unsuitable(store, `gives back ${what} with other content`);
    const info = await store.head(key);
    if (info?.sizeBytes !== CONTENT_BYTES) {
      throw unsuitable(store, `does not know the size of ${what}`);
    }
  }
}

async function probeListing(store: TellingStore, prefix: string): Promise<void> {
  const keys = Array.from({ length: OBJECTS }, (_, i) => `${prefix}${i}`);
  for (const [i, key] of keys.entries()) {
    await store.put(key, randomBytes(i + 1));
    const listed = await keysOf(store.list(prefix));
    if (!isSameKeys(listed, keys.slice(0, i + 1))) {
      throw unsuitable(store, "does not list an object that was just written");
    }
  }
  const { features } = store;
  if (features !== undefined && !isSameKeys(await listInPages(store, features, prefix), keys)) {
    throw unsuitable(store, "leaves objects out of a listing of several pages, or names them twice");
  }
}

async function listInPages(store: ObjectStore, features: StoreFeatures, prefix: string): Promise<string[]> {
  try {
    return await keysOf(features.listBy(prefix, PAGE_KEYS));
  } catch (cause) {
    if (!(cause instanceof RegrainError) || cause.code !== "STORE_FAILED") throw cause;
    throw unsuitable(store, `cannot list in several pages (${cause.reason})`, cause);
  }
}

/** @returns `false` when the credentials do not allow it. */
async function canRemove(store: ObjectStore, folder: string): Promise<boolean> {
  const keys = await keysOf(store.list(`${folder}/`));
  try {
    await store.remove(keys);
  } catch (error) {
    if (error instanceof RegrainError && ["STORE_DENIED", "PERMISSION"].includes(error.code)) return false;
    throw error;
  }
  for (const key of keys) {
    if (await store.head(key) !== undefined || await store.get(key, 2 * CONTENT_BYTES) !== undefined) {
      throw unsuitable(store, "still has an object that was just removed");
    }
  }
  if ((await keysOf(store.list(`${folder}/`))).length > 0) {
    throw unsuitable(store, "still lists an object that was just removed");
  }
  return true;
}

/** What the probe wrote is in nobody's way; that it stays is not worth hiding why the probe failed. */
async function tidyUp(store: ObjectStore, folder: string): Promise<void> {
  try {
    await store.remove(await keysOf(store.list(`${folder}/`)));
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
  }
}

async function keysOf(listing: AsyncIterable<ObjectInfo>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of listing) keys.push(key);
  return keys;
}

function isSameKeys(listed: readonly string[], keys: readonly string[]): boolean {
  return listed.length === keys.length && keys.every((key) => listed.includes(key));
}

function isEqual(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a?.length === b.length && a.every((byte, i) => byte === b[i]);
}

function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; done += RANDOM_BYTES) {
    crypto.getRandomValues(bytes.subarray(done, done + RANDOM_BYTES));
  }
  return bytes;
}

function unsuitable(store: ObjectStore, what: string, cause?: unknown): RegrainError {
  return new RegrainError("STORE_UNSUITABLE", `the store ${what}`, {
    path: store.label,
    cause,
    hint: "a repository in it could lose backups: use another store, or a newer version of this one",
  });
}
