/** Whatever was thrown, in words for the page. */
import { RegrainError } from "../../../core-as/host/mod.ts";
import type { Trouble } from "../../shared/protocol.ts";

export function troubleOf(error: unknown): Trouble {
  if (error instanceof RegrainError) {
    const { code, message, path, offsetBytes } = error;
    return { code, message, path, offsetBytes, hint: hintOf(error) };
  }
  const message = error instanceof Error ? error.message : String(error);
  const hint = "this is a mistake of the page: please report it with what was dropped";
  return { code: "BUG", message, path: undefined, offsetBytes: undefined, hint };
}

function hintOf({ code, hint }: RegrainError): string | undefined {
  // A page is not told where to look: what is not there was not dropped.
  if (code === "NOT_FOUND") return "drop it together with the others";
  // Nor is there a place to write a flag: regrain inspect takes it, and opens the page.
  return hint !== undefined && /--format\b/.test(hint)
    ? `on the command line (regrain inspect): ${hint}`
    : hint;
}
