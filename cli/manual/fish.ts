/** Completion for fish. */
import type { CommandEntry, FlagEntry, ProgramEntry, ValueKind } from "./tree.ts";

/** One line a command and a flag; where no command stands yet, files are not offered. */
export function fishCompletion(program: ProgramEntry): string {
  const { name } = program;
  const names = program.commands.map((command) => command.name).join(" ");
  const bare = `-n ${quote(`not __fish_seen_subcommand_from ${names}`)}`;
  const lines = [
    `# Completion of ${name} for fish: ${name} completion fish > ~/.config/fish/completions/${name}.fish`,
    ...program.commands.map((command) => `${bare} -f -a ${command.name} -d ${quote(command.summary)}`),
    ...program.flags.map((flag) => `${bare} ${flagPart(flag)}`),
    ...program.commands.flatMap(commandLines),
  ];
  return `${lines.map((line) => line.startsWith("#") ? line : `complete -c ${name} ${line}`).join("\n")}\n`;
}

function commandLines(command: CommandEntry): string[] {
  const seen = `-n ${quote(`__fish_seen_subcommand_from ${command.name}`)}`;
  const [argument] = command.arguments;
  const values = argument === undefined
    ? [`${seen} -f`]
    : argument.is.kind === "choices"
    ? [`${seen} -f -a ${quote(argument.is.choices.join(" "))}`]
    : [];
  return [...values, ...command.flags.map((flag) => `${seen} ${flagPart(flag)}`)];
}

function flagPart({ short, long, description, value }: FlagEntry): string {
  const letter = short === undefined ? "" : `-s ${short.slice(1)} `;
  const after = value === undefined ? "" : ` ${valuePart(value.is, value.optional)}`;
  return `${letter}-l ${long.replace(/^-+/, "")}${after} -d ${quote(description)}`;
}

function valuePart(is: ValueKind, optional: boolean): string {
  const required = optional ? "" : "-r ";
  if (is.kind === "choices") return `-x -a ${quote(is.choices.join(" "))}`;
  return {
    file: `${required}-F`,
    folder: `-x -a ${quote("(__fish_complete_directories)")}`,
    other: "-x",
  }[is.kind];
}

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
