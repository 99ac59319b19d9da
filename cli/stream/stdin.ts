/** Standard input as a stream of bytes. */
import { RegrainError } from "../../core-as/host/errors.ts";
import { PIPE_NAME, type ReadNext } from "../../core-as/host/forward/mod.ts";

/**
 * Reads standard input. The calls block: nothing else is to be done while there is nothing to apply, and a call that
 * does not wait for its turn costs half of one that does.
 *
 * @throws {RegrainError} `USAGE` when it is a terminal.
 */
export function openStdin(): ReadNext {
  if (Deno.stdin.isTerminal()) {
    throw new RegrainError("USAGE", "- means standard input, and that is a terminal", {
      hint: "ssh esx cat vm-000001-delta.vmdk | regrain apply - TARGET",
    });
  }
  return (into) => {
    try {
      return Deno.stdin.readSync(into) ?? 0;
    } catch (cause) {
      if (!(cause instanceof Error)) throw cause;
      throw new RegrainError("READ_FAILED", `reading failed: ${cause.message}`, { path: PIPE_NAME, cause });
    }
  };
}
