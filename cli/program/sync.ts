/** `regrain sync` in the command tree. */
import { Command, Option } from "@commander-js/extra-typings";
import type { Finish } from "./by_need.ts";
import {
  examples,
  formatOption,
  progressOption,
  withCommon,
  withOpening,
  withRepository,
  withSafeguards,
} from "./flags.ts";

export function syncCommand(finish: Finish) {
  const command = new Command("sync")
    .summary("make a disk equal to another, writing only what differs")
    .description(
      "Makes TARGET read as SOURCE does. Both are compared on the way and only blocks that differ are written; holes " +
        "of the source become holes of a target file. Where neither has data nothing is read. A missing target is " +
        "made sparse, a shorter file grown. What was interrupted is completed by running it again.",
    )
    .argument(
      "<SOURCE...>",
      "image, block device, descriptor (its whole chain), repo:VM/DISK@latest, or - for a raw disk on standard " +
        "input; then the TARGET: image file, block device, descriptor of a flat VMDK, or null:, which keeps nothing",
    )
    .usage("[options] <SOURCE> <TARGET>")
    .option("-n, --dry-run", "compare, and say how much would be written; write nothing")
    .option("--truncate", "cut a TARGET that is longer than the source; what is behind that is lost")
    .option("--block-size <SIZE>", "compare and write blocks of SIZE, a power of two; 4K by default")
    .addOption(
      new Option(
        "--sparse <mode>",
        "zeros that differ become holes: auto (files, from 64K on), always (from 4K on, devices too), never",
      ).choices(["auto", "always", "never"] as const).default("auto" as const),
    )
    .option("--rate-limit <SIZE>", "write at most SIZE bytes a second, such as 50M")
    .option("--force", "go on where the message says that --force does")
    .option("--size <SIZE>", "of a stream: the bytes of the disk; else as many as TARGET has")
    .option(
      "--from-command <CMD>",
      "no SOURCE: what CMD writes, such as 'ssh esx dd if=... bs=4M'; whether it was all is known by how CMD ended",
    )
    .addOption(formatOption("SOURCE"))
    .addOption(
      new Option(
        "--format-target <format>",
        "what TARGET is: raw or vmdk; without it the name says so, and the content never",
      ).choices(["raw", "vmdk"] as const),
    )
    .addOption(progressOption());
  return withCommon(withRepository(withOpening(withSafeguards(command, "the source"))))
    .addHelpText(
      "after",
      examples(
        "regrain sync vm.img copy.img",
        "regrain sync --dry-run vm-000002.vmdk vm.img",
        "regrain sync --undo vm.undo --verify vm-000002.vmdk vm.img",
        "regrain sync repo:web01/disk-0@latest vm.img --repo /backups",
        "ssh esx cat base-flat.vmdk | regrain sync - vm.img",
        "regrain sync --from-command 'ssh esx cat base-flat.vmdk' vm.img",
      ),
    )
    .action(async (names, flags) =>
      finish(await (await import("../commands/sync.ts")).runSync(names, flags))
    );
}
