/** What `restore` says in the end: what became of the target, and what of the disk could not be read. */
import { formatCount, formatSize, plural, quotePath } from "../../core-as/host/mod.ts";
import type { Snapshot, VmSnapshot } from "../../core-as/host/repo/mod.ts";
import type { InPlaceEnd } from "../backup/restore/in_place.ts";
import type { RestoreCounts } from "../backup/restore/restore.ts";
import { type DamagedStretch, inOrder } from "../backup/restore/salvage.ts";
import type { RestoredVm } from "../backup/restore/vm.ts";
import { isNowhere, KEPT_NOTHING } from "../places/null.ts";
import { type Console, formatDuration } from "../ui/mod.ts";
import { warnDamaged } from "./damaged.ts";
import { tellVerified, type Verified, verifiedJson } from "./verified.ts";

export interface RestoreEnd {
  readonly path: string;
  readonly snapshot: Snapshot;
  /** CID of the disk as it was restored. */
  readonly cid: string | undefined;
  readonly counts: RestoreCounts;
  /** What could not be read, and is zeros, in whatever order it was found. */
  readonly damaged: readonly DamagedStretch[];
  /** Of the writing alone. */
  readonly elapsedMs: number;
  readonly verified: Verified | undefined;
  readonly inPlace?: InPlaceEnd;
}

/** What would be written by a run that is dry. */
export interface RestoreDryRun {
  readonly path: string;
  readonly snapshot: Snapshot;
  readonly damaged: readonly DamagedStretch[];
  /** Whether a target that is there is changed. */
  readonly isInPlace: boolean;
}

type VmEnd = RestoredVm & { readonly dryRun: boolean };

export abstract class RestoreReport {
  constructor(protected readonly console: Console) {}

  /** What is zeros, since it could not be read. */
  damaged(stretches: readonly DamagedStretch[]): void {
    warnDamaged(inOrder(stretches), this.console);
  }

  /** One disk. */
  done(end: RestoreEnd): void {
    this.damaged(end.damaged);
    const { inPlace } = end;
    for (const warning of inPlace?.undoWarnings ?? []) this.console.warn(`${inPlace!.undo}: ${warning}`);
    this.summary(end);
  }

  abstract dryRun(of: RestoreDryRun): void;
  /** A VM, when all of its disks are done. */
  abstract vm(vm: VmSnapshot, folder: string, restored: VmEnd): void;
  protected abstract summary(end: RestoreEnd): void;
}

export function restoreReport(console: Console): RestoreReport {
  return console.json ? new JsonRestoreReport(console) : new TextRestoreReport(console);
}

class JsonRestoreReport extends RestoreReport {
  dryRun({ path, snapshot, damaged, isInPlace }: RestoreDryRun): void {
    this.damaged(damaged);
    const { id, root, sizeBytes } = snapshot;
    const dataBytes = dataBytesOf(snapshot);
    this.console.outJson({
      type: "summary",
      status: "dry-run",
      id,
      target: path,
      isInPlace,
      root,
      sizeBytes,
      dataBytes,
    });
  }

  vm({ id, source: { name } }: VmSnapshot, target: string, { disks, configs, dryRun }: VmEnd): void {
    this.console.outJson({ type: "vm", id, name, target, disks, configs, ...dryRun ? { dryRun } : {} });
  }

  protected summary({ path, snapshot, counts, inPlace, verified, elapsedMs, ...end }: RestoreEnd): void {
    const damaged = inOrder(end.damaged);
    this.console.outJson({
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
  }
}

class TextRestoreReport extends RestoreReport {
  dryRun({ path, snapshot, damaged, isInPlace }: RestoreDryRun): void {
    this.damaged(damaged);
    const what = isInPlace ? "would be overwritten with" : "would be made:";
    this.console.out(
      `${path} ${what} ${snapshot.source.name}@${snapshot.id}, ${formatSize(snapshot.sizeBytes)}, ` +
        `${formatSize(dataBytesOf(snapshot))} of data at most`,
    );
  }

  vm({ id, source: { name } }: VmSnapshot, folder: string, { disks, configs, dryRun }: VmEnd): void {
    const would = dryRun ? " would be written: " : " ";
    this.console.out(
      `${folder}:${would}${name}@${id}, ${plural(disks.length, "disk")}, ${
        plural(configs.length, "other file")
      }`,
    );
  }

  protected summary(end: RestoreEnd): void {
    const { console } = this;
    const { path, snapshot, counts, elapsedMs, verified, inPlace } = end;
    const rate = formatSize(Math.round(counts.doneBytes / Math.max(elapsedMs, 1) * 1000));
    console.out(`${path}: ${snapshot.source.name}@${snapshot.id}, ${formatSize(snapshot.sizeBytes)}`);
    if (inPlace) this.inPlace(inPlace, end);
    console.tell(
      `${formatSize(counts.writtenBytes)} written, ${formatSize(counts.keptBytes)} were right already, ` +
        `${formatSize(counts.zeroBytes)} of zeros; ${formatDuration(elapsedMs)}, ${rate}/s`,
    );
    if (isNowhere(path)) console.tell(KEPT_NOTHING);
    if (verified) tellVerified(console, { path, isVmdk: inPlace?.base !== undefined, verified });
  }

  private inPlace({ base, cid, undo, resumedBytes }: InPlaceEnd, end: RestoreEnd): void {
    const { console } = this;
    if (base !== undefined) console.tell(`${base}: ${cidNow(cid, end)}`);
    if (undo !== undefined) {
      console.tell(
        `${undo}: regrain apply ${quotePath(undo)} ${
          quotePath(end.path)
        } takes back what this run overwrote, ` +
          "while nothing else writes to it",
      );
    }
    if (resumedBytes > 0) console.tell(`${formatCount(resumedBytes)} bytes of the disk were done before`);
  }
}

/** Chunks that are not zeros; a delta over them may make more of them. */
function dataBytesOf({ sizeBytes, chunkBytes, stats }: Snapshot): number {
  return Math.min(sizeBytes, stats.chunks * chunkBytes);
}

/** What became of the content id of a flat VMDK. */
function cidNow(now: string | undefined, { cid, damaged }: RestoreEnd): string {
  if (now === undefined) return "it has no CID and gets none, so nothing will tell what is in it";
  if (damaged.length > 0) {
    return `CID is ${now} now, a new one, since this is not the disk that was backed up`;
  }
  return cid === undefined
    ? `CID is ${now} now, a new one, since the snapshot tells none`
    : `CID is ${now} now, that of the disk which was restored`;
}
