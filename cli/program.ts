/**
 * The command tree: every command with its flags, its help and its examples. Only the command that is called loads
 * what it needs.
 */
import { Argument, Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { BACKUP_COMMANDS } from "./program/backup.ts";
import { addCommands, calledIn, type CommandTable, type Finish } from "./program/by_need.ts";
import { EXIT_STATUS } from "./exit_status.ts";
import {
  examples,
  formatOption,
  progressOption,
  targetFormatOption,
  withCommon,
  withFinding,
  withOpening,
  withRepository,
  withSafeguards,
} from "./program/flags.ts";
import { arrangeHelp, helpCommand } from "./program/help.ts";
import { syncCommand } from "./program/sync.ts";
import { VERSION, VERSION_DATE } from "./version.ts";

const SIZES = "Sizes and offsets are bytes; 64K, 1M, 2G mean powers of 1024.";

/** The outage window as commands, below the help of apply; docs/moving-a-vm.md has more targets. */
const WINDOW = `
The whole window, ESX shell to LVM:
  VM runs:  vim-cmd vmsvc/snapshot.create VMID regrain "" 0 0       (on ESX)
            set -o pipefail; flat=/vmfs/volumes/ds/vm/vm-flat.vmdk
            ssh esx "dd if=$flat bs=4M" | dd of=/dev/vg0/vm bs=4M
            size=$(ssh esx "stat -c %s $flat")  # was the copy cut?
            test "$(head -c $size /dev/vg0/vm | sha256sum)" = \\
              "$(ssh esx "sha256sum < $flat")" && echo whole
  VM down:  vim-cmd vmsvc/power.shutdown VMID                       (on ESX)
            scp 'esx:/vmfs/volumes/ds/vm/vm-000001*.vmdk' .             0.6 s
            regrain apply --dry-run vm-000001.vmdk /dev/vg0/vm          0.2 s
            regrain apply --undo vm.undo --verify \\
              vm-000001.vmdk /dev/vg0/vm                                2.9 s
  or:       ssh esx cat /vmfs/volumes/ds/vm/vm-000001-delta.vmdk |
              regrain apply - /dev/vg0/vm                               0.9 s
  to undo:  regrain apply vm.undo /dev/vg0/vm                           0.5 s
Times: disk of 2 GiB, delta of 376 MiB, a loop device in LVM's place; no
network between.

Other targets:
  ZFS       zfs create -V 40G tank/vm; target /dev/zvol/tank/vm
  Ceph RBD  ssh ... | rbd import - pool/vm; rbd map pool/vm;
            target /dev/rbd/pool/vm
  qcow2     touch vm.view; nbdfuse vm.view [ qemu-nbd -f qcow2 vm.qcow2 ] &
            target vm.view; afterwards umount vm.view;
            or qemu-nbd -c /dev/nbd0 vm.qcow2; target /dev/nbd0`;

const DISK_COMMANDS: CommandTable = {
  info: infoCommand,
  map: mapCommand,
  check: checkCommand,
  compare: compareCommand,
  inspect: inspectCommand,
  apply: applyCommand,
  sync: syncCommand,
};

/** The name of none. */
const NO_COMMAND = "";

/**
 * Builds the tree.
 *
 * @param finish Takes the exit status of the command that ran.
 * @param words The command line. Where it begins with commands, those are built and no others, since to build all takes
 * a sixth of a short run.
 */
export function createProgram(finish: Finish, words: readonly string[] = []): Command {
  const program = new Command("regrain")
    .description(
      "Moves virtual disks off VMware and keeps them safe: applies snapshot deltas, backs disks up.",
    )
    .version(VERSION, "-V, --version", "print the version")
    .showHelpAfterError("(regrain --help shows what there is)")
    .addHelpText("after", exitStatusText());
  program.commandsGroup("Disks:");
  const own: CommandTable = {
    completion: (finish) => completionCommand(finish, program),
    man: (finish) => manCommand(finish, program),
    help: (finish) => helpCommand(finish, program),
  };
  const tables: Record<string, CommandTable> = {
    "Disks:": DISK_COMMANDS,
    "Backups:": BACKUP_COMMANDS,
    "This program:": own,
  };
  // Those of the last group are about all the others, and need them.
  const alone = isVersionAlone(words)
    ? NO_COMMAND
    : calledIn({ ...DISK_COMMANDS, ...BACKUP_COMMANDS }, words);
  for (const [group, table] of Object.entries(tables)) {
    program.commandsGroup(group);
    addCommands(program as unknown as CommandUnknownOpts, table, { finish, words, alone });
  }
  arrangeHelp(program);
  return program as unknown as Command;
}

function isVersionAlone([word, ...more]: readonly string[]): boolean {
  return (word === "--version" || word === "-V") && more.length === 0;
}

function infoCommand(finish: Finish) {
  const command = new Command("info")
    .summary("what an image is: format, chain, sizes, health")
    .description(
      "Prints format, geometry, chain with its verdict, data, zero and hole bytes, and health. Of a VM's folder: its " +
        "disks by the .vmx, the chain of each, which link is the current one, and the commands that move them.",
    )
    .argument("<IMAGE...>", "descriptor, bare extent, raw image, folder of a VM, or repo:VM/DISK@latest")
    .addOption(formatOption());
  return withCommon(withRepository(withOpening(command)))
    .addHelpText(
      "after",
      examples(
        "regrain info vm-000001.vmdk",
        "regrain info --json vm-000001-delta.vmdk",
        "regrain info .",
      ),
    )
    .action(async (images, flags) =>
      finish(await (await import("./commands/info.ts")).runInfo(images, flags))
    );
}

function mapCommand(finish: Finish) {
  const command = new Command("map")
    .summary("the runs of an image: table, JSON or heat map")
    .description(
      `Lists the runs of an image: data, zero, hole (the parent shows), damaged (exit 1). ${SIZES}`,
    )
    .argument("<IMAGE...>", "descriptor, bare extent, raw image, or repo:VM/DISK@latest")
    .option("--ascii", "draw a heat map instead of a table")
    .option("--chain", "merge the image with all links below it")
    .option("--force", "go on where the message says that --force does")
    .addOption(formatOption());
  return withCommon(withRepository(withOpening(command)))
    .addHelpText(
      "after",
      examples("regrain map --ascii vm-000001.vmdk", "regrain map --json --chain vm-000002.vmdk"),
    )
    .action(async (images, flags) => finish(await (await import("./commands/map.ts")).runMap(images, flags)));
}

function checkCommand(finish: Finish) {
  const command = new Command("check")
    .summary("what is wrong with an image, and where")
    .description(
      "Looks at every table entry: past the end, into metadata, shared, contradicting. Says what is behind all that " +
        "it finds, damage first; --all lists each. Exit 1 when it finds damage.",
    )
    .argument("<IMAGE...>", "descriptor, bare extent, raw image, or repo:VM/DISK@latest")
    .option("--all", "list every finding with its byte offset, not what is behind them")
    .option("--chain", "check all links below it too, and whether they belong together")
    .addOption(formatOption());
  return withCommon(withRepository(withOpening(command)))
    .addHelpText(
      "after",
      examples("regrain check vm-000001-delta.vmdk", "regrain check --chain vm-000002.vmdk"),
    )
    .action(async (images, flags) =>
      finish(await (await import("./commands/check.ts")).runCheck(images, flags))
    );
}

function compareCommand(finish: Finish) {
  const command = new Command("compare")
    .summary("whether two disks read the same, and where they first do not")
    .description(
      "Compares two disks as a guest would read them; holes and zeros are the same. " +
        "A VMDK stands for its whole chain. " +
        "A larger disk is equal if all it has more is zeros. Exit 1 when they differ.",
    )
    .argument("<A>", "descriptor, bare extent, raw image, block device, or repo:VM/DISK@latest")
    .argument("<B>", "the other one")
    .option("--strict", "disks of different size differ")
    .option("--force", "go on where the message says that --force does")
    .addOption(formatOption())
    .addOption(
      new Option("--format-b <format>", "what B is, where it is something else than A").choices(
        ["raw", "vmdk", "qcow2"] as const,
      ),
    )
    .addOption(progressOption());
  return withCommon(withRepository(withOpening(command)))
    .addHelpText(
      "after",
      examples(
        "regrain compare vm-000001.vmdk vm.img",
        "regrain compare vm.img repo:web01/disk-0@latest --repo /backups",
        "regrain compare --strict --json base.vmdk vm.img",
      ),
    )
    .action(async (a, b, flags) =>
      finish(await (await import("./commands/compare.ts")).runCompare([a, b], flags))
    );
}

function inspectCommand(finish: Finish) {
  const command = new Command("inspect")
    .summary("look at images in the browser")
    .description(
      "Serves the inspector page with the images and all that belongs to them, read-only, on this machine alone, to " +
        "the browser that it opens, or with --no-open to the one that opens the printed address first. That address " +
        "works once; a second use ends the server. Without an IMAGE the page waits for files to be dropped on it. " +
        "With --repo it serves a repository instead, and opens the snapshot that is " +
        "named, compared with the second one. Ctrl-C ends it, with exit status 0.",
    )
    .argument("[IMAGE...]", "descriptor, bare extent, raw image, block device, or repo:VM/DISK@latest")
    .option("--port <N>", "port of 127.0.0.1 to listen on; any that is free by default")
    .option("--no-open", "print an address that works once, and leave the browser alone")
    .addOption(formatOption());
  return withCommon(withRepository(withFinding(command)))
    .addHelpText(
      "after",
      examples(
        "regrain inspect vm-000001.vmdk",
        "regrain inspect repo:web01/disk-0@latest --repo /backups",
        "regrain inspect --no-open vm-000002.vmdk vm.img",
        "regrain inspect",
      ),
    )
    .action(async (images, flags) =>
      finish(await (await import("./commands/inspect.ts")).runInspect(images, flags))
    );
}

function applyCommand(finish: Finish) {
  const named = new Command("apply")
    .summary("write deltas onto an image file or block device")
    .description(
      "Writes what one delta or more, or an undo file, hold onto a target. " +
        "Everything is checked before the first byte is written (of a pipe: what stands in front). " +
        "What was interrupted is completed by running it again, but not once a VM has run on the target.",
    )
    .argument(
      "<DELTA...>",
      "deltas, oldest first (descriptor or bare extent), or - for one on standard input, plain or packed with gzip " +
        "or zstd; then the TARGET: image file, block device, descriptor of a flat VMDK, or null:, which " +
        "keeps nothing",
    )
    .usage("[options] <DELTA...> <TARGET>")
    .option("-n, --dry-run", "check everything and print the plan, write nothing");
  const command = withSafeguards(named, "the deltas")
    .option("--chain", "the one DELTA is a leaf: take all its links down to the base, and not the base")
    .option("--create", "make a missing TARGET; what no delta holds reads as zeros")
    .option("--force", "go on where the message says that --force does")
    .option("--rate-limit <SIZE>", "write at most SIZE bytes a second, such as 50M")
    .option("--hash", "verify, and print the SHA-256 of what was written and of the whole target")
    .addOption(
      new Option("--sparse <mode>", "zeros become holes: auto (files only), always (devices too), never")
        .choices(["auto", "always", "never"] as const).default("auto" as const),
    )
    .option(
      "--spill <DIR>",
      "with -: folder for what comes before the table that names it; the system's by default",
    )
    .option("--no-spill", "with -: keep nothing, refuse such a delta")
    .option("--spill-limit <SIZE>", "with -: most that is kept; 8G by default")
    .addOption(targetFormatOption())
    .addOption(progressOption());
  return withCommon(withOpening(command))
    .addHelpText(
      "after",
      examples(
        "regrain apply vm-000001-delta.vmdk vm.img",
        "regrain apply --dry-run vm-000001.vmdk vm.img",
        "regrain apply vm-000001.vmdk vm-000002.vmdk vm.img",
        "regrain apply --chain vm-000002.vmdk vm.img",
        "regrain apply vm-000001.vmdk base.vmdk",
        "ssh esx cat vm-000001-delta.vmdk | regrain apply - vm.img",
        "regrain apply --verify vm-000001.vmdk vm.img",
        "regrain apply --undo vm.undo vm-000001.vmdk vm.img",
        "regrain apply vm.undo vm.img",
      ),
    )
    .addHelpText("after", WINDOW)
    .action(async (paths, flags) =>
      finish(await (await import("./commands/apply.ts")).runApply(paths, flags))
    );
}

function completionCommand(finish: Finish, program: CommandUnknownOpts) {
  return new Command("completion")
    .summary("what completes commands, flags and values in a shell")
    .description("Prints a script that completes commands, flags and their values in a shell.")
    .addArgument(
      new Argument("<SHELL>", "the shell to print it for").choices(["bash", "zsh", "fish"] as const),
    )
    .addHelpText(
      "after",
      examples(
        "source <(regrain completion bash)",
        "regrain completion zsh > _regrain",
        "regrain completion fish > ~/.config/fish/completions/regrain.fish",
      ),
    )
    .action(async (shell) => finish((await import("./commands/manual.ts")).runCompletion(shell, program)));
}

function manCommand(finish: Finish, program: CommandUnknownOpts) {
  return new Command("man")
    .summary("the manual page")
    .description("Prints the manual page, as man and mandoc read it.")
    .addHelpText(
      "after",
      examples("regrain man | man -l -", "regrain man > regrain.1"),
    )
    .action(async () => {
      const facts = { date: VERSION_DATE, exitStatus: EXIT_STATUS };
      finish((await import("./commands/manual.ts")).runMan(program, facts));
    });
}

function exitStatusText(): string {
  return `\nExit status:\n${
    EXIT_STATUS.map(([status, meaning]) => `${String(status).padStart(5)}  ${meaning}`).join("\n")
  }`;
}
