/** Flags that several commands have, and how examples stand below a help text. */
import { type Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { STORE_FLAGS } from "../store/flags.ts";
import { foldCommand } from "../../core-as/host/fold_command.ts";

/** How commands that may take long show how far they are. */
export function progressOption() {
  return new Option("--progress <mode>", "how progress is shown on stderr")
    .choices(["auto", "bar", "lines", "json", "none"] as const).default("auto" as const)
    .helpGroup("Output:");
}

/** Flags that say how disks are found and opened. */
export function withOpening<A extends unknown[], O extends Record<string, unknown>>(command: Command<A, O>) {
  return withFinding(command)
    .option("--ignore-journal", "read an SESparse file although its journal is dirty");
}

/**
 * The flag that says what images are, where their names do not.
 *
 * @param what Which of the names on the command line it is about.
 */
export function formatOption(what = "IMAGE") {
  return new Option(
    "--format <format>",
    `what ${what} is: raw, vmdk or qcow2; without it the name says so (.vmdk, but not -flat.vmdk, and .qcow2), and ` +
      "the content never",
  ).choices(["raw", "vmdk", "qcow2"] as const);
}

/** The same of what is written to. */
export function targetFormatOption() {
  return new Option(
    "--format <format>",
    "what TARGET is: raw, or vmdk; without it the name says so (.vmdk, but not -flat.vmdk), and the content never",
  ).choices(["raw", "vmdk"] as const);
}

/** Flags that say how the files of disks are found. */
export function withFinding<A extends unknown[], O extends Record<string, unknown>>(command: Command<A, O>) {
  return command.optionsGroup("Finding files:")
    .option(
      "--search <DIR>",
      "look for parents and extents by their last name in DIR too, and let links lead there; may be given again",
      (folder: string, before: string[] | undefined) => [...(before ?? []), folder],
    )
    .option(
      "--allow-outside",
      "follow names in descriptors wherever they lead: other folders, devices, files of other users",
    )
    .addOption(
      new Option("--io <kind>", "system calls through libc, or Deno's own files").choices(
        ["linux", "portable"] as const,
      ),
    );
}

/** What {@link withRepository} adds; written out, since the compiler takes minutes to infer so many. */
type RepositoryOptions = {
  repo?: string;
  passphraseFile?: string;
  passphraseCommand?: string;
  unencrypted?: true;
  replaced?: true;
} & StoreOptions;

/** The flags of the kinds of stores, as they are parsed. */
type StoreOptions = {
  endpoint?: string;
  region?: string;
  profile?: string;
  pathStyle?: true;
  allowHttp?: true;
  caFile?: string;
};

/** The same about the second store of a command. */
type OtherStoreOptions = {
  [Key in keyof StoreOptions as `to${Capitalize<Key>}`]: StoreOptions[Key];
};

/** Flags that say where the repository is. */
export function withRepository<A extends unknown[], O extends Record<string, unknown>>(
  command: Command<A, O>,
): Command<A, O & RepositoryOptions> {
  (command as unknown as CommandUnknownOpts).optionsGroup("Repository:")
    .option("--repo <WHERE>", "the repository: a folder or s3://bucket/prefix; REGRAIN_REPO by default")
    .option(
      "--passphrase-file <FILE>",
      "file with the passphrase of an encrypted repository; REGRAIN_PASSPHRASE by default",
    )
    .option(
      "--passphrase-command <CMD>",
      "CMD, run by sh, writes the passphrase to its stdout; it counts if CMD ends with exit status 0",
    )
    .option(
      "--unencrypted",
      "the repository may be unencrypted although a passphrase is given; anybody can read it",
    )
    .option(
      "--replaced",
      "there may be another repository, or older snapshots, at this address than this host remembers; remember those",
    );
  for (const { flag, value, text } of STORE_FLAGS) {
    (command as unknown as CommandUnknownOpts).option(asTyped(flag, value), text);
  }
  return command as unknown as Command<A, O & RepositoryOptions>;
}

/** Flags that say how the second store of a command is reached. */
export function withOtherStore<A extends unknown[], O extends Record<string, unknown>>(
  command: Command<A, O>,
): Command<A, O & OtherStoreOptions> {
  for (const { flag, value } of STORE_FLAGS) {
    const other = flag.replace(/^--/, "--to-");
    (command as unknown as CommandUnknownOpts).option(asTyped(other, value), `as ${flag}, for the other one`);
  }
  return command as unknown as Command<A, O & OtherStoreOptions>;
}

function asTyped(flag: string, value: string | undefined): string {
  return value === undefined ? flag : `${flag} ${value}`;
}

/**
 * Flags that guard a disk which is written in place.
 *
 * @param what What is written, as it is compared when it is read back.
 */
export function withSafeguards<A extends unknown[], O extends Record<string, unknown>>(
  command: Command<A, O>,
  what: string,
) {
  return command
    .option(
      "--undo <FILE>",
      "save what is overwritten; regrain apply FILE TARGET takes back that and nothing else",
    )
    .option("--journal <FILE>", "note in FILE how far the work is durable")
    .option("--verify", `read back what was written, from the medium, and compare it with ${what}`)
    .option("--resume", "carry on where the journal says that an interrupted run was; needs --journal");
}

/** Flags that mean the same everywhere. */
export function withCommon<A extends unknown[], O extends Record<string, unknown>>(command: Command<A, O>) {
  return command.optionsGroup("Output:")
    .option("-q, --quiet", "errors only, no warnings; compare says nothing")
    .option("-v, --verbose", "say what is done and why")
    .option("--json", "results as JSON; long commands one line an event, ending in a summary")
    .addOption(
      new Option("--color <mode>", "colour in the output").choices(["auto", "always", "never"] as const)
        .default("auto" as const),
    );
}

export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => foldCommand(line, 2).join("\n")).join("\n")}`;
}
