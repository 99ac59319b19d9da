/**
 * Error numbers of the system, in words, and which {@link RegrainError} each becomes.
 *
 * Numbers are those of Linux on x86-64 and aarch64, which agree on every one listed (`asm-generic/errno.h`).
 */
import { quotePath } from "../../core-as/host/command_line.ts";
import { type ErrorCode, type ErrorDetail, RegrainError } from "../../core-as/host/errors.ts";

const ERRNO_ROWS = [
  [1, "EPERM", "operation not permitted"],
  [2, "ENOENT", "no such file or directory"],
  [4, "EINTR", "interrupted"],
  [5, "EIO", "input/output error"],
  [6, "ENXIO", "no such device or address"],
  [9, "EBADF", "closed already"],
  [11, "EAGAIN", "held by another program"],
  [12, "ENOMEM", "out of memory"],
  [13, "EACCES", "permission denied"],
  [16, "EBUSY", "device or resource busy"],
  [17, "EEXIST", "exists already"],
  [18, "EXDEV", "on another file system"],
  [19, "ENODEV", "no such device"],
  [20, "ENOTDIR", "a part of the path is not a directory"],
  [21, "EISDIR", "is a directory"],
  [22, "EINVAL", "invalid argument"],
  [23, "ENFILE", "too many open files in the system"],
  [24, "EMFILE", "too many open files"],
  [25, "ENOTTY", "request not known to the device"],
  [26, "ETXTBSY", "program or swap file in use"],
  [27, "EFBIG", "file too large for the file system"],
  [28, "ENOSPC", "no space left on device"],
  [30, "EROFS", "read-only file system"],
  [36, "ENAMETOOLONG", "file name too long"],
  [37, "ENOLCK", "no locks available"],
  [38, "ENOSYS", "not known to the system"],
  [40, "ELOOP", "too many symbolic links"],
  [61, "ENODATA", "no data: a bad block"],
  [84, "EILSEQ", "data failed its integrity check"],
  [95, "EOPNOTSUPP", "operation not supported"],
  [110, "ETIMEDOUT", "timed out"],
  [116, "ESTALE", "stale file handle"],
  [121, "EREMOTEIO", "remote input/output error"],
  [122, "EDQUOT", "disk quota exceeded"],
  [123, "ENOMEDIUM", "no medium found"],
] as const;

export type ErrnoName = (typeof ERRNO_ROWS)[number][1];

const NAMES = new Map<number, string>(ERRNO_ROWS.map(([number, name]) => [number, name]));
const TEXTS = new Map<string, string>(ERRNO_ROWS.map(([, name, text]) => [name, text]));

/** The name of an error number, or `errno 123` for one that has none here. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

/** What was being done when the system refused. */
export type Operation =
  | "open source"
  | "open target"
  | "look up"
  | "list"
  | "read file"
  | "make"
  | "open log"
  | "save"
  | "spill"
  | "rename"
  | "remove"
  | "set rights"
  | "read"
  | "write"
  | "zero"
  | "flush";

const VERBS: Record<Operation, string> = {
  "open source": "opening failed",
  "open target": "opening for writing failed",
  "look up": "looking it up failed",
  "list": "listing it failed",
  "read file": "reading failed",
  "make": "it cannot be made or written",
  "open log": "opening for writing failed",
  "save": "writing failed",
  "spill": "the temporary file cannot be used",
  "rename": "giving it its name failed",
  "remove": "removing it failed",
  "set rights": "its rights cannot be set",
  "read": "reading failed",
  "write": "writing failed",
  "zero": "writing zeros failed",
  "flush": "making the writes durable failed",
};

type CodesByErrno = Partial<Record<ErrnoName, ErrorCode>>;

const OPEN_SOURCE_CODES: CodesByErrno = {
  ENOENT: "NOT_FOUND",
  ENOTDIR: "NOT_FOUND",
  EISDIR: "NOT_A_DISK",
  EACCES: "PERMISSION",
  EPERM: "PERMISSION",
};
const OPEN_TARGET_CODES: CodesByErrno = {
  ENOENT: "TARGET_MISSING",
  ENOTDIR: "TARGET_MISSING",
  EISDIR: "TARGET_UNSUITABLE",
  EEXIST: "TARGET_UNSUITABLE",
  EACCES: "PERMISSION",
  EPERM: "TARGET_READ_ONLY",
  EROFS: "TARGET_READ_ONLY",
  ETXTBSY: "TARGET_READ_ONLY",
  EBUSY: "TARGET_BUSY",
};
const WRITE_CODES: CodesByErrno = {
  EROFS: "TARGET_READ_ONLY",
  EPERM: "TARGET_READ_ONLY",
  EACCES: "TARGET_READ_ONLY",
  ETXTBSY: "TARGET_READ_ONLY",
};

/** Of small files, and of names. */
const DENIED_CODES: CodesByErrno = { EACCES: "PERMISSION", EPERM: "PERMISSION" };

const CODES: Record<Operation, { byErrno: CodesByErrno; otherwise: ErrorCode }> = {
  "open source": { byErrno: OPEN_SOURCE_CODES, otherwise: "OPEN_FAILED" },
  "open target": { byErrno: OPEN_TARGET_CODES, otherwise: "OPEN_FAILED" },
  "look up": { byErrno: DENIED_CODES, otherwise: "OPEN_FAILED" },
  "list": {
    byErrno: { ...DENIED_CODES, ENOENT: "NOT_FOUND", ENOTDIR: "NOT_FOUND" },
    otherwise: "OPEN_FAILED",
  },
  "read file": {
    byErrno: { ...DENIED_CODES, ENOENT: "NOT_FOUND", ENOTDIR: "NOT_FOUND" },
    otherwise: "OPEN_FAILED",
  },
  "make": { byErrno: DENIED_CODES, otherwise: "OPEN_FAILED" },
  "open log": { byErrno: DENIED_CODES, otherwise: "OPEN_FAILED" },
  "save": { byErrno: DENIED_CODES, otherwise: "WRITE_FAILED" },
  "spill": { byErrno: DENIED_CODES, otherwise: "WRITE_FAILED" },
  "rename": { byErrno: DENIED_CODES, otherwise: "WRITE_FAILED" },
  "remove": { byErrno: DENIED_CODES, otherwise: "WRITE_FAILED" },
  "set rights": {
    byErrno: {
      EACCES: "PERMISSION",
      EPERM: "PERMISSION",
      ESTALE: "TARGET_CHANGED",
      ELOOP: "TARGET_CHANGED",
      ENOENT: "TARGET_CHANGED",
    },
    otherwise: "WRITE_FAILED",
  },
  "read": { byErrno: {}, otherwise: "READ_FAILED" },
  "write": { byErrno: WRITE_CODES, otherwise: "WRITE_FAILED" },
  "zero": { byErrno: WRITE_CODES, otherwise: "WRITE_FAILED" },
  "flush": { byErrno: WRITE_CODES, otherwise: "WRITE_FAILED" },
};

const NO_SPACE = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** What is known of a failed call: where, and what came of it. */
export interface Failure extends ErrorDetail {
  readonly operation: Operation;
  readonly path: string;
  /** `ENOSPC`, or what {@link errnoName} made of a number it does not know. */
  readonly errno: string;
}

/** The error that a failed call of the system becomes; the message names the errno. */
export function systemError(failure: Failure): RegrainError {
  const { operation, errno, ...detail } = failure;
  const text = TEXTS.get(errno);
  const reason = text === undefined ? errno : `${text} (${errno})`;
  if (errno === "EMFILE") detail.hint ??= "raise the limit on open files with ulimit -n";
  return new RegrainError(codeOf(operation, errno), `${VERBS[operation]}: ${reason}`, detail);
}

function codeOf(operation: Operation, errno: string): ErrorCode {
  const { byErrno, otherwise } = CODES[operation];
  if (NO_SPACE.has(errno)) return "NO_SPACE";
  return (byErrno as Record<string, ErrorCode | undefined>)[errno] ?? otherwise;
}

/** True where a medium answers that this very place cannot be read, and others may be. */
export function isBadMedium(error: unknown): error is RegrainError {
  return error instanceof RegrainError && error.code === "READ_FAILED" &&
    /\((?:EIO|ENODATA|EILSEQ)\)$/.test(error.reason);
}

/** The error of a medium that ends inside a transfer. */
export function shortRead(path: string, offsetBytes: number): RegrainError {
  return new RegrainError("READ_SHORT", "the file ended while more of it was to be read", {
    path,
    offsetBytes,
  });
}

/** The error of a transfer that would reach past the end of a target; nothing of it has been written. */
export function pastEnd(target: { path: string; sizeBytes: number }, offsetBytes: number): RegrainError {
  const { path, sizeBytes } = target;
  return new RegrainError("NO_SPACE", `a write reaches past the end of the target (${sizeBytes} bytes)`, {
    path,
    offsetBytes,
  });
}

/** The error of a target that another program has locked. */
export function heldByAnother(path: string): RegrainError {
  const message = "another program holds a lock on it (a running virtual machine?)";
  return new RegrainError("TARGET_BUSY", message, {
    path,
    hint: "stop that program first, or write to the target all the same with --force",
  });
}

/** The error of a target that another run has claimed; nothing overrides it. */
export function heldByRun(path: string): RegrainError {
  const message = "another run of regrain, or a program that locks files as it does (flock), writes to it";
  return new RegrainError("TARGET_BUSY", message, {
    path,
    hint:
      `wait for it to end, or stop it (fuser -v ${
        quotePath(path)
      } names it); --force does not help: two that write at ` +
      "once make a disk of parts of both",
  });
}

/** The error of a path that stands for something without a size or an end. */
export function unsuitable(code: ErrorCode, path: string, kind: "directory" | "other"): RegrainError {
  const found = kind === "directory" ? "a directory" : "neither file nor block device";
  const hint = kind === "directory" && code === "NOT_A_DISK"
    ? { hint: `regrain info ${quotePath(path)} shows the disks of a VM's folder, and the commands for them` }
    : {};
  return new RegrainError(code, `it is ${found}, expected a file or block device`, { path, ...hint });
}

/** The error of a path that Deno's own permissions do not cover. */
export function notPermitted(path: string, detail: { flag: string; cause?: unknown }): RegrainError {
  const { flag, cause } = detail;
  return new RegrainError("PERMISSION", "Deno was not told to allow it", {
    path,
    hint: `grant ${flag}`,
    cause,
  });
}

/** Refuses a path with something in it that no system call can carry. */
export function assertUsablePath(path: string): void {
  if (path === "") throw new RegrainError("USAGE", "a path cannot be empty");
  if (path.includes("\0")) throw new RegrainError("USAGE", "a path cannot hold a NUL byte");
}

/** A transfer outside its buffer is a mistake of ours, and past it lies the memory of the process: crash. */
export function assertInside(endOfTransfer: number, buffer: Uint8Array): void {
  if (endOfTransfer > buffer.length) throw new RangeError("a transfer reaches past its buffer");
}
