/** `-h` of every command: it fits, and leaves no flag out. */
import assert from "node:assert/strict";
import { createProgram } from "../program.ts";
import { SCREEN_LINES, shortHelp } from "./short_help.ts";
import { type CommandEntry, readTree } from "./tree.ts";

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
    const wide = lines.filter((line) =>
      line.length > 80 && !line.startsWith("  regrain") && !/\| regrain/.test(line)
    );
    assert.deepEqual(wide, [], words);
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
