/** Removing snapshots by rules. Only manifests are removed here; their chunks are the business of a collection. */
import { RegrainError } from "../../../core-as/host/errors.ts";
import { plural } from "../../../core-as/host/units.ts";
import { type Snapshot, type SnapshotName, vmKey, type VmSnapshot } from "../../../core-as/host/repo/mod.ts";
import { recordForgotten } from "./forgotten.ts";
import { heldIds } from "./holds.ts";
import { unhealedMarks } from "../signs/marks.ts";
import type { Repository } from "../repository.ts";
import {
  type Candidate,
  disksWithoutTag,
  type Fate,
  isEmptyPolicy,
  type RetentionPolicy,
  selectKept,
} from "./retention.ts";
import { type IndexFile, readOutlines } from "../snapshots/snapshot_index.ts";
import { type Listed, type ListedSnapshot, readSnapshots } from "../snapshots/snapshots.ts";
import { shrunkDisks } from "./shrunk.ts";
import { findHits } from "../places.ts";
import { isInFuture, madeMs } from "../snapshots/times.ts";
import { vmsByDisk } from "../snapshots/vms.ts";

/** A snapshot with what is needed to tell of it and to remove it. */
export interface PruneCandidate extends Candidate {
  readonly name: SnapshotName;
  /** `VM/DISK`; of a damaged manifest the part of its key that stands for it. */
  readonly disk: string;
  readonly damage: RegrainError | undefined;
  /** Of the disk; `undefined` when the manifest cannot be read. */
  readonly sizeBytes: number | undefined;
}

export interface PruneOptions {
  readonly policy: RetentionPolicy;
  /** Of one disk only: the part of the keys that stands for it. */
  readonly source?: string | undefined;
  readonly dryRun?: boolean | undefined;
  /** What a dry run may be made from; what removes reads every manifest. */
  readonly index?: IndexFile | undefined;
  onNotice(sentence: string): void;
}

export interface PruneResult {
  readonly fates: readonly Fate<PruneCandidate>[];
  /** Ids of what was removed, or would be. */
  readonly removed: readonly string[];
}

/**
 * Removes what no rule keeps.
 *
 * @throws {RegrainError} `USAGE` when no rule is given, or only tags that no snapshot of a disk has.
 */
export async function prune(repository: Repository, options: PruneOptions): Promise<PruneResult> {
  if (isEmptyPolicy(options.policy)) {
    throw new RegrainError("USAGE", "no rule says what is kept, and nothing is removed without one", {
      hint: "such as --keep-last 7 --keep-weekly 4",
    });
  }
  const vms = await vmsByDisk(repository);
  const fates = keepTogether(selectKept(await readCandidates(repository, options, vms), options.policy), vms);
  refuseUnusedTag(fates, options.policy);
  const doomed = fates.filter(({ isKept }) => !isKept).map(({ snapshot }) => snapshot);
  for (const sentence of shrunkDisks(fates, new Set(doomed.map(({ id }) => id)))) options.onNotice(sentence);
  if (options.dryRun || doomed.length === 0) return { fates, removed: doomed.map(({ id }) => id) };
  // Looked at again at the last moment: a hold may have come since.
  const held = await heldIds(repository);
  // And a VM's manifest may have been written since.
  const spared = new Set([...await vmsByDisk(repository)].flatMap(([id, now]) => {
    const isNew = now.length > (vms.get(id)?.length ?? 0);
    return isNew || now.some(({ disks }) => disks.some((disk) => held.has(disk.id))) ? [id] : [];
  }));
  const removed = doomed.filter(({ id }) => !held.has(id) && !spared.has(id));
  for (const { id } of doomed) {
    if (held.has(id)) options.onNotice(`snapshot ${id} was held a moment ago, and stays`);
    else if (spared.has(id)) {
      options.onNotice(`snapshot ${id} belongs to a VM that keeps it since a moment ago`);
    }
  }
  const gone = new Set(removed.flatMap(({ id }) => vms.get(id) ?? []));
  await repository.store.remove([...gone].map(({ source, id }) => vmKey(source.key, id, repository.suffix)));
  await repository.store.remove(removed.map(({ name }) => name.key));
  await recordForgotten(repository, newestOf(fates, removed), options.onNotice);
  return { fates, removed: removed.map(({ id }) => id) };
}

/** Of the disks whose newest snapshot is removed, such as a doubtful one, that one: mostly none. */
function newestOf(
  fates: readonly Fate<PruneCandidate>[],
  removed: readonly PruneCandidate[],
): SnapshotName[] {
  const newest = new Map<string, string>();
  for (const { snapshot: { source, id } } of fates) {
    if (id > (newest.get(source) ?? "")) newest.set(source, id);
  }
  return removed.filter(({ source, id }) => newest.get(source) === id).map(({ name }) => name);
}

/** A tag that is typed wrong must not cost a disk its history. */
function refuseUnusedTag(fates: readonly Fate<PruneCandidate>[], policy: RetentionPolicy): void {
  const [first, ...others] = disksWithoutTag(fates, policy);
  if (first === undefined) return;
  const tags = (policy.tags ?? []).map((tag) => JSON.stringify(tag)).join(" or ");
  const more = others.length === 0 ? "" : `, nor of ${plural(others.length, "other disk")}`;
  throw new RegrainError(
    "USAGE",
    `no snapshot of ${JSON.stringify(first.disk)} has the tag ${tags}${more}, and no other rule is given: ` +
      "all but the newest would go",
    {
      hint:
        "regrain snapshots lists the tags; --keep-last 1 beside it says that this is meant, and only the newest " +
        "stays then",
    },
  );
}

/** A VM snapshot is one: where one of its disks is kept, or is not judged here, all of them are. */
function keepTogether(
  fates: readonly Fate<PruneCandidate>[],
  vms: ReadonlyMap<string, readonly VmSnapshot[]>,
): Fate<PruneCandidate>[] {
  const doomed = new Set(fates.filter(({ isKept }) => !isKept).map(({ snapshot }) => snapshot.id));
  const there = new Set(fates.map(({ snapshot }) => snapshot.id));
  const keptWith = new Map<string, string>();
  // A disk's snapshot may be part of several VM snapshots after a copy, so what is kept may keep more.
  for (let before = -1; before !== keptWith.size;) {
    before = keptWith.size;
    for (const vm of new Set([...vms.values()].flat())) {
      if (vm.disks.every(({ id }) => doomed.has(id) && !keptWith.has(id))) continue;
      // A disk whose snapshot is gone keeps no other, but where all disks were looked at only.
      const keeps = vm.disks.some(({ id, source }) =>
        keptWith.has(id) ||
        (there.has(id) ? !doomed.has(id) : !fates.some((each) => each.snapshot.source === source.key))
      );
      if (!keeps) continue;
      for (const { id } of vm.disks) {
        if (doomed.has(id)) keptWith.set(id, `part of ${vm.source.name}@${vm.id}`);
      }
    }
  }
  return fates.map((fate) => {
    const reason = keptWith.get(fate.snapshot.id);
    return reason === undefined ? fate : { ...fate, isKept: true, reasons: [reason] };
  });
}

async function readCandidates(
  repository: Repository,
  options: PruneOptions,
  vms: ReadonlyMap<string, readonly VmSnapshot[]>,
): Promise<PruneCandidate[]> {
  const held = await heldIds(repository);
  const { listed, hit } = await readAll(repository, options);
  const nowMs = repository.world.nowMs();
  const newest = new Map(listed.map(({ name }) => [name.source, name.id]));
  // The newest may be of a run that goes on; of the others the run died.
  const isStray = ({ name, snapshot }: (typeof listed)[number]) =>
    snapshot?.vm !== undefined && !vms.has(name.id) && newest.get(name.source) !== name.id;
  return listed.map((each) => {
    const { name, snapshot, damage, isDoubtful } = each;
    return {
      id: name.id,
      source: name.source,
      timeMs: madeMs({ name, snapshot }),
      isAhead: isInFuture(madeMs({ name, snapshot }), nowMs),
      tags: snapshot?.tags ?? [],
      isHeld: held.has(name.id),
      retainedUntil: retainedUntil(snapshot, nowMs),
      state: stateOf(snapshot, isDoubtful || hit.has(name.id) || isStray(each)),
      name,
      disk: snapshot?.source.name ?? name.source,
      damage,
      sizeBytes: snapshot?.sizeBytes,
    };
  });
}

/** One that lacks what could not be read of its source takes no whole one's place either. */
function stateOf(snapshot: Pick<Snapshot, "damaged"> | undefined, isDoubtful: boolean): Candidate["state"] {
  if (snapshot === undefined) return "damaged";
  return isDoubtful || snapshot.damaged !== undefined ? "doubtful" : "sound";
}

/** Where damage is marked, it is looked up in the maps whom it hits; an index has no maps. */
async function readAll(
  repository: Repository,
  { source, dryRun, index, onNotice }: PruneOptions,
): Promise<{ listed: readonly Listed<Omit<Snapshot, "pages">>[]; hit: ReadonlySet<string> }> {
  const marks = await unhealedMarks(repository);
  if (dryRun && index !== undefined && marks.size === 0) {
    return { listed: await readOutlines(repository, source, { file: index, onNotice }), hit: new Set() };
  }
  const listed = await Array.fromAsync(readSnapshots(repository, source));
  return { listed, hit: await hitByDamage(repository, { listed, marks }) };
}

function retainedUntil(
  snapshot: Pick<Snapshot, "retainUntil"> | undefined,
  nowMs: number,
): string | undefined {
  const until = snapshot?.retainUntil;
  return until !== undefined && Date.parse(until) > nowMs ? until.slice(0, 10) : undefined;
}

/** Snapshots that need a chunk which a verification found damaged; mostly there is no such chunk. */
async function hitByDamage(
  repository: Repository,
  { listed, marks }: { listed: readonly ListedSnapshot[]; marks: ReadonlySet<string> },
): Promise<Set<string>> {
  const snapshots = listed.flatMap(({ snapshot }) => snapshot ?? []);
  const hits = await findHits(repository, snapshots, marks);
  return new Set([...hits.values()].flatMap((places) => places.map(({ snapshot }) => snapshot.id)));
}
