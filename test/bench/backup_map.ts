/**
 * Work on the map of a disk of 16 TiB, without a byte of the disk: `deno run -A backup_map.ts make|change|read REPO`.
 *
 * `make` stores a snapshot of 4 million chunks that are all different, `change` builds the next one on it with some of
 * them changed, `read` reads every page and notes every name, as a collection of garbage does.
 */
import {
  type MapPage,
  PAGE_ENTRIES,
  serializeSnapshot,
  type Snapshot,
  snapshotKey,
} from "../../core-as/host/repo/mod.ts";
import { ContentWriter } from "../../cli/backup/make/content_writer.ts";
import { readForbidden } from "../../cli/backup/signs/intents.ts";
import { MapBuilder } from "../../cli/backup/make/map_builder.ts";
import { References } from "../../cli/backup/collect/references.ts";
import type { Repository } from "../../cli/backup/repository.ts";
import { latestSnapshot } from "../../cli/backup/snapshots/snapshots.ts";
import { openRepository } from "../../cli/session/open_repository.ts";
import { Rng } from "../../fixtures/rng.ts";

export const MAP_DISK_BYTES = 16 * 2 ** 40;
/** Chunks that the second snapshot has changed. */
export const MAP_CHANGES = 2000;
const SOURCE = { name: "bench/large", key: "bench-large-00000000" };
const COMMANDS = { make, change, read };

async function make(repository: Repository): Promise<void> {
  const rng = new Rng(1);
  const map = mapOf(repository, undefined);
  const chunks = MAP_DISK_BYTES / repository.description.chunkBytes;
  let page: MapPage | undefined;
  for (let chunk = 0; chunk < chunks; chunk++) {
    if (chunk % PAGE_ENTRIES === 0) page = await map.load(chunk / PAGE_ENTRIES);
    page!.set(chunk % PAGE_ENTRIES, entryOf(rng));
  }
  await store(repository, map, undefined);
}

async function change(repository: Repository): Promise<void> {
  const rng = new Rng(2);
  const parent = await latestSnapshot(repository, SOURCE.key, console.error);
  const map = mapOf(repository, parent);
  const chunks = MAP_DISK_BYTES / repository.description.chunkBytes;
  for (const chunk of rng.pick({ count: MAP_CHANGES, limit: chunks }).sort((a, b) => a - b)) {
    await map.load(Math.floor(chunk / PAGE_ENTRIES));
    map.set(chunk, entryOf(rng));
  }
  await store(repository, map, parent);
}

async function read(repository: Repository): Promise<void> {
  const references = new References(repository, { onNotice: console.error });
  await references.mark();
  if (references.chunks.size < MAP_DISK_BYTES / repository.description.chunkBytes) {
    throw new Error("some chunks were not seen");
  }
}

function mapOf(repository: Repository, parent: Snapshot | undefined): MapBuilder {
  const of = { parent, sizeBytes: MAP_DISK_BYTES };
  return new MapBuilder(repository, repository.description.chunkBytes, of);
}

function entryOf(rng: Rng) {
  return { id: rng.bytes(32).toHex(), generation: 0, storedBytes: 1_700_000 };
}

async function store(repository: Repository, map: MapBuilder, parent: Snapshot | undefined): Promise<void> {
  const writer = new ContentWriter(repository, await readForbidden(repository), undefined);
  const { pages, root } = await map.finish(writer);
  const id = repository.newId();
  const snapshot: Snapshot = {
    format: "regrain-snapshot",
    version: 1,
    features: [],
    repository: repository.description.id,
    id,
    source: SOURCE,
    created: new Date().toISOString(),
    tool: "bench",
    host: "bench",
    parent: parent?.id,
    ...map.disk,
    pages,
    root,
    change: { method: "full", reason: undefined },
    cid: undefined,
    tags: [],
    stats: { chunks: map.countChunks(), newChunks: 0, readBytes: 0, storedBytes: 0, elapsedMs: 0 },
  };
  const key = snapshotKey(SOURCE.key, id, repository.suffix);
  await repository.store.put(key, await serializeSnapshot(snapshot), { ifAbsent: true });
}

if (import.meta.main) {
  const [command, folder] = Deno.args;
  await COMMANDS[command as keyof typeof COMMANDS](await openRepository({ repo: folder! }));
}
