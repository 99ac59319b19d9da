/** Restores onto disks that are there: flat VMDKs by their descriptor, and with all that makes an apply safe. */
import assert from "node:assert/strict";
import { buildDescriptor } from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrainCommand, regrainExits } from "../helpers/cli.ts";
import { run as runProgram, testWithPeers, withMount } from "../helpers/peers.ts";
import { VmFolder } from "../helpers/vm_folder.ts";
import { diskOf, MIB, type Place, summaryOf, withPlace } from "./place.ts";

const NAME = "web01/disk-0";
const SIZE = 24 * MIB;
const DISK = diskOf(SIZE, [
  { at: 0, lengthBytes: 9 * MIB, seed: 1 },
  { at: 12 * MIB, lengthBytes: 10 * MIB + 4096, seed: 2 },
]);
/** What the target holds before: other bytes at places all over it, and data where zeros are to be. */
const BEFORE = diskOf(SIZE, [
  { at: 0, lengthBytes: 4 * MIB, seed: 1 },
  { at: 4 * MIB, lengthBytes: 18 * MIB, seed: 3 },
]);

function withSnapshot(fn: (place: Place) => void | Promise<void>): Promise<void> {
  return withPlace(async (place) => {
    Deno.writeFileSync(place.path("vm.img"), DISK);
    place.run(["backup", place.path("vm.img"), "--name", NAME]);
    await fn(place);
  });
}

/** A VM whose base is in the repository. */
function withVm(fn: (place: Place & { vm: VmFolder }) => void | Promise<void>): Promise<void> {
  return withPlace(async (place) => {
    const vm = new VmFolder(place.path("vm"), { cids: ["aaaa0001", "aaaa0002"] });
    place.run(["backup", vm.descriptor(0), "--name", NAME]);
    await fn({ ...place, vm });
  });
}

/** As if a VM had run on the base and written to it: other bytes, another CID. */
function runOn(vm: VmFolder): { flat: Uint8Array; text: string } {
  const flat = vm.base.slice();
  flat.fill(0x5a, 1000, 70_000);
  flat.fill(0, 500_000, 520_000);
  const text = Deno.readTextFileSync(vm.descriptor(0)).replace("aaaa0001", "bbbb0007");
  Deno.writeFileSync(vm.extent(0), flat);
  Deno.writeTextFileSync(vm.descriptor(0), text);
  return { flat, text };
}

testWithPeers(
  "F3: restore --delta writes a flat VMDK through its descriptor, which takes the CID of the disk",
  ["qemu-img"],
  () =>
    withVm(({ run, path, vm }) => {
      const { text } = runOn(vm);
      const { stderr } = run(["restore", NAME, vm.descriptor(0), "--delta"]);
      assert.match(stderr, /vm\.vmdk: CID is aaaa0001 now, that of the disk which was restored/);
      assertFileHolds(vm.extent(0), vm.base);
      assert.equal(Deno.readTextFileSync(vm.descriptor(0)), text.replace("bbbb0007", "aaaa0001"));
      Deno.writeFileSync(path("base.img"), vm.base);
      runProgram("qemu-img", ["compare", "-f", "vmdk", "-F", "raw", vm.descriptor(0), path("base.img")]);
      // The delta that was made on the disk fits again.
      regrainExits(0, ["apply", vm.descriptor(1), vm.descriptor(0)]);
      assertFileHolds(vm.extent(0), vm.disk(1));
    }),
);

Deno.test("F3: a snapshot without a CID gives the descriptor a new one, and extents in two files are written", () =>
  withSnapshot(({ run, path }) => {
    const half = SIZE / 2;
    Deno.writeFileSync(path("s-f001.vmdk"), BEFORE.subarray(0, half));
    Deno.writeFileSync(path("s-f002.vmdk"), BEFORE.subarray(half));
    const extents = ["s-f001.vmdk", "s-f002.vmdk"].map((file) => ({
      sectors: half / 512,
      type: "FLAT",
      file,
    }));
    const text = buildDescriptor({ createType: "twoGbMaxExtentFlat", cid: "cccc0003", extents });
    Deno.writeFileSync(path("s.vmdk"), text);
    const summary = summaryOf(run(["restore", NAME, path("s.vmdk"), "--delta", "--verify", "--json"]));
    assertFileHolds(path("s-f001.vmdk"), DISK.subarray(0, half));
    assertFileHolds(path("s-f002.vmdk"), DISK.subarray(half));
    const cid = /^CID=([0-9a-f]{8})$/m.exec(Deno.readTextFileSync(path("s.vmdk")))![1];
    assert.notEqual(cid, "cccc0003");
    assert.equal(summary["cid"], cid);
    assert.equal((summary["verified"] as { verifiedBytes: number }).verifiedBytes, SIZE);
  }));

Deno.test("F3: what apply refuses as a target, restore refuses in the same words", () =>
  withVm(({ refused, run, path, repo, vm }) => {
    const args = (target: string) => ["restore", NAME, target, "--delta"];
    assert.match(refused("TARGET_UNSUITABLE", args(vm.descriptor(1))).message, /it is a delta itself/);
    assert.match(
      refused("TARGET_UNSUITABLE", [...args(vm.extent(0)), "--format", "vmdk"]).message,
      /it is no descriptor of a VMDK/,
    );
    refused("USAGE", ["restore", NAME, path("new.vmdk"), "--format", "vmdk"]);
    assert.match(
      refused("USAGE", [...args(vm.descriptor(0)), "--format", "vmdk-flat"]).hint!,
      /--format vmdk,/,
    );
    // The flat file of this one is an object of the repository.
    Deno.symlinkSync(repo, path("vm/objects"));
    const text = Deno.readTextFileSync(vm.descriptor(0)).replace("vm-flat.vmdk", "objects/chunk-flat.vmdk");
    Deno.copyFileSync(vm.extent(0), `${repo}/chunk-flat.vmdk`);
    Deno.writeTextFileSync(path("vm/inside.vmdk"), text);
    refused("TARGET_IS_INPUT", [...args(path("vm/inside.vmdk")), "--allow-outside"]);
    assertFileHolds(`${repo}/chunk-flat.vmdk`, vm.base);
    Deno.writeFileSync(vm.extent(0), vm.base.subarray(0, vm.base.length / 2));
    const half = Deno.readTextFileSync(vm.descriptor(0)).replace("RW 2048", "RW 1024");
    Deno.writeTextFileSync(vm.descriptor(0), half);
    const small = refused("SIZE_MISMATCH", args(vm.descriptor(0)));
    assert.match(small.hint!, /--force --format vmdk-flat without --delta/);
    run(["restore", NAME, vm.descriptor(0), "--force", "--format", "vmdk-flat"]);
    assertFileHolds(vm.extent(0), vm.base);
  }));

Deno.test("F4: --undo --verify: the disk is the snapshot's, and apply takes it back, descriptor and all", () =>
  withVm(({ run, path, vm }) => {
    const { flat, text } = runOn(vm);
    const undo = path("vm.undo");
    const args = ["restore", NAME, vm.descriptor(0), "--delta", "--undo", undo, "--verify", "--json"];
    const summary = summaryOf(run(args));
    assert.deepEqual([summary["cid"], summary["undo"]], ["aaaa0001", undo]);
    assertFileHolds(vm.extent(0), vm.base);
    const { stderr } = regrainExits(0, ["apply", undo, vm.descriptor(0)]);
    assert.match(stderr, /it takes back only what the restore overwrote/);
    assertFileHolds(vm.extent(0), flat);
    assert.equal(Deno.readTextFileSync(vm.descriptor(0)), text);
  }));

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/** Runs a restore and kills it when a file has become that large. */
async function killWhen(args: readonly string[], file: string, sizeBytes: number): Promise<void> {
  const child = regrainCommand(args, { stdout: "null", stderr: "null" }).spawn();
  const ended = child.status.then(() => true);
  while (sizeOf(file) < sizeBytes) {
    const pause = new Promise<false>((resolve) => setTimeout(() => resolve(false), 20));
    assert.ok(!await Promise.race([ended, pause]), "it ended before it could be killed");
  }
  child.kill("SIGKILL");
  assert.equal((await child.status).signal, "SIGKILL");
}

Deno.test("F4: a restore that is killed is completed with --resume and without, and taken back to the byte", () =>
  withSnapshot(async ({ run, repo, path }) => {
    const [target, undo, journal] = [path("t.img"), path("t.undo"), path("t.journal")];
    const args = ["restore", NAME, target, "--delta", "--undo", undo, "--journal", journal];
    const slow = [...args, "--rate-limit", "4M", "--progress", "none", "--repo", repo];
    const places: [number, string[]][] = [[64, ["--resume"]], [6 * MIB, []], [12 * MIB, [
      "--resume",
      "--verify",
    ]]];
    for (const [sizeBytes, flags] of places) {
      Deno.writeFileSync(target, BEFORE);
      await killWhen(slow, sizeBytes < MIB ? journal : undo, sizeBytes);
      run([...args, ...flags]);
      assertFileHolds(target, DISK);
      assert.equal(sizeOf(journal), 0, "the journal is gone");
      regrainExits(0, ["apply", undo, target]);
      assertFileHolds(target, BEFORE);
      Deno.removeSync(undo);
    }
  }));

testWithPeers(
  "F4: where the undo file finds no space the restore stops, and is completed later or taken back",
  ["root-mount"],
  () =>
    withSnapshot(async ({ run, refused, path }) => {
      Deno.mkdirSync(path("small"));
      await withMount(path("small"), ["-t", "tmpfs", "-o", "size=4m", "none"], () => {
        const [target, undo] = [path("t.img"), path("small/t.undo")];
        Deno.writeFileSync(target, BEFORE);
        const args = ["restore", NAME, target, "--delta", "--undo", undo];
        const { hint } = refused("NO_SPACE", args);
        assert.match(hint!, /the same command again completes it/);
        Deno.copyFileSync(target, path("half.img"));
        regrainExits(0, ["apply", undo, path("half.img")]);
        assertFileHolds(path("half.img"), BEFORE);
        runProgram("mount", ["-o", "remount,size=40m", path("small")]);
        Deno.removeSync(undo);
        const { stderr } = run(args);
        assert.doesNotMatch(stderr, /needs up to/);
        assertFileHolds(target, DISK);
        regrainExits(0, ["apply", undo, target]);
        assertFileHolds(target, BEFORE);
      });
    }),
);

Deno.test("F4: flags that cannot do what they promise are refused before the repository is opened", () =>
  withSnapshot(({ refused, path, repo }) => {
    Deno.writeFileSync(path("t.img"), BEFORE);
    const out = path("new.img");
    const cases: [string[], RegExp][] = [
      [
        [out, "--undo", path("u")],
        /--undo is about a disk that is changed in place, and a new file is made here/,
      ],
      [
        ["-", "--journal", path("j")],
        /--journal is about a disk that is changed in place, and a pipe is none/,
      ],
      [[path("t.img"), "--delta", "--resume"], /--resume needs --journal FILE/],
      [["-", "--verify"], /a pipe cannot be read back/],
      [[out, "--format", "qcow2", "--verify"], /--format qcow2 is made by qemu-img/],
      [
        [path("t.img"), "--delta", "--journal", path("j"), "--damaged", "zeros"],
        /--journal does not go with/,
      ],
    ];
    for (const [args, message] of cases) {
      assert.match(refused("USAGE", ["restore", "no/such@latest", ...args]).message, message);
    }
    const inPlace = ["restore", NAME, path("t.img"), "--delta"];
    refused("TARGET_IS_INPUT", [...inPlace, "--undo", `${repo}/t.undo`]);
    assert.match(
      refused("TARGET_UNSUITABLE", [...inPlace, "--undo", path("t.img")]).message,
      /--undo names the same file as the target/,
    );
    assertFileHolds(path("t.img"), BEFORE);
  }));
