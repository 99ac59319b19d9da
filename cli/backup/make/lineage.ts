/**
 * What changes are against. A list of changes and a delta hold what differs from one moment of the disk. Over a
 * snapshot of another moment they make a disk that never was, and nothing in its content tells.
 */
import { RegrainError } from "../../../core-as/host/errors.ts";
import type { Snapshot, SnapshotName } from "../../../core-as/host/repo/mod.ts";
import { type ActiveBackup, listActive, readIntent } from "../signs/intents.ts";
import type { Repository } from "../repository.ts";

/** Whether changes can be laid over the snapshot before. */
export interface Lineage {
  /** Why they may be against something else: one sentence without its end. */
  readonly doubt?:
    | { readonly kind: "other" | "unusable" | "run-between"; readonly reason: string }
    | undefined;
  /** True where the user says what they are against. */
  readonly isTold: boolean;
}

const FIRST_LETTERS = /^[0-9A-Z]{4,26}$/i;

/**
 * Looks whether the snapshot before is the very newest of its disk, and what the changes are since.
 *
 * @param about.since First letters of a snapshot's id, or a change id.
 * @param about.own Ids of this backup, which has its signs in the repository already.
 * @throws {RegrainError} `USAGE` when letters fit several snapshots.
 */
export async function lineageOf(
  repository: Repository,
  parent: Snapshot,
  about: { since: string | undefined; own: ReadonlySet<string> },
): Promise<Lineage> {
  const { since, own } = about;
  const names = (await repository.listSnapshots(parent.source.key)).filter(({ id }) => !own.has(id));
  const newest = names.at(-1)?.id ?? parent.id;
  const isTold = since !== undefined;
  if (newest !== parent.id) {
    const reason =
      `the newest snapshot, ${newest}, cannot be built on, and the one before it is ${parent.id}`;
    return { doubt: { kind: "unusable", reason }, isTold };
  }
  if (isTold) {
    if (isMeant(since, parent, names)) return { isTold };
    const changeId = parent.changeId === undefined ? "" : ` of change id ${JSON.stringify(parent.changeId)}`;
    const reason = `they are since ${
      JSON.stringify(since)
    }, and the newest snapshot is ${parent.id}${changeId}`;
    return { doubt: { kind: "other", reason }, isTold };
  }
  const reason = await runAfter(repository, parent, own);
  return { doubt: reason === undefined ? undefined : { kind: "run-between", reason }, isTold };
}

function isMeant(since: string, parent: Snapshot, names: readonly SnapshotName[]): boolean {
  if (parent.changeId === since) return true;
  if (!FIRST_LETTERS.test(since)) return false;
  const meant = names.filter(({ id }) => id.startsWith(since.toUpperCase()));
  if (meant.length > 1) {
    throw new RegrainError("USAGE", `${meant.length} snapshots of the disk begin with --since ${since}`, {
      hint: meant.map(({ id }) => id).join(", "),
    });
  }
  return meant[0]?.id === parent.id;
}

/** A run on the disk that began after its newest snapshot: whoever asked for the changes may mean since that one. */
async function runAfter(
  repository: Repository,
  { id, source }: Snapshot,
  own: ReadonlySet<string>,
): Promise<string | undefined> {
  for (const backup of (await listActive(repository)).values()) {
    if (backup.id <= id || own.has(backup.id)) continue;
    // Of one that was taken for dead the intent is gone, and with it of which disk it was.
    const of = backup.hasIntent ? await readIntent(repository, backup.id) : undefined;
    if (of !== undefined && of.source !== source.key) continue;
    return `backup ${backup.id}${
      of === undefined ? ", maybe of this disk," : ""
    } began after the newest snapshot, ` +
      `${id}, and ${endOf(backup)}`;
  }
  return undefined;
}

function endOf({ isDone, isFailed, isExpired }: ActiveBackup): string {
  if (isDone) return "its snapshot is gone";
  return isFailed ? "failed" : isExpired ? "was taken for dead" : "has not ended";
}
