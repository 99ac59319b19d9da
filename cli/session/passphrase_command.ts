/** A passphrase that a command of the user's writes: one of a password manager, of a key store, of systemd. */
import { RegrainError } from "../../core-as/host/mod.ts";
import { SHELL, shellCommand } from "../child.ts";
import { passphraseText } from "./passphrase_text.ts";
import { isForbidden } from "../deno_errors.ts";

const FLAG = "--passphrase-command";

/**
 * What the command writes, without the line end. What it writes to stderr is shown, and it has no stdin: that may be
 * the disk.
 *
 * @throws {RegrainError} `REPO_KEY` when it fails, or writes nothing: half a passphrase is none.
 */
export function passphraseByCommand(command: string, maxBytes: number): string {
  const { code, signal, stdout } = outputOf(command);
  if (code !== 0) {
    const how = signal === null ? `ended with exit status ${code}` : `was ended by ${signal}`;
    throw new RegrainError("REPO_KEY", `the command of ${FLAG} ${how}, and there is no passphrase`, {
      path: command,
    });
  }
  if (stdout.length > maxBytes) {
    throw new RegrainError("LIMIT_EXCEEDED", `the command of ${FLAG} writes more than a passphrase`, {
      path: command,
    });
  }
  const passphrase = passphraseText(stdout, { path: command, bytesOf: `(${command})` });
  if (passphrase !== "") return passphrase;
  throw new RegrainError("REPO_KEY", `the command of ${FLAG} writes no passphrase`, { path: command });
}

function outputOf(command: string): Deno.CommandOutput {
  try {
    return shellCommand(command, { stdout: "piped", stderr: "inherit" }).outputSync();
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    const isDenied = isForbidden(cause);
    const what = isDenied
      ? "runs a shell, which Deno does not allow"
      : `could not be started: ${cause.message}`;
    throw new RegrainError(isDenied ? "PERMISSION" : "OPEN_FAILED", `${FLAG} ${what}`, {
      path: command,
      cause,
      ...isDenied ? { hint: `--allow-run=${SHELL}` } : {},
    });
  }
}
