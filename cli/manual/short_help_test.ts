/** `-h` of every command: it fits, and leaves no flag out. */
import assert from "node:assert/strict";
import { createProgram } from "../program.ts";
import { SCREEN_LINES, shortHelp } from "./short_help.ts";
import { type CommandEntry, type CommandTree, readTree } from "./tree.ts";

const tree = readTree(createProgram(() => {}));

function* everyCommand(commands: readonly CommandEntry[]): Generator<CommandEntry> {
  for (const command of commands) {
    yield command;
    yield* everyCommand(command.commands);
  }
}

Deno.test("-h of the program and of every command has at most 24 lines", () => {
  assert.equal(SCREEN_LINES, 24);
  for (const words of ["", ...[...everyCommand(tree.commands)].map(({ words }) => words)]) {
    const text = shortHelp(tree, words === "" ? [] : words.split(" "))!;
    const lines = text.trimEnd().split("\n");
    assert.ok(lines.length <= SCREEN_LINES, `${words}: ${lines.length} lines\n${text}`);
    assert.deepEqual(lines.filter((line) => line.length > 80), [], words);
  }
});

Deno.test("-h names every flag and every command, with its meaning where there is room", () => {
  for (const command of everyCommand(tree.commands)) {
    const text = shortHelp(tree, command.words.split(" "))!;
    for (const { long } of command.commands.length > 0 ? [] : command.flags) {
      if (long !== "--help") assert.ok(text.includes(long), `${command.words}: ${long}`);
    }
    for (const { name } of command.commands) assert.match(text, new RegExp(`^  .*\\b${name}\\b`, "m"));
  }
  const text = shortHelp(tree, [])!;
  for (const { name } of tree.commands) assert.match(text, new RegExp(`\\b${name}\\b`));
});

Deno.test("-h behind what is no command is left to the parser", () => {
  assert.equal(shortHelp(tree, ["frobnicate"]), undefined);
  assert.equal(shortHelp(tree, ["apply", "a.vmdk"]), undefined);
  assert.equal(shortHelp(tree, ["backup", "--tag"]), undefined);
});

Deno.test("no line of --help, of any command, is wider than 80 columns", () => {
  const program: CommandTree = createProgram(() => {});
  const all = (command: CommandTree): CommandTree[] => [command, ...command.commands.flatMap(all)];
  for (const command of all(program)) {
    let help = "";
    command.configureOutput({ writeOut: (text) => help += text, getOutHelpWidth: () => 80 });
    command.outputHelp();
    assert.deepEqual(help.split("\n").filter((line) => line.length > 80), [], command.name());
  }
});
