/** `regrain backup`: a snapshot of a disk, of all that a list names, or of those of a VM. */
import { RegrainError } from "../../core-as/host/mod.ts";
import { backupReport } from "../report/backup.ts";
import { type BackupFlags, checkBackup } from "../session/backup_flags.ts";
import { backUpWithProgress, statusOf, withBackupRepository } from "../session/backup_run.ts";
import { openOrigin } from "../session/origin.ts";

export interface BackupCommandFlags extends Omit<BackupFlags, "name"> {
  readonly name?: string | undefined;
  readonly list?: string | undefined;
  readonly vm?: string | undefined;
  readonly config?: readonly string[] | undefined;
}

/** What is said of one disk, and cannot hold for several. */
const OF_ONE_DISK = {
  name: "--name",
  delta: "--delta",
  changed: "--changed",
  since: "--since",
  changeId: "--change-id",
  audit: "--audit",
  fromCommand: "--from-command",
  size: "--size",
  unpack: "--unpack",
} as const satisfies Partial<Record<keyof BackupCommandFlags, string>>;

export async function runBackupCommand(
  sources: readonly string[],
  flags: BackupCommandFlags,
): Promise<number> {
  const { list, name, vm, config } = flags;
  if (vm !== undefined) {
    refuseFlagsOfOne("--vm", flags);
    if (list !== undefined) throw new RegrainError("USAGE", "--vm and --list exclude each other");
    return await (await import("./backup_vm.ts")).runBackupVm(sources, { ...flags, vm });
  }
  if (config !== undefined) {
    throw new RegrainError("USAGE", "--config is a file of a VM, and --vm is not given");
  }
  const [source, another] = sources;
  if (list !== undefined) {
    refuseFlagsOfOne("--list", flags);
    if (source !== undefined) {
      throw new RegrainError("USAGE", "with --list there is no SOURCE: the list names them");
    }
    return await (await import("./backup_list.ts")).runBackupList(list, flags);
  }
  if (another !== undefined) {
    throw new RegrainError("USAGE", `one SOURCE is backed up at a time, and ${another} is another`, {
      hint: "--vm NAME disk-0=A disk-1=B makes one moment of several disks, --list FILE a snapshot of each",
    });
  }
  if (name !== undefined) return await runBackup(source, { ...flags, name });
  throw new RegrainError("USAGE", "--name does not say what the disk is called in the repository", {
    hint: "such as --name web01/disk-0; --list FILE names many disks",
  });
}

function refuseFlagsOfOne(flag: string, flags: BackupCommandFlags): void {
  for (const [key, other] of Object.entries(OF_ONE_DISK)) {
    if (flags[key as keyof typeof OF_ONE_DISK] === undefined) continue;
    throw new RegrainError("USAGE", `${other} is about one disk, and ${flag} about several`, {
      hint: `back that disk up in a run of its own, without ${flag}`,
    });
  }
}

/** @param source Image, device, descriptor of a chain, `repo:` snapshot, or `-`; with `--delta` only for an audit. */
export async function runBackup(source: string | undefined, flags: BackupFlags): Promise<number> {
  checkBackup(source, flags);
  return await withBackupRepository(flags.name, flags, async ({ repository, session, watch }) => {
    const { console } = session;
    const report = backupReport(console);
    using origin = await openOrigin(source, { flags, session, repository, report });
    const result = await backUpWithProgress(repository, { origin, flags, console, watch, report });
    report.done(result);
    return statusOf(origin, result);
  });
}
