/** The commands that look after what is backed up: keep, hold, verify, compare, copy, count. */
import { Command } from "@commander-js/extra-typings";
import type { CommandTable, Finish } from "./by_need.ts";
import { examples, progressOption, withCommon, withOtherStore, withRepository } from "./flags.ts";

/** What a snapshot is called on the command line. */
const SNAPSHOT = "VM/DISK@latest, VM/DISK@<first letters of an id>, VM/DISK@<time>, or an id";

/** Commands of their own, in the order in which the help shows them. */
export const KEEPING_COMMANDS: CommandTable = {
  diff: diffCommand,
  verify: verifyCommand,
  hold: holdCommand,
  release: releaseCommand,
  prune: pruneCommand,
  forget: forgetCommand,
};

/** Commands below `regrain repo`. */
export const REPO_KEEPING_COMMANDS: CommandTable = {
  active: activeCommand,
  check: checkCommand,
  repair: repairCommand,
  stats: statsCommand,
  copy: copyCommand,
  key: keyCommand,
};

function diffCommand(finish: Finish) {
  const command = new Command("diff")
    .summary("what differs between two snapshots")
    .description(
      "Lists the stretches of the disk that differ between snapshots A and B, in whole chunks. With --json the list " +
        "is that of regrain map, in which holes are what did not change: regrain backup --changed takes it.",
    )
    .argument("<A>", SNAPSHOT)
    .argument("<B>", "the newer one");
  return withCommon(withRepository(command))
    .addHelpText(
      "after",
      examples(
        "regrain diff web01/disk-0@01KAQZ web01/disk-0@latest --repo /backups",
        "regrain diff --json web01/disk-0@2026-11-20T03:00:00Z web01/disk-0 > areas.json",
      ),
    )
    .action(async (a, b, flags) =>
      finish(await (await import("../commands/diff.ts")).runDiff([a, b], flags))
    );
}

function verifyCommand(finish: Finish) {
  const command = new Command("verify")
    .summary("whether what snapshots need is there, and whole")
    .description(
      "Looks whether everything that snapshots need is there; every piece once, however many snapshots need it. " +
        "What is bad is read twice more before it is judged; it is marked then, the snapshots and places that it " +
        "hits are named, and the next backup stores it anew. Exit 1 when damage was found.",
    )
    .argument("[SNAPSHOT...]", `${SNAPSHOT}; VM/DISK alone is all of a disk; nothing, all there are`)
    .option("--quick", "read every list, and see that each chunk is there in its size (the default)")
    .option("--sample <SHARE>", "besides, read a share such as 2% of the chunks, the next one every time")
    .option("--deep", "besides, read, unpack and check every chunk")
    .option("--restore-test", "besides, put each disk together and compare the sum of it");
  return withCommon(withRepository(command).addOption(progressOption()))
    .addHelpText(
      "after",
      examples(
        "regrain verify --repo /backups",
        "regrain verify --sample 2% --repo /backups",
        "regrain verify --restore-test web01/disk-0@latest --repo /backups",
      ),
    )
    .action(async (snapshots, flags) =>
      finish(await (await import("../commands/verify.ts")).runVerify(snapshots, flags))
    );
}

function holdCommand(finish: Finish) {
  const command = new Command("hold")
    .summary("let no rule remove a snapshot")
    .description("Holds a snapshot: regrain prune leaves it, whatever the rules say, until it is released.")
    .argument("<SNAPSHOT>", `${SNAPSHOT}; VM@latest is all disks of a moment`)
    .option("--reason <TEXT>", "why; regrain snapshots shows it");
  return withCommon(withRepository(command))
    .addHelpText("after", examples('regrain hold web01/disk-0@latest --reason "before the upgrade"'))
    .action(async (snapshot, flags) =>
      finish(await (await import("../commands/hold.ts")).runHold(snapshot, flags))
    );
}

function releaseCommand(finish: Finish) {
  const command = new Command("release")
    .summary("take a hold away")
    .description("Takes a hold away: the rules of regrain prune count for the snapshot again.")
    .argument("<SNAPSHOT>", `${SNAPSHOT}; VM@latest is all disks of a moment`);
  return withCommon(withRepository(command))
    .addHelpText("after", examples("regrain release web01/disk-0@01KAQZ --repo /backups"))
    .action(async (snapshot, flags) =>
      finish(await (await import("../commands/hold.ts")).runRelease(snapshot, flags))
    );
}

function pruneCommand(finish: Finish) {
  const command = new Command("prune")
    .summary("remove snapshots that no rule keeps")
    .description(
      "Removes the snapshots of each disk that none of the rules keeps. A rule such as --keep-daily 7 keeps the " +
        "newest of each of the last 7 days that have a snapshot; days, ISO weeks, months and years are those of UTC, " +
        "or of --timezone. " +
        "What is held stays, what is damaged stays, and so does the newest sound one. Only lists are removed: " +
        "regrain gc removes the chunks that nobody needs then.",
    )
    .argument("[VM/DISK]", "of one disk only")
    .option("--keep-last <N>", "the newest N")
    .option(
      "--keep-within <TIME>",
      "all that are not older by TIME, such as 48h or 7d, than the newest of their disk",
    )
    .option("--keep-hourly <N>", "the newest of each of N hours")
    .option("--keep-daily <N>", "the newest of each of N days")
    .option("--keep-weekly <N>", "the newest of each of N weeks, from Monday")
    .option("--keep-monthly <N>", "the newest of each of N months")
    .option("--keep-yearly <N>", "the newest of each of N years")
    .option("--keep-tag <TAG>", "all with this tag; may be given again", collect)
    .option(
      "--timezone <ZONE>",
      "whose hours, days, weeks, months and years the rules count: Europe/Berlin, +02:00, local; UTC by default",
    )
    .option("-n, --dry-run", "say what would be removed and why the rest stays, remove nothing")
    .option(
      "--no-cache",
      "in a dry run read every manifest too, where an index in the cache folder would do",
    );
  return withCommon(withRepository(command))
    .addHelpText(
      "after",
      examples(
        "regrain prune --dry-run --keep-last 3 --keep-daily 7 --keep-weekly 4 --repo /backups",
        "regrain prune web01/disk-0 --keep-monthly 12 --keep-tag release --repo /backups",
        "regrain prune --keep-within 3d --keep-daily 14 --timezone Europe/Berlin --repo /backups",
      ),
    )
    .action(async (disk, flags) =>
      finish(await (await import("../commands/prune.ts")).runPrune(disk, flags))
    );
}

function forgetCommand(finish: Finish) {
  const command = new Command("forget")
    .summary("remove snapshots by their ids")
    .description(
      "Removes snapshots by their ids, also those whose manifest is damaged, which no rule removes and which keep " +
        "regrain gc from removing anything. What is held or locked stays; exit 3 then. Only lists are removed: " +
        "regrain gc removes the chunks that nobody needs then.",
    )
    .argument("<ID...>", "an id, or eight letters and more that it begins with")
    .option("-n, --dry-run", "say what would be removed, remove nothing");
  return withCommon(withRepository(command))
    .addHelpText(
      "after",
      examples(
        "regrain forget --dry-run 01KAQZ8Y3T5M --repo /backups",
        "regrain forget 01KAQZ8Y3T5M --repo /backups",
      ),
    )
    .action(async (ids, flags) =>
      finish(await (await import("../commands/forget.ts")).runForget(ids, flags))
    );
}

function activeCommand(finish: Finish) {
  const command = new Command("active")
    .summary("which backups are running, and which are dead")
    .description(
      "Lists the backups that have begun and not said that they ended: the disk, the host, since when, and how long " +
        "they have given no sign. A living one gives a sign every ten minutes; regrain gc waits for all of these, " +
        "and takes one for dead that was silent for a day, or for as long as its --expire-after says.",
    );
  return withCommon(withRepository(command))
    .addHelpText("after", examples("regrain repo active --repo /backups"))
    .action(async (flags) => finish(await (await import("../commands/repo_active.ts")).runRepoActive(flags)));
}

function checkCommand(finish: Finish) {
  const command = new Command("check")
    .summary("whether everything in a repository has its place")
    .description(
      "Looks at the name of every object, at manifests, lists and signs, and says what each finding means. Reads no " +
        "chunk: that is what regrain verify is for. Exit 1 when something cannot be restored.",
    );
  return withCommon(withRepository(command))
    .addHelpText("after", examples("regrain repo check --repo /backups"))
    .action(async (flags) => finish(await (await import("../commands/repo_check.ts")).runRepoCheck(flags)));
}

function repairCommand(finish: Finish) {
  const command = new Command("repair")
    .summary("put a lost or damaged repo.json and key slots back")
    .description(
      "A repository holds repo.json and its key slots twice. What is lost or damaged of one is put back from the " +
        "other; what is sound is never overwritten; copies that an older version did not make are made. An encrypted " +
        "repository needs the passphrase, by which a copy is judged. A slot that is gone while others stand may have " +
        "been removed on purpose: it is put back only by --slot. Exit 3 when something is left as it is.",
    )
    .option("-n, --dry-run", "say what would be written, write nothing")
    .option("--slot <SLOT...>", "put this key slot back as well; its passphrase opens the repository again");
  return withCommon(withRepository(command))
    .addHelpText(
      "after",
      examples("regrain repo repair --dry-run --repo /backups", "regrain repo repair --repo /backups"),
    )
    .action(async (flags) => finish(await (await import("../commands/repo_repair.ts")).runRepoRepair(flags)));
}

function statsCommand(finish: Finish) {
  const command = new Command("stats")
    .summary("what a repository holds, and what would be free without one snapshot")
    .description(
      "Counts per disk and in total: data of all snapshots, different data, what it is stored in, and what each " +
        "snapshot holds alone; -v with factors.",
    );
  return withCommon(withRepository(command))
    .addHelpText("after", examples("regrain repo stats --repo /backups"))
    .action(async (flags) => finish(await (await import("../commands/repo_stats.ts")).runRepoStats(flags)));
}

function copyCommand(finish: Finish) {
  const command = new Command("copy")
    .summary("copy snapshots into another repository")
    .description(
      "Copies snapshots into another repository, which may be encrypted otherwise and have chunks of another size. " +
        "Everything is unpacked, checked and named anew; copies keep time, host and tags. What was copied before is " +
        "not copied again. Exit 3 when a damaged snapshot was left out.",
    )
    .argument("[SNAPSHOT...]", `${SNAPSHOT}; VM/DISK alone is all of a disk; nothing, all there are`)
    .requiredOption("--to <WHERE>", "the other repository: a folder or s3://bucket/prefix")
    .option(
      "--to-passphrase-file <FILE>",
      "file with the passphrase of the other one; REGRAIN_TO_PASSPHRASE by default",
    )
    .option("--to-unencrypted", "the other one may be unencrypted; anybody can read the copies")
    .option("--to-replaced", "as --replaced, for the other one");
  return withCommon(withOtherStore(withRepository(command)).addOption(progressOption()))
    .addHelpText(
      "after",
      examples(
        "regrain repo copy --to s3://bucket/vms --repo /backups",
        "regrain repo copy web01/disk-0 --to /mnt/usb",
      ),
    )
    .action(async (snapshots, flags) =>
      finish(await (await import("../commands/repo_copy.ts")).runRepoCopy(snapshots, flags))
    );
}

function keyCommand(finish: Finish) {
  const key = new Command("key")
    .summary("which passphrases open an encrypted repository")
    .description(
      "Adds, removes and lists the key slots of an encrypted repository, each with a passphrase of its own.",
    );
  key.addCommand(
    withCommon(withRepository(
      new Command("add")
        .summary("add a passphrase")
        .description("Adds a key slot with another passphrase; nothing that is stored changes.")
        .option(
          "--new-passphrase-file <FILE>",
          "file with the passphrase to add; REGRAIN_NEW_PASSPHRASE by default",
        )
        .option("--label <TEXT>", "whose it is; the name of this host by default"),
    ))
      .addHelpText("after", examples("regrain repo key add --new-passphrase-file new.txt --label escrow"))
      .action(async (flags) => finish(await (await import("../commands/repo_key.ts")).runKeyAdd(flags))),
  );
  key.addCommand(
    withCommon(withRepository(
      new Command("remove")
        .summary("remove a key slot")
        .description("Removes a key slot, but never the last one.")
        .argument("<SLOT>", "as regrain repo key list shows it"),
    ))
      .addHelpText("after", examples("regrain repo key remove first --repo /backups"))
      .action(async (slot, flags) =>
        finish(await (await import("../commands/repo_key.ts")).runKeyRemove(slot, flags))
      ),
  );
  key.addCommand(
    withCommon(withRepository(
      new Command("export")
        .summary("copy repo.json and the key slots to a file")
        .description(
          "Writes repo.json and every key slot to a new file of mode 0600, to be kept elsewhere. Without a " +
            "passphrase the file opens nothing; without the file, or the slots in the repository, no passphrase " +
            "does. Needs no passphrase. --unwrapped writes the key itself, which helps where every passphrase is " +
            "lost: it needs a passphrase now, and whoever reads the file needs none, for good.",
        )
        .option(
          "--unwrapped",
          "the key itself, to a new file only: whoever reads it can read all backups, without a passphrase",
        )
        .argument("<FILE>", "a new file, or - for standard output"),
    ))
      .addHelpText(
        "after",
        examples(
          "regrain repo key export keys.json --repo /backups",
          "regrain repo key export --unwrapped key.json --repo /backups",
        ),
      )
      .action(async (file, flags) =>
        finish(await (await import("../commands/repo_key_copy.ts")).runKeyExport(file, flags))
      ),
  );
  key.addCommand(
    withCommon(withRepository(
      new Command("import")
        .summary("put repo.json and the key slots back")
        .description(
          "Puts back what is gone of repo.json and the key slots, from a file of regrain repo key export. Slots are " +
            "put back only where there is none left: what was removed stays removed. A key of --unwrapped gets a " +
            "slot with a new passphrase, also where no passphrase of the others is known.",
        )
        .option(
          "--new-passphrase-file <FILE>",
          "file with the passphrase for an unwrapped key; REGRAIN_NEW_PASSPHRASE by default",
        )
        .option("--label <TEXT>", "whose the slot of an unwrapped key is; the name of this host by default")
        .argument("<FILE>", "as regrain repo key export wrote it"),
    ))
      .addHelpText(
        "after",
        examples(
          "regrain repo key import keys.json --repo /backups",
          "regrain repo key import key.json --new-passphrase-file new.txt --repo /backups",
        ),
      )
      .action(async (file, flags) =>
        finish(await (await import("../commands/repo_key_copy.ts")).runKeyImport(file, flags))
      ),
  );
  key.addCommand(
    withCommon(withRepository(
      new Command("rotate")
        .summary("give new data a new key")
        .description(
          "What is stored from now on gets a new key, which a passphrase that was removed, or leaked with its slot, " +
            "does not open. Every key slot is removed but the new one; what was stored before stays readable to " +
            "whoever kept an old slot and its passphrase. Older versions cannot open the repository afterwards.",
        )
        .option(
          "--new-passphrase-file <FILE>",
          "file with the passphrase of the new slot; REGRAIN_NEW_PASSPHRASE by default",
        )
        .option("--keep-passphrase", "the new slot has the passphrase that opens the repository now")
        .option("--label <TEXT>", "whose it is; the name of this host by default"),
    ))
      .addHelpText("after", examples("regrain repo key rotate --new-passphrase-file new.txt --repo /backups"))
      .action(async (flags) => finish(await (await import("../commands/repo_key.ts")).runKeyRotate(flags))),
  );
  key.addCommand(
    withCommon(withRepository(
      new Command("list").summary("list the key slots").description(
        "Lists the key slots; needs no passphrase.",
      ),
    ))
      .addHelpText("after", examples("regrain repo key list --repo /backups"))
      .action(async (flags) => finish(await (await import("../commands/repo_key.ts")).runKeyList(flags))),
  );
  return key;
}

function collect(value: string, before: string[] | undefined): string[] {
  return [...before ?? [], value];
}
