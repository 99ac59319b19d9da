/**
 * Every error a user can meet: a stable code, the exit status, and one sentence.
 *
 * Codes are API: never renamed, only added. A message reads `path: what was found, what was expected, at which
 * byte`; the hint, on a line of its own, says what to do. Anything thrown that is not a {@link RegrainError} is a
 * bug of ours.
 *
 * This module is browser compatible.
 */

/** The table: code to exit status and general meaning. */
export const ERRORS = {
  USAGE: { exit: 2, text: "the command line is not right" },
  TARGET_MISSING: { exit: 2, text: "the target does not exist" },
  TARGET_IS_INPUT: { exit: 2, text: "the target is one of the inputs" },
  TARGET_UNSUITABLE: { exit: 2, text: "the target is not something that can be written in place" },
  TARGET_MOUNTED: { exit: 2, text: "the target, or a part of it, is mounted" },
  TARGET_BUSY: { exit: 2, text: "another program has the target open for itself" },

  NOT_A_DISK: { exit: 4, text: "the input is not a disk this tool knows" },
  NOT_FOUND: { exit: 4, text: "a file that is needed does not exist" },
  AMBIGUOUS_NAME: { exit: 4, text: "a name in a file may mean several files, and nothing tells which" },
  OUTSIDE_FOLDER: { exit: 4, text: "a file names another one outside its own folder" },
  UNSUPPORTED: { exit: 4, text: "the format is known, this variant of it cannot be read" },
  ENCRYPTED: { exit: 4, text: "the disk is encrypted, and its key is not here" },
  HEADER_INVALID: { exit: 4, text: "a header holds a value that cannot be" },
  DESCRIPTOR_INVALID: { exit: 4, text: "a descriptor cannot be understood" },
  LIMIT_EXCEEDED: { exit: 4, text: "a size in the file is beyond what any real disk has" },
  TRUNCATED: { exit: 4, text: "the file ends before what its header says it holds" },
  JOURNAL_DIRTY: { exit: 4, text: "the journal of an SESparse file holds changes that nobody can replay" },
  DAMAGED: { exit: 4, text: "tables of the file contradict each other or the file" },
  GRAIN_DAMAGED: { exit: 4, text: "a compressed grain cannot be unpacked" },
  CHAIN_CYCLE: { exit: 4, text: "a chain comes back to one of its own links" },
  CHAIN_TOO_DEEP: { exit: 4, text: "a chain has more links than any real one" },

  WRONG_BASE: { exit: 5, text: "the delta was not made against this base" },
  SIZE_MISMATCH: { exit: 5, text: "the target does not have the size of the disk" },
  RESUME_REFUSED: { exit: 5, text: "an interrupted run cannot be resumed with these deltas and this target" },
  CHAIN_BROKEN: { exit: 5, text: "two links of the chain do not belong together" },

  OPEN_FAILED: { exit: 6, text: "a file cannot be opened" },
  READ_FAILED: { exit: 6, text: "reading failed" },
  HOOK_FAILED: { exit: 6, text: "a command that had to succeed before the work failed" },
  READ_SHORT: { exit: 6, text: "a file became shorter while it was read" },
  INPUT_CHANGED: { exit: 6, text: "an input was changed while it was read" },
  TARGET_CHANGED: { exit: 6, text: "the target was replaced, removed or cut while it was written" },
  WRITE_FAILED: { exit: 6, text: "writing failed" },
  VERIFY_FAILED: { exit: 6, text: "what was read back is not what was written" },
  NO_SPACE: { exit: 6, text: "there is no space left where the target is" },
  TARGET_READ_ONLY: { exit: 6, text: "the target cannot be written" },
  PERMISSION: { exit: 6, text: "the system or Deno does not allow it" },
  ADDRESS_REUSED: { exit: 6, text: "an address that lets in once was used twice, by somebody else perhaps" },

  SNAPSHOT_MISSING: { exit: 4, text: "the repository has no such snapshot" },
  SNAPSHOT_DAMAGED: { exit: 4, text: "a manifest, or a page of a snapshot's map, is not what was written" },
  CHUNK_MISSING: { exit: 4, text: "a chunk that a snapshot needs is not in the repository" },
  CHUNK_DAMAGED: { exit: 4, text: "a chunk is not what was stored" },
  REPO_UNSUPPORTED: { exit: 4, text: "the repository, or a snapshot in it, was made by a newer version" },
  REPO_MIXED: {
    exit: 5,
    text: "an object belongs to another repository, or stands under another one's name",
  },
  STORE_FAILED: { exit: 7, text: "the object store does not answer, or answers with an error" },
  STORE_DENIED: { exit: 7, text: "the object store does not allow it, or does not know the credentials" },
  STORE_UNSUITABLE: { exit: 7, text: "the object store does not keep what a repository rests on" },
  REPO_MISSING: { exit: 10, text: "there is no repository there" },
  REPO_EXISTS: { exit: 2, text: "there is a repository, or something else, already" },
  REPO_KEY: { exit: 12, text: "the passphrase opens no key slot of the repository, or none was given" },
  REPO_UNENCRYPTED: {
    exit: 12,
    text: "a passphrase was given, or keys are there, and the repository is not encrypted",
  },
  REPO_REPLACED: {
    exit: 12,
    text: "the repository is not the one that this host remembers, or that its key confirms",
  },

  HUNG_UP: { exit: 129, text: "stopped by SIGHUP, as the end of a terminal or of an ssh session sends it" },
  INTERRUPTED: { exit: 130, text: "stopped by SIGINT, as Ctrl-C sends it" },
  TERMINATED: { exit: 143, text: "stopped by SIGTERM, as kill sends it" },
} as const satisfies Record<string, { exit: number; text: string }>;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorDetail {
  /** The file it is about. */
  path?: string;
  /** Where in that file, in bytes. */
  offsetBytes?: number;
  /** What to do about it: one sentence. */
  hint?: string;
  cause?: unknown;
}

/** An error that belongs to the world, not to this program. */
export class RegrainError extends Error {
  override readonly name = "RegrainError";
  readonly code: ErrorCode;
  readonly path: string | undefined;
  readonly offsetBytes: number | undefined;
  readonly hint: string | undefined;
  /** The message without path and offset. */
  readonly reason: string;

  /** @param message What was found and what was expected; lower case, no full stop, without path and offset. */
  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    const where = detail.path === undefined ? "" : `${detail.path}: `;
    const at = detail.offsetBytes === undefined ? "" : `, at byte ${detail.offsetBytes}`;
    super(`${where}${message}${at}`, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.reason = message;
    this.path = detail.path;
    this.offsetBytes = detail.offsetBytes;
    this.hint = detail.hint;
  }

  /** The same error with another hint. */
  withHint(hint: string): RegrainError {
    const { path, offsetBytes } = this;
    return new RegrainError(this.code, this.reason, {
      hint,
      cause: this,
      ...(path === undefined ? {} : { path }),
      ...(offsetBytes === undefined ? {} : { offsetBytes }),
    });
  }

  /** Exit status of the process that ends with this error. */
  get exit(): number {
    return ERRORS[this.code].exit;
  }
}
