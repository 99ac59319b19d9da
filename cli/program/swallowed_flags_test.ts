import assert from "node:assert/strict";
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { refuseSwallowedFlags } from "./swallowed_flags.ts";

function valuesOf(...words: string[]): Record<string, unknown> {
  const command = new Command("x").exitOverride().configureOutput({ writeErr: () => undefined })
    .option("--undo <FILE>").option("--slot <SLOT...>").option("--search <DIR>", "", collect).option(
      "--verify",
    );
  refuseSwallowedFlags(command as unknown as CommandUnknownOpts);
  return command.parse(words, { from: "user" }).opts();
}

function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

Deno.test("a flag is no value of the flag before it", () => {
  assert.throws(() => valuesOf("--undo", "--verify"), /It is a flag itself.*\.\/--verify/);
});

Deno.test("a flag that may be given again keeps all its values, with a parser of its own or none", () => {
  assert.deepEqual(valuesOf("--slot", "a"), { slot: ["a"] });
  assert.deepEqual(valuesOf("--slot", "a", "b", "--slot", "c", "--undo", "u"), {
    slot: ["a", "b", "c"],
    undo: "u",
  });
  assert.deepEqual(valuesOf("--search", "a", "--search", "b"), { search: ["a", "b"] });
});
