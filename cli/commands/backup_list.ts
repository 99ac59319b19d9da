/** `regrain backup --list`: many disks in one run, with one start and one key; one that fails stops no other. */
import { formatSize, plural, RegrainError } from "../../core-as/host/mod.ts";
import { type Console, formatDuration } from "../ui/mod.ts";
import {
  type BackupFlags,
  type BackupMeans,
  backUpWithProgress,
  checkBackup,
  reportJson,
  tellReport,
  withBackupRepository,
} from "./backup.ts";
import { type ListedDisk, readBackupList } from "./backup_list_file.ts";
import { openOrigin } from "./backup_origin.ts";
import type { Watch } from "../session/watched.ts";
import { EXIT_INCOMPLETE, FIRST_OF_SIGNALS } from "../exit_status.ts";

type ListFlags = Omit<BackupFlags, "name">;

/** What became of the disks so far. */
interface Tally {
  done: number;
  readonly failed: { readonly disk: ListedDisk; readonly error: RegrainError }[];
  /** Those whose source was not quiet: their snapshots are there, and marked. */
  readonly disturbed: string[];
  readBytes: number;
  storedBytes: number;
}

/** @param path The list. */
export async function runBackupList(path: string, flags: ListFlags): Promise<number> {
  const disks = readBackupList(path);
  for (const { name, source } of disks) checkBackup(source, { ...flags, name });
  return await withBackupRepository(path, flags, async (means) => {
    const startedMs = performance.now();
    const tally: Tally = { done: 0, failed: [], disturbed: [], readBytes: 0, storedBytes: 0 };
    for (const disk of disks) await backUpListed(disk, tally, { ...means, flags });
    tellAll(tally, { console: means.session.console, elapsedMs: performance.now() - startedMs });
    return exitOf(tally);
  });
}

/** 3 says that some are there: where none is, the status is what kept the first of them out. */
function exitOf({ done, failed, disturbed }: Tally): number {
  const [first] = failed;
  if (first === undefined) return disturbed.length > 0 ? EXIT_INCOMPLETE : 0;
  return done > 0 ? EXIT_INCOMPLETE : first.error.exit;
}

async function backUpListed(
  disk: ListedDisk,
  tally: Tally,
  means: BackupMeans & { flags: ListFlags },
): Promise<void> {
  const { repository, session, session: { console } } = means;
  const flags = { ...means.flags, name: disk.name };
  const watch = summing(means.watch, tally);
  try {
    using origin = await openOrigin(disk.source, { flags, session, repository });
    const report = await backUpWithProgress(repository, { origin, flags, console, watch });
    tally.done++;
    if (origin.quiet?.isDisturbed) tally.disturbed.push(disk.name);
    tally.readBytes += report.snapshot.stats.readBytes;
    tally.storedBytes += report.snapshot.stats.storedBytes;
    if (console.json) {
      console.outJson({ type: "disk", status: "done", source: disk.source, ...reportJson(report) });
    } else tellReport(report, console);
  } catch (error) {
    if (!(error instanceof RegrainError) || error.exit >= FIRST_OF_SIGNALS) throw error;
    tally.failed.push({ disk, error });
    tellFailed(disk, error, console);
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

function tellFailed({ name, source }: ListedDisk, error: RegrainError, console: Console): void {
  const { code, exit, message, path, offsetBytes, hint } = error;
  if (console.json) {
    console.outJson({
      type: "disk",
      status: "failed",
      name,
      source,
      code,
      exit,
      message,
      path: path ?? null,
      offsetBytes: offsetBytes ?? null,
      hint: hint ?? null,
    });
  }
  console.warn(
    `${name} is not backed up (${code}): ${message}${hint === undefined ? "" : `; hint: ${hint}`}`,
  );
}

function tellAll(
  { done, failed, disturbed, readBytes, storedBytes }: Tally,
  { console, elapsedMs }: { console: Console; elapsedMs: number },
): void {
  const names = failed.map(({ disk }) => disk.name);
  if (console.json) {
    console.outJson({
      type: "summary",
      status: names.length === 0 ? "done" : done > 0 ? "incomplete" : "failed",
      done,
      failed: names.length,
      names,
      disturbed,
      readBytes,
      storedBytes,
      elapsedMs: Math.round(elapsedMs),
    });
    return;
  }
  console.out(
    `${plural(done, "disk")} backed up, ${formatSize(readBytes)} read, ${formatSize(storedBytes)} stored in ${
      formatDuration(elapsedMs)
    }` + (names.length === 0 ? "" : `; ${names.length} failed: ${names.join(", ")}`) +
      (disturbed.length === 0 ? "" : `; not quiet while they were read: ${disturbed.join(", ")}`),
  );
}
