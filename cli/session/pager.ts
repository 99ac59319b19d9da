/** Help that is longer than the screen goes through a pager, where a person looks. */
import { childCommand, SHELL } from "../child.ts";
import { hasErrno, isAbsent, isForbidden } from "../deno_errors.ts";
import { variable } from "../environment.ts";

/** less leaves what fits on the screen, keeps colours, and does not clear it in the end. */
const DEFAULT_PAGER = "less -FRX";

/**
 * Prints a text to standard output.
 *
 * @returns whether a pager showed it; if not, it is still to be printed.
 */
export async function showInPager(text: string): Promise<boolean> {
  if (!Deno.stdout.isTerminal() || !Deno.stdin.isTerminal()) return false;
  const command = variable("REGRAIN_PAGER") ?? variable("PAGER") ?? DEFAULT_PAGER;
  if (command === "" || text.trimEnd().split("\n").length < Deno.consoleSize().rows) return false;
  try {
    const child = childCommand(SHELL, {
      purpose: "pager",
      args: ["-c", command],
      stdin: "piped",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
    await feed(child.stdin, text);
    // 126 and 127: the shell found no such program, and nothing was shown.
    return ![126, 127].includes((await child.status).code);
  } catch (error) {
    if (isForbidden(error) || isAbsent(error)) return false;
    throw error;
  }
}

/** A pager that is left before the end reads no more. */
async function feed(stdin: WritableStream<Uint8Array>, text: string): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch (error) {
    if (!hasErrno(error, "EPIPE")) throw error;
  }
}
