/** What the two implementations of local I/O have in common: their interface, and what tells two files apart. */
import type { Bounds } from "../../core-as/host/files.ts";
import { ONE_AT_A_TIME, type Source, type Target, type TargetMedium } from "../../core-as/host/source.ts";
import type { LogFile, LogOptions } from "./log_file.ts";
import type { NamedFile } from "./named_file.ts";

/**
 * What the system knows a file by, whatever its name. Device numbers are encoded as `stat(2)` gives them; see
 * {@link encodeDevice}. Where a system has no such number, it is `NaN`, which equals nothing.
 */
export interface Identity {
  /** Device number of the file system that holds the file. */
  readonly device: number;
  readonly inode: number;
  /** Of a block device: its own device number. */
  readonly rdev: number | undefined;
  /** Of a loop device: the file behind it, where the system says. */
  readonly backing?: { readonly device: number; readonly inode: number };
}

/** What a file or device of this machine asks for. A call of the system waits for it, so one at a time is enough. */
export function localMedium(
  file: { readonly kind: "file" | "device"; readonly blockBytes: number },
): TargetMedium {
  return { ...ONE_AT_A_TIME, granularityBytes: file.blockBytes, holesAreFree: file.kind === "file" };
}

/** A source that knows which file it is. */
export type LocalSource = Source & { readonly identity: Identity };

/** A target that knows which file it is. */
export type LocalTarget = Target & {
  readonly identity: Identity;
  readonly fallbacks: readonly string[];
  /** Gives a file exactly these rights, whatever the umask. @throws {RegrainError} `PERMISSION`, `TARGET_CHANGED`. */
  setMode(mode: number): void;
  /**
   * Gives a file another size; what is new reads as zeros, and is a hole.
   *
   * @throws {RegrainError} `NO_SPACE`, `WRITE_FAILED`, `PERMISSION`; it has the size it had then.
   */
  resize(sizeBytes: number): void;
};

export interface TargetOptions {
  /** Makes a new, sparse file of that many bytes, for its owner alone; one that exists already is an error. */
  readonly create?: { readonly sizeBytes: number };
  /**
   * Goes on although the target is mounted, attached to a loop device, or locked as QEMU locks. What another run of
   * regrain writes to is never taken: two at once make a disk of parts of both.
   */
  readonly force: boolean;
  /** This process has the target open already, after all checks, and holds its locks: this is a second way in. */
  readonly joined?: boolean;
  /** The file or device that was judged under this name: another one is refused. */
  readonly judged?: Identity | undefined;
}

export interface FileStatus {
  /** `device` is a block device; pipes, sockets and character devices are `other`. */
  readonly kind: "file" | "directory" | "device" | "other";
  readonly sizeBytes: number;
}

/** Whether a file can be made or written under a name, and how much room there is. */
export interface Room {
  /** The error that making or writing the file would meet, by its name; `undefined` where none is foreseen. */
  readonly obstacle: string | undefined;
  /** Bytes that are free on its file system; `undefined` where nobody tells. */
  readonly freeBytes: number | undefined;
}

/** Access to files and block devices of this machine. Every path is followed through symbolic links. */
export interface Io {
  readonly name: "linux" | "portable";
  /** Why this implementation was picked, for `-v`. */
  readonly reason: string;
  /**
   * @param bounds What is opened must be within them. By libc that is judged by the descriptor, before a byte is read
   * and before a device or a pipe is opened. Deno's own files have no such way: there the name is looked at before and
   * after, which a link that is swapped at the right moments, several times, can get past.
   * @throws {RegrainError} `NOT_FOUND`, `NOT_A_DISK`, `PERMISSION`, `OPEN_FAILED`, and what the bounds say.
   */
  openSource(path: string, bounds?: Bounds): LocalSource;
  /**
   * Opens for writing in place, for this process alone: devices exclusively, files under a lock.
   *
   * @throws {RegrainError} `TARGET_MISSING`, `TARGET_UNSUITABLE`, `TARGET_MOUNTED`, `TARGET_BUSY`,
   * `TARGET_READ_ONLY`, `PERMISSION`, `NO_SPACE`, `OPEN_FAILED`. The hint names `--force` where that helps.
   */
  openTarget(path: string, options: TargetOptions): LocalTarget;
  /** What stands at `path`, or `undefined` when nothing does. */
  stat(path: string): FileStatus | undefined;
  /** Lets a pipe on standard input hold more than the common 64 KiB, where the system allows it. */
  growStdin?(bytes: number): void;
  /**
   * Waits a moment for standard input.
   *
   * @returns true when a read would not wait, be it for the end. Absent where nobody can tell.
   */
  stdinIsReady?(waitMs: number): boolean;
  /** `path` without symbolic links, absolute, or `undefined` when nothing stands there. */
  realPath(path: string): string | undefined;
  /** Which file a name stands for, also while there is none yet: what tells two names of one file. */
  nameFile(path: string): NamedFile;
  /** Names in a folder, in no order; `undefined` where it is none, may not be read, or has more than 65,536. */
  list(path: string): string[] | undefined;
  /** When a file was changed last, in milliseconds since 1970; `undefined` where that may not be asked. */
  modifiedMs(path: string): number | undefined;
  /** Whether a file could be made or written at `path`, and how much is free there. Makes nothing. */
  roomAt(path: string): Room;
  /**
   * Opens an undo file.
   *
   * @param options `like`: files whose owner and rights a new one takes; without it, it is its owner's alone.
   * @throws {RegrainError} `TARGET_UNSUITABLE` when one that is to be made stands there already, `PERMISSION`,
   * `OPEN_FAILED`.
   */
  openLog(path: string, options: LogOptions): LogFile;
  /**
   * Replaces a small file as a whole: written beside it, made durable, put in place by rename.
   *
   * @param mode Rights of the file; without it those of the one that is there, or what everybody may read.
   * @throws {RegrainError} `NO_SPACE`, `WRITE_FAILED`, `PERMISSION`; the old file stands then.
   */
  replaceFile(path: string, bytes: Uint8Array, mode?: number): void;
  /**
   * Replaces the content of a small file that is there, and nothing else of it: owner, group, mode, access control
   * list and hard links stay. By rename where all of that can be given to a new file, so that a power loss leaves
   * the old content or the new; else in place, and a power loss in that moment leaves the new content beside it.
   *
   * @param path Without symbolic links.
   * @throws {RegrainError} `NO_SPACE`, `WRITE_FAILED`, `PERMISSION`.
   */
  rewriteFile(path: string, bytes: Uint8Array): void;
  /** Removes a file; that it is gone already is fine. */
  removeFile(path: string): void;
}

/** Whether writing to one changes the other: the same file, the same device, or a loop device and its file. */
export function sameStorage(a: Identity, b: Identity): boolean {
  if (a.rdev !== undefined && a.rdev === b.rdev) return true;
  const storageOfB = [b, b.backing].filter((each) => each !== undefined);
  return [a, a.backing].some((one) =>
    one !== undefined &&
    storageOfB.some((other) => one.device === other.device && one.inode === other.inode)
  );
}

/** Device number as glibc's `makedev(3)` encodes it, for the majors (12 bits) and minors (20 bits) of Linux. */
export function encodeDevice(device: { major: number; minor: number }): number {
  const minorLow = device.minor % 256;
  return (device.minor - minorLow) * 4096 + device.major * 256 + minorLow;
}

/** `major:minor` of an encoded device number, as sysfs names devices. */
export function deviceName(device: number): string {
  const minorHigh = Math.floor(device / 2 ** 20);
  return `${Math.floor(device / 256) % 4096}:${minorHigh * 256 + device % 256}`;
}
