import assert from "node:assert/strict";
import { Argument, Command, Option } from "@commander-js/extra-typings";
import { createProgram } from "../program.ts";
import { type CommandEntry, leavesOf, placesOf, readTree } from "./tree.ts";

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
    .addCommand(
      new Command("store").summary("stores").addCommand(
        new Command("init").summary("make a store").argument("<A>", "VM/DISK@latest").argument(
          "<B>",
          "newer",
        ),
      )
        .addCommand(
          new Command("key").addCommand(
            new Command("add").argument("<SNAPSHOT>", "which").option("--label <NAME>", "a name")
              .addHelpText("after", "\nExamples:\n  tool store key add x"),
          ).helpCommand(false),
        ).helpCommand(false),
    )
    .helpCommand("help [COMMAND]", "help"),
);

Deno.test("the tree has what the help shows, and no more", () => {
  assert.deepEqual(tree.commands.map(({ name }) => name), ["make", "tell", "store", "help"]);
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

Deno.test("arguments are files, unless their values are known or they name something else", () => {
  const [make, tell, init, add, help] = ["make", "tell", "store init", "store key add", "help"].map(
    leafNamed,
  );
  assert.deepEqual(make!.arguments.map(({ is }) => is), [{ kind: "file" }]);
  assert.deepEqual(tell!.arguments.map(({ is }) => is), [{ kind: "choices", choices: ["loud", "low"] }]);
  assert.deepEqual(init!.arguments.map(({ is }) => is), [{ kind: "other" }, { kind: "other" }]);
  assert.deepEqual(add!.arguments.map(({ is }) => is), [{ kind: "other" }]);
  assert.deepEqual(help!.arguments.map(({ is }) => is), [{ kind: "other" }]);
});

function leafNamed(words: string): CommandEntry {
  return leavesOf(tree).find((leaf) => leaf.words === words)!;
}

Deno.test("leaves are the commands that do something, with all their words", () => {
  assert.deepEqual(leavesOf(tree).map(({ words }) => words), [
    "make",
    "tell",
    "store init",
    "store key add",
    "help",
  ]);
  const add = leafNamed("store key add");
  assert.deepEqual([add.name, add.flags.map(({ long }) => long)], ["add", ["--label", "--help"]]);
  assert.deepEqual(add.examples, ["tool store key add x"]);
});

Deno.test("places are where a shell completes: behind every command, and once more behind help", () => {
  const places = placesOf(tree).map(({ path, next, flags }) => [
    path.join(" "),
    next.map(({ name }) => name).join(" "),
    flags.map(({ long }) => long).join(" "),
  ]);
  assert.deepEqual(places, [
    ["", "make tell store help", "--version --help"],
    ["make", "", "--output --into --size --kind --help"],
    ["tell", "", "--help"],
    ["store", "init key", "--help"],
    ["store init", "", "--help"],
    ["store key", "add", "--help"],
    ["store key add", "", "--label --help"],
    // The help of commander's own has no flags.
    ["help", "make tell store help", ""],
    ["help make", "", ""],
    ["help tell", "", ""],
    ["help store", "init key", ""],
    ["help store init", "", ""],
    ["help store key", "add", ""],
    ["help store key add", "", ""],
    ["help help", "", ""],
  ]);
});

Deno.test("examples are those of the help", () => {
  assert.deepEqual(tree.commands[0]!.examples, ["tool make x", "tool make --kind a y"]);
  assert.deepEqual(tree.commands[1]!.examples, []);
});

Deno.test("every command of regrain says what it does, and those that do something have examples", () => {
  const regrain = readTree(createProgram(() => {}));
  for (const { name, summary, words, examples } of leavesOf(regrain)) {
    assert.notEqual(summary, "", words);
    if (name !== "help") assert.ok(examples.length > 0, words);
  }
  for (const { words, summary, arguments: places, commands } of regrain.commands) {
    assert.notEqual(summary, "", words);
    // What leads on to other commands takes nothing itself: the completions would not know which of the two is due.
    if (commands.length > 0) assert.deepEqual(places, [], words);
  }
});
