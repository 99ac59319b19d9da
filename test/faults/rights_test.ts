/** Who may read the files that regrain makes: bytes of a guest are in them. */
import assert from "node:assert/strict";
import { Journal } from "../../cli/target/journal.ts";
import { pickIo } from "../../cli/io/mod.ts";
import { Spill } from "../../cli/stream/spill.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { run as runProgram, testWithPeers, withTempDir } from "../helpers/peers.ts";
import { VmFolder } from "../helpers/vm_folder.ts";
import { diskOf, MIB, withPlace } from "../backup_io/place.ts";

const NOBODY = 65534;

/** Owner rw, one user rw, group nothing, mask rw, others nothing (`linux/posix_acl_xattr.h`). */
const SET_ACL = `
import os, struct, sys
entries = [(1, 6, 2**32 - 1), (2, 6, ${NOBODY}), (4, 0, 2**32 - 1), (16, 6, 2**32 - 1), (32, 0, 2**32 - 1)]
acl = struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *entry) for entry in entries)
os.setxattr(sys.argv[1], 'system.posix_acl_access', acl)
`;

function rightsOf(path: string): string {
  const { mode, uid, gid } = Deno.lstatSync(path);
  return `${(mode! & 0o7777).toString(8)} ${uid}:${gid}`;
}

function modeOf(path: string): string {
  return (Deno.lstatSync(path).mode! & 0o7777).toString(8);
}

/** Runs `fn` where the umask takes nothing away, so that what is asked for is what comes. */
async function withoutUmask(fn: () => void | Promise<void>, umask = 0): Promise<void> {
  const before = Deno.umask(umask);
  try {
    await fn();
  } finally {
    Deno.umask(before);
  }
}

/** What `ls` would show of a new file of ours. */
const OWN = () => `${Deno.uid()}:${Deno.gid()}`;

Deno.test("E5: an undo file takes its target's owner and mode, through either I/O", () =>
  withoutUmask(() =>
    withTempDir((folder) => {
      const vm = new VmFolder(folder, { cids: ["aaaa0001", "aaaa0002"] });
      for (const kind of ["linux", "portable"]) {
        for (const mode of [0o600, 0o640, 0o664]) {
          const target = vm.copy(`${kind}-${mode}.img`);
          Deno.chmodSync(target, mode);
          // Only root can give a file away.
          if (Deno.uid() === 0) Deno.chownSync(target, NOBODY, NOBODY);
          const undo = `${target}.undo`;
          regrainExits(0, ["apply", vm.descriptor(1), target, "--undo", undo, "--io", kind]);
          assert.equal(rightsOf(undo), rightsOf(target));
          regrainExits(0, ["apply", undo, target]);
          assertFileHolds(target, vm.base);
        }
      }
    })
  ));

Deno.test("E5: the undo file of a flat VMDK takes the rights of its data, not those of its descriptor", () =>
  withoutUmask(() =>
    withTempDir((folder) => {
      const vm = new VmFolder(folder, { cids: ["aaaa0001", "aaaa0002"] });
      Deno.chmodSync(vm.descriptor(0), 0o644);
      Deno.chmodSync(vm.extent(0), 0o600);
      regrainExits(0, ["apply", vm.descriptor(1), vm.descriptor(0), "--undo", `${folder}/u`]);
      assert.equal(rightsOf(`${folder}/u`), `600 ${OWN()}`);
      assert.equal(modeOf(vm.descriptor(0)), "644");
    })
  ));

testWithPeers(
  "E5: a list of access control of the target lets no group read its undo file",
  ["python3", "root-mount"],
  () =>
    withoutUmask(() =>
      withTempDir((folder) => {
        const vm = new VmFolder(folder, { cids: ["aaaa0001", "aaaa0002"] });
        const target = vm.copy();
        Deno.chmodSync(target, 0o600);
        // The group bits of the mode are the mask of the list now, and the owning group may do nothing.
        runProgram("python3", ["-c", SET_ACL, target]);
        assert.equal(modeOf(target), "660");
        regrainExits(0, ["apply", vm.descriptor(1), target, "--undo", `${folder}/u`]);
        assert.equal(modeOf(`${folder}/u`), "600");
      })
    ),
);

Deno.test("E5: an undo file is never written through a link that somebody has put there", () =>
  withTempDir((folder) => {
    const vm = new VmFolder(folder, { cids: ["aaaa0001", "aaaa0002"] });
    Deno.symlinkSync(`${folder}/victim`, `${folder}/u`);
    regrainRefuses(
      { code: "TARGET_UNSUITABLE", exit: 2 },
      ["apply", vm.descriptor(1), vm.copy(), "--undo", `${folder}/u`],
    );
    assert.throws(() => Deno.statSync(`${folder}/victim`), Deno.errors.NotFound);
  }));

Deno.test("E5: a journal is its owner's alone, also in the place of one that was not", () =>
  withoutUmask(() =>
    withTempDir(async (folder) => {
      Deno.writeFileSync(`${folder}/vm.img`, new Uint8Array(4096));
      const path = `${folder}/j`;
      for (const io of [pickIo("linux"), pickIo("portable")]) {
        Deno.writeTextFileSync(path, "{}", { mode: 0o644 });
        const target = io.openTarget(`${folder}/vm.img`, { force: false });
        const ids = { plan: "0".repeat(16), target, io, undo: undefined, earlier: undefined };
        await new Journal(path, { operation: "apply", ...ids }).checkpoint(0);
        target.close();
        assert.equal(modeOf(path), "600");
        Deno.removeSync(path);
      }
    })
  ));

Deno.test("E5: what is kept of a pipe is its owner's alone for as long as it has a name", () =>
  withoutUmask(() =>
    withTempDir((folder) => {
      const seen: string[] = [];
      const spill = new Spill({
        folder,
        limitBytes: MIB,
        onCreate: () => {
          for (const { name } of Deno.readDirSync(folder)) seen.push(modeOf(`${folder}/${name}`));
        },
      });
      spill.append(new Uint8Array(512));
      spill.close();
      assert.deepEqual(seen, ["600"]);
      assert.deepEqual([...Deno.readDirSync(folder)], []);
    })
  ));

Deno.test("E5: the disk that apply --create makes is its owner's alone", () =>
  withoutUmask(() =>
    withTempDir((folder) => {
      const vm = new VmFolder(folder, { cids: ["aaaa0001", "aaaa0002"] });
      for (const kind of ["linux", "portable"]) {
        const target = `${folder}/${kind}.img`;
        regrainExits(0, ["apply", vm.descriptor(1), target, "--create", "--io", kind]);
        assert.equal(modeOf(target), "600");
      }
    })
  ));

const DISK = diskOf(2 * MIB, [{ at: 0, lengthBytes: MIB, seed: 1 }]);
const NAME = "web01/disk-0";

Deno.test("E5: restored images are 0600, also where one was replaced; --mode says otherwise, past the umask", () =>
  withPlace(async ({ run, path }) => {
    Deno.writeFileSync(path("vm.img"), DISK, { mode: 0o644 });
    run(["backup", path("vm.img"), "--name", NAME]);
    const flat = ["--format", "vmdk-flat"];
    await withoutUmask(() => {
      run(["restore", NAME, path("out.img")]);
      run(["restore", NAME, path("out.img.p"), "--io", "portable"]);
      run(["restore", NAME, path("vm.img"), "--force"]);
      run(["restore", NAME, path("out.vmdk"), ...flat]);
      for (const name of ["out.img", "out.img.p", "vm.img", "out.vmdk", "out-flat.vmdk"]) {
        assert.equal(modeOf(path(name)), "600", name);
      }
    });
    await withoutUmask(() => {
      run(["restore", NAME, path("out.img"), "--force", "--mode", "0664"]);
      run(["restore", NAME, path("out.img.p"), "--force", "--mode", "664", "--io", "portable"]);
      run(["restore", NAME, path("out.vmdk"), "--force", "--mode", "664", ...flat]);
      for (const name of ["out.img", "out.img.p", "out.vmdk", "out-flat.vmdk"]) {
        assert.equal(modeOf(path(name)), "664", name);
      }
    }, 0o077);
    assertFileHolds(path("out-flat.vmdk"), DISK);
  }));

Deno.test("E5: --mode is refused where nothing is made, and where it is no rights", () =>
  withPlace(({ run, refused, path }) => {
    Deno.writeFileSync(path("vm.img"), DISK, { mode: 0o640 });
    run(["backup", path("vm.img"), "--name", NAME]);
    refused("USAGE", ["restore", NAME, path("vm.img"), "--delta", "--mode", "640"]);
    refused("USAGE", ["restore", NAME, "-", "--mode", "640"]);
    for (const mode of ["64", "648", "4755", "u=rw", "0o640"]) {
      refused("USAGE", ["restore", NAME, path("out.img"), "--mode", mode]);
    }
    run(["restore", NAME, path("vm.img"), "--delta"]);
    assert.equal(modeOf(path("vm.img")), "640", "a file that is there keeps its rights");
  }));

Deno.test("E5: everything in the folder of a repository is its owner's alone", () =>
  withoutUmask(() =>
    withPlace(({ run, path, repo }) => {
      Deno.writeFileSync(path("vm.img"), DISK, { mode: 0o644 });
      run(["backup", path("vm.img"), "--name", NAME]);
      let files = 0;
      const walk = (folder: string) => {
        assert.equal(modeOf(folder), "700", folder);
        for (const { name, isDirectory } of Deno.readDirSync(folder)) {
          if (isDirectory) walk(`${folder}/${name}`);
          else {
            assert.equal(modeOf(`${folder}/${name}`), "600", name);
            files++;
          }
        }
      };
      walk(repo);
      assert.ok(files > 3);
    })
  ));
