/** Chains whose links do not belong together, or may not: the same judgement in every command that opens one. */
import assert from "node:assert/strict";
import { withBackups } from "../backup_interop/backups.ts";
import { sameBytes } from "../helpers/bytes.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";
import { VmFolder } from "../helpers/vm_folder.ts";

/** Gives the base another content id, as when the old VM was started once more. */
function writeTo(vm: VmFolder): void {
  const text = Deno.readTextFileSync(vm.descriptor(0));
  Deno.writeTextFileSync(vm.descriptor(0), text.replace(/^CID=.*/m, "CID=aaaa0007"));
}

Deno.test("A3: map and compare refuse a chain whose parent does not match, --force goes on, check finds damage", () =>
  withTempDir((folder) => {
    const vm = new VmFolder(folder, { cids: ["aaaa0001", "aaaa0002"] });
    writeTo(vm);
    const leaf = vm.descriptor(1);
    for (const command of [["map", "--chain", leaf], ["compare", leaf, vm.extent(0)]]) {
      const { message, hint } = regrainRefuses({ code: "CHAIN_BROKEN", exit: 5 }, command);
      assert.match(message, /aaaa0001 is not the parent's CID aaaa0007/);
      assert.match(hint!, /--force goes on all the same; the result is then a disk that never existed/);
    }
    const forced = regrainExits(0, ["map", "--chain", "--force", "--json", leaf]);
    assert.match(forced.stderr, /taken by --force: .*aaaa0007/);
    Deno.writeFileSync(`${folder}/never.img`, vm.disk(1));
    regrainExits(0, ["compare", "--force", leaf, `${folder}/never.img`]);
    assert.match(regrainExits(1, ["check", "--chain", leaf]).stdout, /mismatch: parentCID aaaa0001/);
  }));

Deno.test("A3: backup refuses a chain whose parent does not match, and stores it with --force", () =>
  withBackups((backups, folder) => {
    const vm = new VmFolder(`${folder}/vm`, { cids: ["aaaa0001", "aaaa0002"] });
    writeTo(vm);
    backups.backupRefuses({ code: "CHAIN_BROKEN", exit: 5 }, vm.descriptor(1));
    const { stderr } = backups.backup(vm.descriptor(1), "--force");
    assert.match(stderr, /taken by --force: .*aaaa0007/);
    assert.ok(sameBytes(backups.restored(), vm.disk(1)));
  }));

for (
  const [what, cids] of [
    ["every link has the id fffffffe", ["fffffffe", "fffffffe", "fffffffe"]],
    ["every link has the base's id", ["7a1b2c3d", "7a1b2c3d", "7a1b2c3d"]],
    ["the last link alone has an id of its own", ["7a1b2c3d", "7a1b2c3d", "99999999"]],
  ] as const
) {
  Deno.test(`A2: where ${what}, backup --delta leaves out no link between the snapshot and the delta`, () =>
    withBackups((backups, folder) => {
      const vm = new VmFolder(`${folder}/vm`, { cids });
      backups.backup(vm.descriptor(0));
      const { stderr } = backups.backup("--delta", vm.descriptor(2));
      assert.match(stderr, /CID .* is that of several links.*vm-000001\.vmdk, .*vm-000002\.vmdk/);
      assert.ok(sameBytes(backups.restored(), vm.disk(1, 2)));
    }));
}

Deno.test("A2: an older delta is not laid again over newer ones that ids do not tell, and the hint works", () =>
  withBackups((backups, folder) => {
    const vm = new VmFolder(`${folder}/vm`, { cids: Array(3).fill("fffffffe") });
    backups.backup(vm.descriptor(0));
    backups.backup("--delta", vm.descriptor(2));
    const { message, hint } = backups.backupRefuses(
      { code: "WRONG_BASE", exit: 5 },
      "--delta",
      vm.descriptor(1),
    );
    assert.match(message, /newer deltas already, which stand beside it: .*vm-000002\.vmdk/);
    assert.match(hint!, /^give the newest of them.*--force lays this one alone/);
    // A run that is refused stores nothing, so what comes after it is against the same snapshot as before.
    backups.backup("--delta", vm.descriptor(2));
    assert.ok(sameBytes(backups.restored(), vm.disk(1, 2)));
    const forced = backups.backup("--delta", vm.descriptor(1), "--force");
    assert.match(forced.stderr, /taken by --force/);
  }));

Deno.test("A2: a snapshot that may lack a delta which is not here is not laid over, but by --force", () =>
  withBackups((backups, folder) => {
    const vm = new VmFolder(`${folder}/vm`, { cids: ["7a1b2c3d", "7a1b2c3d", "99999999"] });
    backups.backup(vm.descriptor(0));
    const hidden = `${folder}/hidden`;
    Deno.renameSync(vm.descriptor(1), hidden);
    const { message } = backups.backupRefuses({ code: "WRONG_BASE", exit: 5 }, "--delta", vm.descriptor(2));
    assert.match(message, /names "vm-000001.vmdk" as its parent, which is not here/);
    backups.backup(vm.descriptor(0), "--name", "vm/forced");
    const forced = backups.backup("--delta", vm.descriptor(2), "--force", "--name", "vm/forced");
    assert.match(forced.stderr, /taken by --force/);
    Deno.renameSync(hidden, vm.descriptor(1));
    backups.backup("--delta", vm.descriptor(2));
    assert.ok(sameBytes(backups.restored(), vm.disk(1, 2)));
  }));

Deno.test("A2: deltas backed up one by one lay nothing twice where ids tell them apart", () =>
  withBackups((backups, folder) => {
    const vm = new VmFolder(`${folder}/vm`, { cids: ["aaaa0001", "aaaa0002", "aaaa0003"] });
    backups.backup(vm.descriptor(0));
    backups.backup("--delta", vm.descriptor(1));
    // Its data is not asked for: the snapshot has it.
    Deno.removeSync(vm.extent(1));
    const { stderr } = backups.backup("--delta", vm.descriptor(2));
    assert.doesNotMatch(stderr, /several links|trust/);
    assert.ok(sameBytes(backups.restored(), vm.disk(1, 2)));
  }));
