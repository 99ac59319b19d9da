/** Copying many snapshots, one after the other; one that is damaged does not keep the others from being copied. */
import type { RegrainError } from "../../../core-as/host/errors.ts";
import type { Snapshot } from "../../../core-as/host/repo/mod.ts";
import { isDamage } from "../places.ts";
import type { Repository } from "../repository.ts";
import type { Chosen } from "../snapshots/choose.ts";
import { readSnapshots } from "../snapshots/snapshots.ts";
import type { BackupProgress } from "./backup.ts";
import { type CopyOptions, copySnapshot, copyVms, readCopies } from "./copy.ts";

/** Who hears of each snapshot. */
export interface CopyEvents {
  begin(snapshot: Snapshot): void;
  progress(progress: BackupProgress): void;
  /** Nothing more is counted of the one that was begun. */
  end(): void;
  /** @param copy `undefined` where it was copied before. */
  copied(snapshot: Snapshot, copy: Snapshot | undefined): void;
  leftOut(snapshot: Snapshot, error: RegrainError): void;
}

export interface CopyTotals {
  readonly copied: number;
  /** Those that were copied before. */
  readonly there: number;
  readonly leftOut: number;
  /** Moments of VMs that are whole there now, and were not. */
  readonly vms: number;
  readonly storedBytes: number;
}

export async function copyAll(
  repositories: { from: Repository; to: Repository },
  { snapshots, damaged }: Chosen,
  options: Omit<CopyOptions, "onProgress"> & { events: CopyEvents },
): Promise<CopyTotals> {
  const { from, to } = repositories;
  const { events } = options;
  const copies = await readCopies(to);
  const originals = (await Array.fromAsync(readSnapshots(from))).flatMap(({ snapshot }) => snapshot ?? []);
  let [copied, storedBytes, leftOut] = [0, 0, damaged.length];
  for (const snapshot of snapshots) {
    const known = { copies, originals: originals.filter(({ source }) => source.key === snapshot.source.key) };
    events.begin(snapshot);
    try {
      const onProgress = (progress: BackupProgress) => events.progress(progress);
      const result = await copySnapshot(repositories, snapshot, known, { ...options, onProgress });
      const copy = result?.snapshot;
      if (copy !== undefined) {
        copied++;
        storedBytes += copy.stats.storedBytes;
      }
      events.end();
      events.copied(snapshot, copy);
    } catch (error) {
      if (!isDamage(error)) throw error;
      leftOut++;
      events.end();
      events.leftOut(snapshot, error);
    } finally {
      events.end();
    }
  }
  const vms = await copyVms(repositories, await readCopies(to));
  const there = snapshots.length + damaged.length - copied - leftOut;
  return { copied, there, leftOut, vms, storedBytes };
}
