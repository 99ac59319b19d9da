/**
 * The one way in which regrain starts another program.
 *
 * A child gets only the variables that are named here. regrain's own environment may hold the passphrases of
 * repositories, the credentials of a store, and whatever else the user keeps there. A child passes its environment to
 * what it starts, and may write it into a log or a core file. A list of what to leave out would miss the next secret,
 * so this is a list of what passes.
 */
import { variable } from "./environment.ts";

/** What every program needs: where programs are, who runs it, its language, where temporary files go. */
const EVERY = [
  ...["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ"],
  ...["LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES"],
] as const;
/** Windows starts nothing without these. */
const WINDOWS = [
  ...["SystemRoot", "SystemDrive", "ComSpec", "PATHEXT", "TEMP", "TMP"],
  ...["USERPROFILE", "APPDATA", "LOCALAPPDATA", "ProgramFiles"],
] as const;

/** What is passed on beyond that, by the purpose of the child. */
const BY_PURPOSE = {
  /** A program that regrain needs, such as `qemu-img`. */
  tool: [],
  /** A command of the user's: by these ssh, Kerberos, gpg, pass and systemd find their sockets and files. */
  command: [
    ...["SSH_AUTH_SOCK", "KRB5CCNAME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"],
    ...["GNUPGHOME", "GPG_TTY", "PASSWORD_STORE_DIR", "CREDENTIALS_DIRECTORY"],
  ],
  /** The browser: where the screen is, and which desktop it belongs to. */
  browser: [
    ...["DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "BROWSER", "DESKTOP_SESSION", "DBUS_SESSION_BUS_ADDRESS"],
    ...["XDG_RUNTIME_DIR", "XDG_CURRENT_DESKTOP", "XDG_SESSION_TYPE", "XDG_SESSION_DESKTOP"],
    ...["XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_DATA_DIRS"],
    ...["KDE_FULL_SESSION", "KDE_SESSION_VERSION", "GNOME_DESKTOP_SESSION_ID"],
    ...["WSL_DISTRO_NAME", "WSL_INTEROP"],
  ],
  /** A pager: what the terminal is, and how it likes to show text. */
  pager: ["TERM", "TERMINFO", "COLUMNS", "LINES", "LESS", "LESSCHARSET", "LESSSECURE", "MORE", "LV"],
} as const satisfies Record<string, readonly string[]>;

/** Why a child is started. */
export type Purpose = keyof typeof BY_PURPOSE;

export interface ChildOptions {
  readonly purpose: Purpose;
  readonly args: readonly string[];
  /** Variables that regrain sets for this child. */
  readonly env?: Readonly<Record<string, string>>;
  /** Nothing by default. */
  readonly stdin?: "null" | "inherit" | "piped";
  readonly stdout?: "null" | "inherit" | "piped";
  readonly stderr?: "null" | "inherit" | "piped";
  /** In a process group of its own, so that Ctrl-C here does not end it. */
  readonly detached?: boolean;
}

/**
 * The program, not started yet.
 *
 * Its methods throw what `Deno.Command` throws: `NotFound` where there is no such program, `NotCapable` where Deno may
 * not run it.
 */
export function childCommand(program: string, { purpose, args, env, ...more }: ChildOptions): Deno.Command {
  return new Deno.Command(program, {
    stdin: "null",
    ...more,
    args: [...args],
    clearEnv: true,
    env: { ...environmentFor(purpose), ...env },
  });
}

/** Passes on to stderr what a child writes, until `ended` settles; see `Console.relay`. */
export type Relay = (from: ReadableStream<Uint8Array>, ended: Promise<unknown>) => Promise<void>;

/** A command line of the user's, run by the shell. */
export function shellCommand(
  line: string,
  options: Omit<ChildOptions, "purpose" | "args"> = {},
): Deno.Command {
  return childCommand(SHELL, { ...options, purpose: "command", args: [IS_WINDOWS ? "/c" : "-c", line] });
}

const IS_WINDOWS = Deno.build.os === "windows";
/** What runs a command line of the user's, as a permission names it. */
export const SHELL = IS_WINDOWS ? "cmd" : "/bin/sh";

function environmentFor(purpose: Purpose): Record<string, string> {
  const names = [...EVERY, ...IS_WINDOWS ? WINDOWS : [], ...BY_PURPOSE[purpose]];
  const found = names.flatMap((name) => {
    const value = variable(name);
    return value === undefined ? [] : [[name, value]];
  });
  return Object.fromEntries(found);
}
