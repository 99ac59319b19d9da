/** Which commands of the tree are built: all for its help, else the one that is called. */
import type { CommandUnknownOpts } from "@commander-js/extra-typings";

/** Takes the exit status of the command that ran. */
export type Finish = (status: number) => void;

/**
 * What builds commands, by their names, in the order in which the help shows them: each is a command of commander's,
 * of a type of its own.
 */
export type CommandTable = Readonly<Record<string, (finish: Finish, words: readonly string[]) => unknown>>;

/** What a program is built for. */
export interface Call {
  readonly finish: Finish;
  /** The command line, from behind the name of the command that is built. */
  readonly words: readonly string[];
}

/** The command of the table that the words begin with; undefined when they begin with something else. */
export function calledIn(table: CommandTable, [word]: readonly string[]): string | undefined {
  return word !== undefined && Object.hasOwn(table, word) ? word : undefined;
}

/**
 * Adds commands below another one.
 *
 * @param alone The only one that is wanted, of this table or of another; all unless given.
 */
export function addCommands(
  parent: Pick<CommandUnknownOpts, "addCommand">,
  table: CommandTable,
  { finish, words, alone }: Call & { readonly alone: string | undefined },
): void {
  for (const [name, build] of Object.entries(table)) {
    if (alone === undefined || alone === name) {
      parent.addCommand(build(finish, words.slice(1)) as CommandUnknownOpts);
    }
  }
}
