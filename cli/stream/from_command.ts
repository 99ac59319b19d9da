/** The output of a command as a stream of bytes; how the command ended says whether that was all. */
import { RegrainError } from "../../core-as/host/errors.ts";
import type { ReadNext } from "../../core-as/host/forward/mod.ts";
import { type Relay, SHELL, shellCommand } from "../child.ts";
import { isForbidden } from "../deno_errors.ts";

export interface CommandStream extends Disposable {
  readonly read: ReadNext;
  /** To be called at the end of the stream: waits for the command, and throws when it failed. */
  succeeded(): Promise<void>;
}

const FLAG = "--from-command";

/**
 * @param command As the user wrote it.
 * @param consequence What it means that the command failed.
 * @throws {RegrainError} `PERMISSION`, `OPEN_FAILED` when it cannot be started.
 */
export function openCommand(
  command: string,
  relay: Relay,
  consequence = "nothing is stored",
): CommandStream {
  const child = start(command);
  // Looked at when the output has ended, and not while nobody waits for it.
  const relayed = Promise.allSettled([relay(child.stderr, child.status)]);
  const reader = child.stdout.getReader();
  let piece = new Uint8Array(0);
  let hasEnded = false;
  return {
    async read(into) {
      while (piece.length === 0) {
        const { done, value } = await reader.read();
        if (done) {
          await relayed;
          return 0;
        }
        piece = value;
      }
      const length = Math.min(piece.length, into.length);
      into.set(piece.subarray(0, length));
      piece = piece.subarray(length);
      return length;
    },
    async succeeded() {
      const { code, signal } = await child.status;
      hasEnded = true;
      if (code === 0 && signal === null) return;
      const how = signal === null ? `ended with exit status ${code}` : `was ended by ${signal}`;
      throw new RegrainError("READ_FAILED", `the command of ${FLAG} ${how}, and ${consequence}`, {
        path: command,
      });
    },
    [Symbol.dispose]() {
      if (!hasEnded) endEarly(child);
    },
  };
}

function start(command: string): Deno.ChildProcess {
  try {
    return shellCommand(command, { stdout: "piped", stderr: "piped" }).spawn();
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    if (isForbidden(cause)) {
      throw new RegrainError("PERMISSION", `${FLAG} runs a shell, which Deno does not allow`, {
        path: command,
        cause,
        hint: `--allow-run=${SHELL}`,
      });
    }
    throw new RegrainError("OPEN_FAILED", `the command of ${FLAG} could not be started: ${cause.message}`, {
      path: command,
      cause,
    });
  }
}

function endEarly(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGTERM");
  } catch (error) {
    // It has ended by itself meanwhile.
    if (!(error instanceof TypeError)) throw error;
  }
}
