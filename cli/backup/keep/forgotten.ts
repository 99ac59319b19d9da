/**
 * Records that the newest snapshot of a disk was removed on purpose. Other hosts remember that they saw it, and would
 * take a store without it for one that shows an older state.
 *
 * In an encrypted repository a record is encrypted as every object is, so only who has the key can make one. There is
 * one a disk: of the newest that was removed.
 */
import { RegrainError } from "../../../core-as/host/errors.ts";
import { Fields, parseSnapshotKey, type SnapshotName } from "../../../core-as/host/repo/mod.ts";
import type { Repository } from "../repository.ts";

const PREFIX = "forgotten/";
const KEY = /^forgotten\/([a-z0-9][a-z0-9-]{0,80})\/([0-9A-HJKMNP-TV-Z]{26})\.(?:json|enc)$/;
const MAX_RECORD_BYTES = 64 * 1024;

/** The disk and the id that the key of a record names; `undefined` for a key of anything else. */
export function parseForgottenKey(key: string): { source: string; id: string } | undefined {
  const [, source, id] = KEY.exec(key) ?? [];
  return source === undefined || id === undefined ? undefined : { source, id };
}

function keyOf({ suffix }: Repository, { source, id }: Pick<SnapshotName, "source" | "id">): string {
  return `${PREFIX}${source}/${id}.${suffix === "enc" ? "enc" : "json"}`;
}

/**
 * Records what was removed, where it leaves a disk without its newest snapshot.
 *
 * @param removed What is gone already: a record of what is still there would hide that a store holds it back.
 * @param onNotice Told where nothing can be recorded: a full store must not keep anybody from making room.
 */
export async function recordForgotten(
  repository: Repository,
  removed: readonly SnapshotName[],
  onNotice: (sentence: string) => void,
): Promise<void> {
  const disks = Map.groupBy(
    removed.filter(({ key }) => parseSnapshotKey(key) !== undefined),
    ({ source }) => source,
  );
  for (const [source, names] of disks) {
    const newest = names.reduce((a, b) => a.id > b.id ? a : b);
    if ((await repository.listSnapshots(source)).some(({ id }) => id > newest.id)) continue;
    try {
      await record(repository, newest);
    } catch (error) {
      if (!(error instanceof RegrainError)) throw error;
      onNotice(
        `that ${newest.id} was removed on purpose cannot be recorded, so other hosts may miss it: ${error.message}`,
      );
    }
  }
}

async function record(repository: Repository, { source, id }: SnapshotName): Promise<void> {
  const { store, means: { keys } } = repository;
  const records = await recordsOf(repository, source);
  if (records.some((each) => each.id >= id)) return;
  const key = keyOf(repository, { source, id });
  await store.put(key, keys === undefined ? NOTHING : await keys.encrypt(key, documentOf(repository, id)));
  await store.remove(records.map((each) => each.key));
}

/** Where nobody can prove anything the name says it all, and takes no room in a full store. */
const NOTHING = new Uint8Array(0);

function documentOf({ world }: Repository, id: string): Uint8Array<ArrayBuffer> {
  const removed = new Date(world.nowMs()).toISOString();
  return new TextEncoder().encode(`${JSON.stringify({ version: 1, id, removed, host: world.host })}\n`);
}

/** True where a record says that this snapshot, or a newer one of the disk, was removed on purpose. */
export async function isForgotten(
  repository: Repository,
  { source, id }: { source: string; id: string },
): Promise<boolean> {
  for (const each of await recordsOf(repository, source)) {
    if (each.id >= id && await isGenuine(repository, each)) return true;
  }
  return false;
}

async function recordsOf(repository: Repository, source: string): Promise<{ id: string; key: string }[]> {
  const records: { id: string; key: string }[] = [];
  for await (const { key } of repository.store.list(`${PREFIX}${source}/`)) {
    const named = parseForgottenKey(key);
    if (named !== undefined && keyOf(repository, named) === key) records.push({ id: named.id, key });
  }
  return records;
}

async function isGenuine(repository: Repository, { id, key }: { id: string; key: string }): Promise<boolean> {
  const { store, means: { keys } } = repository;
  if (keys === undefined) return true;
  try {
    const bytes = await store.get(key, MAX_RECORD_BYTES);
    const plain = bytes === undefined ? undefined : await keys.decrypt(key, bytes);
    if (plain === undefined) return false;
    const fields = Fields.parse(plain, { path: repository.pathOf(key), code: "SNAPSHOT_DAMAGED" });
    return fields.count("version") === 1 && fields.text("id") === id;
  } catch (error) {
    if (!(error instanceof RegrainError) || error.code.startsWith("STORE_")) throw error;
    return false;
  }
}
