/** The help: what it looks like for a command that has commands below it, and the command that prints it. */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";

const HINT = "(add --help for what there is)";
const HINT_OF_FLAGS = "(add --help for the flags of this command)";

/** Makes every help alike, and those of commands that have others below them list these in narrow lines. */
export function arrangeHelp(command: CommandUnknownOpts, words = command.name()): void {
  command.helpOption("-h, --help", "print help; -h alone what a screen holds")
    // There is one for all levels.
    .helpCommand(false)
    // That every command has flags goes without saying in a list.
    .configureHelp({ subcommandTerm: (below) => `${below.name()} ${argumentsOf(below)}`.trimEnd() });
  for (const below of command.commands) {
    const belowWords = `${words} ${below.name()}`;
    arrangeHelp(below, belowWords);
    if (below.commands.length > 0) below.usage("<COMMAND>").showHelpAfterError(HINT);
    else below.showHelpAfterError(`usage: ${belowWords} ${below.usage()}\n${HINT_OF_FLAGS}`);
  }
}

function argumentsOf(command: CommandUnknownOpts): string {
  return command.usage().replace("[options]", "").trim();
}

/** `help repo init`: commander's own knows one level only. */
export function helpCommand(finish: (status: number) => void, program: CommandUnknownOpts) {
  return new Command("help")
    .summary("print the help of a command")
    .description("Prints the help of a command, as --help behind it does.")
    .argument("[COMMAND...]", "the words of the command, such as repo init")
    .action((words) => {
      let command = program;
      for (const word of words) {
        command = command.commands.find((below) => below.name() === word) ??
          command.error(`error: unknown command '${word}'`, { code: "commander.unknownCommand" });
      }
      command.outputHelp();
      finish(0);
    });
}
