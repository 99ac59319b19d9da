/**
 * The parts of the documents that come from the program itself: commands, exit statuses, error codes. Each is a block
 * between two comments in a Markdown file; the rest of the file is written by hand.
 */
import { ERRORS } from "../../core-as/host/errors.ts";
import { type CommandEntry, type FlagEntry, leavesOf, type ProgramEntry } from "../manual/tree.ts";
import { EXIT_STATUS } from "../exit_status.ts";

/** Flags of so many commands are listed once, below all commands. */
const SHARED_BY = 6;

/** Renders every block there is, by name. */
export function blocksOf(program: ProgramEntry): ReadonlyMap<string, string> {
  const leaves = leavesOf(program).filter(({ name }) => name !== "help");
  const shared = sharedFlags(leaves);
  return new Map([
    ["commands", commandTable(leaves)],
    ["each command", leaves.map((command) => commandSection(command, shared)).join("\n\n")],
    ["shared flags", flagTable([...shared.values()])],
    ["exit status", table(["exit", "meaning"], EXIT_STATUS.map(([status, text]) => [String(status), text]))],
    [
      "error codes",
      table(
        ["code", "exit", "meaning"],
        Object.entries(ERRORS).map(([code, { exit, text }]) => [
          `[\`${code}\`](#${code.toLowerCase()})`,
          String(exit),
          text,
        ]),
      ),
    ],
  ]);
}

const BLOCK = /(<!-- made by deno task docs: ([a-z ]+) -->\n)[\s\S]*?<!-- end -->/g;

/**
 * Puts the blocks into a document.
 *
 * @throws {Error} for a block that has no such name.
 */
export function fillBlocks(text: string, blocks: ReadonlyMap<string, string>): string {
  return text.replaceAll(BLOCK, (_, begin: string, name: string) => {
    const block = blocks.get(name);
    if (block === undefined) throw new Error(`there is no block "${name}"`);
    return `${begin}\n${block}\n\n<!-- end -->`;
  });
}

function commandTable(leaves: readonly CommandEntry[]): string {
  return table(["command", "does"], leaves.map((leaf) => [`\`${lineOf(leaf)}\``, leaf.summary]));
}

function lineOf({ words, usage }: CommandEntry): string {
  return `regrain ${words} ${usage.replace("[options]", "")}`.replaceAll(/ +/g, " ").trimEnd();
}

function commandSection(command: CommandEntry, shared: ReadonlyMap<string, FlagEntry>): string {
  const own = command.flags.filter((flag) => !shared.has(flagKey(flag)));
  const inherited = command.flags.filter((flag) => shared.has(flagKey(flag)) && flag.long !== "--help");
  const named = command.arguments.filter(({ description }) => description !== "");
  return [
    `### regrain ${command.words}`,
    plain(command.description),
    ...named.length === 0 ? [] : [
      named.map(({ name, description }) => `- \`${name}\`: ${plain(description)}`).join("\n"),
    ],
    ...own.length === 0 ? [] : [flagTable(own)],
    ...inherited.length === 0 ? [] : [`Also: ${inherited.map(({ long }) => `\`${long}\``).join(" ")}`],
    `\`\`\`sh\n${command.examples.join("\n")}\n\`\`\``,
  ].join("\n\n");
}

/** The flags that many commands have, by what they are and mean. */
function sharedFlags(leaves: readonly CommandEntry[]): ReadonlyMap<string, FlagEntry> {
  const all = leaves.flatMap(({ flags }) => flags);
  const counts = new Map<string, number>();
  for (const flag of all) counts.set(flagKey(flag), (counts.get(flagKey(flag)) ?? 0) + 1);
  return new Map(
    all.filter((flag) => counts.get(flagKey(flag))! >= SHARED_BY).map((flag) => [flagKey(flag), flag]),
  );
}

function flagKey({ long, description }: FlagEntry): string {
  return `${long} ${description}`;
}

function flagTable(flags: readonly FlagEntry[]): string {
  return table(["flag", "does"], flags.map((flag) => [`\`${flagHead(flag)}\``, plain(flagMeaning(flag))]));
}

function flagHead({ short, long, value }: FlagEntry): string {
  const names = [short, long].filter((name, i, all) => name !== undefined && all.indexOf(name) === i);
  return `${names.join(", ")}${value === undefined ? "" : ` ${value.name}`}`;
}

function flagMeaning({ description, value }: FlagEntry): string {
  const choices = value?.is.kind === "choices" ? [`one of ${value.is.choices.join(", ")}`] : [];
  const fallback = value?.fallback === undefined ? [] : [`${value.fallback} by default`];
  return [description, ...choices, ...fallback].join("; ");
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;
  return [line(heads), `|${"---|".repeat(heads.length)}`, ...rows.map(line)].join("\n");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

/** Words of the help as Markdown: what stands in angle brackets is no HTML. */
function plain(text: string): string {
  return text.replaceAll("<", "&lt;").replaceAll("*", "\\*");
}
