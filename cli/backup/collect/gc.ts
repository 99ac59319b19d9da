/**
 * Collecting garbage: content that no snapshot refers to any more. Backups may run meanwhile, and other collections.
 *
 * mark, list what is condemned, see who may not have seen the list, wait for them, look again, remove, take the list
 * away. Each step is one the model of the protocol has; none may be moved. Only the collection that wrote a list
 * removes by it; a list that a killed collection left forbids its names until it is older than the lease.
 */
import { RegrainError } from "../../../core-as/host/errors.ts";
import { plural } from "../../../core-as/host/units.ts";
import {
  contentKey,
  type ContentKind,
  contentStem,
  parseContentKey,
} from "../../../core-as/host/repo/mod.ts";
import {
  type ActiveBackup,
  clearDone,
  confirm,
  expire,
  isUnderWay,
  LEASE_MS,
  listActive,
} from "../signs/intents.ts";
import { References } from "./references.ts";
import { removeUnlocked } from "../remove_unlocked.ts";
import type { Repository } from "../repository.ts";
import { spanWords } from "../snapshots/times.ts";

const REMOVE_AT_ONCE = 1000;
const POLL_MS = 5000;

export interface GcOptions {
  /** Look, and remove nothing. */
  readonly dryRun?: boolean;
  /** How long backups that are under way are waited for. */
  readonly waitMs: number;
  /** How long a backup may be silent before it is taken for dead. That is safe at any time: it starts again then. */
  readonly leaseMs?: number;
  /** Told of the backups that are waited for, before the wait. */
  onUnderWay?(backups: readonly ActiveBackup[]): Promise<void>;
  onProgress?(progress: { phase: "mark" | "wait" | "remove"; done: number; total: number }): void;
  onNotice(sentence: string): void;
}

export interface GcResult {
  readonly snapshots: number;
  readonly keptObjects: number;
  readonly removedObjects: number;
  readonly removedBytes: number;
  /** Not needed either, but locked until a date: a later collection removes them. */
  readonly lockedObjects: number;
  /** Backups that did not end in time: nothing was removed. */
  readonly waitedFor: readonly string[];
}

interface Condemned {
  readonly kind: ContentKind;
  readonly id: string;
  readonly generation: number;
  readonly sizeBytes: number;
}

/**
 * Removes what no snapshot refers to.
 *
 * @throws {RegrainError} `SNAPSHOT_DAMAGED`, `CHUNK_MISSING` when it cannot be known what a snapshot refers to; nothing
 * is removed then.
 */
export async function collectGarbage(repository: Repository, options: GcOptions): Promise<GcResult> {
  const marker = new References(repository, {
    onNotice: options.onNotice,
    onMark: (progress) => options.onProgress?.({ phase: "mark", ...progress }),
  });
  const { condemned, kept } = await findUnreferenced(repository, marker);
  const report = { snapshots: marker.snapshots, keptObjects: kept, ...sumOf([]), lockedObjects: 0 };
  if (options.dryRun) return { ...report, ...sumOf(condemned), waitedFor: [] };
  if (condemned.length === 0) {
    await tidySigns(repository, options);
    return { ...report, waitedFor: [] };
  }
  const list = await CondemnedList.put(repository, condemned);
  const waitedFor = await list.orTakeAway(() => list.waitForOthers(options));
  if (waitedFor.length > 0) {
    await list.takeAway();
    return { ...report, waitedFor };
  }
  // When this fails the list stays: a request to remove may still be under way, and lands on what is named there.
  const removed = await list.removeUnreferenced(condemned, { marker, options });
  await list.takeAway();
  await tidySigns(repository, options);
  return { ...report, ...removed, waitedFor: [] };
}

function sumOf(condemned: readonly Condemned[]): { removedObjects: number; removedBytes: number } {
  return {
    removedObjects: condemned.length,
    removedBytes: condemned.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

async function findUnreferenced(
  repository: Repository,
  marker: References,
): Promise<{ condemned: Condemned[]; kept: number }> {
  await marker.mark();
  const condemned: Condemned[] = [];
  let kept = 0;
  for (const kind of ["chunks", "maps"] as const) {
    for await (const { key, sizeBytes } of repository.store.list(`${kind}/`)) {
      const name = parseContentKey(key);
      if (name === undefined) continue;
      if (marker.needs(name)) kept++;
      else condemned.push({ ...name, sizeBytes });
    }
  }
  return { condemned, kept };
}

/** What this collection is going to remove, where every backup can see it. */
class CondemnedList {
  private readonly putMs: number;

  private constructor(private readonly repository: Repository, private readonly key: string) {
    this.putMs = repository.world.nowMs();
  }

  static async put(repository: Repository, condemned: readonly Condemned[]): Promise<CondemnedList> {
    const key = `gc/${repository.newId()}.json`;
    const stems = (kind: ContentKind) => condemned.filter((each) => each.kind === kind).map(contentStem);
    const text = JSON.stringify({
      host: repository.world.host,
      chunks: stems("chunks"),
      maps: stems("maps"),
    });
    try {
      await repository.store.put(key, new TextEncoder().encode(text), { ifAbsent: true });
    } catch (error) {
      if (!(error instanceof RegrainError) || error.code !== "NO_SPACE") throw error;
      throw error.withHint(
        "a collection writes its list before it removes anything: make room for a few MiB first",
      );
    }
    return new CondemnedList(repository, key);
  }

  /**
   * Waits for every backup that was under way when the list stood there, and for no later one.
   *
   * @returns those that did not end in time.
   */
  async waitForOthers(options: GcOptions): Promise<string[]> {
    const { repository } = this;
    const nowMs = await this.storeTimeMs();
    const underWay = [...(await listActive(repository)).values()].filter(isUnderWay);
    await options.onUnderWay?.(underWay);
    let left = underWay.map(({ id }) => id);
    const total = left.length;
    const untilMs = repository.world.nowMs() + options.waitMs;
    for (;;) {
      left = await this.stillUnderWay(left, { nowMs, options });
      options.onProgress?.({ phase: "wait", done: total - left.length, total });
      if (left.length === 0 || repository.world.nowMs() >= untilMs) return left;
      await repository.world.sleep(POLL_MS);
    }
  }

  /** Looks again, and removes what is still not referred to. */
  async removeUnreferenced(
    condemned: readonly Condemned[],
    means: { marker: References; options: GcOptions },
  ): Promise<Pick<GcResult, "removedObjects" | "removedBytes" | "lockedObjects">> {
    const { marker, options } = means;
    await marker.mark();
    const doomed = condemned.filter((each) => !marker.needs(each));
    const { store, suffix } = this.repository;
    const locked = new Set<string>();
    for (let at = 0; at < doomed.length; at += REMOVE_AT_ONCE) {
      options.onProgress?.({ phase: "remove", done: at, total: doomed.length });
      this.refuseWhenOld();
      const batch = doomed.slice(at, at + REMOVE_AT_ONCE);
      const keys = batch.map((each) => contentKey(each, suffix));
      for (const key of await removeUnlocked(store, keys, this.repository.world)) locked.add(key);
    }
    if (locked.size > 0) {
      options.onNotice(
        `nobody needs ${
          plural(locked.size, "object")
        } any more, but the store keeps what is locked until a date`,
      );
    }
    const removed = doomed.filter((each) => !locked.has(contentKey(each, suffix)));
    return { ...sumOf(removed), lockedObjects: locked.size };
  }

  /** A list that is older than the lease may be taken away by others; then its names may be in use again. */
  private refuseWhenOld(): void {
    if (this.repository.world.nowMs() - this.putMs < LEASE_MS) return;
    throw new RegrainError("STORE_FAILED", "this collection slept or worked longer than a day, and ends", {
      path: this.repository.store.label,
      hint: "run regrain gc again",
    });
  }

  /** While nothing is removed yet, an error is no reason to leave the list. */
  async orTakeAway<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      await this.takeAway();
      throw error;
    }
  }

  async takeAway(): Promise<void> {
    await this.repository.store.remove([this.key]);
  }

  /** Now, by the clock of the store: that of the object it just took. */
  private async storeTimeMs(): Promise<number> {
    return (await this.repository.store.head(this.key))?.modifiedMs ?? this.repository.world.nowMs();
  }

  private async stillUnderWay(
    ids: readonly string[],
    at: { nowMs: number; options: GcOptions },
  ): Promise<string[]> {
    if (ids.length === 0) return [];
    const active = await listActive(this.repository);
    const finished = new Set((await this.repository.listSnapshots()).map(({ id }) => id));
    const left: string[] = [];
    for (const id of ids) {
      const backup = active.get(id);
      if (backup === undefined || !isUnderWay(backup)) continue;
      if (!await this.isOver(backup, { ...at, finished })) left.push(id);
    }
    return left;
  }

  /** A backup that was killed: after its manifest it only lacks the last sign; before it, its lease must run out. */
  private async isOver(
    backup: ActiveBackup,
    at: { nowMs: number; options: GcOptions; finished: ReadonlySet<string> },
  ): Promise<boolean> {
    if (at.finished.has(backup.id)) {
      await confirm(this.repository, backup.id);
      return true;
    }
    const silentMs = at.nowMs - backup.lastSignMs;
    if (silentMs < (at.options.leaseMs ?? LEASE_MS)) return false;
    await expire(this.repository, backup.id);
    at.options.onNotice(
      `backup ${backup.id} gave no sign of life for ${spanWords(silentMs)}, and is taken for dead`,
    );
    return true;
  }
}

/**
 * Removes signs that mean nothing any more, and what killed processes left half written. That a backup was taken for
 * dead is never forgotten: if it only slept, it may put its manifest at any time, and that one is not to be trusted.
 */
async function tidySigns(repository: Repository, options: GcOptions): Promise<void> {
  await repository.store.tidy?.(repository.world.nowMs());
  for (const backup of (await listActive(repository)).values()) {
    // Not at once: whoever was told that its backup was ended by a collection still looks for its intent.
    if (!backup.isDone || repository.world.nowMs() - backup.lastSignMs < LEASE_MS) continue;
    await clearDone(repository, backup);
  }
  for await (const { key, modifiedMs } of repository.store.list("gc/")) {
    if (repository.world.nowMs() - modifiedMs < 2 * LEASE_MS) continue;
    await repository.store.remove([key]);
    options.onNotice(`${key}, which a killed collection left, is removed`);
  }
}
