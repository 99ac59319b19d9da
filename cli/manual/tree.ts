/** The command tree as plain data: what the completions and the manual are made from. */
import type { Argument, CommandUnknownOpts, Option } from "@commander-js/extra-typings";

/** A tree of commander's, whatever its flags. */
export type CommandTree = CommandUnknownOpts;

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
  readonly name: string;
  readonly summary: string;
  readonly description: string;
  /** What follows the name: `[options] <DELTA...> <TARGET>`. */
  readonly usage: string;
  readonly arguments: readonly ArgumentEntry[];
  readonly flags: readonly FlagEntry[];
  /** Whole command lines. */
  readonly examples: readonly string[];
}

export interface ProgramEntry {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly flags: readonly FlagEntry[];
  readonly commands: readonly CommandEntry[];
}

/** Reads the tree, which is one level deep: commands have no commands of their own. */
export function readTree(program: CommandTree): ProgramEntry {
  const commands = program.createHelp().visibleCommands(program);
  const names = commands.map((command) => command.name());
  return {
    name: program.name(),
    version: program.version() ?? "",
    description: program.description(),
    flags: flagsOf(program),
    commands: commands.map((command) => readCommand(command, names)),
  };
}

function readCommand(command: CommandUnknownOpts, names: readonly string[]): CommandEntry {
  return {
    name: command.name(),
    summary: command.summary() || command.description(),
    description: command.description(),
    usage: command.usage(),
    arguments: command.registeredArguments.map((argument) => readArgument(argument, names)),
    flags: flagsOf(command),
    examples: examplesOf(command),
  };
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
  if (/^(FILE|PATH|IMAGE|TARGET)$/.test(name)) return "file";
  return /^(DIR|FOLDER)$/.test(name) ? "folder" : "other";
}

/** What has a place of its own is a file, unless its values are known. */
function readArgument(argument: Argument, names: readonly string[]): ArgumentEntry {
  const name = argument.name();
  const choices = argument.argChoices ?? (name === "COMMAND" ? names : undefined);
  return {
    name,
    description: argument.description,
    variadic: argument.variadic,
    is: choices ? { kind: "choices", choices } : { kind: "file" },
  };
}

/** The help is the one place where examples stand, so they are read out of it. */
function examplesOf(command: CommandUnknownOpts): string[] {
  let help = "";
  const before = command.configureOutput();
  command.configureOutput({ ...before, writeOut: (text) => help += text });
  command.outputHelp();
  command.configureOutput(before);
  const [, block = ""] = /^Examples:\n((?: {2}.+\n?)+)/m.exec(help) ?? [];
  return block.split("\n").map((line) => line.trim()).filter((line) => line !== "");
}
