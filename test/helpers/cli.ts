/** The program as a user runs it: another process, with its arguments, its exit status and what it writes. */
import assert from "node:assert/strict";
import type { Ran } from "./peers.ts";
import { PROGRAM, SOURCES } from "./program.ts";

/** What the program remembers of repositories must not reach the home of whoever runs the tests. */
const STATE = `${Deno.env.get("TMPDIR") ?? "/tmp"}/regrain-test-state-${crypto.randomUUID()}`;
globalThis.addEventListener("unload", () => {
  try {
    Deno.removeSync(STATE, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
});

export interface CallOptions {
  /** Folder that the program is started in. */
  readonly cwd?: string;
  /**
   * Flags of `deno run`; everything is allowed by default. With them the sources run, since what is built of them has
   * to read its own folder as well.
   */
  readonly permissions?: readonly string[];
  /** Added to the environment; `NO_COLOR` is set unless this says otherwise. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The command that runs `regrain`, not started yet. */
export function regrainCommand(
  args: readonly string[],
  options: CallOptions & Pick<Deno.CommandOptions, "stdout" | "stderr"> = {},
): Deno.Command {
  const { cwd, permissions, env, ...pipes } = options;
  const program = permissions === undefined ? ["-A", PROGRAM] : [...permissions, SOURCES];
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...program, ...args],
    env: { NO_COLOR: "1", XDG_STATE_HOME: STATE, ...env },
    stdin: "null",
    ...(cwd === undefined ? {} : { cwd }),
    ...pipes,
  });
}

/** Runs `regrain` to its end, whatever its exit status. */
export function regrain(args: readonly string[], options: CallOptions = {}): Ran {
  const output = regrainCommand(args, options).outputSync();
  const decoder = new TextDecoder();
  return {
    code: output.code,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
  };
}

/** Runs `regrain` and asserts its exit status, 0 by default; returns what it wrote. */
export function regrainExits(code: number, args: readonly string[], options: CallOptions = {}): Ran {
  const ran = regrain(args, options);
  assert.equal(ran.code, code, `regrain ${args.join(" ")}: exit ${ran.code}\n${ran.stderr}${ran.stdout}`);
  return ran;
}

/** Asserts that `regrain` refuses: exit status and stable code, both as `--json` tells them. */
export function regrainRefuses(
  expected: { code: string; exit: number },
  args: readonly string[],
  options: CallOptions = {},
): { message: string; hint?: string } {
  const { stderr } = regrainExits(expected.exit, [...args, "--json"], options);
  const error = JSON.parse(stderr.trim().split("\n").at(-1)!);
  assert.equal(error.code, expected.code, stderr);
  assert.equal(error.exit, expected.exit);
  return error;
}
