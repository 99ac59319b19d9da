/** The program: runs a command and turns what it threw into an exit status. */
import { CommanderError, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { RegrainError } from "../core-as/host/errors.ts";
import { createProgram } from "./program.ts";
import { refuseSwallowedFlags } from "./program/swallowed_flags.ts";
import { meantInstead } from "./program/unknown_command.ts";
import { keepIgnoringHangup } from "./session/signals.ts";
import { type ColorMode, Console } from "./ui/console.ts";
import { EXIT_BUG, EXIT_USAGE } from "./exit_status.ts";

/** Codes of what cannot be found under its name. */
const NOT_THERE: ReadonlySet<string> = new Set(["NOT_FOUND", "TARGET_MISSING", "OPEN_FAILED"]);

/** Runs the command line and returns the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  let status = 0;
  const program = createProgram((value) => status = value, args);
  // The flags may be what is wrong, so they are looked for in the raw arguments.
  const console = new Console({ json: args.includes("--json"), color: colorIn(args) });
  let help = "";
  const flagsBelow = flagsOf(program.commands.flatMap(allCommands));
  for (const command of allCommands(program)) {
    command.exitOverride();
    refuseSwallowedFlags(command);
    const flags = command === program ? flagsBelow : new Set<string>();
    command.configureOutput({
      writeOut: (text) => help += text,
      writeErr: (text) => {
        if (console.json) return;
        const meant = meantInstead(text, flags);
        // What is known to be meant is better than a word that looks alike.
        const said = meant === undefined ? text : text.replace(/\n\(Did you mean .*\)/, "");
        console.err(said.replace(/\n$/, "") + (meant === undefined ? "" : `\nhint: ${meant}`));
      },
    });
  }
  const run = async (): Promise<number> => {
    if (asksForBuild(args)) return (await import("./commands/version.ts")).runVersion(console);
    const short = args.at(-1) === "-h" ? await shortHelpOf(program, args.slice(0, -1)) : undefined;
    if (short !== undefined) printHelp(short, console);
    else {
      const refused = await parse(program, args);
      if (refused !== undefined && refused.exitCode !== 0) {
        if (console.json) console.error(usageError(refused, flagsBelow));
        return EXIT_USAGE;
      }
      await showHelp(help, console);
    }
    return status;
  };
  try {
    return await run();
  } catch (error) {
    if (error instanceof RegrainError) {
      console.error(withNameHint(error));
      return error.exit;
    }
    const bug = "this is a bug, please report it with the command and this trace";
    const trace = traceOf(error);
    console.err(
      console.json
        ? JSON.stringify({ type: "error", code: "BUG", exit: EXIT_BUG, message: bug, trace })
        : `regrain: ${bug}\n${trace}`,
    );
    return EXIT_BUG;
  }
}

/** Runs the command; what commander throws, for help too, is no error of ours. */
async function parse(
  program: CommandUnknownOpts,
  args: readonly string[],
): Promise<CommanderError | undefined> {
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return error;
    throw error;
  }
}

/** What `COMMAND -h` prints; undefined when the words before it are more than the name of a command. */
async function shortHelpOf(
  program: CommandUnknownOpts,
  words: readonly string[],
): Promise<string | undefined> {
  return (await import("./commands/short_help.ts")).shortHelpOf(program, words);
}

async function showHelp(help: string, console: Console): Promise<void> {
  if (help === "" || await (await import("./session/pager.ts")).showInPager(help)) return;
  printHelp(help, console);
}

function printHelp(help: string, console: Console): void {
  console.outText(help.replace(/\n$/, ""));
  console.flush();
}

/** `--version -v`: commander's own answer is the number and nothing else. */
function asksForBuild(args: readonly string[]): boolean {
  const known = ["--version", "-V", "--verbose", "-v", "--json"];
  return args.every((arg) => known.includes(arg)) && known.slice(0, 2).some((each) => args.includes(each)) &&
    known.slice(2, 4).some((each) => args.includes(each));
}

/**
 * Deno hands arguments over as text, and what is not UTF-8 in a name comes as U+FFFD: no file has such a name. Under
 * a link of another name it can be opened.
 */
function withNameHint(error: RegrainError): RegrainError {
  if (error.path?.includes("\uFFFD") !== true || !NOT_THERE.has(error.code)) return error;
  return error.withHint(
    "the name holds bytes that are not UTF-8, and cannot be given; make a link with a name of plain letters, and " +
      "give that: ln -s FILE link.vmdk (for the folder of a VM: ln -s FOLDER link)",
  );
}

/** The flags of commands, with their dashes. */
function flagsOf(commands: readonly CommandUnknownOpts[]): Set<string> {
  const names = commands.flatMap(({ options }) => options.flatMap(({ short, long }) => [short, long]));
  return new Set(names.filter((name) => name !== undefined));
}

/** A command with all below it. */
function allCommands(command: CommandUnknownOpts): CommandUnknownOpts[] {
  return [command, ...command.commands.flatMap(allCommands)];
}

function colorIn(args: readonly string[]): ColorMode | undefined {
  const mode = /--color[= ](always|never)(?: |$)/.exec(args.join(" "))?.[1];
  return mode as ColorMode | undefined;
}

/** What commander would have written as text; its suggestion stands on the second line. */
function usageError(error: CommanderError, flags: ReadonlySet<string>): RegrainError {
  const [message, suggestion] = error.message.replace(/^error: /, "").split("\n");
  const hint = meantInstead(message!, flags) ?? suggestion;
  return new RegrainError("USAGE", message!, hint === undefined ? {} : { hint });
}

function traceOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

/** What the program does as the main one. Bundled into one file, it is also what every thread starts as. */
export async function start(): Promise<void> {
  if ("WorkerGlobalScope" in globalThis) return await (await import("./workers/serve.ts")).serveAs(self.name);
  keepIgnoringHangup();
  Deno.exit(await main(Deno.args));
}
