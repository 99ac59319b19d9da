/**
 * What an error of Deno says: the system's error number by its name, or that Deno was not told to allow it. No other
 * file looks at the classes of these errors, so that each kind is told by one rule. `io/translate.ts` makes errors with
 * a code of ours of them.
 */
import { RegrainError } from "../core-as/host/errors.ts";

const { errors } = Deno;

/** Errors that Deno or a test makes without a number. */
const CLASSES: readonly (readonly [new (message?: string) => Error, string])[] = [
  [errors.NotFound, "ENOENT"],
  [errors.NotADirectory, "ENOTDIR"],
  [errors.IsADirectory, "EISDIR"],
  [errors.AlreadyExists, "EEXIST"],
  [errors.PermissionDenied, "EACCES"],
  [errors.FilesystemLoop, "ELOOP"],
  [errors.BrokenPipe, "EPIPE"],
  [errors.AddrInUse, "EADDRINUSE"],
  [errors.NotSupported, "EOPNOTSUPP"],
  [errors.Busy, "EBUSY"],
  [errors.TimedOut, "ETIMEDOUT"],
  [errors.Interrupted, "EINTR"],
];

/** The name of the system's error number, such as `ENOENT`; `undefined` for an error that is not the system's. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || error instanceof RegrainError) return undefined;
  // Errors of libraries have codes too, such as ERR_INVALID_ARG_TYPE.
  if ("code" in error && typeof error.code === "string" && /^E[A-Z0-9]+$/.test(error.code)) return error.code;
  return CLASSES.find(([kind]) => error instanceof kind)?.[1];
}

/** True for an error of one of Deno's own classes. */
export function isOfDeno(error: unknown): error is Error {
  return Object.values(errors).some((kind) => error instanceof kind);
}

/** True for an error of the system with one of these numbers. */
export function hasErrno(error: unknown, ...names: readonly string[]): boolean {
  const errno = errnoOf(error);
  return errno !== undefined && names.includes(errno);
}

/** True for what Deno's own permissions forbid. The system was not asked then. */
export function isForbidden(error: unknown): boolean {
  return error instanceof errors.NotCapable;
}

/**
 * The flag of Deno that would allow what it forbade, with what it forbade it of.
 *
 * @param of Names that instead: the file that Deno names may have a name that no later run has.
 */
export function missingFlag(error: unknown, of?: string): string {
  const message = error instanceof Error ? error.message : "";
  const flag = /--allow-[a-z-]+/.exec(message)?.[0];
  if (flag === undefined || flag === "--allow-all") return "--allow-all";
  const forbidden = of ?? /^Requires \w+ access to "([^"]+)"/.exec(message)?.[1];
  return forbidden === undefined ? flag : `${flag}=${forbidden}`;
}

/** True for what Deno forbids, or the system denies to this user. */
export function isDenied(error: unknown): boolean {
  return isForbidden(error) || hasErrno(error, "EACCES", "EPERM");
}

/** True where nothing has that name, nor can have it, since a part of the path is a file. */
export function isAbsent(error: unknown): boolean {
  return hasErrno(error, "ENOENT", "ENOTDIR");
}

/** True where something has that name already. */
export function isTaken(error: unknown): boolean {
  return hasErrno(error, "EEXIST");
}

/** True where there is no space left, be it by a quota, or the file can grow no more. */
export function isFull(error: unknown): boolean {
  return hasErrno(error, "ENOSPC", "EDQUOT", "EFBIG");
}

/** True where a file system has no such thing, such as owners, second names or fsync. */
export function isUnsupported(error: unknown): boolean {
  return hasErrno(error, "EOPNOTSUPP", "ENOTSUP", "ENOSYS", "EINVAL", "ENOTTY");
}

/** True for a name or a text that is not UTF-8, which Deno gives to nobody. */
export function isNoText(error: unknown): boolean {
  return error instanceof errors.InvalidData;
}
