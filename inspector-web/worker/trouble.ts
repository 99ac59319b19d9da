/** Whatever was thrown, in words for the page. */
import { RegrainError } from "../../core-as/host/mod.ts";
import type { Trouble } from "../shared/protocol.ts";

export function troubleOf(error: unknown): Trouble {
  if (error instanceof RegrainError) {
    const { code, message, path, offsetBytes, hint } = error;
    return { code, message, path, offsetBytes, hint };
  }
  const message = error instanceof Error ? error.message : String(error);
  const hint = "this is a mistake of the page: please report it with what was dropped";
  return { code: "BUG", message, path: undefined, offsetBytes: undefined, hint };
}
