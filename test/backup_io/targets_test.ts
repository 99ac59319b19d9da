/** What a restore may write to: judged as every command judges its target, and nothing that is needed is lost. */
import assert from "node:assert/strict";
import { assertFileHolds, sameBytes } from "../helpers/bytes.ts";
import { testWithPeers, withLoop } from "../helpers/peers.ts";
import { VmFolder } from "../helpers/vm_folder.ts";
import { diskOf, MIB, type Place, withPlace } from "./place.ts";

const DISK = diskOf(4 * MIB, [{ at: 0, lengthBytes: 2 * MIB + 4096, seed: 7 }]);
const NAME = "web01/disk-0";

function withSnapshot(fn: (place: Place) => void | Promise<void>): Promise<void> {
  return withPlace(async (place) => {
    Deno.writeFileSync(place.path("vm.img"), DISK);
    place.run(["backup", place.path("vm.img"), "--name", NAME]);
    await fn(place);
  });
}

/** First bytes of images in other formats, written out by hand. */
const HEADS: readonly [name: string, head: string][] = [
  ["qcow2", "QFI\xfb"],
  ["VHDX", "vhdxfile"],
  ["hosted sparse VMDK", "KDMV"],
];

/** A disk of the size of the snapshot that begins like that. */
function beginningWith(head: string): Uint8Array<ArrayBuffer> {
  const bytes = diskOf(DISK.length, [{ at: MIB, lengthBytes: 4096, seed: 3 }]);
  bytes.set(Uint8Array.from(head, (character) => character.charCodeAt(0)));
  return bytes;
}

Deno.test("B17: restore --delta refuses a file that begins as qcow2, VHDX or VMDK, and the hint's flags write it", () =>
  withSnapshot(({ run, refused, path }) => {
    const out = path("out.img");
    const args = ["restore", NAME, out, "--delta"];
    for (const [name, head] of HEADS) {
      const before = beginningWith(head);
      Deno.writeFileSync(out, before);
      const { message, hint } = refused("TARGET_UNSUITABLE", args);
      assert.match(message, new RegExp(`it looks like .*${name.split(" ")[0]}.* would destroy it`, "i"));
      assert.match(hint!, /--format raw \(or --force\); if it is not, it is lost then/);
      assertFileHolds(out, before);
      for (const flags of [["--format", "raw"], ["--force"]]) {
        Deno.writeFileSync(out, before);
        run([...args, ...flags]);
        assertFileHolds(out, DISK);
      }
    }
  }));

Deno.test("B14: a target in a folder that is not there is refused by its own name, and the hint's line makes it", () =>
  withSnapshot(({ run, refused, path }) => {
    for (const name of ["no/dir/x.img", "no where/"]) {
      const out = path(name);
      const isFolder = name.endsWith("/");
      const { message, hint } = refused(isFolder ? "TARGET_UNSUITABLE" : "TARGET_MISSING", [
        "restore",
        NAME,
        out,
      ]);
      assert.ok(message.startsWith(`${out}: `), message);
      assert.doesNotMatch(message, /\.part/);
      const [mkdir] = /^mkdir -p (?:'[^']+'|\S+(?=,))/.exec(hint!)!;
      assert.ok(new Deno.Command("sh", { args: ["-c", mkdir] }).outputSync().success);
      const file = isFolder ? /such as '?([^']+)'?$/.exec(hint!)![1]! : out;
      run(["restore", NAME, file]);
      assertFileHolds(file, DISK);
    }
    Deno.symlinkSync(path("gone/x.img"), path("link"));
    assert.match(
      refused("TARGET_MISSING", ["restore", NAME, path("link")]).message,
      /there is no folder .*gone/,
    );
    assert.match(
      refused("TARGET_UNSUITABLE", ["restore", NAME, path("vm.img/x")]).message,
      /vm\.img is no folder/,
    );
    assert.match(
      refused("TARGET_UNSUITABLE", ["restore", NAME, path("vm.img/")]).message,
      /name of a folder/,
    );
  }));

testWithPeers(
  "B17: a block device that begins as qcow2 is refused with and without --delta",
  ["root-loop"],
  () =>
    withSnapshot(async ({ run, refused, path }) => {
      const before = beginningWith("QFI\xfb");
      Deno.writeFileSync(path("device.img"), before);
      await withLoop(path("device.img"), (device) => {
        for (const flags of [[], ["--delta"]]) {
          assert.match(refused("TARGET_UNSUITABLE", ["restore", NAME, device, ...flags]).message, /qcow2/);
        }
        assert.ok(sameBytes(Deno.readFileSync(path("device.img")), before));
        run(["restore", NAME, device, "--format", "raw"]);
      });
      assertFileHolds(path("device.img"), DISK);
    }),
);

Deno.test("a file that is called as the unfinished disk would be, and has another size, is not lost", () =>
  withSnapshot(({ run, refused, path }) => {
    const out = path("new.img");
    Deno.writeTextFileSync(`${out}.part`, "half of a download");
    const { message, hint } = refused("TARGET_UNSUITABLE", ["restore", NAME, out]);
    assert.match(
      message,
      /new\.img\.part: it has 18 bytes, and the disk that would be written there has \d+/,
    );
    assert.match(hint!, /^rm \S+new\.img\.part if nobody needs it/);
    assert.equal(Deno.readTextFileSync(`${out}.part`), "half of a download");
    run(["restore", NAME, out, "--force"]);
    assertFileHolds(out, DISK);
  }));

Deno.test("B17: a target of another size is judged as apply judges it, and --force writes into a larger one", () =>
  withSnapshot(({ run, refused, path }) => {
    const out = path("out.img");
    const args = ["restore", NAME, out, "--delta"];
    Deno.writeFileSync(out, new Uint8Array(DISK.length - 512));
    assert.match(refused("SIZE_MISMATCH", args).hint!, /--force without --delta/);
    refused("SIZE_MISMATCH", [...args, "--force"]);
    Deno.writeFileSync(out, new Uint8Array(DISK.length + 512).fill(9));
    assert.match(refused("SIZE_MISMATCH", args).hint!, /--force writes into the larger file/);
    run([...args, "--force"]);
    const expected = new Uint8Array(DISK.length + 512).fill(9);
    expected.set(DISK);
    assertFileHolds(out, expected);
  }));

Deno.test("B17: a text file and a descriptor are no disk for restore --delta, whatever the flag", () =>
  withSnapshot(({ refused, path }) => {
    const text = "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n";
    for (const name of ["notes.img", "vm-flat.vmdk"]) {
      Deno.writeTextFileSync(path(name), text);
      for (const flags of [[], ["--force"], ["--format", "raw"]]) {
        const args = ["restore", NAME, path(name), "--delta", ...flags];
        assert.match(refused("TARGET_UNSUITABLE", args).hint!, /give a raw image(,| or) a block device/);
      }
      assert.equal(Deno.readTextFileSync(path(name)), text);
    }
  }));

/** A chain whose base is in the repository; with what `apply` makes of its delta, and a file for it. */
function withChain(fn: (place: Place & { vm: VmFolder }) => void | Promise<void>): Promise<void> {
  return withPlace(async (place) => {
    Deno.mkdirSync(place.path("vm"));
    const vm = new VmFolder(place.path("vm"), { cids: ["aaaa0001", "aaaa0002"] });
    place.run(["backup", vm.descriptor(0), "--name", NAME]);
    await fn({ ...place, vm });
  });
}

Deno.test("B17: restore --apply refuses every file of the delta as its target, by any name, and destroys none", () =>
  withChain(({ refused, path, vm }) => {
    const files = [vm.extent(1), vm.descriptor(1)];
    const before = files.map((file) => Deno.readFileSync(file));
    Deno.symlinkSync(vm.extent(1), path("link.img"));
    Deno.linkSync(vm.extent(1), path("hard.img"));
    const apply = ["--apply", vm.descriptor(1)];
    for (const target of [...files, path("link.img"), path("hard.img")]) {
      for (
        const flags of [["--delta", "--format", "raw"], ["--delta", "--force", "--format", "raw"], [
          "--force",
          "--format",
          "raw",
        ]]
      ) {
        const { hint } = refused("TARGET_IS_INPUT", ["restore", NAME, target, ...apply, ...flags]);
        assert.match(hint!, /name another target/);
      }
    }
    const flat = ["--format", "vmdk-flat", "--force"];
    refused("TARGET_IS_INPUT", ["restore", NAME, vm.descriptor(1), ...apply, ...flat]);
    files.forEach((file, i) => assertFileHolds(file, before[i]!));
  }));

Deno.test("B17: restore --apply refuses a delta that has the name of the unfinished disk", () =>
  withChain(({ refused, path, vm }) => {
    const part = path("out.img.part");
    Deno.renameSync(vm.extent(1), part);
    const text = Deno.readTextFileSync(vm.descriptor(1));
    const name = vm.extent(1).slice(vm.extent(1).lastIndexOf("/") + 1);
    Deno.writeTextFileSync(path("delta.vmdk"), text.replace(name, "out.img.part"));
    const before = Deno.readFileSync(part);
    refused("TARGET_IS_INPUT", ["restore", NAME, path("out.img"), "--apply", path("delta.vmdk")]);
    assertFileHolds(part, before);
  }));

Deno.test("B17: nothing is restored into the repository that is read", () =>
  withSnapshot(({ refused, repo, path }) => {
    const before = Deno.readFileSync(`${repo}/repo.json`);
    Deno.symlinkSync(repo, path("alias"));
    for (const name of [`${repo}/repo.json`, `${repo}/chunks/new.img`, path("alias/repo.json")]) {
      refused("TARGET_IS_INPUT", ["restore", NAME, name, "--force"]);
    }
    assertFileHolds(`${repo}/repo.json`, before);
  }));

Deno.test("B17: the descriptor of a restored flat extent is compared, and a CID that does not fit is said", () =>
  withChain(({ run, vm }) => {
    const args = ["restore", NAME, vm.extent(0), "--delta"];
    assert.doesNotMatch(run(args).stderr, /CID/);
    const text = Deno.readTextFileSync(vm.descriptor(0));
    Deno.writeTextFileSync(vm.descriptor(0), text.replace("aaaa0001", "bbbb0007"));
    for (const flags of [args, ["restore", NAME, vm.extent(0), "--force"]]) {
      const { stderr } = run(flags);
      assert.match(
        stderr,
        /vm\.vmdk names .* keeps its CID bbbb0007, and the disk that is restored has CID aaaa0001/,
      );
    }
    assertFileHolds(vm.extent(0), vm.base);
  }));
