/** Finding snapshots: the latest of a disk, one by its id, one by a time. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import type { Snapshot, SnapshotName } from "../../../core-as/host/repo/mod.ts";
import { isDoubtful, listActive } from "../signs/intents.ts";
import type { Repository } from "../repository.ts";
import { madeMs, newestBy, spanOfTime } from "./times.ts";
import { meantInstead } from "./alike.ts";
import { readVms } from "./vms.ts";

/** A snapshot as lists show it, with what is known of its manifest. */
export interface Listed<T> {
  readonly name: SnapshotName;
  /** `undefined` when the manifest cannot be read. */
  readonly snapshot: T | undefined;
  readonly damage: RegrainError | undefined;
  /** Its backup was taken for dead before it ended: chunks may be missing. */
  readonly isDoubtful: boolean;
}

export type ListedSnapshot = Listed<Snapshot>;

/** Every snapshot, oldest first. One that is damaged does not hide the others. */
export async function* readSnapshots(
  repository: Repository,
  source?: string,
): AsyncGenerator<ListedSnapshot> {
  const names = await repository.listSnapshots(source);
  const doubtful = await doubtfulIds(repository);
  for (const name of names) {
    const listed = await readListed(repository, name, doubtful.has(name.id));
    if (listed !== undefined) yield listed;
  }
}

/** @returns `undefined` when the manifest is gone since it was listed. */
export async function readListed(
  repository: Repository,
  name: SnapshotName,
  isDoubtful: boolean,
): Promise<ListedSnapshot | undefined> {
  try {
    const snapshot = await repository.readSnapshot(name);
    return snapshot && { name, snapshot, damage: undefined, isDoubtful };
  } catch (error) {
    if (!(error instanceof RegrainError) || error.code.startsWith("STORE_")) throw error;
    return { name, snapshot: undefined, damage: error, isDoubtful };
  }
}

/**
 * The newest snapshot of a source that a new one can be made against.
 *
 * @param onSkipped Told of newer ones that cannot be used.
 */
export async function latestSnapshot(
  repository: Repository,
  source: string,
  onSkipped: (sentence: string) => void,
): Promise<Snapshot | undefined> {
  const names = await repository.listSnapshots(source);
  const doubtful = names.length === 0 ? new Set<string>() : await doubtfulIds(repository);
  for (const name of names.reverse()) {
    if (doubtful.has(name.id)) {
      onSkipped(`snapshot ${name.id} is passed over: its backup was taken for dead before it ended`);
      continue;
    }
    try {
      const snapshot = await repository.readSnapshot(name);
      if (snapshot !== undefined) return snapshot;
    } catch (error) {
      if (!(error instanceof RegrainError) || error.code.startsWith("STORE_")) throw error;
      onSkipped(`snapshot ${name.id} is passed over: ${error.message}`);
    }
  }
  return undefined;
}

/** Snapshots whose backup was taken for dead: what they refer to may have been removed. */
export async function doubtfulIds(repository: Repository): Promise<Set<string>> {
  const ids = new Set<string>();
  for (const backup of (await listActive(repository)).values()) if (isDoubtful(backup)) ids.add(backup.id);
  return ids;
}

/** `VM/DISK@WHICH` in its parts; without `@` the latest is meant. */
export function parseSnapshotSpec(spec: string): { name: string; which: string } {
  const at = spec.lastIndexOf("@");
  return at < 0 ? { name: spec, which: "latest" } : { name: spec.slice(0, at), which: spec.slice(at + 1) };
}

/** A name that nothing was stored under as a disk: it may be that of a VM, whose disks have names of their own. */
export async function noBackupOf(repository: Repository, name: string): Promise<RegrainError> {
  const source = await repository.sourceKey(name);
  const vm = (await readVms(repository)).filter((each) => each.name.source === source).at(-1)?.vm;
  const path = repository.store.label;
  if (vm === undefined) {
    return new RegrainError("SNAPSHOT_MISSING", `there is no backup of ${JSON.stringify(name)}`, {
      path,
      hint: `${await meantInstead(repository, name)}regrain snapshots lists what there is`,
    });
  }
  return new RegrainError("USAGE", `${JSON.stringify(name)} is a VM, and a disk is due`, {
    path,
    hint: `one of its disks: ${vm.disks.map(({ source }) => source.name).join(", ")}`,
  });
}

/**
 * The snapshot that `VM/DISK@latest`, `@<first letters of an id>` or `@<time>` means; a time means the newest one that
 * was made by its end: see {@link newestBy}.
 *
 * @throws {RegrainError} `SNAPSHOT_MISSING` with what there is, `USAGE` when letters fit several.
 */
export async function findSnapshot(
  repository: Repository,
  spec: string,
  onSkipped: (sentence: string) => void,
): Promise<Snapshot> {
  const { name, which } = parseSnapshotSpec(spec);
  const source = await repository.sourceKey(name);
  const names = await repository.listSnapshots(source);
  if (names.length === 0) {
    throw await noBackupOf(repository, name);
  }
  if (which === "latest") {
    const latest = await latestSnapshot(repository, source, onSkipped);
    if (latest !== undefined) return latest;
    throw new RegrainError("SNAPSHOT_MISSING", `no snapshot of ${JSON.stringify(name)} can be used`, {
      path: repository.store.label,
    });
  }
  const span = spanOfTime(which);
  if (span !== undefined) return await snapshotOfTime(repository, { spec, source, span }, onSkipped);
  const snapshot = await repository.readSnapshot(pick(names, { which, name, label: repository.store.label }));
  if (snapshot !== undefined) return snapshot;
  throw new RegrainError("SNAPSHOT_MISSING", `${spec} was removed a moment ago`, {
    path: repository.store.label,
  });
}

/** The snapshot that a time means; what cannot be used is passed over. */
async function snapshotOfTime(
  repository: Repository,
  { spec, source, span }: { spec: string; source: string; span: { startMs: number; endMs: number } },
  onSkipped: (sentence: string) => void,
): Promise<Snapshot> {
  const usable: { item: Snapshot; timeMs: number }[] = [];
  for await (const listed of readSnapshots(repository, source)) {
    const { name: { id }, snapshot, damage, isDoubtful } = listed;
    const timeMs = madeMs(listed);
    if (timeMs >= span.endMs) continue;
    if (damage !== undefined) onSkipped(`snapshot ${id} is passed over: ${damage.message}`);
    else if (isDoubtful) {
      onSkipped(`snapshot ${id} is passed over: its backup was taken for dead before it ended`);
    } else usable.push({ item: snapshot!, timeMs });
  }
  const found = newestBy(usable, span, repository.world.nowMs());
  if (found?.isAhead) {
    onSkipped(`the time of snapshot ${found.item.id} lies in the future: the clock of its host was ahead`);
  }
  if (found !== undefined) return found.item;
  throw new RegrainError("SNAPSHOT_MISSING", `no snapshot is as old as ${spec} says`, {
    path: repository.store.label,
    hint: `regrain snapshots ${parseSnapshotSpec(spec).name} lists them with their times, in UTC`,
  });
}

function pick(
  names: readonly SnapshotName[],
  asked: { which: string; name: string; label: string },
): SnapshotName {
  const { which, name, label } = asked;
  const byId = /^[0-9A-Z]{4,26}$/i.test(which)
    ? names.filter(({ id }) => id.startsWith(which.toUpperCase()))
    : [];
  if (byId.length === 1) return byId[0]!;
  if (byId.length > 1) {
    throw new RegrainError(
      "USAGE",
      `${byId.length} snapshots of ${JSON.stringify(name)} start with ${which}`,
      {
        hint: byId.map(({ id }) => id).join(", "),
      },
    );
  }
  throw new RegrainError("SNAPSHOT_MISSING", `no snapshot of ${JSON.stringify(name)} is meant by @${which}`, {
    path: label,
    hint:
      "after the @: latest, the first letters of an id (four at least), or a time in UTC: 2026-11-21, 2026-11-21T03:00",
  });
}
