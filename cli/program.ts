/**
 * The command tree: every command with its flags, its help and its examples. Only the command that is called loads
 * what it needs.
 */
import { Command, Option } from "@commander-js/extra-typings";
import { VERSION } from "./version.ts";

const EXIT_STATUS = `
Exit status:
  0  done, or equal             5  wrong base: CID, size or chain
  1  damage or differences      6  i/o: read, write, no space, permission
  2  usage                      7  remote
  3  finished, incomplete      70  a bug in regrain
  4  input not a disk, unsupported or corrupt
`;

const SIZES = "Sizes and offsets are bytes; 64K, 1M, 2G mean powers of 1024.";

/**
 * Builds the tree.
 *
 * @param finish Takes the exit status of the command that ran.
 */
export function createProgram(finish: (status: number) => void): Command {
  const program = new Command("regrain")
    .description("Moves virtual disks off VMware: applies snapshot deltas to images and block devices.")
    .version(VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [COMMAND]", "print the help of a command")
    .showHelpAfterError("(regrain --help shows what there is)")
    .addHelpText("after", EXIT_STATUS);
  program.addCommand(infoCommand(finish));
  program.addCommand(mapCommand(finish));
  program.addCommand(checkCommand(finish));
  program.addCommand(applyCommand(finish));
  return program as unknown as Command;
}

function infoCommand(finish: (status: number) => void) {
  const command = new Command("info")
    .summary("what an image is: format, chain, sizes, health")
    .description("Prints format, geometry, chain with its verdict, data, zero and hole bytes, and health.")
    .argument("<IMAGE...>", "descriptor, bare extent or raw image");
  return withCommon(withOpening(command))
    .addHelpText("after", examples("regrain info vm-000001.vmdk", "regrain info --json vm-000001-delta.vmdk"))
    .action(async (images, flags) =>
      finish(await (await import("./commands/info.ts")).runInfo(images, flags))
    );
}

function mapCommand(finish: (status: number) => void) {
  const command = new Command("map")
    .summary("the runs of an image: table, JSON or heat map")
    .description(`Lists the runs of an image: data, zero, hole (the parent shows). ${SIZES}`)
    .argument("<IMAGE...>", "descriptor, bare extent or raw image")
    .option("--ascii", "draw a heat map instead of a table")
    .option("--chain", "merge the image with all links below it");
  return withCommon(withOpening(command))
    .addHelpText(
      "after",
      examples("regrain map --ascii vm-000001.vmdk", "regrain map --json --chain vm-000002.vmdk"),
    )
    .action(async (images, flags) => finish(await (await import("./commands/map.ts")).runMap(images, flags)));
}

function checkCommand(finish: (status: number) => void) {
  const command = new Command("check")
    .summary("every damage of an image, with where it stands")
    .description(
      "Looks at every table entry: past the end, into metadata, shared, contradicting. Exit 1 when it finds damage.",
    )
    .argument("<IMAGE...>", "descriptor, bare extent or raw image")
    .option("--chain", "check all links below it too, and whether they belong together");
  return withCommon(withOpening(command))
    .addHelpText(
      "after",
      examples("regrain check vm-000001-delta.vmdk", "regrain check --chain vm-000002.vmdk"),
    )
    .action(async (images, flags) =>
      finish(await (await import("./commands/check.ts")).runCheck(images, flags))
    );
}

function applyCommand(finish: (status: number) => void) {
  const command = new Command("apply")
    .summary("write deltas onto an image file or block device")
    .description(
      "Writes what one delta or more hold onto a target. Everything is checked before the first byte is written; " +
        "running it again is always safe.",
    )
    .argument(
      "<DELTA...>",
      "deltas, oldest first (descriptor or bare extent), then the TARGET: image file, block " +
        "device, or descriptor of a flat VMDK",
    )
    .usage("[options] <DELTA...> <TARGET>")
    .option("--chain", "the one DELTA is a leaf: take all its links down to the base, and not the base")
    .option("--create", "make a missing TARGET; what no delta holds reads as zeros")
    .option("-n, --dry-run", "check everything and print the plan, write nothing")
    .option("--force", "go on where the message says that --force does")
    .addOption(
      new Option("--sparse <mode>", "zeros become holes: auto (files only), always (devices too), never")
        .choices(["auto", "always", "never"] as const).default("auto" as const),
    )
    .addOption(
      new Option("--progress <mode>", "how progress is shown on stderr")
        .choices(["auto", "bar", "lines", "json", "none"] as const).default("auto" as const),
    );
  return withCommon(withOpening(command))
    .addHelpText(
      "after",
      examples(
        "regrain apply vm-000001-delta.vmdk vm.img",
        "regrain apply --dry-run vm-000001.vmdk vm.img",
        "regrain apply vm-000001.vmdk vm-000002.vmdk vm.img",
        "regrain apply --chain vm-000002.vmdk vm.img",
        "regrain apply vm-000001.vmdk base.vmdk",
      ),
    )
    .action(async (paths, flags) =>
      finish(await (await import("./commands/apply.ts")).runApply(paths, flags))
    );
}

/** Flags that say how disks are found and opened. */
function withOpening<A extends unknown[], O extends Record<string, unknown>>(command: Command<A, O>) {
  return command
    .option(
      "--search <DIR>",
      "look for parents and extents by their last name in DIR too; may be given again",
      (folder: string, before: string[] | undefined) => [...(before ?? []), folder],
    )
    .option("--allow-outside", "follow names in descriptors out of their folder")
    .option("--ignore-journal", "read an SESparse file although its journal is dirty")
    .addOption(
      new Option("--io <kind>", "system calls through libc, or Deno's own files").choices(
        ["linux", "portable"] as const,
      ),
    );
}

/** Flags that mean the same everywhere. */
function withCommon<A extends unknown[], O extends Record<string, unknown>>(command: Command<A, O>) {
  return command
    .option("-q, --quiet", "errors and warnings only")
    .option("-v, --verbose", "say what is done and why")
    .option("--json", "results as JSON; long commands one line an event, ending in a summary")
    .addOption(
      new Option("--color <mode>", "colour in the output").choices(["auto", "always", "never"] as const)
        .default("auto" as const),
    )
    .showHelpAfterError("(add --help for the flags of this command)");
}

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}
