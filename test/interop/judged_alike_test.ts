/** One judgement of the same files in every command, and disks that VirtualBox keeps its own way. */
import assert from "node:assert/strict";
import { buildDescriptor, buildHosted, fullDisk, overlay } from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrain, regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";
import { VmFolder } from "../helpers/vm_folder.ts";

Deno.test("C2: info, check --chain and apply --dry-run say the same of the same files", () =>
  withTempDir((cwd) => {
    const vm = new VmFolder(cwd, { cids: ["aaaa0001", "aaaa0002"] });
    const say = (...args: string[]) => {
      const { code, stdout, stderr } = regrain(args, { cwd });
      return { code, said: stdout + stderr };
    };
    const command = "command: regrain apply vm-000001.vmdk vm.vmdk";
    for (const args of [["info", "vm-000001.vmdk"], ["check", "--chain", "vm-000001.vmdk"]]) {
      const { code, said } = say(...args);
      assert.equal(code, 0);
      assert.ok(said.includes("apply: can be applied") && said.includes(command), said);
    }
    Deno.truncateSync(vm.extent(1), Deno.statSync(vm.extent(1)).size - 512);
    for (
      const args of [
        ["info", "vm-000001.vmdk"],
        ["check", "--chain", "vm-000001.vmdk"],
        ["apply", "--dry-run", "vm-000001.vmdk", "vm.vmdk"],
      ]
    ) {
      const { said } = say(...args);
      assert.match(said, /\[(TRUNCATED|DAMAGED)\]/);
      assert.doesNotMatch(said, /can be applied|command:/);
    }
    assertFileHolds(vm.extent(0), vm.base);
  }));

Deno.test("D13: info, check --chain and apply say the same of a base of another size, hint and all", () =>
  withTempDir((cwd) => {
    const vm = new VmFolder(cwd, { cids: ["aaaa0001", "aaaa0002"] });
    const text = Deno.readTextFileSync(vm.descriptor(0));
    Deno.writeTextFileSync(vm.descriptor(0), text.replace("RW 2048 ", "RW 2040 "));
    const { hint, message } = regrainRefuses(
      { code: "SIZE_MISMATCH", exit: 5 },
      ["apply", "vm-000001.vmdk", "vm.vmdk"],
      { cwd },
    );
    assert.match(hint!, /the copy may not be complete, .* truncate -s 1048576 vm-flat\.vmdk/);
    const { judgement } = JSON.parse(regrain(["info", "--json", "vm-000001.vmdk"], { cwd }).stdout);
    const [refusal] = judgement.refusals;
    assert.deepEqual([refusal.code, refusal.message, refusal.hint], ["SIZE_MISMATCH", message, hint]);
    const checked = regrain(["check", "--chain", "vm-000001.vmdk"], { cwd }).stdout;
    assert.ok(checked.includes(`refused: ${message} [SIZE_MISMATCH] (${hint})`), checked);
  }));

const CAPACITY_SECTORS = 2048;
const UUID = "435c196a-1e52-41b6-8d9a-fd72132c3dea";

/** A hosted sparse file whose descriptor has these ids of VirtualBox; `grains` of 64 KiB. */
function virtualBox(
  cwd: string,
  file: string,
  of: { uuids: Record<string, string>; grains: number[]; seed: number },
) {
  const text = buildDescriptor({
    createType: "monolithicSparse",
    cid: "11223344",
    extents: [{ sectors: CAPACITY_SECTORS, type: "SPARSE", file }],
  });
  const lines = Object.entries(of.uuids).map(([key, value]) => `ddb.uuid.${key}="${value}"\n`).join("");
  const descriptor = new Uint8Array([...text, ...new TextEncoder().encode(lines)]);
  const grains = of.grains.map((index) => ({ index, kind: "data" as const }));
  const link = { capacitySectors: CAPACITY_SECTORS, grainSectors: 128, seed: of.seed, grains };
  Deno.writeFileSync(`${cwd}/${file}`, buildHosted({ ...link, descriptor }).bytes);
  return link;
}

Deno.test("A4: a differencing disk of VirtualBox is no whole disk, and the hint makes it one", () =>
  withTempDir((cwd) => {
    const none = "00000000-0000-0000-0000-000000000000";
    const all = Array.from({ length: CAPACITY_SECTORS / 128 }, (_, i) => i);
    virtualBox(cwd, "PARENT.vmdk", { uuids: { image: UUID, parent: none }, grains: all, seed: 7 });
    const child = virtualBox(cwd, "child.vmdk", { uuids: { parent: UUID }, grains: [3], seed: 8 });
    const base = fullDisk({ seed: 7, capacitySectors: CAPACITY_SECTORS });
    Deno.writeFileSync(`${cwd}/base.img`, base);
    regrainExits(0, ["repo", "init", "--repo", "r"], { cwd });
    const refused = { code: "NOT_FOUND", exit: 4 };
    for (
      const args of [["compare", "child.vmdk", "base.img"], [
        "backup",
        "child.vmdk",
        "--repo",
        "r",
        "--name",
        "v",
      ]]
    ) {
      const { message, hint } = regrainRefuses(refused, args, { cwd });
      assert.match(message, /only ddb\.uuid\.parent 435c196a/);
      assert.match(hint!, /regrain apply --create PARENT\.vmdk COPY .* regrain apply child\.vmdk COPY/);
    }
    const { stderr } = regrainExits(0, ["apply", "--create", "PARENT.vmdk", "COPY"], { cwd });
    assert.match(stderr, /has no parent: it is all of COPY/);
    const onto = regrainExits(0, ["apply", "child.vmdk", "COPY"], { cwd });
    assert.match(
      onto.stderr,
      /warning: the parent of child\.vmdk is told by .* whether COPY is it is not known/,
    );
    assertFileHolds(`${cwd}/COPY`, overlay(base, child));
    const dry = regrainExits(0, ["apply", "--dry-run", "child.vmdk", "base.img"], { cwd });
    assert.match(dry.stderr, /not checked: whether base\.img is what child\.vmdk was made on/);
  }));
