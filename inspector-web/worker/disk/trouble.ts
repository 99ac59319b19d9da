/** Whatever was thrown, in words for the page. */
import { RegrainError } from "../../../core-as/host/mod.ts";
import type { Trouble } from "../../shared/protocol.ts";

export function troubleOf(error: unknown): Trouble {
  if (error instanceof RegrainError) {
    const { code, message, path, offsetBytes } = error;
    // A page is not told where to look: what is not there was not dropped.
    const hint = code === "NOT_FOUND" ? "drop it together with the others" : error.hint;
    return { code, message, path, offsetBytes, hint };
  }
  const message = error instanceof Error ? error.message : String(error);
  const hint = "this is a mistake of the page: please report it with what was dropped";
  return { code: "BUG", message, path: undefined, offsetBytes: undefined, hint };
}
