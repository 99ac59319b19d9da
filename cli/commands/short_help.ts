/** `regrain COMMAND -h`. */
import { shortHelp } from "../manual/short_help.ts";
import { type CommandTree, readTree } from "../manual/tree.ts";

/** The text for these words; undefined when they name no command. */
export function shortHelpOf(program: CommandTree, words: readonly string[]): string | undefined {
  return shortHelp(readTree(program), words);
}
