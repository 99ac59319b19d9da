/** `regrain restore VM/DISK@latest null:`: everything is fetched, checked and unpacked, and nothing is kept. */
import { formatSize, type Target } from "../../core-as/host/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import type { Repository } from "../backup/repository.ts";
import { type Overlay, type RestoreCounts, restoreTo } from "../backup/restore.ts";
import { type DamagedStretch, inOrder } from "../backup/salvage.ts";
import { KEPT_NOTHING, refuseNowhere } from "../places/null.ts";
import { formatDuration, Progress, type ProgressMode } from "../ui/mod.ts";
import { rateLimitOf } from "./apply_flags.ts";
import { interruptible } from "./interruption.ts";
import { lanesOf } from "./repo_session.ts";
import { onDamagedOf, warnDamaged, withHint } from "./restore_damage.ts";
import type { Session } from "./session.ts";
import type { Watch } from "./watched.ts";

interface NowhereWork {
  readonly repository: Repository;
  readonly snapshot: Snapshot;
  readonly overlay: Overlay | undefined;
  readonly session: Pick<Session, "console">;
  readonly flags: {
    readonly progress?: ProgressMode | undefined;
    readonly rateLimit?: string | undefined;
    readonly damaged?: "zeros" | undefined;
  };
  readonly watch: Watch;
  readonly damaged: DamagedStretch[];
}

/** Flags about what a target holds, or is to be. */
const ABOUT_CONTENT = ["delta", "format", "mode", "undo", "journal", "resume", "verify"];

/** Refuses flags that mean nothing without a target that keeps what is written. */
export function refuseFlagsNowhere(flags: object): void {
  const given = new Map(Object.entries(flags));
  const isGiven = (name: string) => given.get(name) !== undefined && given.get(name) !== "raw";
  refuseNowhere(ABOUT_CONTENT.filter(isGiven).map((name) => `--${name}`));
}

/** @param target What keeps nothing; it is closed in the end. */
export async function restoreToNowhere(target: Target, work: NowhereWork): Promise<void> {
  const { repository, snapshot, overlay, session: { console }, flags, watch } = work;
  const progress = new Progress(console, flags.progress ?? "auto", snapshot.sizeBytes);
  try {
    using lanes = lanesOf(repository);
    using stoppable = interruptible(target, { console, progress, bytesPerSecond: rateLimitOf(flags) });
    const counts = await restoreTo(repository, snapshot, {
      target: stoppable.target,
      content: "zeros",
      overlay,
      lanes,
      onDamaged: onDamagedOf(work),
      onProgress: (counts, idleBytes) => {
        watch.learn({ figures: { ...counts } });
        progress.update({
          doneBytes: counts.doneBytes - idleBytes,
          totalBytes: snapshot.sizeBytes - idleBytes,
          parts: { fetched: counts.fetchedBytes },
        });
      },
    });
    progress.end();
    tell(counts, { ...work, target, elapsedMs: progress.elapsedMs });
  } catch (error) {
    throw withHint(error, { part: undefined, isPipe: true });
  } finally {
    progress.end();
    target.close();
  }
}

function tell(counts: RestoreCounts, about: NowhereWork & { target: Target; elapsedMs: number }): void {
  const { snapshot, target: { path }, elapsedMs, session: { console } } = about;
  const damaged = inOrder(about.damaged);
  warnDamaged(damaged, console);
  if (console.json) {
    console.outJson({
      type: "summary",
      status: damaged.length === 0 ? "done" : "incomplete",
      id: snapshot.id,
      target: path,
      kept: false,
      root: snapshot.root,
      ...counts,
      damaged: damaged.map(({ offsetBytes, lengthBytes, reason }) => ({
        start: offsetBytes,
        length: lengthBytes,
        reason,
      })),
      elapsedMs: Math.round(elapsedMs),
    });
    return;
  }
  const rate = formatSize(Math.round(counts.doneBytes / Math.max(elapsedMs, 1) * 1000));
  console.out(`${path}: ${snapshot.source.name}@${snapshot.id}, ${formatSize(snapshot.sizeBytes)}`);
  console.tell(
    `${formatSize(counts.fetchedBytes)} fetched, ${formatSize(counts.writtenBytes)} of data, ` +
      `${formatSize(counts.zeroBytes)} of zeros; ${formatDuration(elapsedMs)}, ${rate}/s`,
  );
  console.tell(KEPT_NOTHING);
}
