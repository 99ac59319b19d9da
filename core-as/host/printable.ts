/**
 * Text from elsewhere as it may be shown: names in descriptors, tags of a repository, what a server said.
 *
 * A terminal acts on control characters. Characters that turn the direction of writing, and those that nobody sees,
 * make a name look like another one.
 *
 * This module is browser compatible.
 */

/**
 * C0, DEL and C1; what ends a line without being a line feed; what is shown as nothing at all, with what turns the
 * direction of writing and what joins or hides its neighbours among it.
 */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/gu;

/** True when all of the text is seen where it is shown, and nothing of it is acted upon. */
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

/** Of a character past U+FFFF both halves, as JSON has it. */
function escapeOf(character: string): string {
  return character.split("").map((half) => `\\u${half.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
}

/** The text, or its beginning and how much there is besides. */
export function cutText(text: string, most: number): string {
  const more = text.length - most;
  return more > 0 ? `${text.slice(0, most)}... (${more} more characters)` : text;
}
