/**
 * Who else uses a target: mounts, swap, loop devices, device mapper, RAID.
 *
 * Opening a device with O_EXCL makes the kernel answer yes or no; this module says who it is, and knows what
 * O_EXCL does not ask about: files behind loop devices. It reads text files of the system through an interface,
 * so that both implementations use it and tests can hand it a system that does not exist.
 */
import { RegrainError } from "../../core-as/host/errors.ts";
import { deviceName, type Identity } from "./types.ts";

/** The little that has to be known of the system. Whatever is absent or may not be read is `undefined` or empty. */
export interface SystemFiles {
  readText(path: string): string | undefined;
  /** Names in a folder, in any order. */
  list(path: string): string[];
  identify(path: string): Pick<Identity, "device" | "inode" | "rdev"> | undefined;
}

export interface Candidate {
  readonly path: string;
  readonly identity: Identity;
}

const FORCE_HINT = "unmount it first, or write to it all the same with --force";

/**
 * Refuses a target that something else uses, as far as `force` does not overrule it.
 *
 * @throws {RegrainError} `TARGET_MOUNTED`, overruled by force. `TARGET_BUSY` for a file behind a loop device,
 * overruled by force, and for swap, which is not.
 */
export function refuseWhenInUse(system: SystemFiles, target: Candidate, options: { force: boolean }): void {
  const { path, identity } = target;
  const swap = swapArea(system, identity);
  if (swap !== undefined) {
    throw new RegrainError("TARGET_BUSY", `the system swaps to ${swap}`, {
      path,
      hint: "switch it off with swapoff first",
    });
  }
  if (options.force) return;
  const mountPoint = mountedAt(system, identity);
  if (mountPoint !== undefined) {
    throw new RegrainError("TARGET_MOUNTED", `it, or a partition of it, is mounted at ${mountPoint}`, {
      path,
      hint: FORCE_HINT,
    });
  }
  const loop = identity.rdev === undefined ? loopOver(system, identity) : undefined;
  if (loop !== undefined) {
    throw new RegrainError("TARGET_BUSY", `it is attached to the loop device ${loop}`, {
      path,
      hint:
        `write to ${loop}, detach it with losetup --detach ${loop}, or write to the file all the same with --force`,
    });
  }
}

/** Says why the kernel did not give a device out: who holds it, as far as the system tells. */
export function deviceBusy(system: SystemFiles, target: Candidate & { cause?: unknown }): RegrainError {
  const holders = target.identity.rdev === undefined ? [] : holdersOf(system, target.identity.rdev);
  const who = holders.length > 0
    ? `the device is part of ${holders.join(", ")}`
    : "another program, or a mount out of sight, has the device for itself";
  const hint = holders.length > 0 ? `write to ${holders[0]}, or take it apart first` : undefined;
  return new RegrainError("TARGET_BUSY", `${who} (EBUSY)`, {
    path: target.path,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The file behind a loop device, or behind the loop device that a partition is on. */
export function backingOf(system: SystemFiles, rdev: number): { device: number; inode: number } | undefined {
  const folder = `/sys/dev/block/${deviceName(rdev)}`;
  const file = readLine(system, `${folder}/loop/backing_file`) ??
    readLine(system, `${folder}/../loop/backing_file`);
  const identity = file === undefined ? undefined : system.identify(file);
  return identity && { device: identity.device, inode: identity.inode };
}

/** Refuses a device that the kernel lets nobody write to: many open for writing all the same, and fail later. */
export function refuseReadOnlyDevice(system: SystemFiles, target: Candidate): void {
  const { path, identity } = target;
  if (identity.rdev === undefined) return;
  if (readLine(system, `/sys/dev/block/${deviceName(identity.rdev)}/ro`) !== "1") return;
  throw new RegrainError("TARGET_READ_ONLY", "the device is read-only", { path });
}

/** Where the device, or a partition of it, is mounted. */
export function mountedAt(system: SystemFiles, { rdev }: Identity): string | undefined {
  if (rdev === undefined) return undefined;
  const name = deviceName(rdev);
  return mounts(system).find((mount) =>
    isSameOrPartition(system, { name: mount.device, wholeName: name }) ||
    isDeviceFile(system, mount.source, rdev)
  )?.mountPoint;
}

interface Mount {
  /** `major:minor` of the mounted file system; of btrfs and overlays an invented one. */
  readonly device: string;
  readonly mountPoint: string;
  /** What was mounted: mostly the path of a device. */
  readonly source: string;
}

/** Lines of `/proc/self/mountinfo`: id, parent, major:minor, root, mount point, options, tags, `-`, type, source, … */
function mounts(system: SystemFiles): Mount[] {
  const lines = (system.readText("/proc/self/mountinfo") ?? "").split("\n");
  return lines.filter((line) => line !== "").map((line) => {
    const fields = line.split(" ");
    const source = fields[fields.indexOf("-", 6) + 2] ?? "";
    return {
      device: fields[2] ?? "",
      mountPoint: unescapeOctal(fields[4] ?? ""),
      source: unescapeOctal(source),
    };
  });
}

/** A partition's folder in sysfs stands inside its disk's: `..` leads there, and to nothing useful for a disk. */
function isSameOrPartition(system: SystemFiles, device: { name: string; wholeName: string }): boolean {
  if (device.name === device.wholeName) return true;
  if (device.name.startsWith("0:")) return false;
  return readLine(system, `/sys/dev/block/${device.name}/../dev`) === device.wholeName;
}

function isDeviceFile(system: SystemFiles, path: string, rdev: number): boolean {
  if (!path.startsWith("/dev/")) return false;
  const mounted = system.identify(path)?.rdev;
  if (mounted === undefined) return false;
  return isSameOrPartition(system, { name: deviceName(mounted), wholeName: deviceName(rdev) });
}

/** The first swap area of `/proc/swaps` (a heading, then one line each, path first) that is on the target. */
function swapArea(system: SystemFiles, target: Identity): string | undefined {
  const lines = (system.readText("/proc/swaps") ?? "").split("\n").slice(1);
  const paths = lines.map((line) => unescapeOctal(line.split(/\s/)[0] ?? "")).filter((path) => path !== "");
  return paths.find((path) => isOnTarget(system, path, target));
}

function isOnTarget(system: SystemFiles, path: string, target: Identity): boolean {
  if (target.rdev !== undefined) return isDeviceFile(system, path, target.rdev);
  const area = system.identify(path);
  return area !== undefined && area.device === target.device && area.inode === target.inode;
}

/** The attached loop device that a file is behind. */
function loopOver(system: SystemFiles, file: Identity): string | undefined {
  const loops = system.list("/sys/block").filter((name) => name.startsWith("loop"));
  const found = loops.find((name) => {
    const backing = readLine(system, `/sys/block/${name}/loop/backing_file`);
    const identity = backing === undefined ? undefined : system.identify(backing);
    return identity?.device === file.device && identity.inode === file.inode;
  });
  return found === undefined ? undefined : `/dev/${found}`;
}

/** Devices that are made of this one or of its partitions, as paths. */
function holdersOf(system: SystemFiles, rdev: number): string[] {
  const folder = `/sys/dev/block/${deviceName(rdev)}`;
  const partitions = system.list(folder).filter((name) =>
    system.readText(`${folder}/${name}/partition`) !== undefined
  );
  const folders = [folder, ...partitions.map((name) => `${folder}/${name}`)];
  return folders.flatMap((each) => system.list(`${each}/holders`)).map((name) => {
    const mapped = readLine(system, `/sys/block/${name}/dm/name`);
    return mapped === undefined ? `/dev/${name}` : `/dev/mapper/${mapped}`;
  });
}

function readLine(system: SystemFiles, path: string): string | undefined {
  return system.readText(path)?.replace(/\n$/, "");
}

/** The kernel writes blank, tab, newline and backslash as three octal digits in its tables. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}
