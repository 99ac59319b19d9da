import assert from "node:assert/strict";
import { createProgram } from "../program.ts";
import { wordsOf } from "./flags.ts";

/** What a printed command leaves out: it lists what --chain finds, forces nothing, and shows itself as it likes. */
const LEFT_OUT = [
  "--chain",
  "--force",
  "--progress",
  "--color",
  "--quiet",
  "--verbose",
  "--json",
  "--version",
  "--help",
];

Deno.test("A19: a command that is printed repeats every flag that was typed, but those that must not be", () => {
  const apply = createProgram(() => {}).commands.find((command) => command.name() === "apply")!;
  const repeated: string[] = [];
  for (const option of apply.options) {
    const key = option.attributeName();
    const value = option.negate ? false : option.required ? option.argChoices?.at(-1) ?? "VALUE" : true;
    const words = wordsOf({ [key]: value });
    if (LEFT_OUT.includes(option.long!) || (option.negate && LEFT_OUT.includes(`--${key}`))) {
      assert.deepEqual(words, [], option.long);
      continue;
    }
    assert.deepEqual(words, typeof value === "string" ? [option.long, value] : [option.long]);
    repeated.push(option.long!);
  }
  for (const flag of ["--format", "--search", "--allow-outside", "--undo", "--journal", "--rate-limit"]) {
    assert.ok(repeated.includes(flag), flag);
  }
  assert.deepEqual(wordsOf({ search: ["a", "b"], sparse: "auto" }), ["--search", "a", "--search", "b"]);
});
