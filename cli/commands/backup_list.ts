/** `regrain backup --list`: many disks in one run, with one start and one key; one that fails stops no other. */
import { RegrainError } from "../../core-as/host/mod.ts";
import { EXIT_INCOMPLETE, FIRST_OF_SIGNALS } from "../exit_status.ts";
import { type BackupReport, backupReport } from "../report/backup.ts";
import { type BackupFlags, checkBackup } from "../session/backup_flags.ts";
import { type BackupMeans, backUpWithProgress, withBackupRepository } from "../session/backup_run.ts";
import { type ListedDisk, readBackupList } from "../session/disk_list.ts";
import { openOrigin } from "../session/origin.ts";
import type { Watch } from "../session/watched.ts";

type ListFlags = Omit<BackupFlags, "name">;

/** What became of the disks so far. */
interface Tally {
  done: number;
  readonly failed: { readonly disk: ListedDisk; readonly error: RegrainError }[];
  /** Those whose source was not quiet: their snapshots are there, and marked. */
  readonly disturbed: string[];
  /** Those of whose source not everything could be read. */
  readonly damaged: string[];
  readBytes: number;
  storedBytes: number;
}

/** @param path The list. */
export async function runBackupList(path: string, flags: ListFlags): Promise<number> {
  const disks = readBackupList(path);
  for (const { name, source } of disks) checkBackup(source, { ...flags, name });
  return await withBackupRepository(path, flags, async (means) => {
    const report = backupReport(means.session.console);
    const startedMs = performance.now();
    const tally: Tally = { done: 0, failed: [], disturbed: [], damaged: [], readBytes: 0, storedBytes: 0 };
    for (const disk of disks) await backUpListed(disk, tally, { ...means, flags, report });
    report.list({ ...tally, elapsedMs: performance.now() - startedMs });
    return exitOf(tally);
  });
}

/** 3 says that some are there: where none is, the status is what kept the first of them out. */
function exitOf({ done, failed, disturbed, damaged }: Tally): number {
  const [first] = failed;
  if (first === undefined) return disturbed.length + damaged.length > 0 ? EXIT_INCOMPLETE : 0;
  return done > 0 ? EXIT_INCOMPLETE : first.error.exit;
}

async function backUpListed(
  disk: ListedDisk,
  tally: Tally,
  means: BackupMeans & { flags: ListFlags; report: BackupReport },
): Promise<void> {
  const { repository, session, session: { console }, report } = means;
  const flags = { ...means.flags, name: disk.name };
  const watch = summing(means.watch, tally);
  try {
    using origin = await openOrigin(disk.source, { flags, session, repository, report });
    const result = await backUpWithProgress(repository, { origin, flags, console, watch, report });
    tally.done++;
    if (origin.quiet?.isDisturbed) tally.disturbed.push(disk.name);
    if (result.snapshot.damaged !== undefined) tally.damaged.push(disk.name);
    tally.readBytes += result.snapshot.stats.readBytes;
    tally.storedBytes += result.snapshot.stats.storedBytes;
    report.disk(disk.source, result);
  } catch (error) {
    if (!(error instanceof RegrainError) || error.exit >= FIRST_OF_SIGNALS) throw error;
    tally.failed.push({ disk, error });
    report.failed(disk, error);
  }
  console.flush();
  learnTotals(means.watch, tally);
}

/** Phases are those of the run; the figures of one disk are not, and its snapshot is one of many. */
function summing(watch: Watch, tally: Tally): Watch {
  return { phase: (name) => watch.phase(name), learn: () => learnTotals(watch, tally) };
}

function learnTotals(watch: Watch, { done, failed, readBytes, storedBytes }: Tally): void {
  watch.learn({ figures: { disks: done, failedDisks: failed.length, readBytes, storedBytes } });
}
