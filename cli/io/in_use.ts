/**
 * Who else uses a target: mounts, swap, loop devices, device mapper, RAID.
 *
 * Opening a device with O_EXCL makes the kernel answer yes or no; this module says who it is, and knows what
 * O_EXCL does not ask about: files behind loop devices. It reads text files of the system through an interface,
 * so that both implementations use it and tests can hand it a system that does not exist.
 */
import { quotePath } from "../../core-as/host/command_line.ts";
import { RegrainError } from "../../core-as/host/errors.ts";
import { SECTOR_SIZE } from "../../core-as/host/units.ts";
import { deviceName, encodeDevice, type Identity } from "./types.ts";

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
  const loops = attachedLoops(system);
  const shared = loopsOverTheSame(system, identity, loops);
  const swap = swapArea(system, identity) ?? swapOn(system, shared);
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
  refuseWhenShared(system, target, shared);
  const loop = identity.rdev === undefined
    ? loops.find(({ backing }) => isSameFile(backing.of, identity))?.path
    : undefined;
  if (loop !== undefined) {
    throw new RegrainError("TARGET_BUSY", `it is attached to the loop device ${loop}`, {
      path,
      hint:
        `write to ${loop}, detach it with losetup --detach ${loop}, or write to the file all the same with --force`,
    });
  }
}

/** Refuses what is mounted through another loop device: the kernel does not know that both are one. */
function refuseWhenShared(
  system: SystemFiles,
  { path, identity }: Candidate,
  shared: readonly Loop[],
): void {
  for (const loop of shared) {
    const mountPoint = mountedAt(system, loop.identity);
    if (mountPoint === undefined) continue;
    const what = identity.rdev === undefined
      ? `the loop device ${loop.path} shows this file, and`
      : `the loop device ${loop.path} shows the same bytes, and`;
    throw new RegrainError("TARGET_MOUNTED", `${what} is mounted at ${mountPoint}`, {
      path,
      hint: FORCE_HINT,
    });
  }
}

function swapOn(system: SystemFiles, loops: readonly Loop[]): string | undefined {
  return loops.map((loop) => swapArea(system, loop.identity)).find((area) => area !== undefined);
}

/** Says why the kernel did not give a device out: who holds it, as far as the system tells. */
export function deviceBusy(system: SystemFiles, target: Candidate & { cause?: unknown }): RegrainError {
  const holders = target.identity.rdev === undefined ? [] : holdersOf(system, target.identity.rdev);
  const who = holders.length > 0
    ? `the device is part of ${holders.join(", ")}`
    : "another program, or a mount out of sight, has the device for itself";
  const hint = holders.length > 0
    ? `write to ${holders[0]}, or take it apart first`
    : `fuser -v ${
      quotePath(target.path)
    } names programs that have it open: stop them first; a mount out of ` +
      "sight is that of a container, in /proc/PID/mountinfo";
  return new RegrainError("TARGET_BUSY", `${who} (EBUSY)`, { path: target.path, hint });
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
  throw new RegrainError("TARGET_READ_ONLY", "the device is read-only", {
    path,
    hint: `name the volume itself where this is a snapshot of it; else blockdev --setrw ${quotePath(path)}`,
  });
}

/** Why somebody may write to a file or a device that is to be read: it is mounted to be written, or swapped to. */
export function usedFor(system: SystemFiles, identity: Identity): string | undefined {
  const shared = loopsOverTheSame(system, identity, attachedLoops(system));
  const swap = swapArea(system, identity) ?? swapOn(system, shared);
  if (swap !== undefined) return `the system swaps to ${swap}`;
  const devices = [identity, ...shared.map((loop) => loop.identity)];
  for (const device of devices) {
    const mount = mountOf(system, device, ({ isReadOnly }) => !isReadOnly);
    if (mount !== undefined) return `it, or a partition of it, is mounted at ${mount.mountPoint}`;
  }
  return undefined;
}

/** Where the device, or a partition of it, is mounted. */
export function mountedAt(system: SystemFiles, identity: Identity): string | undefined {
  return mountOf(system, identity, () => true)?.mountPoint;
}

function mountOf(
  system: SystemFiles,
  { rdev }: Identity,
  isMeant: (mount: Mount) => boolean,
): Mount | undefined {
  if (rdev === undefined) return undefined;
  const name = deviceName(rdev);
  return mounts(system).filter(isMeant).find((mount) =>
    isSameOrPartition(system, { name: mount.device, wholeName: name }) ||
    isDeviceFile(system, mount.source, rdev)
  );
}

interface Mount {
  /** `major:minor` of the mounted file system; of btrfs and overlays an invented one. */
  readonly device: string;
  readonly mountPoint: string;
  /** What was mounted: mostly the path of a device. */
  readonly source: string;
  /** The file system itself, not just this view of it. */
  readonly isReadOnly: boolean;
}

/** Lines of `/proc/self/mountinfo`: id, parent, major:minor, root, mount point, options, tags, `-`, type, source, … */
function mounts(system: SystemFiles): Mount[] {
  const lines = (system.readText("/proc/self/mountinfo") ?? "").split("\n");
  return lines.filter((line) => line !== "").map((line) => {
    const fields = line.split(" ");
    const at = fields.indexOf("-", 6);
    const source = fields[at + 2] ?? "";
    return {
      device: fields[2] ?? "",
      mountPoint: unescapeOctal(fields[4] ?? ""),
      source: unescapeOctal(source),
      isReadOnly: (fields[at + 3] ?? "").split(",").includes("ro"),
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

/** A stretch of a file or device, in bytes. */
interface Backing {
  readonly of: Pick<Identity, "device" | "inode" | "rdev">;
  readonly fromBytes: number;
  readonly toBytes: number;
}

interface Loop {
  readonly path: string;
  readonly identity: Identity;
  readonly backing: Backing;
}

/** Loop devices that have something behind them which can be named. */
function attachedLoops(system: SystemFiles): Loop[] {
  return system.list("/sys/block").filter((name) => name.startsWith("loop")).flatMap((name) => {
    const backing = backingBelow(system, `/sys/block/${name}`);
    if (backing === undefined) return [];
    const device = readLine(system, `/sys/block/${name}/dev`);
    const rdev = device === undefined ? undefined : deviceNumber(device);
    return [{ path: `/dev/${name}`, identity: { device: NaN, inode: NaN, rdev }, backing }];
  });
}

/** Those loop devices that show some of the bytes of a target, however many lie between, and are not the target. */
function loopsOverTheSame(system: SystemFiles, target: Identity, loops: readonly Loop[]): Loop[] {
  const own = target.rdev === undefined ? undefined : wholeDevice(system, target.rdev);
  // What is behind the target, down to what is behind nothing else.
  const known: Backing[] = [{ of: target, fromBytes: 0, toBytes: Infinity }];
  const below = target.rdev === undefined ? undefined : backingOfDevice(system, target.rdev);
  if (below !== undefined) known.push(below);
  const found = new Set<Loop>();
  for (const backing of known) {
    for (const loop of loops) {
      if (found.has(loop) || !overlap(loop.backing, backing)) continue;
      if (own !== undefined && loop.identity.rdev === own) continue;
      found.add(loop);
      known.push({ of: loop.identity, fromBytes: 0, toBytes: Infinity });
    }
  }
  return [...found];
}

/** What is behind a loop device, or behind a partition of one. */
function backingOfDevice(system: SystemFiles, rdev: number): Backing | undefined {
  const folder = `/sys/dev/block/${deviceName(rdev)}`;
  const whole = backingBelow(system, folder) ?? backingBelow(system, `${folder}/..`);
  if (whole === undefined) return undefined;
  const start = (readCount(system, `${folder}/start`) ?? 0) * SECTOR_SIZE;
  const sectors = readCount(system, `${folder}/size`);
  const fromBytes = whole.fromBytes + start;
  return {
    of: whole.of,
    fromBytes,
    toBytes: sectors === undefined ? whole.toBytes : fromBytes + sectors * SECTOR_SIZE,
  };
}

function backingBelow(system: SystemFiles, folder: string): Backing | undefined {
  const path = readLine(system, `${folder}/loop/backing_file`);
  const of = path === undefined ? undefined : system.identify(path);
  if (of === undefined) return undefined;
  const fromBytes = readCount(system, `${folder}/loop/offset`) ?? 0;
  const limit = readCount(system, `${folder}/loop/sizelimit`) ?? 0;
  return { of, fromBytes, toBytes: limit === 0 ? Infinity : fromBytes + limit };
}

function overlap(a: Backing, b: Backing): boolean {
  return isSameFile(a.of, b.of) && a.fromBytes < b.toBytes && b.fromBytes < a.toBytes;
}

/** By its own number where it is a device: one device may have several names, and so several inodes. */
function isSameFile(a: Backing["of"], b: Backing["of"]): boolean {
  if (a.rdev !== undefined || b.rdev !== undefined) return a.rdev === b.rdev;
  return a.device === b.device && a.inode === b.inode;
}

/** The disk that a partition is on, or the device itself. */
function wholeDevice(system: SystemFiles, rdev: number): number {
  const folder = `/sys/dev/block/${deviceName(rdev)}`;
  const isPartition = readLine(system, `${folder}/partition`) !== undefined;
  const whole = isPartition ? readLine(system, `${folder}/../dev`) : undefined;
  return (whole === undefined ? undefined : deviceNumber(whole)) ?? rdev;
}

/** The number that `major:minor` stands for. */
function deviceNumber(name: string): number | undefined {
  const match = /^(\d+):(\d+)$/.exec(name);
  return match ? encodeDevice({ major: Number(match[1]), minor: Number(match[2]) }) : undefined;
}

function readCount(system: SystemFiles, path: string): number | undefined {
  const text = readLine(system, path);
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
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
