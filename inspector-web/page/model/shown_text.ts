/**
 * Text of the page: names in images and words of a server may turn the direction of writing, so that one name looks
 * like another. All text passes here on its way into the document: see `guard_text.ts`.
 */
import { escapeToLine } from "../../../core-as/host/printable.ts";

/** As text is shown. Line feeds stay: they are ours, and in HTML they are blanks. */
export function shownText(text: string): string {
  return text.split("\n").map(escapeToLine).join("\n");
}
