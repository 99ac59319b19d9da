/** The command tree as plain data: what the completions and the manual are made from. */
import type { Argument, CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { unfoldCommands } from "../../core-as/host/fold_command.ts";

/** A tree of commander's, whatever its flags. */
export type CommandTree = CommandUnknownOpts;

/** What the argument of the help is called: the words of a command. */
export const COMMAND_NAME = "COMMAND";

/** Names of arguments that are no files: a command, or something in a repository. */
const NO_FILES = /^(COMMAND|SNAPSHOT|SLOT|VM\/DISK)$/;

/** How descriptions of snapshots begin, and of things beside one. */
const OF_SNAPSHOTS = /^VM\/DISK/;

/** What a value is, as far as a shell can complete it. */
export type ValueKind =
  | { readonly kind: "choices"; readonly choices: readonly string[] }
  | { readonly kind: "file" | "folder" | "other" };

/** A flag, such as `--sparse <mode>`. */
export interface FlagEntry {
  /** Both with their dashes. */
  readonly short: string | undefined;
  readonly long: string;
  readonly description: string;
  readonly value: FlagValue | undefined;
  /** Each time it is given it adds to the ones before. */
  readonly repeatable: boolean;
}

export interface FlagValue {
  /** As the help names it. */
  readonly name: string;
  readonly optional: boolean;
  readonly is: ValueKind;
  /** What holds without the flag. */
  readonly fallback: string | undefined;
}

/** What may follow a command in a place of its own, such as `<IMAGE...>`. */
export interface ArgumentEntry {
  readonly name: string;
  readonly description: string;
  readonly variadic: boolean;
  readonly is: ValueKind;
}

export interface CommandEntry {
  /** The last word of it. */
  readonly name: string;
  /** What is typed after the name of the program: `repo init`. */
  readonly words: string;
  readonly summary: string;
  readonly description: string;
  /** What follows the name: `[options] <DELTA...> <TARGET>`. */
  readonly usage: string;
  readonly arguments: readonly ArgumentEntry[];
  readonly flags: readonly FlagEntry[];
  /** Whole command lines. */
  readonly examples: readonly string[];
  /** Commands below this one, which then does nothing by itself. */
  readonly commands: readonly CommandEntry[];
}

/** A point on a command line that words have led to, as a shell has to complete it. */
export interface Place {
  /** The words after the name of the program, such as `["repo", "init"]`; none where the first is due. */
  readonly path: readonly string[];
  /** Words that lead on from here. */
  readonly next: readonly Pick<CommandEntry, "name" | "summary">[];
  readonly arguments: readonly ArgumentEntry[];
  readonly flags: readonly FlagEntry[];
}

export interface ProgramEntry {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly flags: readonly FlagEntry[];
  readonly commands: readonly CommandEntry[];
}

/** Reads the tree with all its levels. */
export function readTree(program: CommandTree): ProgramEntry {
  return {
    name: program.name(),
    version: program.version() ?? "",
    description: program.description(),
    flags: flagsOf(program),
    commands: readCommands(program, []),
  };
}

function readCommands(command: CommandUnknownOpts, path: readonly string[]): CommandEntry[] {
  return command.createHelp().visibleCommands(command).map((below) => readCommand(below, path));
}

function readCommand(command: CommandUnknownOpts, above: readonly string[]): CommandEntry {
  const path = [...above, command.name()];
  return {
    name: command.name(),
    words: path.join(" "),
    summary: command.summary() || command.description(),
    description: command.description(),
    usage: command.usage(),
    arguments: readArguments(command.registeredArguments),
    flags: flagsOf(command),
    examples: examplesOf(command),
    commands: command.commands.length === 0 ? [] : readCommands(command, path),
  };
}

/** The commands that do something, in the order of the help: `repo init`, and not `repo`. */
export function leavesOf({ commands }: Pick<CommandEntry, "commands">): CommandEntry[] {
  return commands.flatMap((command) => command.commands.length === 0 ? [command] : leavesOf(command));
}

/** Every point that a shell may be asked to complete at, the one after the name of the program first. */
export function placesOf(program: ProgramEntry): Place[] {
  const top = { path: [], next: program.commands, arguments: [], flags: program.flags };
  return [top, ...program.commands.flatMap((command) => placesBelow(command, [], program))];
}

function placesBelow(command: CommandEntry, above: readonly string[], program: ProgramEntry): Place[] {
  const path = [...above, command.name];
  if (isHelp(command)) return [{ ...command, path, next: program.commands }, ...helpPlaces(program, path)];
  return [
    { ...command, path, next: command.commands },
    ...command.commands.flatMap((below) => placesBelow(below, path, program)),
  ];
}

/** After `help` come the words of every command again, and nothing else. */
function helpPlaces({ commands }: Pick<CommandEntry, "commands">, above: readonly string[]): Place[] {
  return commands.flatMap((command) => {
    const path = [...above, command.name];
    return [{ path, next: command.commands, arguments: [], flags: [] }, ...helpPlaces(command, path)];
  });
}

function isHelp(command: CommandEntry): boolean {
  return command.arguments[0]?.name === COMMAND_NAME;
}

function flagsOf(command: CommandUnknownOpts): FlagEntry[] {
  return command.createHelp().visibleOptions(command).map(readFlag);
}

function readFlag(option: Option): FlagEntry {
  return {
    short: option.short,
    long: option.long ?? option.short!,
    description: option.description,
    value: option.required || option.optional ? readValue(option) : undefined,
    // Flags are gathered by a parser of their own, which tells nothing: the help does.
    repeatable: option.variadic || option.description.includes("may be given again"),
  };
}

function readValue(option: Option): FlagValue {
  const [, name] = /[<[](.+?)(?:\.\.\.)?[>\]]/.exec(option.flags)!;
  return {
    name: name!,
    optional: option.optional,
    is: option.argChoices ? { kind: "choices", choices: option.argChoices } : { kind: kindNamed(name!) },
    fallback: option.defaultValue === undefined ? undefined : String(option.defaultValue),
  };
}

function kindNamed(name: string): "file" | "folder" | "other" {
  if (/^(FILE|PATH|IMAGE|TARGET|DELTA)$/.test(name)) return "file";
  return /^(DIR|FOLDER|WHERE)$/.test(name) ? "folder" : "other";
}

/**
 * What has a place of its own is a file, unless its values are known or its name says that it is none. Where the first
 * is a snapshot by its description, as `<A>` is, `<B>` is one too.
 */
function readArguments(all: readonly Argument[]): ArgumentEntry[] {
  const isOfSnapshots = OF_SNAPSHOTS.test(all[0]?.description ?? "");
  return all.map((argument) => {
    const name = argument.name();
    const { argChoices: choices } = argument;
    const isFile = !NO_FILES.test(name) && !(isOfSnapshots && /^[AB]$/.test(name));
    return {
      name,
      description: argument.description,
      variadic: argument.variadic,
      is: choices ? { kind: "choices", choices } : { kind: isFile ? "file" : "other" },
    };
  });
}

/** The help is the one place where examples stand, so they are read out of it. */
function examplesOf(command: CommandUnknownOpts): string[] {
  let help = "";
  const before = command.configureOutput();
  command.configureOutput({ ...before, writeOut: (text) => help += text });
  command.outputHelp();
  command.configureOutput(before);
  const [, block = ""] = /^Examples:\n((?: {2}.+\n?)+)/m.exec(help) ?? [];
  return unfoldCommands(block);
}
