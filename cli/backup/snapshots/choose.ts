/** Which snapshots a command is about: one by its id or its disk, all of a disk, all there are. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import { type Snapshot, snapshotKey } from "../../../core-as/host/repo/mod.ts";
import type { Repository } from "../repository.ts";
import {
  findSnapshot,
  type ListedSnapshot,
  noBackupOf,
  parseSnapshotSpec,
  readSnapshots,
} from "./snapshots.ts";
import { findVm, readVms } from "./vms.ts";

/** What `snapshots` prints first of a line, as a person copies it. */
const BARE_ID = /^[0-9A-HJKMNP-TV-Z]{8,26}$/i;

/**
 * The snapshot that `VM/DISK@WHICH`, or eight letters and more of an id alone, mean.
 *
 * @throws {RegrainError} `SNAPSHOT_MISSING`, `USAGE` when letters fit several, and what reading a manifest may.
 */
export async function findOne(
  repository: Repository,
  spec: string,
  onSkipped: (sentence: string) => void,
): Promise<Snapshot> {
  const byId = BARE_ID.test(spec)
    ? (await repository.listSnapshots()).filter(({ id }) => id.startsWith(spec.toUpperCase()))
    : [];
  if (byId.length > 1) {
    throw new RegrainError("USAGE", `${byId.length} snapshots start with ${spec}`, {
      hint: byId.map(({ id }) => id).join(", "),
    });
  }
  const found = byId[0] === undefined ? undefined : await repository.readSnapshot(byId[0]);
  return found ?? await findSnapshot(repository, spec, onSkipped);
}

/**
 * As {@link findOne}, for what needs no more than the id: a manifest that cannot be read is found by its id too, and
 * the part of its key that stands for the disk is its name then.
 */
export async function findName(
  repository: Repository,
  spec: string,
  onSkipped: (sentence: string) => void,
): Promise<{ id: string; name: string }> {
  try {
    const { id, source } = await findOne(repository, spec, onSkipped);
    return { id, name: source.name };
  } catch (error) {
    const isUnreadable = error instanceof RegrainError &&
      ["SNAPSHOT_DAMAGED", "REPO_MIXED"].includes(error.code);
    if (!isUnreadable || !BARE_ID.test(spec)) throw error;
    const [only] = (await repository.listSnapshots()).filter(({ id }) => id.startsWith(spec.toUpperCase()));
    return { id: only!.id, name: only!.source };
  }
}

/**
 * The part of keys that stands for a disk.
 *
 * @throws {RegrainError} `SNAPSHOT_MISSING` when there is no snapshot of it, `USAGE` when it is a VM.
 */
export async function existingSource(repository: Repository, name: string): Promise<string> {
  const source = await repository.sourceKey(name);
  if ((await repository.listSnapshots(source)).length > 0) return source;
  throw await noBackupOf(repository, name);
}

/** The disks that `VM` (all its moments) or `VM@WHICH` mean; `undefined` where there is no such VM. */
async function disksOfVm(repository: Repository, spec: string): Promise<Snapshot[] | undefined> {
  const { name, which } = parseSnapshotSpec(spec);
  const source = await repository.sourceKey(name);
  if ((await repository.listSnapshots(source)).length > 0) return undefined;
  const all = (await readVms(repository)).filter((each) => each.name.source === source);
  if (all.length === 0) return undefined;
  const meant = spec.includes("@")
    ? [await findVm(repository, { name, which })]
    : all.map(({ vm, damage }) => {
      if (damage !== undefined) throw damage;
      return vm!;
    });
  return await Promise.all(
    meant.flatMap(({ disks }) => disks).map(async ({ source: { key, name }, id }) => {
      const snapshot = await repository.readSnapshot({
        key: snapshotKey(key, id, repository.suffix),
        source: key,
        id,
      });
      if (snapshot !== undefined) return snapshot;
      throw new RegrainError("SNAPSHOT_MISSING", `${name}@${id} was removed a moment ago`, {
        path: repository.store.label,
      });
    }),
  );
}

/** What was chosen; what cannot be used stands apart. */
export interface Chosen {
  readonly snapshots: readonly Snapshot[];
  readonly damaged: readonly ListedSnapshot[];
}

/**
 * Snapshots by what the command line says: `VM/DISK` all of a disk, `VM/DISK@WHICH` one, `VM` and `VM@WHICH` those of
 * its disks; nothing, all there are.
 * Doubtful ones are passed over unless they are named.
 */
export async function choose(
  repository: Repository,
  specs: readonly string[],
  onSkipped: (sentence: string) => void,
): Promise<Chosen> {
  const chosen = new Map<string, Snapshot>();
  const damaged = new Map<string, ListedSnapshot>();
  const takeAll = async (source?: string) => {
    for await (const listed of readSnapshots(repository, source)) {
      const { name: { id }, snapshot, isDoubtful } = listed;
      if (snapshot === undefined) damaged.set(id, listed);
      else if (!isDoubtful) chosen.set(id, snapshot);
      else onSkipped(`snapshot ${id} is passed over: its backup was taken for dead before it ended`);
    }
  };
  if (specs.length === 0) {
    await takeAll();
    for (const { name, damage } of await readVms(repository)) {
      if (damage !== undefined) {
        damaged.set(name.id, { name, snapshot: undefined, damage, isDoubtful: false });
      }
    }
  }
  for (const spec of specs) {
    const ofVm = BARE_ID.test(spec) ? undefined : await disksOfVm(repository, spec);
    if (ofVm !== undefined) { for (const snapshot of ofVm) chosen.set(snapshot.id, snapshot); }
    else if (!spec.includes("@") && !BARE_ID.test(spec)) {
      await takeAll(await existingSource(repository, spec));
    } else {
      const snapshot = await findOne(repository, spec, onSkipped);
      chosen.set(snapshot.id, snapshot);
    }
  }
  const snapshots = [...chosen.values()].sort((a, b) => a.id < b.id ? -1 : 1);
  return { snapshots, damaged: [...damaged.values()] };
}
