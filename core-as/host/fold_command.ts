/**
 * Command lines in a terminal of 80 columns: a long one goes on in the next line, as a shell takes it.
 *
 * This module is browser compatible.
 */

const COLUMNS = 80;
/** What ends a line of which the command goes on. */
const GOES_ON = " \\";

/**
 * A command in as many lines as it needs, parted at blanks outside of quotes.
 *
 * @param indent Blanks before the first line; the others have two more.
 */
export function foldCommand(command: string, indent: number): string[] {
  const lines: string[] = [];
  let line = " ".repeat(indent);
  let isEmpty = true;
  for (const word of wordsOf(command)) {
    if (!isEmpty && line.length + 1 + word.length + GOES_ON.length > COLUMNS) {
      lines.push(line + GOES_ON);
      line = " ".repeat(indent + 2) + word;
    } else line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line];
}

/** The lines of a folded text as the commands they are. */
export function unfoldCommands(text: string): string[] {
  return text.replace(/ \\\n */g, " ").split("\n").map((line) => line.trim()).filter((line) => line !== "");
}

/** What stands between blanks that are in no quotes; a long flag and the word behind it are one. */
function wordsOf(command: string): string[] {
  return command.match(/(?:--[\w-]+ (?=[^-\s|]))?(?:[^\s'"]|'[^']*'|"[^"]*")+/g) ?? [];
}
