/**
 * Local I/O by libc through FFI. The only file of the repository that loads a library.
 *
 * Why FFI: a read at an offset is one call instead of two, holes can be found and punched, and devices opened
 * exclusively. It walks around Deno's permissions, so every path that a caller gives is checked against them
 * here first. The tables of the system that say who uses a device (`/proc`, `/sys`) are read without asking:
 * their paths are fixed, and a check that vanishes with a flag protects nobody.
 *
 * Measured with 512-byte reads of a cached file: 0.55 us per pread in C, 0.74 us through a subarray and a bigint
 * offset as here, 0.87 us with the offset as a number, 0.65 us by computed address. The last is not worth its
 * risk: an address outlives the memory it points to, a subarray does not.
 */
import type { Bounds } from "../../core-as/host/files.ts";
import { RegrainError } from "../../core-as/host/errors.ts";
import { baseName, folderOf, joinPath } from "../../core-as/host/names.ts";
import { aclFinder, attributeCopier } from "./attributes.ts";
import { assertUsablePath, notPermitted, type Operation, systemError, unsuitable } from "./errno.ts";
import {
  backingOf,
  deviceBusy,
  mountedAt,
  refuseReadOnlyDevice,
  refuseWhenInUse,
  usedFor,
} from "./in_use.ts";
import {
  BLKGETSIZE64,
  BLKSSZGET,
  cString,
  F_SETPIPE_SZ,
  type Libc,
  LIBC_SYMBOLS,
  nameInLibrary,
  O_CREAT,
  O_EXCL,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  POLLIN,
  untilDone,
  wrapLibc,
} from "./libc.ts";
import { LinuxSource, LinuxTarget, type OpenFile } from "./linux_file.ts";
import { FileWatch } from "./file_watch.ts";
import { DeviceWatch } from "./source_use.ts";
import { byDescriptor, LinuxSystem } from "./linux_system.ts";
import { listFolder } from "./folder_list.ts";
import { removeIfThere, replaceFile, rewriteFile } from "./durable.ts";
import { type LogOptions, modifiedMs, openLogFile } from "./log_file.ts";
import { nameFile } from "./named_file.ts";
import { roomByLibc } from "./room.ts";
import { Owners, requireJudged, requireWithin } from "./within.ts";
import type { FileStatus, Identity, Io, LocalSource, LocalTarget, Room, TargetOptions } from "./types.ts";

/** Descriptor of standard input. */
const STDIN = 0;

/** glibc's file name, then musl's. */
const LIBRARIES = ["libc.so.6", "libc.so"];

/**
 * Loads libc. Needs Linux and `--allow-ffi` without a list.
 *
 * @param reason Why this implementation was picked.
 * @throws {Error} When there is no libc with everything in it: one sentence that tells what was tried.
 */
export function openLinuxIo(reason: string): Io {
  return new LinuxIo(loadLibc(), reason);
}

function loadLibc(): Libc {
  const failures: string[] = [];
  for (const library of LIBRARIES) {
    try {
      return wrapLibc((functions, others) => {
        const declared = functions.map((name) => [name, LIBC_SYMBOLS[name]]);
        // The address alone: to look it up costs next to nothing.
        const there = others.map((name) => [name, { name: nameInLibrary(name), type: "pointer" }]);
        return Deno.dlopen(library, Object.fromEntries([...declared, ...there])).symbols;
      });
    } catch (cause) {
      failures.push(cause instanceof Error ? cause.message : String(cause));
    }
  }
  throw new Error(`libc cannot be loaded: ${failures.join("; ")}`);
}

class LinuxIo implements Io {
  readonly name = "linux";
  readonly reason: string;
  readonly #libc: Libc;
  readonly #system: LinuxSystem;
  readonly #owners = new Owners();

  constructor(libc: Libc, reason: string) {
    this.#libc = libc;
    this.#system = new LinuxSystem(libc);
    this.reason = reason;
  }

  openSource(path: string, bounds?: Bounds): LocalSource {
    const operation = "open source";
    this.#demand("read", path);
    if (bounds !== undefined) return this.#openWithin(path, bounds);
    const status = this.#system.status(path) ?? this.#fail(operation, path);
    if (status.kind === "directory" || status.kind === "other") {
      throw unsuitable("NOT_A_DISK", path, status.kind);
    }
    const fd = this.#open({ path, flags: O_RDONLY, operation });
    return this.#sourceOf({ fd, path, operation });
  }

  #sourceOf(open: { fd: number; path: string; operation: Operation }): LocalSource {
    return this.#orClose(open.fd, () => {
      const file = this.#describe(open);
      const { rdev } = file.identity;
      const watch = rdev === undefined ? file.watch : new DeviceWatch(this.#system, rdev);
      const mountedFor = () => usedFor(this.#system, file.identity);
      return new LinuxSource(this.#libc, { ...file, ...watch === undefined ? {} : { watch }, mountedFor });
    });
  }

  /** First the place alone is opened, and judged; then what was judged, by the descriptor and not by its name. */
  #openWithin(path: string, bounds: Bounds): LocalSource {
    const operation = "open source";
    const place = this.#open({ path, flags: O_PATH, operation });
    try {
      const status = this.#system.status(place) ?? this.#fail(operation, path);
      const real = this.#realOf(place, path);
      requireWithin({ ...status, real }, bounds, this.#owners);
      if (real !== undefined) this.#demand("read", real);
      if (status.kind === "directory" || status.kind === "other") {
        throw unsuitable("NOT_A_DISK", path, status.kind);
      }
      const fd = this.#system.open(byDescriptor(place), O_RDONLY);
      if (fd < 0) this.#fail(operation, path);
      return this.#sourceOf({ fd, path, operation });
    } finally {
      this.#libc.close(place);
    }
  }

  /** Like `realPath`, which leaves a path as it is when a part of it cannot be written in UTF-8. */
  #realOf(place: number, path: string): string | undefined {
    const real = this.#system.pathOf(place);
    return real?.includes("\uFFFD") ? this.#system.realPath(path) : real;
  }

  openTarget(path: string, options: TargetOptions): LocalTarget {
    this.#demand("read", path);
    this.#demand("write", path);
    if (options.create) return this.#createTarget(path, options.create.sizeBytes);
    const operation = "open target";
    const { kind, identity } = this.#system.status(path) ?? this.#fail(operation, path);
    if (kind === "directory" || kind === "other") throw unsuitable("TARGET_UNSUITABLE", path, kind);
    if (options.joined) {
      const fd = this.#open({ path, flags: O_RDWR, operation });
      return this.#orClose(fd, () => this.#target(fd, path, options));
    }
    refuseReadOnlyDevice(this.#system, { path, identity });
    refuseWhenInUse(this.#system, { path, identity }, options);
    const isShared = kind === "device" && options.force && mountedAt(this.#system, identity) !== undefined;
    const fd = kind === "device"
      ? this.#openDevice({ path, identity, isShared })
      : this.#open({ path, flags: O_RDWR, operation });
    return this.#orClose(fd, () => {
      const target = this.#target(fd, path, options);
      target.lock({ force: options.force, isShared });
      return target;
    });
  }

  #target(fd: number, path: string, { judged }: TargetOptions): LinuxTarget {
    const target = new LinuxTarget(this.#libc, this.#describe({ fd, path, operation: "open target" }));
    requireJudged(target.identity, judged, path);
    return target;
  }

  stat(path: string): FileStatus | undefined {
    const operation = "look up";
    this.#demand("read", path);
    const status = this.#system.status(path);
    if (status === undefined) return this.#undefinedWhenMissing(path);
    if (status.kind !== "device") return { kind: status.kind, sizeBytes: status.sizeBytes };
    const fd = this.#open({ path, flags: O_RDONLY, operation });
    try {
      return { kind: "device", sizeBytes: this.#describe({ fd, path, operation }).sizeBytes };
    } finally {
      this.#libc.close(fd);
    }
  }

  readonly list = listFolder;
  readonly modifiedMs = modifiedMs;
  readonly nameFile = nameFile;
  readonly openLog = (path: string, options: LogOptions) => openLogFile(path, options, aclFinder(this.#libc));
  roomAt(path: string): Room {
    this.#demand("read", path);
    this.#demand("write", path);
    return roomByLibc(path, this.#libc, this.#system);
  }

  readonly replaceFile = replaceFile;
  readonly rewriteFile = (path: string, bytes: Uint8Array) =>
    rewriteFile(path, bytes, attributeCopier(this.#libc));
  readonly removeFile = removeIfThere;

  realPath(path: string): string | undefined {
    this.#demand("read", path);
    return this.#system.realPath(path) ?? this.#undefinedWhenMissing(path);
  }

  growStdin(bytes: number): void {
    // A file, or a system that allows less: then it stays as it is, which is slower and nothing else.
    this.#libc.fcntlNumber(STDIN, F_SETPIPE_SZ, bytes);
  }

  stdinIsReady(waitMs: number): boolean {
    // A signal makes it fail (EINTR): then nothing is ready, and a read that blocks would keep the signal away.
    return this.#libc.poll(Int32Array.of(STDIN, POLLIN), 1n, waitMs) > 0;
  }

  #createTarget(path: string, sizeBytes: number): LocalTarget {
    const operation = "open target";
    const fd = this.#open({ path, flags: O_RDWR | O_CREAT | O_EXCL, operation });
    return this.#orClose(fd, () => {
      // First of all: whoever opened the new file in between, and locked it, owns it now, and its name too.
      const claimed = new LinuxTarget(this.#libc, this.#describe({ fd, path, operation }));
      claimed.lock({ force: false });
      try {
        if (untilDone(this.#libc, () => this.#libc.ftruncate(fd, BigInt(sizeBytes))) < 0) {
          throw systemError({ operation, errno: this.#libc.errno(), path });
        }
        const target = new LinuxTarget(this.#libc, this.#describe({ fd, path, operation }));
        target.fallbacks.push(...claimed.fallbacks.filter((each) => !target.fallbacks.includes(each)));
        this.#flushFolder(folderOf(path), target);
        return target;
      } catch (cause) {
        this.#libc.unlink(cString(path));
        throw cause;
      }
    });
  }

  /** A new name is durable when its folder is. Some file systems cannot flush one; that is told, not fatal. */
  #flushFolder(folder: string, target: LinuxTarget): void {
    const fd = this.#system.open(folder, O_RDONLY);
    const result = fd < 0 ? fd : untilDone(this.#libc, () => this.#libc.fsync(fd));
    const errno = fd < 0 ? this.#system.errno : this.#libc.errno();
    if (fd >= 0) this.#libc.close(fd);
    if (result < 0) target.fallbacks.push(`the folder of the new file cannot be made durable (${errno})`);
  }

  /** Exclusively. A mounted device that force is to write to cannot be had so: that one is opened shared. */
  #openDevice(target: { path: string; identity: Identity; isShared: boolean }): number {
    const { path, isShared } = target;
    const fd = this.#system.open(path, isShared ? O_RDWR : O_RDWR | O_EXCL);
    if (fd >= 0) return fd;
    const errno = this.#system.errno;
    if (errno === "EBUSY") throw deviceBusy(this.#system, target);
    throw systemError({ operation: "open target", errno, path });
  }

  #open(file: { path: string; flags: number; operation: Operation }): number {
    const fd = this.#system.open(file.path, file.flags);
    return fd >= 0 ? fd : this.#fail(file.operation, file.path);
  }

  /** Asks the descriptor, not the path: what stands there may have changed since. */
  #describe(file: { fd: number; path: string; operation: Operation }): OpenFile {
    const { fd, path, operation } = file;
    const status = this.#system.status(fd) ?? this.#fail(operation, path);
    const { kind, sizeBytes, blockBytes, identity } = status;
    this.#owners.note(path, status.owner);
    if (kind === "file") {
      const watch = new FileWatch(status, {
        open: () => this.#system.status(fd),
        named: () => this.#system.status(path),
      });
      return { fd, path, kind, sizeBytes, blockBytes, identity, watch };
    }
    if (kind !== "device" || identity.rdev === undefined) {
      throw new RegrainError("OPEN_FAILED", "it was replaced while it was opened", { path });
    }
    const backing = backingOf(this.#system, identity.rdev);
    return {
      fd,
      path,
      kind,
      sizeBytes: this.#system.ioctlInteger(fd, { code: BLKGETSIZE64, bytes: 8 }) ??
        this.#fail(operation, path),
      blockBytes: this.#system.ioctlInteger(fd, { code: BLKSSZGET, bytes: 4 }) ?? this.#fail(operation, path),
      identity: backing === undefined ? identity : { ...identity, backing },
    };
  }

  #orClose<T>(fd: number, use: () => T): T {
    try {
      return use();
    } catch (cause) {
      this.#libc.close(fd);
      throw cause;
    }
  }

  /** Refuses what Deno was not told to allow, under the name given and under the one that links lead to. */
  #demand(name: "read" | "write", path: string): void {
    assertUsablePath(path);
    if (isGranted({ name })) return;
    const resolved = this.#resolved(path);
    if (isGranted({ name, path }) && isGranted({ name, path: resolved })) return;
    throw notPermitted(path, { flag: `--allow-${name}=${resolved}` });
  }

  /** Of a file that is yet to be made: its folder's path without links, and its name. */
  #resolved(path: string): string {
    const folder = this.#system.realPath(folderOf(path)) ?? folderOf(path);
    return this.#system.realPath(path) ?? joinPath(folder, baseName(path));
  }

  #undefinedWhenMissing(path: string): undefined {
    const { errno } = this.#system;
    if (errno !== "ENOENT" && errno !== "ENOTDIR") throw systemError({ operation: "look up", errno, path });
  }

  /** Throws the error of the last call that failed. */
  #fail(operation: Operation, path: string): never {
    throw systemError({ operation, errno: this.#system.errno, path });
  }
}

function isGranted(descriptor: { name: "read" | "write"; path?: string }): boolean {
  return Deno.permissions.querySync(descriptor).state === "granted";
}
