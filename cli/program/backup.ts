/** The commands on backup repositories. */
import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { addCommands, calledIn, type CommandTable, type Finish } from "./by_need.ts";
import {
  examples,
  formatOption,
  progressOption,
  withCommon,
  withOpening,
  withRepository,
  withSafeguards,
} from "./flags.ts";
import { KEEPING_COMMANDS, REPO_KEEPING_COMMANDS } from "./keeping.ts";

/** Every command on backups, in the order in which the help shows them. */
export const BACKUP_COMMANDS: CommandTable = {
  backup: backupCommand,
  restore: restoreCommand,
  snapshots: snapshotsCommand,
  ...KEEPING_COMMANDS,
  gc: gcCommand,
  repo: repoCommand,
};

function backupCommand(finish: Finish) {
  const command = new Command("backup")
    .summary("make a snapshot of a disk in a repository")
    .description(
      "Makes a snapshot of a disk. Chunks that the repository has already are not stored again; " +
        "which of them changed is taken from a list (--changed) or a delta (--delta), else found by reading the disk.",
    )
    .argument(
      "[SOURCE...]",
      "image, block device, descriptor (its whole chain), repo:VM/DISK@latest, or - for standard input; with --vm " +
        "disk-0=IMAGE, a disk each",
    )
    .option("--name <VM/DISK>", "what the disk is called in the repository; needed without --list and --vm")
    .option(
      "--vm <VM>",
      "make one moment of several disks, seen together: regrain backup --vm web01 disk-0=A disk-1=B; stop the VM, or " +
        "give copies of one moment",
    )
    .option(
      "--config <FILE>",
      "with --vm: keep FILE (vmx, domain XML, nvram) beside the disks; again for more",
      collect,
    )
    .option(
      "--list <FILE>",
      "no SOURCE: back up every disk that FILE lists, its name and its source a line, quoted as in a shell; " +
        "# begins a comment; exit 3 when some failed, and what the first failed with when all did",
    )
    .option(
      "--delta <DELTA>",
      "no SOURCE: lay a delta, and those below it that came since, over the latest snapshot",
    )
    .option(
      "--changed <FILE>",
      "read only what changed since the latest snapshot; regrain map --json, or vSphere's list",
    )
    .option(
      "--since <ID>",
      "what --changed or --delta is against: a snapshot by its id, or a change id; where that is not the newest " +
        "snapshot, the whole disk is read, and a delta is refused",
    )
    .option("--change-id <ID>", "what the platform calls this moment of the disk, for the next --since")
    .option(
      "--audit <SHARE>",
      "with --changed, or --delta and a SOURCE: look at a share such as 1% of what is said to be unchanged; a change " +
        "there is told, and the whole disk is read",
    )
    .option(
      "--from-command <CMD>",
      "no SOURCE: CMD, run by sh, writes the disk to its stdout; nothing is stored unless it ends with exit status 0",
    )
    .option(
      "--size <SIZE>",
      "of a stream: the bytes it must have, such as 40G; one that ends before is not stored",
    )
    .addOption(
      new Option("--unpack <packing>", "of a stream: unpack it; by its look alone nothing is unpacked")
        .choices(
          ["gzip", "zstd"] as const,
        ),
    )
    .option(
      "--live",
      "the disk is in use, and that is meant: no warning, no exit 3; the snapshot is marked crash-consistent, which " +
        "it is at best",
    )
    .option(
      "--hook-before <COMMAND>",
      "before SOURCE is opened run COMMAND by the shell, such as lvcreate --snapshot; nothing is read if it fails",
    )
    .addOption(
      new Option(
        "--damaged <what>",
        "what is stored for what cannot be read of SOURCE, such as bad sectors: zeros, listed; the snapshot is " +
          "incomplete and says so, exit 3; without it that ends the backup",
      ).choices(["zeros"] as const),
    )
    .option("--rate-limit <SIZE>", "read at most SIZE bytes a second, such as 50M")
    .option("--tag <TAG>", "a word to find the snapshot by; may be given again", collect)
    .option(
      "--retain <TIME>",
      "let nobody remove the snapshot, and what it needs, for so long, such as 30d; takes a bucket with object lock",
    )
    .option("--heal", "look for chunks of the latest snapshot that are gone, and store them anew")
    .addOption(formatOption("SOURCE"))
    .option(
      "--force",
      "store a chain whose links do not belong together, a disk that never was; lay a delta over a snapshot that " +
        "it was not made against, or may not be; store a stream that is shorter than the snapshot before it",
    );
  return withCommon(withWatching(withOpening(withRepository(command)).addOption(progressOption())))
    .addHelpText(
      "after",
      examples(
        "regrain backup vm.img --repo /backups --name web01/disk-0",
        "regrain backup --delta vm-000001-delta.vmdk --repo /backups --name web01/disk-0",
        "regrain backup vm.img --changed areas.json --repo /backups --name web01/disk-0",
        "regrain backup vm.img --changed areas.json --since '52 de/4' --change-id '52 de/5' --repo /backups " +
          "--name web01/disk-0",
        "dd if=/dev/vg0/vm bs=4M | regrain backup - --repo s3://bucket/vms --name web01/disk-0",
        "regrain backup --from-command 'ssh esx dd if=/dev/vg0/vm bs=4M' --repo /backups --name web01/disk-0",
        "regrain backup /dev/vg0/vm --damaged zeros --repo /backups --name web01/disk-0",
        "regrain backup --list disks.txt --repo /backups",
        "regrain backup --vm web01 disk-0=vm.img disk-1=base.vmdk --config disks.txt --repo /backups",
      ),
    )
    .action(async (sources, flags) =>
      finish(await (await import("../commands/backup.ts")).runBackupCommand(sources, flags))
    );
}

function restoreCommand(finish: Finish) {
  const named = new Command("restore")
    .summary("write a snapshot to a file, a device or a pipe")
    .description(
      "Writes a snapshot. Every chunk is checked before it is used. A new file appears under its name when it is " +
        "complete; running an interrupted restore again carries on where it was.",
    )
    .argument(
      "<SNAPSHOT>",
      "VM/DISK@latest, VM/DISK@<first letters of an id>, or VM/DISK@<time>; VM@latest for all disks of a VM",
    )
    .argument(
      "<TARGET>",
      "a new file, a block device, or - for standard output; with --delta a raw disk or the descriptor of a flat " +
        "VMDK that is there; null: keeps nothing; DIR/ for all disks of a VM",
    )
    .option("--delta", "change an existing TARGET in place, where it differs");
  const command = withSafeguards(named, "the snapshot")
    .option("--apply <DELTA>", "lay a delta, and those below it that came since, over the snapshot meanwhile")
    .addOption(
      new Option(
        "--damaged <what>",
        "what stands for what cannot be read: zeros, listed, exit 3; without it damage ends the restore",
      ).choices(["zeros"] as const),
    )
    .option(
      "--force",
      "put the file in the place of one that exists; with --delta, or onto a device: write although it is in use, " +
        "larger, or begins like an image of another format, which is lost then",
    )
    .option(
      "--mode <DIGITS>",
      "rights of a new file, such as 640; 600 by default: everything of the guest is in it",
    )
    .option("-n, --dry-run", "look at everything, say what would be written, write nothing")
    .option("--ignore-free-space", "begin although the disk may not fit: the file system may get full")
    .addOption(
      new Option(
        "--format <format>",
        "what a new file is: raw; vmdk-flat (a descriptor and -flat.vmdk); vmdk-sparse, stream, qcow2 need qemu-img; " +
          "without it raw, but .qcow2 is qcow2, and other names of formats are refused; of a TARGET that is there " +
          "raw says that it is a raw disk, however it begins, and vmdk that it is the descriptor of a flat VMDK",
      ).choices(["raw", "vmdk", "vmdk-flat", "vmdk-sparse", "stream", "qcow2"] as const),
    )
    .option("--rate-limit <SIZE>", "write at most SIZE bytes a second, such as 50M");
  return withCommon(
    withWatching(
      withOpening(withRepository(command)).addOption(progressOption()),
    ),
  )
    .addHelpText(
      "after",
      examples(
        "regrain restore web01/disk-0@latest vm.img --repo /backups",
        "regrain restore --delta web01/disk-0@2026-11-20T03:00:00Z /dev/vg0/vm --repo /backups",
        "regrain restore --dry-run web01/disk-0@latest vm.img --repo /backups",
        "regrain restore --delta --undo vm.undo web01/disk-0@latest base.vmdk --repo /backups",
        "regrain restore web01/disk-0@latest vm.qcow2 --format qcow2 --repo /backups",
        "regrain restore web01/disk-0@latest vm.img --apply vm-000001.vmdk --repo /backups",
        "regrain restore web01/disk-0@latest vm.img --damaged zeros --repo /backups",
        "regrain restore web01/disk-0 - --repo /backups | ssh host dd of=/dev/vg0/vm bs=4M",
      ),
    )
    .action(async (snapshot, target, flags) =>
      finish(await (await import("../commands/restore.ts")).runRestore(snapshot, target, flags))
    );
}

function snapshotsCommand(finish: Finish) {
  const command = new Command("snapshots")
    .summary("what backups there are")
    .description(
      "Lists snapshots by disk, oldest first, times in UTC; -v with data and chunks of each. Exit 1 when one cannot " +
        "be read.",
    )
    .argument("[VM/DISK]", "of one disk only, or VM: of all disks of one")
    .option("--host <NAME>", "only those that this host made")
    .option("--tag <TAG>", "only those with this tag; given again: or with that one", collect)
    .option(
      "--from <TIME>",
      "only those from the beginning of TIME on: 2026-11-21 or 2026-11-21T03:00, in UTC",
    )
    .option("--until <TIME>", "only those until the end of TIME; 2026-11-21 is that whole day")
    .option("--no-cache", "read every manifest, where an index in the cache folder would do: slow with many");
  return withCommon(withRepository(command))
    .addHelpText(
      "after",
      examples(
        "regrain snapshots --repo /backups",
        "regrain snapshots web01/disk-0 --repo /backups",
        "regrain snapshots web01 --tag weekly --from 2026-11-01 --until 2026-11-30 --repo /backups",
      ),
    )
    .action(async (name, flags) =>
      finish(await (await import("../commands/snapshots.ts")).runSnapshots(name, flags))
    );
}

function gcCommand(finish: Finish) {
  const command = new Command("gc")
    .summary("remove what no snapshot needs any more")
    .description(
      "Removes chunks that no snapshot refers to. Backups may run meanwhile; those that had begun are waited for. " +
        "Exit 3 when they did not end in time.",
    )
    .option("-n, --dry-run", "say what would be removed, remove nothing")
    .option("--wait <TIME>", "how long backups that had begun are waited for; 1h by default")
    .option("--expire-after <TIME>", "take a backup for dead that was silent for so long; 1d by default");
  return withCommon(withRepository(command))
    .addHelpText(
      "after",
      examples("regrain gc --dry-run --repo /backups", "regrain gc --wait 4h --repo /backups"),
    )
    .action(async (flags) => finish(await (await import("../commands/gc.ts")).runGc(flags)));
}

function repoCommand(finish: Finish, words: readonly string[]) {
  const table: CommandTable = {
    init: repoInitCommand,
    info: repoInfoCommand,
    ...REPO_KEEPING_COMMANDS,
    import: importCommand,
  };
  const repo = new Command("repo")
    .summary("make a repository, and look after it")
    .description("Makes a repository, and looks after it.");
  const alone = calledIn(table, words);
  addCommands(repo as unknown as CommandUnknownOpts, table, { finish, words, alone });
  return repo;
}

function repoInitCommand(finish: Finish) {
  const command = new Command("init")
    .summary("make a repository")
    .description("Makes a repository in an empty folder or bucket, and looks what the store can do.")
    .option("--chunk-size <SIZE>", "size of the pieces disks are cut into: 1M to 64M; 4M by default")
    .option(
      "--encrypt",
      "encrypt everything with a passphrase, from --passphrase-file, --passphrase-command or REGRAIN_PASSPHRASE",
    );
  return withCommon(withRepository(command))
    .addHelpText(
      "after",
      examples("regrain repo init --repo /backups", "regrain repo init --encrypt --repo s3://bucket/vms"),
    )
    .action(async (flags) => finish(await (await import("../commands/repo.ts")).runRepoInit(flags)));
}

function repoInfoCommand(finish: Finish) {
  const command = new Command("info").summary("what a repository is").description(
    "Prints what a repository is.",
  );
  return withCommon(withRepository(command))
    .addHelpText("after", examples("regrain repo info --repo /backups"))
    .action(async (flags) => finish(await (await import("../commands/repo.ts")).runRepoInfo(flags)));
}

function importCommand(finish: Finish) {
  const command = new Command("import")
    .summary("make a snapshot of a backup in another layout: vm-data-VM/disk-data-DISK")
    .description(
      "Makes a snapshot of a disk in a bucket or folder of vm-data-<VM>/disk-data-<DISK>/manifest.json with parts of " +
        "64 MiB below full/. Every part is checked against its sum. " +
        "Without --vm and --disk there must be one disk only. Backups of other programs are not read: restore those " +
        "with their program, and back up the disk.",
    )
    .argument("<BUCKET>", "s3://bucket/prefix or a folder; the flags for s3 hold for both")
    .requiredOption("--name <VM/DISK>", "what the disk is called in the repository")
    .option("--vm <VM>", "the virtual machine in the bucket")
    .option("--disk <DISK>", "the disk in the bucket, such as root")
    .option("--rate-limit <SIZE>", "read at most SIZE bytes a second of the disk, such as 50M")
    .option("--tag <TAG>", "a word to find the snapshot by; may be given again", collect);
  return withCommon(withWatching(withRepository(command).addOption(progressOption())))
    .addHelpText(
      "after",
      examples(
        "regrain repo import s3://old-backups --vm web01 --disk root --name web01/disk-0 --repo /backups",
      ),
    )
    .action(async (bucket, flags) =>
      finish(await (await import("../commands/repo_import.ts")).runRepoImport(bucket, flags))
    );
}

/** Flags that say who is told of a run when it has ended. */
function withWatching<A extends unknown[], O extends Record<string, unknown>>(command: Command<A, O>) {
  return command.optionsGroup("Watching:")
    .option("--metrics <FILE>", "in the end write figures of the run to FILE, in OpenMetrics")
    .option(
      "--hook-done <COMMAND>",
      "in the end run COMMAND by the shell; variables REGRAIN_* tell it of the run",
    );
}

function collect(value: string, before: string[] | undefined): string[] {
  return [...before ?? [], value];
}
