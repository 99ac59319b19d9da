/** `deno task install [--prefix DIR]` and `deno task uninstall [--prefix DIR]`. */
import { resolve } from "node:path";
import { install, InstallError, uninstall } from "./installation.ts";
import { quoteWord } from "../../core-as/host/command_line.ts";
import { RegrainError } from "../../core-as/host/errors.ts";
import { EXIT_USAGE } from "../exit_status.ts";
import { hasErrno, isDenied } from "../deno_errors.ts";

const EXIT_FAILED = 1;

/** /usr/local for root, ~/.local for everybody else. */
function defaultPrefix(): string | undefined {
  if (Deno.uid() === 0) return "/usr/local";
  const home = Deno.env.get("HOME");
  return home === undefined ? undefined : `${home}/.local`;
}

function prefixIn(args: readonly string[]): string | undefined {
  const [flag, value, ...rest] = args.flatMap((arg) =>
    arg.startsWith("--prefix=") ? ["--prefix", arg.slice(9)] : [arg]
  );
  if (flag === undefined) return defaultPrefix();
  return flag === "--prefix" && value !== undefined && value !== "" && rest.length === 0
    // A task runs in the folder of deno.json, and a name means what it does where it was typed.
    ? resolve(Deno.env.get("INIT_CWD") ?? ".", value)
    : undefined;
}

/** A command that no shell finds is of no use: say so. */
function pathHint(prefix: string): string {
  const isFound = (Deno.env.get("PATH") ?? "").split(":").includes(`${prefix}/bin`);
  const added = quoteWord(`${prefix}/bin`);
  return isFound ? "" : `\n${prefix}/bin is not on your PATH: export PATH=${added}:"$PATH"`;
}

async function run([task, ...args]: readonly string[]): Promise<number> {
  const prefix = prefixIn(args);
  if (prefix === undefined) {
    console.error(`usage: deno task ${task} [--prefix DIR]`);
    return EXIT_USAGE;
  }
  try {
    if (task === "uninstall") {
      console.log(`removed ${uninstall(prefix)} files below ${prefix}`);
      return 0;
    }
    const { files, replaced } = await install(prefix);
    console.log(
      `${replaced ? "upgraded" : "installed"} ${prefix}/bin/regrain (${files} files)${pathHint(prefix)}`,
    );
    return 0;
  } catch (error) {
    const isTheirs = error instanceof InstallError || error instanceof RegrainError || isDenied(error) ||
      hasErrno(error, "ENOENT", "ENOTDIR", "EROFS", "ENOSPC", "EDQUOT");
    if (!isTheirs || !(error instanceof Error)) throw error;
    console.error(`${task}: ${error.message}`);
    return EXIT_FAILED;
  }
}

Deno.exit(await run(Deno.args));
