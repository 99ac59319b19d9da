/** What `regrain backup` is asked to make: one disk, or all that a list names. */
import { RegrainError } from "../../core-as/host/mod.ts";
import { type BackupFlags, runBackup } from "./backup.ts";

export interface BackupCommandFlags extends Omit<BackupFlags, "name"> {
  readonly name?: string | undefined;
  readonly list?: string | undefined;
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
  source: string | undefined,
  flags: BackupCommandFlags,
): Promise<number> {
  const { list, name } = flags;
  if (list !== undefined) {
    refuseFlagsOfOne("--list", flags);
    if (source !== undefined) {
      throw new RegrainError("USAGE", "with --list there is no SOURCE: the list names them");
    }
    return await (await import("./backup_list.ts")).runBackupList(list, flags);
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
