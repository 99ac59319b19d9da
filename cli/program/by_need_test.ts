import assert from "node:assert/strict";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { createProgram } from "../program.ts";
import { readTree } from "../manual/tree.ts";

const treeOf = (...words: string[]) => readTree(createProgram(() => {}, words));
const namesIn = (tree: { commands: readonly { name: string }[] }) => tree.commands.map(({ name }) => name);
const whole = treeOf();

Deno.test("a command line that begins with a command builds that one, as the whole tree has it", () => {
  for (const command of whole.commands) {
    const { name } = command;
    if (["completion", "man", "help"].includes(name)) continue;
    const alone = treeOf(name, "--help");
    assert.deepEqual(namesIn(alone), [name]);
    assert.deepEqual(alone.commands[0], command);
    for (const below of command.commands) {
      const [only] = treeOf(name, below.name, "x").commands;
      assert.deepEqual(namesIn(only!), [below.name]);
      assert.deepEqual(only!.commands[0], below);
    }
  }
});

Deno.test("what begins with something else, or is about all commands, builds them all", () => {
  for (const first of ["--help", "-h", "help", "man", "completion", "aply", "constructor", "--json", ""]) {
    assert.deepEqual(treeOf(first, "apply"), whole, first);
  }
  assert.deepEqual(treeOf("repo", "--json", "check").commands, [
    whole.commands.find((c) => c.name === "repo"),
  ]);
  assert.deepEqual(namesIn(treeOf("--version")), []);
});

Deno.test("the help of one command is the same whether it is built alone or with all others", () => {
  const helpOf = (program: CommandUnknownOpts, words: readonly string[]) => {
    const command = words.reduce((at, word) => at.commands.find((each) => each.name() === word)!, program);
    return command.helpInformation();
  };
  for (const words of [["apply"], ["backup"], ["repo"], ["repo", "check"], ["repo", "key", "add"]]) {
    const build = (given: readonly string[]) =>
      createProgram(() => {}, given) as unknown as CommandUnknownOpts;
    assert.equal(helpOf(build(words), words), helpOf(build([]), words));
  }
});
