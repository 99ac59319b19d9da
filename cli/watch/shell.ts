/**
 * How a command of the user's is started: by the shell, with the part of the environment that a shell and ssh need. The
 * passphrase and the credentials of the store stay here.
 */
const PASSED_ON = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "LANG",
  "LC_ALL",
  "TZ",
  "TMPDIR",
  "SSH_AUTH_SOCK",
];
/** Windows starts nothing without it. */
const PASSED_ON_WINDOWS = ["SystemRoot", "ComSpec", "TEMP", "USERPROFILE"];

/** Program, arguments and environment that run the command. */
export interface ShellCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export function shellCommand(command: string): ShellCommand {
  const isWindows = Deno.build.os === "windows";
  const [program, flag] = isWindows ? ["cmd", "/c"] as const : ["/bin/sh", "-c"] as const;
  const names = isWindows ? [...PASSED_ON, ...PASSED_ON_WINDOWS] : PASSED_ON;
  const env = names.flatMap((name) => {
    const value = variable(name);
    return value === undefined ? [] : [[name, value]];
  });
  return { program, args: [flag, command], env: Object.fromEntries(env) };
}

function variable(name: string): string | undefined {
  if (Deno.permissions.querySync({ name: "env", variable: name }).state !== "granted") return undefined;
  return Deno.env.get(name);
}
