/** Long examples in 80 columns: what stands there can be copied into a shell, and is read back as it was. */
import assert from "node:assert/strict";
import { foldCommand, unfoldCommands } from "./fold_command.ts";

Deno.test("a command that fits stays a line", () => {
  assert.deepEqual(foldCommand("regrain info vm.vmdk", 2), ["  regrain info vm.vmdk"]);
});

Deno.test("a long command goes on behind a backslash, in no quotes and behind no flag with a value", () => {
  const command =
    "regrain backup --from-command 'ssh esx dd if=/dev/vg0/vm bs=4M' --repo /backups --name web01/disk-0 " +
    "--tag 'a tag with blanks in it' --live | cat";
  const lines = foldCommand(command, 2);
  assert.ok(lines.length > 1);
  for (const line of lines) assert.ok(line.length <= 80, line);
  for (const line of lines.slice(0, -1)) assert.match(line, / \\$/);
  for (const line of lines) {
    assert.equal(line.split("'").length % 2, 1, `a quote is open: ${line}`);
    assert.doesNotMatch(line, /--(repo|name|tag|from-command) \\$/);
  }
  assert.deepEqual(unfoldCommands(lines.join("\n")), [command]);
});

Deno.test("a shell runs what a folded command says", async () => {
  const command = `printf '%s|' ${"word ".repeat(30)}'two blanks  here' "and  here" end`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", foldCommand(command, 0).join("\n")] })
    .output();
  assert.equal(new TextDecoder().decode(stdout), `${"word|".repeat(30)}two blanks  here|and  here|end|`);
});
