/** Restores that are interrupted, run out of space, or write another format. */
import assert from "node:assert/strict";
import { assertFileHolds, sameBytes } from "../helpers/bytes.ts";
import { regrainCommand } from "../helpers/cli.ts";
import { run as runProgram, testWithPeers, withLoop, withMount } from "../helpers/peers.ts";
import { diskOf, MIB, type Place, summaryOf, withPlace } from "./place.ts";
import { PROGRAM } from "../helpers/program.ts";

const DISK = diskOf(48 * MIB, [
  { at: 0, lengthBytes: 20 * MIB, seed: 1 },
  { at: 30 * MIB, lengthBytes: 10 * MIB + 4096, seed: 2 },
]);
const NAME = "web01/disk-0";

function withSnapshot(fn: (place: Place) => void | Promise<void>): Promise<void> {
  return withPlace(async (place) => {
    Deno.writeFileSync(place.path("vm.img"), DISK);
    place.run(["backup", place.path("vm.img"), "--name", NAME]);
    await fn(place);
  });
}

Deno.test("a restore that was killed carries on with what is right in its .part file", () =>
  withSnapshot(async ({ run, repo, path }) => {
    const out = path("out.img");
    const args = ["restore", NAME, out, "--rate-limit", "10M", "--repo", repo];
    const child = regrainCommand(args, { stdout: "null", stderr: "null" }).spawn();
    while (writtenTo(`${out}.part`) < 8 * MIB) await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill("SIGKILL");
    await child.status;
    assert.throws(() => Deno.statSync(out), Deno.errors.NotFound);
    // What the crash left of one chunk is not believed either.
    using part = Deno.openSync(`${out}.part`, { write: true });
    part.writeSync(new Uint8Array(10).fill(0x55));
    const summary = summaryOf(run(["restore", NAME, out, "--json"]));
    assert.ok(summary.keptBytes as number > 0, "something was kept");
    assert.ok(summary.writtenBytes as number > 0);
    assertFileHolds(out, DISK);
    assert.throws(() => Deno.statSync(`${out}.part`), Deno.errors.NotFound);
  }));

Deno.test("B23: a restore that may write a byte a second waits, and one signal ends every wait", () =>
  withSnapshot(async ({ repo, path }) => {
    const out = path("out.img");
    const args = ["restore", NAME, out, "--rate-limit", "1", "--progress", "none", "--repo", repo];
    const child = regrainCommand(args, { stdout: "null", stderr: "null" }).spawn();
    while (writtenTo(`${out}.part`) === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill("SIGTERM");
    assert.equal((await child.status).code, 143);
    assert.throws(() => Deno.statSync(out), Deno.errors.NotFound);
    // Each of the chunks that were under way had written one piece at most.
    assert.ok(writtenTo(`${out}.part`) < 4 * MIB, `${writtenTo(`${out}.part`)} bytes`);
  }));

/** Bytes of a file that are no holes. */
function writtenTo(path: string): number {
  try {
    return (Deno.statSync(path).blocks ?? 0) * 512;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

testWithPeers(
  "a restore that runs out of space says so, and carries on when there is some",
  ["root-mount"],
  () =>
    withSnapshot(async ({ run, refused, path }) => {
      Deno.mkdirSync(path("small"));
      await withMount(path("small"), ["-t", "tmpfs", "-o", "size=16m", "none"], () => {
        const out = path("small/out.img");
        const { hint } = refused("NO_SPACE", ["restore", NAME, out, "--ignore-free-space"]);
        assert.match(hint!, /carries on/);
        assert.throws(() => Deno.statSync(out), Deno.errors.NotFound);
        runProgram("mount", ["-o", "remount,size=80m", path("small")]);
        run(["restore", NAME, out]);
        assertFileHolds(out, DISK);
      });
    }),
);

testWithPeers(
  "B14: a file system that is too small is refused before it fills, also where a part was begun",
  ["root-mount"],
  () =>
    withSnapshot(async ({ run, refused, path }) => {
      Deno.mkdirSync(path("small"));
      await withMount(path("small"), ["-t", "tmpfs", "-o", "size=16m", "none"], () => {
        const out = path("small/out.img");
        const { hint } = refused("NO_SPACE", ["restore", NAME, out]);
        assert.match(hint!, /--ignore-free-space/);
        assert.deepEqual([...Deno.readDirSync(path("small"))], [], "nothing is made");
        run(["restore", NAME, out, "--ignore-free-space"], { exit: 6 });
        refused("NO_SPACE", ["restore", NAME, out]);
        runProgram("mount", ["-o", "remount,size=32m", path("small")]);
        // What stands in the part is not needed again.
        run(["restore", NAME, out]);
        assertFileHolds(out, DISK);
      });
    }),
);

Deno.test("B14: a folder, a character device and a name below /dev are refused, and nothing is written", () =>
  withSnapshot(({ refused, path }) => {
    Deno.mkdirSync(path("images/inner"), { recursive: true });
    for (const flags of [[], ["--force"], ["--delta"], ["--format", "qcow2"]]) {
      const { hint } = refused("TARGET_UNSUITABLE", ["restore", NAME, path("images"), ...flags]);
      assert.ok(hint!.includes(path("images/disk.img")), hint);
    }
    assert.deepEqual([...Deno.readDirSync(path("images"))].map(({ name }) => name), ["inner"]);
    assert.throws(() => Deno.statSync(path("images.part")), Deno.errors.NotFound);
    refused("TARGET_UNSUITABLE", ["restore", NAME, "/dev/full", "--force"]);
    assert.ok(Deno.statSync("/dev/full").isCharDevice);
    refused("TARGET_MISSING", ["restore", NAME, "/dev/regrain-no-such-device"]);
  }));

Deno.test("B14: a symbolic link is followed to the file, which may not be there yet, and that is said", () =>
  withSnapshot(({ run, path }) => {
    Deno.mkdirSync(path("big"));
    const [link, real] = [path("vm-link.img"), path("big/vm.img")];
    Deno.symlinkSync("big/vm.img", link);
    for (const flags of [[], ["--force"]]) {
      const { stderr } = run(["restore", NAME, link, ...flags]);
      assert.ok(
        stderr.includes(`${link} is a symbolic link: the disk is written to ${Deno.realPathSync(real)}`),
      );
      assert.equal(Deno.readLinkSync(link), "big/vm.img", "the link stays");
      assertFileHolds(real, DISK);
    }
    assert.deepEqual([...Deno.readDirSync(path("big"))].map(({ name }) => name), ["vm.img"]);
  }));

testWithPeers(
  "B21: a name that ends in .qcow2 makes a qcow2, without --format",
  ["qemu-img"],
  () =>
    withSnapshot(({ run, path }) => {
      run(["restore", NAME, path("out.qcow2")]);
      const info = JSON.parse(runProgram("qemu-img", ["info", "--output=json", path("out.qcow2")]));
      assert.equal(info.format, "qcow2");
      runProgram("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", path("out.qcow2"), path("back.img")]);
      assertFileHolds(path("back.img"), DISK);
      run(["restore", NAME, path("raw.qcow2"), "--format", "raw"]);
      assertFileHolds(path("raw.qcow2"), DISK);
    }),
);

Deno.test("B21: names of other formats are refused without --format, before the repository is opened", () =>
  withSnapshot(({ run, refused, path }) => {
    for (const name of ["vm.vmdk", "vm.VMDK", "vm.vhdx", "vm.vdi", "vm.img.gz"]) {
      const { hint } = refused("USAGE", ["restore", "no/such@latest", path(name)]);
      assert.match(hint!, /--format raw/);
      assert.throws(() => Deno.statSync(path(name)), Deno.errors.NotFound);
    }
    refused("USAGE", ["restore", NAME, path("vm.qcow2"), "--delta"]);
    run(["restore", NAME, path("vm-flat.vmdk")]);
    assertFileHolds(path("vm-flat.vmdk"), DISK);
  }));

Deno.test("B14: no space behind standard output is NO_SPACE, of a disk as of a list", () =>
  withSnapshot(({ repo }) => {
    for (const args of [`restore ${NAME} -`, "snapshots"]) {
      const line = `exec "$0" run -A --no-prompt "$1" ${args} --repo ${repo} > /dev/full`;
      const { code, stderr } = new Deno.Command("sh", {
        args: ["-c", line, Deno.execPath(), PROGRAM],
        stderr: "piped",
      }).outputSync();
      const said = new TextDecoder().decode(stderr);
      assert.equal(code, 6, said);
      assert.match(said, /there is no space left behind standard output/);
    }
  }));

testWithPeers(
  "a restore over a larger device zeroes what was there, and leaves its end alone",
  ["root-loop"],
  () =>
    withSnapshot(async ({ run, path }) => {
      const file = path("device.img");
      Deno.writeFileSync(file, new Uint8Array(56 * MIB).fill(0x77));
      await withLoop(file, (device) => {
        assert.match(run(["restore", NAME, device]).stderr, /its last 8,388,608 bytes stay as they are/);
        run(["restore", NAME, device, "--delta"]);
      });
      const found = Deno.readFileSync(file);
      assert.ok(sameBytes(found.subarray(0, DISK.length), DISK));
      assert.ok(found.subarray(DISK.length).every((byte) => byte === 0x77));
    }),
);

Deno.test("a flat VMDK has the content id of its disk, and a file of another size is refused", () =>
  withSnapshot(({ run, refused, path }) => {
    run(["restore", NAME, path("vm.vmdk"), "--format", "vmdk-flat"]);
    assertFileHolds(path("vm-flat.vmdk"), DISK);
    assert.match(run(["compare", path("vm.vmdk"), `repo:${NAME}`]).stdout, /^equal/);
    run(["backup", path("vm.vmdk"), "--name", NAME]);
    assert.match(Deno.readTextFileSync(path("vm.vmdk")), /^CID=fffffffe$/m);
    refused("TARGET_UNSUITABLE", ["restore", NAME, path("vm.vmdk"), "--format", "vmdk-flat"]);
    refused("USAGE", ["restore", NAME, path("vm.img"), "--format", "vmdk-flat", "--delta"]);
    refused("USAGE", ["restore", NAME, "-", "--format", "qcow2"]);
    Deno.writeFileSync(path("other.img"), new Uint8Array(MIB));
    refused("SIZE_MISMATCH", ["restore", NAME, path("other.img"), "--delta"]);
  }));

for (const format of ["vmdk-sparse", "stream", "qcow2"]) {
  testWithPeers(
    `a restore to ${format} is the same disk for qemu-img`,
    ["qemu-img"],
    () =>
      withSnapshot(({ run, path }) => {
        run(["restore", NAME, path("out.disk"), "--format", format]);
        runProgram("qemu-img", ["compare", path("out.disk"), path("vm.img")]);
        assert.throws(() => Deno.statSync(path("out.disk.raw")), Deno.errors.NotFound);
      }),
  );
}

Deno.test("without qemu-img the formats that need it are refused before anything is written", () =>
  withSnapshot(({ run, path }) => {
    const args = ["restore", NAME, path("out.qcow2"), "--format", "qcow2", "--json"];
    const { stderr } = run(args, { exit: 4, env: { PATH: path("nowhere") } });
    assert.match(stderr, /"code":"UNSUPPORTED".*--format qcow2 is written by qemu-img, which is not here/);
    assert.throws(() => Deno.statSync(path("out.qcow2.raw.part")), Deno.errors.NotFound);
  }));
