import assert from "node:assert/strict";
import { RegrainError } from "../../core-as/host/errors.ts";
import { backingOf, deviceBusy, mountedAt, refuseWhenInUse, type SystemFiles } from "./in_use.ts";
import { deviceName, encodeDevice, type Identity, sameStorage } from "./types.ts";

const DISK = device({ major: 8, minor: 0 });
const PARTITION = device({ major: 8, minor: 1 });

function device(numbers: { major: number; minor: number }): Identity {
  return { device: 6, inode: 100 + numbers.minor, rdev: encodeDevice(numbers) };
}

/** A system that consists of the given text files and of nodes with an identity. */
function system(files: Record<string, string>, nodes: Record<string, Identity> = {}): SystemFiles {
  return {
    readText: (path) => files[path],
    list: (path) => {
      const below = Object.keys(files).filter((file) => file.startsWith(`${path}/`));
      return [...new Set(below.map((file) => file.slice(path.length + 1).split("/")[0]!))];
    },
    identify: (path) => nodes[path],
  };
}

function refusal(files: SystemFiles, identity: Identity, force = false): string {
  try {
    refuseWhenInUse(files, { path: "target", identity }, { force });
    return "free";
  } catch (error) {
    assert.ok(error instanceof RegrainError);
    return `${error.code} ${error.message}`;
  }
}

Deno.test("mountedAt() finds a device by number, by a partition of it, and by the name btrfs gives", () => {
  const files = (line: string) =>
    system({
      "/proc/self/mountinfo": `22 1 0:21 / /proc rw,relatime shared:1 - proc proc rw\n${line}\n`,
      "/sys/dev/block/8:1/../dev": "8:0\n",
    }, { "/dev/sda1": PARTITION });
  assert.equal(mountedAt(files("30 1 8:0 / /mnt/a rw - ext4 /dev/sda rw"), DISK), "/mnt/a");
  assert.equal(
    mountedAt(files("30 1 8:1 / /mnt/b rw shared:2 master:3 - ext4 /dev/sda1 rw"), DISK),
    "/mnt/b",
  );
  assert.equal(mountedAt(files("30 1 0:45 /sub /mnt/c\\040d rw - btrfs /dev/sda1 rw"), DISK), "/mnt/c d");
  assert.equal(mountedAt(files("30 1 8:0 / /mnt/a rw - ext4 /dev/sda rw"), PARTITION), undefined);
  assert.equal(mountedAt(files("30 1 8:16 / /mnt/e rw - ext4 /dev/sdb rw"), DISK), undefined);
});

Deno.test("refuseWhenInUse() knows swap on a partition of the device and in the file itself", () => {
  const swapFile: Identity = { device: 5, inode: 12, rdev: undefined };
  const files = system({
    "/proc/swaps":
      "Filename Type Size Used Priority\n/dev/sda1 partition 1 0 -2\n/swap\\040file file 1 0 -3\n",
    "/sys/dev/block/8:1/../dev": "8:0\n",
  }, { "/dev/sda1": PARTITION, "/swap file": swapFile });
  assert.equal(refusal(files, DISK, true), "TARGET_BUSY target: the system swaps to /dev/sda1");
  assert.equal(refusal(files, swapFile, true), "TARGET_BUSY target: the system swaps to /swap file");
  assert.equal(refusal(files, { ...swapFile, inode: 13 }), "free");
});

Deno.test("refuseWhenInUse() takes a system that tells nothing for one where nothing is in use", () => {
  assert.equal(refusal(system({}), DISK), "free");
  assert.equal(refusal(system({}), { device: 1, inode: 2, rdev: undefined }), "free");
});

Deno.test("refuseWhenInUse() does not confuse the files of an overlay's copy or a deleted one", () => {
  const files = system({ "/sys/block/loop0/loop/backing_file": "/a.img (deleted)\n" });
  assert.equal(refusal(files, { device: 1, inode: 2, rdev: undefined }), "free");
});

/** A file behind loop0 and loop1, loop2 over loop1; of each the bytes from `offset` on. */
function stackedLoops(mounted: string, offsets: readonly [number, number] = [0, 0]): SystemFiles {
  const loop = (minor: number) => device({ major: 7, minor });
  const files: Record<string, string> = {
    "/proc/self/mountinfo": `30 1 ${mounted} / /mnt rw - ext4 /dev/x rw\n`,
  };
  ["/vm.img", "/vm.img", "/dev/loop1"].forEach((backing, minor) => {
    for (const folder of [`/sys/block/loop${minor}`, `/sys/dev/block/7:${minor}`]) {
      files[`${folder}/dev`] = `7:${minor}\n`;
      files[`${folder}/size`] = "2048\n";
      files[`${folder}/loop/backing_file`] = `${backing}\n`;
      files[`${folder}/loop/offset`] = `${offsets[minor] ?? 0}\n`;
      files[`${folder}/loop/sizelimit`] = `${1024 * 1024}\n`;
    }
  });
  const file: Identity = { device: 5, inode: 77, rdev: undefined };
  return system(files, { "/vm.img": file, "/dev/loop1": loop(1) });
}

Deno.test("D11: refuseWhenInUse() follows loop devices over the same bytes, also one over another", () => {
  const file: Identity = { device: 5, inode: 77, rdev: undefined };
  const loop0 = device({ major: 7, minor: 0 });
  assert.equal(
    refusal(stackedLoops("7:1"), loop0),
    "TARGET_MOUNTED target: the loop device /dev/loop1 shows the same bytes, and is mounted at /mnt",
  );
  assert.match(refusal(stackedLoops("7:2"), loop0), /^TARGET_MOUNTED .*\/dev\/loop2/);
  assert.match(refusal(stackedLoops("7:2"), file), /^TARGET_MOUNTED .*\/dev\/loop2 shows this file/);
  assert.equal(refusal(stackedLoops("7:2"), loop0, true), "free");
  assert.equal(refusal(stackedLoops("8:0"), loop0), "free");
  assert.equal(refusal(stackedLoops("7:1", [0, 1024 * 1024]), loop0), "free");
});

Deno.test("deviceBusy() names who holds the device or a partition of it", () => {
  const files = system({
    "/sys/dev/block/8:0/holders/md0/dev": "9:0\n",
    "/sys/dev/block/8:0/sda1/partition": "1\n",
    "/sys/dev/block/8:0/sda1/holders/dm-0/dev": "253:0\n",
    "/sys/block/dm-0/dm/name": "vg0-vm\n",
  });
  const error = deviceBusy(files, { path: "/dev/sda", identity: DISK });
  assert.equal(error.code, "TARGET_BUSY");
  assert.equal(error.message, "/dev/sda: the device is part of /dev/md0, /dev/mapper/vg0-vm (EBUSY)");
  assert.match(error.hint ?? "", /^write to \/dev\/md0/);
  const unknown = deviceBusy(system({}), { path: "/dev/sda", identity: DISK });
  assert.match(unknown.hint!, /^fuser -v \/dev\/sda names programs/);
});

Deno.test("backingOf() finds the file of a loop device from a partition on it too", () => {
  const file: Identity = { device: 5, inode: 77, rdev: undefined };
  const files = system({
    "/sys/dev/block/7:0/loop/backing_file": "/vm.img\n",
    "/sys/dev/block/259:0/../loop/backing_file": "/vm.img\n",
  }, { "/vm.img": file });
  for (const numbers of [{ major: 7, minor: 0 }, { major: 259, minor: 0 }]) {
    assert.deepEqual(backingOf(files, encodeDevice(numbers)), { device: 5, inode: 77 });
  }
  assert.equal(backingOf(files, encodeDevice({ major: 8, minor: 0 })), undefined);
});

Deno.test("sameStorage() compares files by inode, devices by number, loop devices by what is behind them", () => {
  const file: Identity = { device: 5, inode: 77, rdev: undefined };
  const loop: Identity = { ...device({ major: 7, minor: 0 }), backing: { device: 5, inode: 77 } };
  const otherLoop: Identity = { ...device({ major: 7, minor: 1 }), backing: { device: 5, inode: 77 } };
  assert.ok(sameStorage(file, { ...file }));
  assert.ok(sameStorage(loop, file) && sameStorage(file, loop) && sameStorage(loop, otherLoop));
  assert.ok(sameStorage(DISK, { ...DISK, device: 9, inode: 1 }));
  assert.ok(!sameStorage(DISK, PARTITION));
  assert.ok(
    !sameStorage({ device: NaN, inode: NaN, rdev: undefined }, { device: NaN, inode: NaN, rdev: undefined }),
  );
});

Deno.test("encodeDevice() and deviceName() keep every major and minor that Linux has", () => {
  for (const [major, minor] of [[0, 0], [8, 0], [259, 3], [7, 255], [253, 256], [4095, 1048575]] as const) {
    assert.equal(deviceName(encodeDevice({ major, minor })), `${major}:${minor}`);
  }
  assert.equal(encodeDevice({ major: 8, minor: 1 }), 0x801);
});
