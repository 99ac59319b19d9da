/**
 * Text from elsewhere as it may be shown: names in descriptors, tags of a repository, what a server said.
 *
 * A terminal acts on control characters, and characters that turn the direction of writing make a name look like
 * another one.
 *
 * This module is browser compatible.
 */

/** C0, DEL and C1, what turns the direction of writing, and what ends a line without being a line feed. */
// deno-lint-ignore no-control-regex
const UNPRINTABLE = new RegExp(
  "[\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]",
  "g",
);

/** True when nothing in the text is acted upon by what shows it. */
export function isPrintable(text: string): boolean {
  return text.search(UNPRINTABLE) < 0;
}

/**
 * The text with `\u001b` for what a terminal would act upon, line feeds left alone. In JSON it means the same.
 */
export function escapeUnprintable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => character === "\n" ? character : escapeOf(character));
}

/** The same for what is to stand in one line. */
export function escapeToLine(text: string): string {
  return text.replace(UNPRINTABLE, escapeOf);
}

/** The same for what a program writes to a terminal: tabs, and the carriage returns of progress bars, stay too. */
export function escapeOutput(text: string): string {
  return text.replace(
    UNPRINTABLE,
    (character) => "\n\r\t".includes(character) ? character : escapeOf(character),
  );
}

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** The text, or its beginning and how much there is besides. */
export function cutText(text: string, most: number): string {
  const more = text.length - most;
  return more > 0 ? `${text.slice(0, most)}... (${more} more characters)` : text;
}
