/** The one way in which an error of Deno becomes one of ours, with a code, the path and what to do. */
import { type ErrorCode, RegrainError } from "../../core-as/host/errors.ts";
import { errnoOf, isForbidden, isOfDeno, missingFlag } from "../deno_errors.ts";
import { notPermitted, type Operation, systemError } from "./errno.ts";

/** What is being done. */
export interface Doing {
  readonly operation: Operation;
  readonly path: string;
  /** Where it stands when it fails. */
  readonly offsetBytes?: () => number;
  /** What Deno would have to allow, where it is not the file that it names. */
  readonly grant?: string;
  /** The code of whatever is neither a missing right nor a lack of space, in the place of the operation's own. */
  readonly otherwise?: ErrorCode;
}

/** Does it, and translates what it throws. */
export function translating<T>(doing: Doing, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw translated(doing, cause);
  }
}

/** As {@link translating}, for what takes its time. */
export async function translatingLater<T>(doing: Doing, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw translated(doing, cause);
  }
}

/** The error of ours; what is no error of the system is a bug, or ours already, and stays as it is. */
export function translated(doing: Doing, cause: unknown): unknown {
  const { operation, path, otherwise } = doing;
  if (isForbidden(cause)) return notPermitted(path, { flag: missingFlag(cause, doing.grant), cause });
  // What has no number is reported in the words that Deno has for it.
  const errno = errnoOf(cause) ?? (isOfDeno(cause) ? cause.message : undefined);
  if (errno === undefined) return cause;
  const where = doing.offsetBytes === undefined ? {} : { offsetBytes: doing.offsetBytes() };
  const error = systemError({ operation, path, errno, cause, ...where });
  return otherwise === undefined ? error : withCode(error, otherwise);
}

function withCode(error: RegrainError, otherwise: ErrorCode): RegrainError {
  if (error.code === "PERMISSION" || error.code === "NO_SPACE") return error;
  const { path, offsetBytes, hint, cause } = error;
  return new RegrainError(otherwise, error.reason, {
    cause,
    ...path === undefined ? {} : { path },
    ...offsetBytes === undefined ? {} : { offsetBytes },
    ...hint === undefined ? {} : { hint },
  });
}

/** `undefined` where nothing has the name; what else is thrown is translated. */
export function unlessAbsent<T>(doing: Doing, look: () => T): T | undefined {
  try {
    return look();
  } catch (cause) {
    const errno = errnoOf(cause instanceof RegrainError ? cause.cause : cause);
    if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
    throw translated(doing, cause);
  }
}
