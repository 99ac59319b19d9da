/**
 * The command that the user wants to be run when a run has ended.
 *
 * It learns of the run by variables `REGRAIN_*`, none of them secret.
 */
import { cutText, escapeToLine } from "../../core-as/host/mod.ts";
import { type Relay, shellCommand } from "../child.ts";
import { snakeCase } from "./names.ts";
import type { RunFacts } from "./run_facts.ts";

const MOST_OF_MESSAGE = 4 * 1024;

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
    // A script prints it, into a log or a mail.
    REGRAIN_MESSAGE: escapeToLine(cutText(error?.message ?? "", MOST_OF_MESSAGE)),
    REGRAIN_ELAPSED_MS: String(Math.round(elapsedMs)),
    ...Object.fromEntries(sizes),
  };
}

/** Runs the command that is told how a run ended. @returns why it failed, if it did. */
export async function runHook(
  command: string,
  facts: RunFacts,
  relay: Relay,
): Promise<string | undefined> {
  return await runUserCommand(command, hookEnvironment(facts), relay);
}

/**
 * Runs a command of the user's by the shell, and waits for it. What it writes goes to stderr, so that results stay
 * alone.
 *
 * @returns why it failed, if it did.
 */
export async function runUserCommand(
  command: string,
  env: Record<string, string>,
  relay: Relay,
): Promise<string | undefined> {
  try {
    const child = shellCommand(command, { env, stdout: "piped", stderr: "piped" }).spawn();
    await Promise.all([child.stdout, child.stderr].map((stream) => relay(stream, child.status)));
    const { code, signal } = await child.status;
    if (signal !== null) return `was ended by ${signal}`;
    return code === 0 ? undefined : `ended with exit status ${code}`;
  } catch (error) {
    if (error instanceof Error) return `could not be started: ${error.message}`;
    throw error;
  }
}
