/** Paths and the tables of the system, by libc: what stands where, and what small files say. */
import type { SystemFiles } from "./in_use.ts";
import { cString, type Libc, O_CLOEXEC, O_RDONLY, untilDone } from "./libc.ts";
import { PRIVATE_MODE } from "./rights.ts";
import { encodeDevice, type FileStatus, type Identity } from "./types.ts";

const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;
const STATX_BYTES = 256;
const S_IFMT = 0o170000;
const KIND_OF_MODE = new Map<number, FileStatus["kind"]>([
  [0o100000, "file"],
  [0o040000, "directory"],
  [0o060000, "device"],
]);

const PATH_MAX = 4096;
const DIRENT_NAME_OFFSET = 19;
const READ_STEP_BYTES = 64 * 1024;
/** More than any table of the system holds; a file that goes on beyond is cut. */
const READ_LIMIT_BYTES = 16 * 1024 * 1024;

/** What `statx(2)` says, as far as it matters here. */
export interface Status {
  readonly kind: FileStatus["kind"];
  /** 0 for a device. */
  readonly sizeBytes: number;
  /** Preferred block of the file system, in bytes. */
  readonly blockBytes: number;
  readonly identity: Identity;
  /** When it was written to last, in nanoseconds since 1970. */
  readonly modifiedNs: bigint;
  /** Names that it has. */
  readonly links: number;
  /** User id. */
  readonly owner: number;
}

/** Calls that return `undefined`, or a negative number, on failure; `errno` then names the error. */
export class LinuxSystem implements SystemFiles {
  /** The error of the last call that failed. */
  errno = "";
  readonly libc: Libc;

  constructor(libc: Libc) {
    this.libc = libc;
  }

  /** Opens with O_CLOEXEC; a new file is its owner's alone. */
  open(path: string, flags: number): number {
    const name = cString(path);
    return this.#kept(untilDone(this.libc, () => this.libc.open(name, flags | O_CLOEXEC, PRIVATE_MODE)));
  }

  /** What stands at a path, or is open as a descriptor. */
  status(file: string | number): Status | undefined {
    const status = new Uint8Array(STATX_BYTES);
    const [fd, name, flags] = typeof file === "number"
      ? [file, cString(""), AT_EMPTY_PATH]
      : [AT_FDCWD, cString(file), 0];
    if (this.#kept(this.libc.statx(fd, name, flags, STATX_BASIC_STATS, status)) < 0) return undefined;
    return parseStatx(new DataView(status.buffer));
  }

  identify(path: string): Identity | undefined {
    return this.status(path)?.identity;
  }

  realPath(path: string): string | undefined {
    const resolved = new Uint8Array(PATH_MAX);
    if (this.libc.realpath(cString(path), resolved) !== null) {
      const bytes = resolved.subarray(0, resolved.indexOf(0));
      const text = new TextDecoder().decode(bytes);
      // What is not UTF-8 cannot be named in a string; the links that lead there still can.
      return text.includes("\uFFFD") ? path : text;
    }
    this.errno = this.libc.errno();
    return undefined;
  }

  /**
   * Where an open file lies, without links, by what the kernel says of its descriptor; `undefined` where it does not.
   * Bytes that are not UTF-8 become U+FFFD.
   */
  pathOf(fd: number): string | undefined {
    const path = new Uint8Array(PATH_MAX);
    const length = this.#kept(this.libc.readlink(cString(byDescriptor(fd)), path, BigInt(path.length)));
    return length <= 0 || length === path.length
      ? undefined
      : new TextDecoder().decode(path.subarray(0, length));
  }

  readText(path: string): string | undefined {
    const fd = this.open(path, O_RDONLY);
    if (fd < 0) return undefined;
    try {
      return this.#readAll(fd);
    } finally {
      this.libc.close(fd);
    }
  }

  list(path: string): string[] {
    const folder = this.libc.opendir(cString(path));
    if (folder === null) return [];
    const names: string[] = [];
    for (let entry = this.libc.readdir(folder); entry !== null; entry = this.libc.readdir(folder)) {
      names.push(new Deno.UnsafePointerView(entry).getCString(DIRENT_NAME_OFFSET));
    }
    this.libc.closedir(folder);
    return names.filter((name) => name !== "." && name !== "..");
  }

  /** An integer that the kernel gives about an open file, little-endian in `bytes` bytes. */
  ioctlInteger(fd: number, request: { code: bigint; bytes: 4 | 8 }): number | undefined {
    const answer = new DataView(new ArrayBuffer(8));
    const result = this.libc.ioctl(fd, request.code, new Uint8Array(answer.buffer));
    if (this.#kept(result) < 0) return undefined;
    return request.bytes === 4 ? answer.getInt32(0, true) : Number(answer.getBigUint64(0, true));
  }

  #readAll(fd: number): string | undefined {
    const step = new Uint8Array(READ_STEP_BYTES);
    const decoder = new TextDecoder();
    let text = "";
    for (let at = 0; at < READ_LIMIT_BYTES;) {
      const got = untilDone(this.libc, () => this.libc.pread(fd, step, BigInt(step.length), BigInt(at)));
      if (got < 0) return undefined;
      if (got === 0) break;
      text += decoder.decode(step.subarray(0, got), { stream: true });
      at += got;
    }
    return text + decoder.decode();
  }

  #kept(result: number): number {
    if (result < 0) this.errno = this.libc.errno();
    return result;
  }
}

/** A name under which what is open can be opened again, and nothing else. */
export function byDescriptor(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** `struct statx` of `linux/stat.h`, whose layout is one for all processors. */
function parseStatx(view: DataView): Status {
  const kind = KIND_OF_MODE.get(view.getUint16(28, true) & S_IFMT) ?? "other";
  const device = encodeDevice({ major: view.getUint32(136, true), minor: view.getUint32(140, true) });
  const rdev = encodeDevice({ major: view.getUint32(128, true), minor: view.getUint32(132, true) });
  return {
    kind,
    sizeBytes: Number(view.getBigUint64(40, true)),
    blockBytes: view.getUint32(4, true),
    identity: {
      device,
      inode: Number(view.getBigUint64(32, true)),
      rdev: kind === "device" ? rdev : undefined,
    },
    links: view.getUint32(16, true),
    owner: view.getUint32(20, true),
    modifiedNs: view.getBigInt64(112, true) * 1_000_000_000n + BigInt(view.getUint32(120, true)),
  };
}
