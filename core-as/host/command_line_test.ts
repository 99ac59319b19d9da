import assert from "node:assert/strict";
import { applyCommand, quotePath } from "./command_line.ts";

Deno.test("quotePath() leaves nothing to the shell, and makes no flag", () => {
  assert.equal(quotePath("vm-000001.vmdk"), "vm-000001.vmdk");
  assert.equal(quotePath("a b$(x)'s.img"), "'a b$(x)'\\''s.img'");
  assert.equal(quotePath("--force"), "./--force");
});

Deno.test("applyCommand() gives the deltas oldest first, and the target last", () => {
  const deltas = ["vm-000001.vmdk", "my vm-000002.vmdk"];
  assert.equal(
    applyCommand({ deltas, target: "/dev/sdb", flags: ["--undo", "vm.undo"] }),
    "regrain apply --undo vm.undo vm-000001.vmdk 'my vm-000002.vmdk' /dev/sdb",
  );
});
