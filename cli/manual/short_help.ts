/** `-h`: what a screen holds. `--help` has the rest. */
import { foldCommand } from "../../core-as/host/fold_command.ts";
import { type CommandEntry, type FlagEntry, leavesOf, type ProgramEntry } from "./tree.ts";

/** A terminal has as many at least. */
export const SCREEN_LINES = 24;
const COLUMNS = 80;
/** A name that is longer has its meaning cut. */
const MOST_NAME_COLUMNS = 34;
const MOST_EXAMPLE_LINES = 4;
const LEAST_CLAUSE = 20;

/** Something with a name and a meaning: a command, a flag. */
interface Item {
  readonly name: string;
  /** How it is called where there is no room for its meaning. */
  readonly shortName: string;
  readonly meaning: string;
}

/** The help of the program, or of the command that its words name; undefined when there is none. */
export function shortHelp(program: ProgramEntry, words: readonly string[]): string | undefined {
  const lines = words.length === 0 ? programLines(program) : commandLines(program, words);
  return lines === undefined ? undefined : `${lines.join("\n")}\n`;
}

function programLines(program: ProgramEntry): string[] {
  const head = [`Usage: ${program.name} COMMAND ...`, ""];
  const foot = [
    "",
    `${program.name} COMMAND -h shows a command in short, ${program.name} --help all there is`,
  ];
  return [...head, ...itemLines(program.commands.map(commandItem), SCREEN_LINES - 4), ...foot];
}

function commandLines(program: ProgramEntry, words: readonly string[]): string[] | undefined {
  let command: CommandEntry | undefined;
  for (const word of words) {
    command = (command ?? program).commands.find(({ name }) => name === word);
    if (command === undefined) return undefined;
  }
  const { name } = program;
  const head = [cut(`Usage: ${name} ${command!.words} ${command!.usage}`), "", cut(command!.summary), ""];
  const samples = sampleLines(command!);
  const examples = samples.length === 0 ? [] : ["", "Examples:", ...samples];
  const more = leavesOf(command!).length > 0
    ? `${name} ${command!.words} COMMAND -h shows one of them`
    : undefined;
  const foot = ["", more ?? `${name} ${command!.words} --help says what each flag does`];
  const items = command!.commands.length > 0
    ? command!.commands.map(commandItem)
    : ownFlags(command!).map(flagItem);
  const room = SCREEN_LINES - head.length - examples.length - foot.length;
  return [...head, ...itemLines(items, room), ...examples, ...foot];
}

/** The first examples, as many as have room. */
function sampleLines({ examples }: CommandEntry): string[] {
  const lines: string[] = [];
  for (const example of examples) {
    const folded = foldCommand(example, 2);
    if (lines.length + folded.length > MOST_EXAMPLE_LINES) break;
    lines.push(...folded);
  }
  return lines;
}

/** That `-h` prints this need not be said here. */
function ownFlags({ flags }: CommandEntry): FlagEntry[] {
  return flags.filter(({ long }) => long !== "--help");
}

function commandItem({ name, usage, summary }: CommandEntry): Item {
  return {
    name: `${name} ${usage.replace("[options]", "").trim()}`.trim(),
    shortName: name,
    meaning: summary,
  };
}

function flagItem({ short, long, value, description }: FlagEntry): Item {
  const names = short === undefined || short === long ? long : `${short}, ${long}`;
  const name = value === undefined ? names : `${names} ${value.name}`;
  // What the flag is for comes first, and then how it is used; a few words, such as "with -:", are neither.
  const [clause] = description.split(/[;:]/);
  return { name, shortName: long, meaning: clause!.length < LEAST_CLAUSE ? description : clause! };
}

/** As many items as fit with their meaning, and the names of the others. */
function itemLines(items: readonly Item[], room: number): string[] {
  for (let whole = Math.min(items.length, room); whole >= 0; whole--) {
    const others = wrap(items.slice(whole).map(({ shortName }) => shortName));
    if (whole + others.length <= room) return [...layout(items.slice(0, whole)), ...others];
  }
  return wrap(items.map(({ shortName }) => shortName)).slice(0, room);
}

function layout(items: readonly Item[]): string[] {
  const width = Math.min(MOST_NAME_COLUMNS, Math.max(0, ...items.map(({ name }) => name.length)));
  return items.map(({ name, meaning }) => cut(`  ${name.padEnd(width)}  ${meaning}`));
}

function wrap(names: readonly string[]): string[] {
  const lines: string[] = [];
  for (const name of names) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + name.length <= COLUMNS) {
      lines[lines.length - 1] = `${last} ${name}`;
    } else lines.push(`  ${name}`);
  }
  return lines;
}

/** A line that fits, cut between two words. */
function cut(line: string): string {
  if (line.length <= COLUMNS) return line;
  const part = line.slice(0, COLUMNS - 3);
  return `${part.slice(0, part.lastIndexOf(" "))} ...`;
}
