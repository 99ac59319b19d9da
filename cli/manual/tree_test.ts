import assert from "node:assert/strict";
import { Argument, Command, Option } from "@commander-js/extra-typings";
import { createProgram } from "../program.ts";
import { readTree } from "./tree.ts";

const tree = readTree(
  new Command("tool").description("Does things.").version("1.2.3", "-V, --version", "print the version")
    .addCommand(
      new Command("make").summary("make one").description("Makes one.")
        .argument("<IMAGE...>", "what of")
        .option("-o, --output <FILE>", "where to")
        .option("--into [DIR]", "folder")
        .option("--size <BYTES>", "how large")
        .addOption(new Option("--kind <kind>", "which").choices(["a", "b"] as const).default("b" as const))
        .addOption(new Option("--secret", "not shown").hideHelp())
        .addHelpText("after", "\nExamples:\n  tool make x\n  tool make --kind a y"),
    )
    .addCommand(new Command("hidden"), { hidden: true })
    .addCommand(
      new Command("tell").addArgument(new Argument("<HOW>", "how").choices(["loud", "low"] as const)),
    )
    .helpCommand("help [COMMAND]", "help"),
);

Deno.test("the tree has what the help shows, and no more", () => {
  assert.deepEqual(tree.commands.map(({ name }) => name), ["make", "tell", "help"]);
  assert.deepEqual(tree.flags.map(({ short, long }) => [short, long]), [["-V", "--version"], [
    "-h",
    "--help",
  ]]);
  assert.equal(tree.version, "1.2.3");
  const [make] = tree.commands;
  assert.deepEqual(make!.flags.map(({ long }) => long), ["--output", "--into", "--size", "--kind", "--help"]);
  assert.equal(make!.usage, "[options] <IMAGE...>");
});

Deno.test("values are told apart by what the help calls them", () => {
  const [output, into, size, kind] = tree.commands[0]!.flags;
  assert.deepEqual(output!.value, {
    name: "FILE",
    optional: false,
    is: { kind: "file" },
    fallback: undefined,
  });
  assert.deepEqual(into!.value, { name: "DIR", optional: true, is: { kind: "folder" }, fallback: undefined });
  assert.deepEqual(size!.value?.is, { kind: "other" });
  assert.deepEqual(kind!.value?.is, { kind: "choices", choices: ["a", "b"] });
  assert.equal(kind!.value?.fallback, "b");
});

Deno.test("arguments are files, unless their values are known", () => {
  const [make, tell, help] = tree.commands;
  assert.deepEqual(make!.arguments.map(({ is }) => is), [{ kind: "file" }]);
  assert.deepEqual(tell!.arguments.map(({ is }) => is), [{ kind: "choices", choices: ["loud", "low"] }]);
  assert.deepEqual(help!.arguments.map(({ is }) => is), [{
    kind: "choices",
    choices: ["make", "tell", "help"],
  }]);
});

Deno.test("examples are those of the help", () => {
  assert.deepEqual(tree.commands[0]!.examples, ["tool make x", "tool make --kind a y"]);
  assert.deepEqual(tree.commands[1]!.examples, []);
});

Deno.test("no command of regrain has commands of its own, which the completions would not know", () => {
  for (const command of createProgram(() => {}).commands) assert.deepEqual(command.commands, []);
});

Deno.test("every command of regrain says what it does, and has examples", () => {
  for (const { name, summary, examples } of readTree(createProgram(() => {})).commands) {
    assert.notEqual(summary, "", name);
    if (name !== "help") assert.ok(examples.length > 0, name);
  }
});
