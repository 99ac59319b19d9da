/** The program in this process: its command tree, and what it refuses. For tables too long for a process a line. */
import assert from "node:assert/strict";
import { RegrainError } from "../../core-as/host/errors.ts";
import { createProgram } from "../../cli/program.ts";

type AnyCommand = ReturnType<typeof createProgram>["commands"][number];

/** Commands that do something, by their words: `repo key add`. */
export function leafCommands(): Map<string, AnyCommand> {
  const leaves = new Map<string, AnyCommand>();
  const visit = (command: AnyCommand, words: readonly string[]) => {
    if (command.commands.length === 0) leaves.set(words.join(" "), command);
    for (const below of command.commands) visit(below, [...words, below.name()]);
  };
  visit(createProgram(() => undefined) as unknown as AnyCommand, []);
  return leaves;
}

/** Runs a command line and returns the error that it ends with; one that is no refusal fails the test. */
export async function refusalOf(args: readonly string[]): Promise<RegrainError> {
  const program = createProgram(() => undefined);
  const quiet = (command: AnyCommand) => {
    command.exitOverride();
    command.configureOutput({ writeErr: () => undefined });
    command.commands.forEach(quiet);
  };
  quiet(program as unknown as AnyCommand);
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (error instanceof RegrainError) return error;
    throw error;
  }
  return assert.fail(`not refused: regrain ${args.join(" ")}`);
}
