/** What all ways to restore a disk share: what is restored, the plain way to write it, and what is said in the end. */
import { formatCount, formatSize, quotePath, type Source, type Target } from "../../core-as/host/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import type { Repository } from "../backup/repository.ts";
import {
  type Overlay,
  type RestoreCounts,
  restoreTo,
  type TargetContent,
} from "../backup/restore/restore.ts";
import { type DamagedStretch, inOrder } from "../backup/restore/salvage.ts";
import { isNowhere, KEPT_NOTHING } from "../places/null.ts";
import { requireUnchanged } from "../target/undisturbed.ts";
import { formatDuration, type Progress } from "../ui/mod.ts";
import type { SafetyFlags } from "../session/flags.ts";
import { tellVerified, type Verified, verifiedJson } from "../report/verified.ts";
import { lanesOf, type RepoFlags } from "../session/open_repository.ts";
import { warnDamaged } from "../report/damaged.ts";
import { onDamagedOf } from "./restore_damage.ts";
import type { RestoreFormat } from "./restore_format.ts";
import type { PlaceFlags } from "./restore_place.ts";
import type { LongFlags, Session } from "../session/session.ts";
import type { Watch, WatchFlags } from "../session/watched.ts";

export interface RestoreFlags
  extends Omit<LongFlags, "format">, RepoFlags, WatchFlags, SafetyFlags, Omit<PlaceFlags, "format"> {
  readonly apply?: string | undefined;
  /** What stands for what cannot be read; without it that is an error. */
  readonly damaged?: "zeros" | undefined;
  /** What the target is, or is to be, not what is read: a delta is a VMDK by its place. */
  readonly format?: RestoreFormat | undefined;
  readonly rateLimit?: string | undefined;
  /** Rights of a file that is made, in octal digits. */
  readonly mode?: string | undefined;
}

/** What is restored, and by what means. */
export interface RestoreWork {
  readonly repository: Repository;
  readonly snapshot: Snapshot;
  readonly overlay: Overlay | undefined;
  /** CID of the disk as it is restored. */
  readonly cid: string | undefined;
  readonly session: Session;
  readonly flags: RestoreFlags;
  readonly watch: Watch;
  /** What could not be read so far, and is zeros instead. */
  readonly damaged: DamagedStretch[];
  /** Files that are read beside the repository, by all their names. */
  readonly inputs: readonly string[];
  /** Those of them that hold the data; they must not change meanwhile. */
  readonly files: readonly Source[];
}

/** That nobody wrote to the delta that is laid over the snapshot. */
export function requireFilesUnchanged({ files, flags, session: { console } }: RestoreWork): void {
  requireUnchanged(files, { force: flags.force ?? false, warn: (sentence) => console.warn(sentence) });
}

/** Writes the disk in whatever order its pieces come; what signals and limits want is said by the target. */
export async function writeFreely(
  place: { readonly target: Target; readonly content: TargetContent },
  work: RestoreWork & { progress: Progress },
): Promise<RestoreCounts> {
  const { repository, snapshot, overlay, watch, progress } = work;
  using lanes = lanesOf(repository);
  // In a new file zeros are there already. An overlay may make data of them: how many are left is seen on the way.
  const { sizeBytes, chunkBytes, stats } = snapshot;
  const isSparse = place.content === "zeros" && overlay === undefined;
  const dataBytes = isSparse ? Math.min(sizeBytes, stats.chunks * chunkBytes) : undefined;
  return await restoreTo(repository, snapshot, {
    ...place,
    overlay,
    lanes,
    onDamaged: onDamagedOf(work),
    onProgress: (counts, idleBytes) => {
      const { doneBytes, fetchedBytes, keptBytes } = counts;
      watch.learn({ figures: { ...counts } });
      const parts = { fetched: fetchedBytes, kept: keptBytes };
      progress.update({
        doneBytes: doneBytes - idleBytes,
        totalBytes: dataBytes ?? sizeBytes - idleBytes,
        parts,
      });
    },
  });
}

/** What became of a target that was changed in place. */
export interface InPlaceEnd {
  /** Descriptor of a VMDK target. */
  readonly base: string | undefined;
  readonly resumedBytes: number;
  /** The CID that a VMDK has now. */
  readonly cid: string | undefined;
  readonly undo: string | undefined;
  readonly undoWarnings: readonly string[];
}

interface End extends RestoreWork {
  readonly path: string;
  readonly elapsedMs: number;
  readonly verified: Verified | undefined;
  readonly inPlace?: InPlaceEnd;
}

export function tellRestored(counts: RestoreCounts, end: End): void {
  const { snapshot, path, elapsedMs, verified, inPlace, session: { console } } = end;
  const damaged = inOrder(end.damaged);
  warnDamaged(damaged, console);
  for (const warning of inPlace?.undoWarnings ?? []) console.warn(`${inPlace!.undo}: ${warning}`);
  if (console.json) {
    console.outJson({
      type: "summary",
      status: damaged.length === 0 ? "done" : "incomplete",
      id: snapshot.id,
      target: path,
      ...isNowhere(path) ? { kept: false } : {},
      root: snapshot.root,
      ...counts,
      ...(inPlace && {
        resumedBytes: inPlace.resumedBytes,
        cid: inPlace.cid ?? null,
        undo: inPlace.undo ?? null,
      }),
      damaged: damaged.map(({ offsetBytes, lengthBytes, reason }) => ({
        start: offsetBytes,
        length: lengthBytes,
        reason,
      })),
      ...(inPlace || verified ? { verified: verified === undefined ? null : verifiedJson(verified) } : {}),
      elapsedMs: Math.round(elapsedMs),
    });
    return;
  }
  const rate = formatSize(Math.round(counts.doneBytes / Math.max(elapsedMs, 1) * 1000));
  console.out(`${path}: ${snapshot.source.name}@${snapshot.id}, ${formatSize(snapshot.sizeBytes)}`);
  if (inPlace) tellInPlace(inPlace, end);
  console.tell(
    `${formatSize(counts.writtenBytes)} written, ${formatSize(counts.keptBytes)} were right already, ` +
      `${formatSize(counts.zeroBytes)} of zeros; ${formatDuration(elapsedMs)}, ${rate}/s`,
  );
  if (isNowhere(path)) console.tell(KEPT_NOTHING);
  if (verified) tellVerified(console, { path, isVmdk: inPlace?.base !== undefined, verified });
}

function tellInPlace({ base, cid, undo, resumedBytes }: InPlaceEnd, end: End): void {
  const { path, session: { console } } = end;
  if (base !== undefined) console.tell(`${base}: ${cidNow(cid, end)}`);
  if (undo !== undefined) {
    console.tell(
      `${undo}: regrain apply ${quotePath(undo)} ${quotePath(path)} takes back what this run overwrote, ` +
        "while nothing else writes to it",
    );
  }
  if (resumedBytes > 0) console.tell(`${formatCount(resumedBytes)} bytes of the disk were done before`);
}

/** What became of the content id of a flat VMDK. */
function cidNow(now: string | undefined, { cid, damaged }: RestoreWork): string {
  if (now === undefined) return "it has no CID and gets none, so nothing will tell what is in it";
  if (damaged.length > 0) {
    return `CID is ${now} now, a new one, since this is not the disk that was backed up`;
  }
  return cid === undefined
    ? `CID is ${now} now, a new one, since the snapshot tells none`
    : `CID is ${now} now, that of the disk which was restored`;
}
