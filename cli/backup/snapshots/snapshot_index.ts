/**
 * An index of what manifests say, so that a list of twenty thousand snapshots does not read twenty thousand objects.
 *
 * It is a cache and nothing else. Only lists and dry runs are made from it: whatever removes, restores or verifies
 * reads the manifests. It is the host's, not the store's, and sealed where the repository is. An entry counts for a
 * manifest of the same name, size and time. A few that count are read all the same, each time others, and one that says
 * something else ends the belief in all of them. What is absent, damaged or of another repository is built again.
 */
import { RegrainError } from "../../../core-as/host/errors.ts";
import {
  Fields,
  outlineOf,
  parseOutline,
  parseSnapshotKey,
  sha256Hex,
  type SnapshotName,
  type SnapshotOutline,
} from "../../../core-as/host/repo/mod.ts";
import type { Repository } from "../repository.ts";
import { doubtfulIds, type Listed, readListed } from "./snapshots.ts";

/** Where the index lies. */
export interface IndexFile {
  readonly path: string;
  /** `undefined` when there is none. */
  read(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** In the place of the one before, whole or not at all. */
  write(bytes: Uint8Array): Promise<void>;
}

export interface IndexOptions {
  /** Absent: every manifest is read. */
  readonly file?: IndexFile | undefined;
  /** Fewer snapshots are read without an index. */
  readonly leastCount?: number | undefined;
  onNotice(sentence: string): void;
}

/** So many manifests are read in half a second, even where the store is slow to answer. */
const LEAST_COUNT = 500;
/** Manifests that are read although the index has them. */
const SAMPLED = 8;
/** A distant store answers late, and many at once. */
const READ_AT_ONCE = 16;
/** What the index is called where it is sealed. */
const SEALED_AS = "snapshot-index";
const DOCUMENT = /^\{"index":(.*),"sha256":"([0-9a-f]{64})"\}\n$/s;

/** A manifest as the store lists it. */
interface Found {
  readonly name: SnapshotName;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** By the manifest's key. */
type Entries = Map<string, { sizeBytes: number; modifiedMs: number; outline: SnapshotOutline }>;

/** Every snapshot, oldest first, without the pages of its map. */
export async function readOutlines(
  repository: Repository,
  source: string | undefined,
  options: IndexOptions,
): Promise<Listed<SnapshotOutline>[]> {
  const found = await listManifests(repository, source);
  const doubtful = await doubtfulIds(repository);
  const { file, leastCount = LEAST_COUNT } = options;
  const usesIndex = file !== undefined && found.length >= leastCount;
  const before = usesIndex ? await load(repository, file) : new Map() as Entries;
  const known = new Map(found.flatMap((each) => {
    const entry = before.get(each.name.key);
    const isSame = entry?.sizeBytes === each.sizeBytes && entry.modifiedMs === each.modifiedMs;
    return isSame ? [[each.name.key, entry.outline]] : [];
  }));
  if (!await agrees(repository, { found, known })) {
    options.onNotice(`${file!.path} does not say what the snapshots say: all of them are read`);
    before.clear();
    known.clear();
  }
  const listed = await readUnknown(repository, { found, known, doubtful });
  if (usesIndex && known.size < found.length) {
    const entries = source === undefined ? new Map() as Entries : before;
    for (const each of found) {
      const outline = listed.get(each.name.key)?.snapshot;
      if (outline === undefined) entries.delete(each.name.key);
      else entries.set(each.name.key, { ...each, outline });
    }
    await save(repository, file, { entries, onNotice: options.onNotice });
  }
  return [...listed.values()];
}

async function listManifests(repository: Repository, source: string | undefined): Promise<Found[]> {
  const found: Found[] = [];
  const prefix = source === undefined ? "snaps/" : `snaps/${source}/`;
  for await (const { key, sizeBytes, modifiedMs } of repository.store.list(prefix)) {
    const name = parseSnapshotKey(key);
    if (name !== undefined) found.push({ name: { key, ...name }, sizeBytes, modifiedMs });
  }
  return found.sort(({ name: a }, { name: b }) => a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/** Reads a few of the manifests that the index has, and compares. */
async function agrees(
  repository: Repository,
  { found, known }: { found: readonly Found[]; known: ReadonlyMap<string, SnapshotOutline> },
): Promise<boolean> {
  const candidates = found.filter(({ name }) => known.has(name.key));
  for (let left = SAMPLED; left > 0 && candidates.length > 0; left--) {
    const lot = new DataView(repository.world.random(4).buffer).getUint32(0);
    const [{ name }] = candidates.splice(lot % candidates.length, 1) as [Found];
    const listed = await readListed(repository, name, false);
    // Gone since it was listed.
    if (listed === undefined) continue;
    const { snapshot } = listed;
    if (snapshot === undefined) return false;
    if (JSON.stringify(outlineOf(snapshot)) !== JSON.stringify(known.get(name.key))) return false;
  }
  return true;
}

async function readUnknown(
  repository: Repository,
  of: {
    found: readonly Found[];
    known: ReadonlyMap<string, SnapshotOutline>;
    doubtful: ReadonlySet<string>;
  },
): Promise<Map<string, Listed<SnapshotOutline>>> {
  const { found, known, doubtful } = of;
  const listed = new Map<string, Listed<SnapshotOutline>>();
  const readOne = async ({ name }: Found): Promise<Listed<SnapshotOutline> | undefined> => {
    const isDoubtful = doubtful.has(name.id);
    const outline = known.get(name.key);
    if (outline !== undefined) return { name, snapshot: outline, damage: undefined, isDoubtful };
    const read = await readListed(repository, name, isDoubtful);
    return read && { ...read, snapshot: read.snapshot && outlineOf(read.snapshot) };
  };
  for (let at = 0; at < found.length; at += READ_AT_ONCE) {
    for (const each of await Promise.all(found.slice(at, at + READ_AT_ONCE).map(readOne))) {
      if (each !== undefined) listed.set(each.name.key, each);
    }
  }
  return listed;
}

/** Nothing of an index that is not whole, or that is of another repository. */
async function load(repository: Repository, file: IndexFile): Promise<Entries> {
  const stored = await file.read();
  const { keys } = repository.means;
  const plain = stored === undefined || keys === undefined ? stored : await keys.decrypt(SEALED_AS, stored);
  if (plain === undefined) return new Map();
  try {
    return await parse(repository, plain, file.path);
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
    return new Map();
  }
}

async function parse(
  repository: Repository,
  plain: Uint8Array<ArrayBuffer>,
  path: string,
): Promise<Entries> {
  const [, body, sum] = DOCUMENT.exec(new TextDecoder().decode(plain)) ?? [];
  const encoded = new TextEncoder().encode(body);
  const about = { path, code: "SNAPSHOT_DAMAGED" } as const;
  if (body === undefined || await sha256Hex(encoded) !== sum) {
    throw new RegrainError(about.code, "is no index that is whole", { path });
  }
  const fields = Fields.parse(encoded, about);
  if (fields.text("format") !== "regrain-snapshot-index" || fields.count("version") !== 1) {
    fields.fail("format", "an index of version 1");
  }
  const { description } = repository;
  if (fields.text("repository") !== description.id) fields.fail("repository", description.id);
  const entries: Entries = new Map();
  for (const value of fields.list("entries")) {
    const record = recordOf(value);
    const entry = new Fields(record, about);
    const key = entry.text("key");
    const name = parseSnapshotKey(key);
    const outline = parseOutline(recordOf(record.outline), path);
    const isItsOwn = outline.id === name?.id && outline.source.key === name.source &&
      outline.repository === description.id && outline.chunkBytes === description.chunkBytes;
    if (!isItsOwn) entry.fail("outline", `that of ${key}`);
    entries.set(key, { sizeBytes: entry.count("sizeBytes"), modifiedMs: entry.count("modifiedMs"), outline });
  }
  return entries;
}

/** What is no object has no fields. */
function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}

/** That it could not be kept costs time, the next time. */
async function save(
  repository: Repository,
  file: IndexFile,
  { entries, onNotice }: { entries: Entries; onNotice: (sentence: string) => void },
): Promise<void> {
  const list = [...entries].map(([key, { sizeBytes, modifiedMs, outline }]) => ({
    key,
    sizeBytes,
    modifiedMs,
    outline,
  }));
  const repositoryId = repository.description.id;
  const index = { format: "regrain-snapshot-index", version: 1, repository: repositoryId, entries: list };
  const body = JSON.stringify(index);
  const sum = await sha256Hex(new TextEncoder().encode(body));
  const plain = new TextEncoder().encode(`{"index":${body},"sha256":"${sum}"}\n`);
  const { keys } = repository.means;
  try {
    await file.write(keys === undefined ? plain : await keys.encrypt(SEALED_AS, plain));
  } catch (error) {
    if (!(error instanceof RegrainError)) throw error;
    onNotice(`the index of snapshots cannot be kept: ${error.message}`);
  }
}
