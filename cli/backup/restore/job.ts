/** What all ways to restore a disk share: what is restored, by what means, and who hears of it. */
import type { Context, Source, Target } from "../../../core-as/host/mod.ts";
import type { Snapshot } from "../../../core-as/host/repo/mod.ts";
import type { Io } from "../../io/mod.ts";
import { requireUnchanged } from "../../target/undisturbed.ts";
import type { Lanes } from "../lanes.ts";
import type { Repository } from "../repository.ts";
import { type Overlay, type RestoreCounts, restoreTo, type TargetContent } from "./restore.ts";
import type { DamagedStretch } from "./salvage.ts";

/** How far the work is: bytes of the disk, of all there is to do, and what was done by kind. */
export interface RestoreState {
  readonly doneBytes: number;
  readonly totalBytes?: number | undefined;
  readonly parts: Readonly<Record<string, number>>;
}

/** Who hears of a restore while it goes on. */
export interface RestoreEvents {
  warn(sentence: string): void;
  tell(sentence: string): void;
  /** From here on something is written. @returns what is written to in the place of the target. */
  begin(target: Target, totalBytes: number): Target;
  progress(state: RestoreState): void;
  /** Nothing more is counted. */
  end(): void;
  /** Reads back what was written, with a progress of its own. */
  readBack<T extends object>(
    back: { target: Target; totalBytes: number },
    run: (update: (state: RestoreState) => void) => Promise<T>,
  ): Promise<T & { readonly elapsedMs: number }>;
  /** The data is written, and what makes a disk of it begins. */
  finishing(): void;
  learn(counts: RestoreCounts): void;
}

export interface RestoreJob {
  readonly repository: Repository;
  readonly snapshot: Snapshot;
  readonly overlay: Overlay | undefined;
  /** CID of the disk as it is restored. */
  readonly cid: string | undefined;
  /** Files that are read beside the repository, by all their names. */
  readonly inputs: readonly string[];
  /** Those of them that hold the data; they must not change meanwhile. */
  readonly files: readonly Source[];
  /** What could not be read so far, and is zeros instead. */
  readonly damaged: DamagedStretch[];
  /** What cannot be read may be zeros. */
  readonly isTolerant: boolean;
  readonly force: boolean;
  /** Whether it is read back. */
  readonly verify: boolean;
  /** Looks at all that a restore looks at before its first write, and ends there. */
  readonly dryRun: boolean;
  readonly io: Io;
  readonly context: Context;
  readonly events: RestoreEvents;
  openLanes(): Lanes & Disposable;
}

/** That nobody wrote to the delta that is laid over the snapshot. */
export function requireFilesUnchanged({ files, force, events }: RestoreJob): void {
  requireUnchanged(files, { force, warn: (sentence) => events.warn(sentence) });
}

/** Gathers what is damaged, where it may be zeros. */
export function onDamagedOf(
  { isTolerant, damaged }: Pick<RestoreJob, "isTolerant" | "damaged">,
): ((stretch: DamagedStretch) => void) | undefined {
  return isTolerant ? (stretch) => damaged.push(stretch) : undefined;
}

/** Writes the disk in whatever order its pieces come; what signals and limits want is said by the target. */
export async function writeFreely(
  place: { readonly target: Target; readonly content: TargetContent },
  job: RestoreJob,
): Promise<RestoreCounts> {
  const { repository, snapshot, overlay, events } = job;
  using lanes = job.openLanes();
  // In a new file zeros are there already. An overlay may make data of them: how many are left is seen on the way.
  const { sizeBytes, chunkBytes, stats } = snapshot;
  const isSparse = place.content === "zeros" && overlay === undefined;
  const dataBytes = isSparse ? Math.min(sizeBytes, stats.chunks * chunkBytes) : undefined;
  return await restoreTo(repository, snapshot, {
    ...place,
    overlay,
    lanes,
    onDamaged: onDamagedOf(job),
    onProgress: (counts, idleBytes) => {
      const { doneBytes, fetchedBytes, keptBytes } = counts;
      events.learn(counts);
      events.progress({
        doneBytes: doneBytes - idleBytes,
        totalBytes: dataBytes ?? sizeBytes - idleBytes,
        parts: { fetched: fetchedBytes, kept: keptBytes },
      });
    },
  });
}

/** Fetches, checks and unpacks everything, and keeps nothing. @param target What keeps nothing. */
export async function restoreToNowhere(target: Target, job: RestoreJob): Promise<RestoreCounts> {
  const stoppable = job.events.begin(target, job.snapshot.sizeBytes);
  return await writeFreely({ target: stoppable, content: "zeros" }, job);
}
