import assert from "node:assert/strict";
import { applyCommand, quotePath, quoteWord } from "./command_line.ts";

Deno.test("quotePath() leaves nothing to the shell, and makes no flag", () => {
  assert.equal(quotePath("vm-000001.vmdk"), "vm-000001.vmdk");
  assert.equal(quotePath("a b$(x)'s.img"), "'a b$(x)'\\''s.img'");
  assert.equal(quotePath("--force"), "./--force");
});

Deno.test("quotePath() gives a file whose name looks like another place a ./, and snapshots none", () => {
  assert.equal(quotePath("vm:1.vmdk"), "./vm:1.vmdk");
  assert.equal(quotePath("nbd://x"), "./nbd://x");
  assert.equal(quotePath("[ds] vm.vmdk"), "'./[ds] vm.vmdk'");
  for (const path of ["./vm:1.vmdk", "/dev/disk/by-path/pci-0000:00", "a/b:c", "repo:web01/disk-0@latest"]) {
    assert.equal(quotePath(path), path);
  }
});

Deno.test("applyCommand() gives the deltas oldest first, and the target last", () => {
  const deltas = ["vm-000001.vmdk", "my vm-000002.vmdk"];
  assert.equal(
    applyCommand({ deltas, target: "/dev/sdb", flags: ["--undo", "vm.undo"] }),
    "regrain apply --undo vm.undo vm-000001.vmdk 'my vm-000002.vmdk' /dev/sdb",
  );
});

Deno.test("E7: a word that a terminal would act upon is quoted as bytes, and means the same to bash", () => {
  for (const word of ["\u001b[2J.vmdk", "it's \u202e\u009b\n", "\\ \u0007"]) {
    const quoted = quoteWord(word);
    assert.match(quoted, /^\$'[ -~]+'$/);
    const { stdout } = new Deno.Command("bash", { args: ["-c", `printf %s ${quoted}`] }).outputSync();
    assert.equal(new TextDecoder().decode(stdout), word);
  }
});
