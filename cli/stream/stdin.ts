/** Standard input as a stream of bytes. */
import { RegrainError } from "../../core-as/host/errors.ts";
import { PIPE_NAME, type ReadNext } from "../../core-as/host/forward/mod.ts";
import { MIB } from "../../core-as/host/units.ts";
import type { Io } from "../io/mod.ts";

/** As long as nothing comes for this long, signals have to wait. */
const WAIT_MS = 20;
/** What Linux lets anybody have. */
const PIPE_BYTES = MIB;

/**
 * Reads standard input. A call that blocks costs a fraction of one that waits for its turn, but while it waits no
 * signal reaches the program: so it is made only when there is something to read.
 *
 * @param example A command that gives it something, for whoever forgot.
 * @throws {RegrainError} `USAGE` when it is a terminal.
 */
export function openStdin(
  io: Pick<Io, "stdinIsReady" | "growStdin">,
  example = "ssh esx cat vm-000001-delta.vmdk | regrain apply - TARGET",
): ReadNext {
  if (Deno.stdin.isTerminal()) {
    throw new RegrainError("USAGE", "- means standard input, and that is a terminal", { hint: example });
  }
  io.growStdin?.(PIPE_BYTES);
  return (into) => io.stdinIsReady?.(WAIT_MS) ? readNow(into) : readLater(into);
}

function readNow(into: Uint8Array): number {
  try {
    return Deno.stdin.readSync(into) ?? 0;
  } catch (cause) {
    throw readError(cause);
  }
}

async function readLater(into: Uint8Array): Promise<number> {
  try {
    return await Deno.stdin.read(into) ?? 0;
  } catch (cause) {
    throw readError(cause);
  }
}

function readError(cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  return new RegrainError("READ_FAILED", `reading failed: ${cause.message}`, { path: PIPE_NAME, cause });
}
