/** Removing manifests by their ids: of snapshots that cannot be read, or that are not wanted whatever the rules say. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import type { Snapshot, SnapshotName } from "../../../core-as/host/repo/mod.ts";
import { heldIds } from "./holds.ts";
import { removeUnlocked } from "../remove_unlocked.ts";
import type { Repository } from "../repository.ts";
import { type ListedVm, readVms } from "../snapshots/vms.ts";

/** The first letters of an id; fewer would be guessed too easily. */
const ID = /^[0-9A-HJKMNP-TV-Z]{8,26}$/i;

/** What became of a snapshot, or would become. */
export interface Forgotten {
  readonly name: SnapshotName;
  /** `undefined` when the manifest cannot be read. */
  readonly snapshot: Snapshot | undefined;
  /** `part`: a VM snapshot needs it. */
  readonly fate: "removed" | "held" | "locked" | "part";
  /** The VM snapshot that it is part of; of a manifest of a VM that one itself. */
  readonly vm?: string | undefined;
  /** Ids that are held, where it stays for them: its own, or those of disks of the same VM. */
  readonly heldIds?: readonly string[];
}

/**
 * Removes manifests; chunks are the business of a collection. What is held or locked stays.
 *
 * @param ids Ids, or eight letters and more that one of them begins with.
 * @throws {RegrainError} `USAGE`, `SNAPSHOT_MISSING`, before anything is removed.
 */
export async function forget(
  repository: Repository,
  ids: readonly string[],
  { dryRun }: { dryRun: boolean },
): Promise<Forgotten[]> {
  const vms = (await readVms(repository)).filter(({ name }) => ids.includes(name.id));
  const others = ids.filter((id) => !vms.some(({ name }) => name.id === id));
  const forgotten: Forgotten[] = [];
  for (const each of vms) forgotten.push(...await forgetVm(repository, each, { dryRun }));
  const names = await namesOf(repository, others);
  const parts = names.length === 0 ? new Map() : await partsOf(repository);
  const found = await Promise.all(
    names.map(async (name) => ({ name, snapshot: await readIfSound(repository, name) })),
  );
  const held = await heldIds(repository);
  for (const each of found) {
    const { name, snapshot } = each;
    const vm = parts.get(name.id);
    // One that cannot be read is of no use to the VM any more.
    if (vm !== undefined && snapshot !== undefined) forgotten.push({ ...each, fate: "part", vm });
    else if (held.has(name.id)) forgotten.push({ ...each, fate: "held", heldIds: [name.id] });
    else if (await isLocked(repository, name, snapshot)) forgotten.push({ ...each, fate: "locked" });
    else if (dryRun) forgotten.push({ ...each, fate: "removed" });
    else {
      const { store, world } = repository;
      const isLeft = (await removeUnlocked(store, [name.key], world)).length > 0;
      forgotten.push({ ...each, fate: isLeft ? "locked" : "removed" });
    }
  }
  return forgotten;
}

/** A VM snapshot goes as one, its manifest first; where one of its disks stays, all of it stays. */
async function forgetVm(
  repository: Repository,
  { name, vm }: ListedVm,
  { dryRun }: { dryRun: boolean },
): Promise<Forgotten[]> {
  const held = await heldIds(repository);
  const ids = new Set(vm?.disks.map(({ id }) => id) ?? []);
  const disks = (await repository.listSnapshots()).filter(({ id }) => ids.has(id));
  const found = await Promise.all(
    disks.map(async (disk) => ({ name: disk, snapshot: await readIfSound(repository, disk) })),
  );
  const heldDisks = disks.map(({ id }) => id).filter((id) => held.has(id));
  let fate: Forgotten["fate"] = heldDisks.length > 0 ? "held" : "removed";
  for (const each of [{ name, snapshot: undefined }, ...found]) {
    if (fate === "removed" && await isLocked(repository, each.name, each.snapshot)) fate = "locked";
  }
  const together = fate === "held" ? { fate, heldIds: heldDisks } : { fate };
  const manifest = {
    name,
    snapshot: undefined,
    ...together,
    vm: `${vm?.source.name ?? name.source}@${name.id}`,
  };
  if (fate === "removed" && !dryRun) {
    const { store, world } = repository;
    for (const { key } of [name, ...disks]) await removeUnlocked(store, [key], world);
  }
  return [manifest, ...found.map((each) => ({ ...each, ...together }))];
}

/** Of every snapshot that a VM snapshot needs, that one. */
async function partsOf(repository: Repository): Promise<Map<string, string>> {
  return new Map(
    (await readVms(repository)).flatMap(({ vm }) => vm?.disks.map(({ id }) => [id, vm.id]) ?? []),
  );
}

async function namesOf(repository: Repository, ids: readonly string[]): Promise<SnapshotName[]> {
  const all = await repository.listSnapshots();
  const names = new Map<string, SnapshotName>();
  for (const id of ids) {
    const name = nameOf(id, all, repository.store.label);
    names.set(name.key, name);
  }
  return [...names.values()];
}

function nameOf(id: string, all: readonly SnapshotName[], label: string): SnapshotName {
  // A manifest that was copied to a wrong place has the id of another: then the whole key tells them apart.
  const found = ID.test(id)
    ? all.filter((name) => name.id.startsWith(id.toUpperCase()))
    : all.filter(({ key }) => key === id);
  if (found.length === 1) return found[0]!;
  if (found.length > 1) {
    throw new RegrainError("USAGE", `${found.length} manifests are meant by ${JSON.stringify(id)}`, {
      path: label,
      hint: `one of ${found.map(({ key }) => key).join(", ")}`,
    });
  }
  throw new RegrainError("SNAPSHOT_MISSING", `there is no snapshot of the id ${JSON.stringify(id)}`, {
    path: label,
    hint: /[/@]/.test(id)
      ? `names are not taken here, since another snapshot may be the latest by then: the id that regrain snapshots ` +
        `${id.replace(/@.*$/, "")} shows`
      : "an id, or eight letters and more that it begins with: regrain snapshots lists them",
  });
}

async function readIfSound(repository: Repository, name: SnapshotName): Promise<Snapshot | undefined> {
  try {
    return await repository.readSnapshot(name);
  } catch (error) {
    if (!(error instanceof RegrainError) || error.code.startsWith("STORE_")) throw error;
    return undefined;
  }
}

/** The store is asked as well: what a damaged manifest says of its own lock is not known. */
async function isLocked(
  { store, world }: Repository,
  { key }: SnapshotName,
  snapshot: Snapshot | undefined,
): Promise<boolean> {
  const said = snapshot?.retainUntil === undefined ? 0 : Date.parse(snapshot.retainUntil);
  const { retainUntilMs = 0 } = await store.head(key) ?? {};
  return Math.max(said, retainUntilMs) > world.nowMs();
}
