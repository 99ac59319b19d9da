/** Lists of deltas as people give them: in any order, with one left out, one twice, the base among them. */
import assert from "node:assert/strict";
import { buildCowd, buildDescriptor, overlay } from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrain, regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";
import { VmFolder } from "../helpers/vm_folder.ts";

const BROKEN = { code: "CHAIN_BROKEN", exit: 5 };
const PROPER = ["aaaa0001", "aaaa0002", "aaaa0003", "aaaa0004"];

/** Runs the command that a hint prints. */
function follow(hint: string | undefined, cwd: string): void {
  const command = /regrain (apply [^;]*)/.exec(hint ?? "")?.[1];
  assert.ok(command, `no command in: ${hint}`);
  regrainExits(0, command.split(" "), { cwd });
}

for (const cid of ["fffffffe", "7a1b2c3d"]) {
  Deno.test(`A1: where every CID is ${cid} a wrong order or a missing link is refused, and the hint works`, () =>
    withTempDir((cwd) => {
      const vm = new VmFolder(cwd, { cids: Array(4).fill(cid) });
      const given = (...numbers: number[]) => ["apply", ...numbers.map((n) => vm.nameOf(n)), "copy.img"];
      for (const numbers of [[3, 2, 1], [1, 3, 2], [1, 3]]) {
        vm.copy();
        const { message, hint } = regrainRefuses(BROKEN, given(...numbers), { cwd });
        assert.match(message, /is named as the parent, and that is not/);
        assert.match(hint!, /--force goes on all the same/);
        assertFileHolds(`${cwd}/copy.img`, vm.base);
        follow(hint, cwd);
        assertFileHolds(`${cwd}/copy.img`, vm.disk(1, 2, 3));
      }
      vm.copy();
      regrainExits(0, given(1, 2, 3), { cwd });
      assertFileHolds(`${cwd}/copy.img`, vm.disk(1, 2, 3));
      vm.copy();
      assert.match(regrainExits(0, [...given(1, 3), "--force"], { cwd }).stderr, /taken by --force/);
    }));
}

Deno.test("A1: a link of another VM of the same names is refused as a delta, and said of a base", () =>
  withTempDir((cwd) => {
    const [mine, other] = ["mine", "other"].map((folder) =>
      new VmFolder(`${cwd}/${folder}`, { cids: Array(3).fill("fffffffe") })
    );
    Deno.writeFileSync(`${cwd}/copy.img`, mine!.base);
    const mixed = ["mine/vm-000001.vmdk", "other/vm-000002.vmdk"];
    for (const target of ["copy.img", "mine/vm.vmdk"]) {
      const { message, hint } = regrainRefuses(BROKEN, ["apply", ...mixed, target], { cwd });
      assert.match(
        message,
        /other\/vm-000001\.vmdk is what it names as its parent, and that is another file/,
      );
      assert.doesNotMatch(hint!, /as they were made/);
    }
    const onto = (target: string) =>
      regrainExits(0, ["apply", "--dry-run", "other/vm-000001.vmdk", target], { cwd });
    for (const target of ["mine/vm.vmdk", "mine/vm-flat.vmdk"]) {
      assert.match(onto(target).stderr, /warning: whether mine\/vm\.vmdk is a copy of other\/vm\.vmdk/);
    }
    assert.doesNotMatch(onto("mine/vm.vmdk").stderr, /can be applied/);
    assert.match(onto("./other/../other/vm.vmdk").stderr, /can be applied/);
    assertFileHolds(mine!.extent(0), other!.base);
    regrainExits(0, ["apply", "mine/vm-000001.vmdk", "./mine/vm-000002.vmdk", "copy.img"], { cwd });
    assertFileHolds(`${cwd}/copy.img`, mine!.disk(1, 2));
  }));

Deno.test("A1: extents given in place of their descriptors are judged by these", () =>
  withTempDir((cwd) => {
    const vm = new VmFolder(cwd, { cids: Array(4).fill("fffffffe") });
    vm.copy();
    const extents = ["vm-000001-delta.vmdk", "vm-000003-delta.vmdk"];
    regrainRefuses(BROKEN, ["apply", ...extents, "copy.img"], { cwd });
  }));

Deno.test("A1: bare extents are taken in rising order with a warning, and in no other", () =>
  withTempDir((cwd) => {
    const vm = new VmFolder(cwd, { cids: PROPER, bare: true });
    vm.copy();
    const [one, two] = ["vm-000001-delta.vmdk", "vm-000002-delta.vmdk"];
    const { message } = regrainRefuses(BROKEN, ["apply", two, one, "copy.img"], { cwd });
    assert.match(message, /content ids cannot be compared/);
    const rising = regrainExits(0, ["apply", one, two, "copy.img"], { cwd });
    assert.match(rising.stderr, /warning: .*unknown: .*numbers of their names rise/);
    assertFileHolds(`${cwd}/copy.img`, vm.disk(1, 2));
    vm.copy();
    const alone = regrainExits(0, ["apply", one, "copy.img"], { cwd });
    assert.match(alone.stderr, /warning: .*no descriptor beside it/);
  }));

Deno.test("A1: a delta over a base whose content id tells nothing must name that base", () =>
  withTempDir((cwd) => {
    const vm = new VmFolder(cwd, { cids: Array(3).fill("fffffffe") });
    new VmFolder(cwd, { cids: Array(2).fill("fffffffe"), name: "other" });
    const wrong = { code: "WRONG_BASE", exit: 5 };
    const { hint } = regrainRefuses(wrong, ["apply", "vm-000002.vmdk", "vm.vmdk"], { cwd });
    regrainRefuses(wrong, ["apply", "other-000001.vmdk", "vm.vmdk"], { cwd });
    assertFileHolds(vm.extent(0), vm.base);
    follow(hint, cwd);
    assertFileHolds(vm.extent(0), vm.disk(1, 2));
  }));

Deno.test("A10: a flat extent with its descriptor beside it is compared by that, and a mismatch is told by name", () =>
  withTempDir((cwd) => {
    const vm = new VmFolder(cwd, { cids: ["aaaa0001", "aaaa0002"] });
    new VmFolder(cwd, { cids: ["bbbb0001", "bbbb0002"], name: "other" });
    const told =
      /other-000001\.vmdk on vm\.vmdk, the descriptor of vm-flat\.vmdk: mismatch: .*bbbb0001.*aaaa0001/;
    const dry = ["apply", "--dry-run"];
    assert.match(regrainExits(0, [...dry, "other-000001.vmdk", "vm-flat.vmdk"], { cwd }).stderr, told);
    assert.doesNotMatch(
      regrainExits(0, [...dry, "vm-000001.vmdk", "vm-flat.vmdk"], { cwd }).stderr,
      /mismatch/,
    );
    regrainExits(0, ["apply", "vm-000001.vmdk", "vm-flat.vmdk"], { cwd });
    assertFileHolds(vm.extent(0), vm.disk(1));
  }));

Deno.test("A19: a wrong order with proper content ids prints the line that works, with its flags", () =>
  withTempDir((cwd) => {
    const vm = new VmFolder(cwd, { cids: PROPER });
    vm.copy();
    const flags = ["--undo", "vm.undo", "--verify"];
    const given = ["apply", ...flags, "vm-000003.vmdk", "vm-000001.vmdk", "vm-000002.vmdk", "copy.img"];
    const { hint } = regrainRefuses(BROKEN, given, { cwd });
    assert.match(
      hint!,
      /regrain apply --undo vm\.undo --verify vm-000001\.vmdk vm-000002\.vmdk vm-000003\.vmdk copy\.img/,
    );
    follow(hint, cwd);
    assertFileHolds(`${cwd}/copy.img`, vm.disk(1, 2, 3));
    assert.ok(Deno.statSync(`${cwd}/vm.undo`).size > 0);
  }));

Deno.test("A19: a link left out over a base with its descriptor prints the line with it", () =>
  withTempDir((cwd) => {
    const vm = new VmFolder(cwd, { cids: PROPER });
    const refused = { code: "WRONG_BASE", exit: 5 };
    const { hint } = regrainRefuses(refused, ["apply", "vm-000002.vmdk", "vm.vmdk"], { cwd });
    assert.match(
      hint!,
      /with the deltas that are missing: regrain apply vm-000001\.vmdk vm-000002\.vmdk vm\.vmdk/,
    );
    follow(hint, cwd);
    assertFileHolds(vm.extent(0), vm.disk(1, 2));
  }));

Deno.test("A19: a base given as a delta overwrites nothing without --force", () =>
  withTempDir((cwd) => {
    const vm = new VmFolder(cwd, { cids: PROPER });
    const text = buildDescriptor({
      createType: "vmfs",
      cid: "1",
      extents: [{ sectors: 2048, type: "VMFS", file: "vm-flat.vmdk" }],
    });
    Deno.writeFileSync(`${cwd}/other.vmdk`, text);
    Deno.writeFileSync(`${cwd}/copy.img`, vm.disk(1));
    const refused = { code: "WRONG_BASE", exit: 5 };
    const { message, hint } = regrainRefuses(refused, ["apply", "other.vmdk", "copy.img"], { cwd });
    assert.match(message, /has no parent.* all of copy\.img would be overwritten/);
    assert.match(hint!, /deltas come first and the target last; --force overwrites/);
    assertFileHolds(`${cwd}/copy.img`, vm.disk(1));
    regrainExits(0, ["apply", "--dry-run", "--force", "other.vmdk", "copy.img"], { cwd });
    regrainExits(0, ["apply", "--force", "other.vmdk", "copy.img"], { cwd });
    assertFileHolds(`${cwd}/copy.img`, vm.base);
    regrainExits(0, ["apply", "--create", "other.vmdk", "new.img"], { cwd });
    assertFileHolds(`${cwd}/new.img`, vm.base);
  }));

Deno.test("A19: nothing is made below /dev, and no hint says so", () =>
  withTempDir((cwd) => {
    new VmFolder(cwd, { cids: PROPER });
    for (const flags of [[], ["--create"]]) {
      const args = ["apply", ...flags, "vm-000001.vmdk", "/dev/vgo-that-is-not-there"];
      const { hint } = regrainRefuses({ code: "TARGET_MISSING", exit: 2 }, args, { cwd });
      assert.doesNotMatch(hint!, /--create/);
      assert.match(hint!, /lsblk/);
    }
  }));

Deno.test("A19: what is made by --create is said to be zeros where no delta holds it", () =>
  withTempDir((cwd) => {
    new VmFolder(cwd, { cids: PROPER });
    for (const flags of [["--dry-run"], []]) {
      const { stderr } = regrainExits(0, ["apply", "--create", ...flags, "vm-000001.vmdk", "new.img"], {
        cwd,
      });
      assert.match(stderr, /plan: .* are zeros, since the target is new/);
      assert.match(stderr, /warning: new\.img is new, and the base of vm-000001\.vmdk is not in it/);
      assert.doesNotMatch(stderr, /stay as they are|left as they were/);
    }
  }));

Deno.test("D14: the same delta twice in one list is refused, by whichever name, and the hint works", () =>
  withTempDir((cwd) => {
    const vm = new VmFolder(cwd, { cids: PROPER });
    for (
      const list of [
        Array(3).fill("vm-000001.vmdk"),
        ["vm-000001-delta.vmdk", "vm-000001.vmdk"],
        ["vm-000001.vmdk", "./vm-000001.vmdk"],
      ]
    ) {
      vm.copy();
      const { message, hint } = regrainRefuses(BROKEN, ["apply", "--force", ...list, "copy.img"], { cwd });
      assert.match(message, /given more than once/);
      assert.doesNotMatch(hint!, /--force/);
      follow(hint, cwd);
      assertFileHolds(`${cwd}/copy.img`, vm.disk(1));
    }
  }));

Deno.test("C2: apply --dry-run says what was judged, also as JSON, and refuses as apply does", () =>
  withTempDir((cwd) => {
    const vm = new VmFolder(cwd, { cids: PROPER });
    vm.copy();
    const dry = (...args: string[]) => regrain(["apply", "--dry-run", ...args], { cwd });
    assert.match(dry("vm-000001.vmdk", "vm.vmdk").stderr, /can be applied\n/);
    const raw = dry("vm-000001.vmdk", "copy.img").stderr;
    assert.match(
      raw,
      /not checked: whether copy\.img is what vm-000001\.vmdk was made on: a raw image has no/,
    );
    assert.doesNotMatch(raw, /can be applied/);
    const summary = JSON.parse(
      dry("--json", "vm-000001.vmdk", "vm.vmdk").stdout.trimEnd().split("\n").at(-1)!,
    );
    assert.equal(summary.judgement.state, "applies");
    assert.equal(summary.judgement.command, "regrain apply vm-000001.vmdk vm.vmdk");
    assert.equal(dry("vm-000002.vmdk", "vm.vmdk").code, 5);
  }));

Deno.test("C9: a glob that catches the changed-block map gets the line without it, each delta once", () =>
  withTempDir((cwd) => {
    const vm = new VmFolder(cwd, { cids: PROPER });
    Deno.writeFileSync(
      `${cwd}/vm-000001-ctk.vmdk`,
      new Uint8Array([0xa2, 0x72, 0x19, 0xf6, ...Array(508).fill(0)]),
    );
    Deno.writeTextFileSync(`${cwd}/vm-000001.log`, "no disk\n");
    vm.copy();
    const globbed = ["vm-000001-ctk.vmdk", "vm-000001-delta.vmdk", "vm-000001.log", "vm-000001.vmdk"];
    const args = ["apply", "--undo", "u", ...globbed, "vm-000002.vmdk", "copy.img"];
    const { message, hint } = regrainRefuses({ code: "NOT_A_DISK", exit: 4 }, args, { cwd });
    assert.match(message, /changed-block map/);
    assert.match(
      hint!,
      /^without what holds no disk: regrain apply --undo u vm-000001\.vmdk vm-000002\.vmdk copy\.img;/,
    );
    follow(hint, cwd);
    assertFileHolds(`${cwd}/copy.img`, vm.disk(1, 2));
  }));

Deno.test("A0: the redo log of a nonpersistent disk is a VMDK by its name, by its descriptor and by its extent", () =>
  withTempDir((cwd) => {
    const vm = new VmFolder(cwd, { cids: PROPER.slice(0, 2) });
    const [redo, extent] = ["vm.vmdk.REDO_TkLU1V", "vm.vmdk-delta.REDO_TkLU1V"];
    Deno.renameSync(vm.extent(1), `${cwd}/${extent}`);
    const text = Deno.readTextFileSync(vm.descriptor(1)).replace("vm-000001-delta.vmdk", extent);
    Deno.removeSync(vm.descriptor(1));
    Deno.writeTextFileSync(`${cwd}/${redo}`, text);
    Deno.writeFileSync(`${cwd}/want.img`, vm.disk(1));
    for (const name of [redo, extent]) {
      regrainExits(0, ["compare", name, "want.img"], { cwd });
      vm.copy();
      regrainExits(0, ["apply", name, "copy.img"], { cwd });
      assertFileHolds(`${cwd}/copy.img`, vm.disk(1));
    }
    assert.match(regrainExits(0, ["info", "."], { cwd }).stdout, /delta vm\.vmdk\.REDO_TkLU1V: /);
    // By another name it is no raw disk either, and both ways on work.
    Deno.renameSync(`${cwd}/${redo}`, `${cwd}/odd.txt`);
    const { hint } = regrainRefuses({ code: "NOT_A_DISK", exit: 4 }, ["compare", "odd.txt", "want.img"], {
      cwd,
    });
    assert.match(
      hint!,
      /^--format vmdk reads it as the VMDK that it begins like; --format raw takes its bytes/,
    );
    const asVmdk = ["compare", "odd.txt", "want.img", "--format", "vmdk", "--format-b", "raw"];
    regrainExits(0, asVmdk, { cwd });
    regrainExits(1, ["compare", "odd.txt", "want.img", "--format", "raw"], { cwd });
  }));

Deno.test("A1: a bare delta that lies between two given ones is named, and the line with it works", () =>
  withTempDir((folder) => {
    const vm = new VmFolder(folder, { cids: ["a", "b", "c", "d"], bare: true });
    const copy = vm.copy();
    const { message, hint } = regrainRefuses({ code: "CHAIN_BROKEN", exit: 5 }, [
      "apply",
      vm.extent(1),
      vm.extent(3),
      copy,
    ]);
    assert.ok(message.includes(vm.extent(2)), message);
    assert.ok(
      hint!.startsWith(`regrain apply ${vm.extent(1)} ${vm.extent(2)} ${vm.extent(3)} ${copy};`),
      hint,
    );
    regrainExits(0, ["apply", vm.extent(1), vm.extent(2), vm.extent(3), copy]);
    assertFileHolds(copy, vm.disk(1, 2, 3));
    const { stderr } = regrainExits(0, ["apply", "-n", vm.extent(1), copy]);
    assert.match(stderr, /newer deltas stand beside it, .*000002-delta\.vmdk, .*000003-delta\.vmdk/);
  }));

Deno.test("A1: linked clones of one file name are told apart by the folders that their names lead to", () =>
  withTempDir((cwd) => {
    const capacitySectors = 2048;
    const link = (seed: number) => ({
      capacitySectors,
      grainSectors: 1,
      seed,
      grains: [5, seed].map((index) => ({ index, kind: "data" as const })),
    });
    const chain = [["c1", "vm", "../tpl/vm.vmdk"], ["c2", "vm", "../c1/vm.vmdk"], ["c2", "leaf", "vm.vmdk"]];
    for (const [i, [folder, name, parentHint]] of chain.entries()) {
      Deno.mkdirSync(`${cwd}/${folder}`, { recursive: true });
      const extents = [{ sectors: capacitySectors, type: "VMFSSPARSE", file: `${name}-delta.vmdk` }];
      const ids = { cid: "fffffffe", parentCid: "fffffffe", parentFileNameHint: parentHint! };
      const text = buildDescriptor({ createType: "vmfsSparse", ...ids, extents });
      Deno.writeFileSync(`${cwd}/${folder}/${name}.vmdk`, text);
      Deno.writeFileSync(`${cwd}/${folder}/${name}-delta.vmdk`, buildCowd(link(50 + i)).bytes);
    }
    const base = new Uint8Array(capacitySectors * 512);
    const apply = (...deltas: string[]) => ["apply", ...deltas, "copy.img"];
    Deno.writeFileSync(`${cwd}/copy.img`, base);
    for (const search of [[], ["--search", "c1"]]) {
      const given = apply("c2/vm.vmdk", "c1/vm.vmdk", "c2/leaf.vmdk");
      const { message } = regrainRefuses(BROKEN, [...given, ...search], { cwd });
      assert.match(
        message,
        /c2\/vm\.vmdk is what it names as its parent, and that is another file than c1\//,
      );
      assertFileHolds(`${cwd}/copy.img`, base);
    }
    regrainExits(0, [...apply("c1/vm.vmdk", "c2/vm.vmdk", "c2/leaf.vmdk"), "--search", "c1"], { cwd });
    assertFileHolds(
      `${cwd}/copy.img`,
      [50, 51, 52].reduce((below, seed) => overlay(below, link(seed)), base),
    );
  }));
