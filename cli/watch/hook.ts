/**
 * The command that the user wants to be run when a run has ended.
 *
 * It learns of the run by variables `REGRAIN_*`, none of them secret.
 */
import { shellCommand } from "../child.ts";
import { snakeCase } from "./names.ts";
import type { RunFacts } from "./run_facts.ts";

/** The facts as a hook gets them. */
export function hookEnvironment(facts: RunFacts): Record<string, string> {
  const { operation, name, repository = "", snapshot = "", exit, error, elapsedMs, figures } = facts;
  const sizes = Object.entries(figures).map(([figure, value]) => [
    `REGRAIN_${snakeCase(figure).toUpperCase()}`,
    String(value),
  ]);
  return {
    REGRAIN_OPERATION: operation,
    REGRAIN_NAME: name,
    REGRAIN_REPOSITORY: repository,
    REGRAIN_SNAPSHOT: snapshot,
    REGRAIN_STATUS: exit === 0 ? "done" : "failed",
    REGRAIN_EXIT: String(exit),
    REGRAIN_ERROR: error?.code ?? "",
    REGRAIN_MESSAGE: error?.message ?? "",
    REGRAIN_ELAPSED_MS: String(Math.round(elapsedMs)),
    ...Object.fromEntries(sizes),
  };
}

/**
 * Runs the command by the shell, and waits for it. What it writes goes to stderr, so that results stay alone.
 *
 * @returns why it failed, if it did.
 */
export async function runHook(command: string, facts: RunFacts): Promise<string | undefined> {
  try {
    const env = hookEnvironment(facts);
    const child = shellCommand(command, { env, stdout: "piped", stderr: "inherit" }).spawn();
    await child.stdout.pipeTo(Deno.stderr.writable, { preventClose: true });
    const { code, signal } = await child.status;
    if (signal !== null) return `was ended by ${signal}`;
    return code === 0 ? undefined : `ended with exit status ${code}`;
  } catch (error) {
    if (error instanceof Error) return `could not be started: ${error.message}`;
    throw error;
  }
}
