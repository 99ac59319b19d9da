/**
 * Files that grow and must survive a power loss: undo files. They are written in large pieces, so that files of Deno
 * and Node do: their fsync is the same system call.
 */
import { isForbidden, isTaken } from "../deno_errors.ts";
import { isThereAlready, syncFolderOf } from "./durable.ts";
import { nodeFs, PRIVATE_MODE, type RightsOf, takeRights } from "./rights.ts";
import { translated, translating } from "./translate.ts";

/** A small file, or a growing one, that is written at any place and synced on demand. */
export interface LogFile {
  readonly path: string;
  /** @throws {RegrainError} `NO_SPACE`, `WRITE_FAILED`; a part of the bytes may stand in the file then. */
  write(offsetBytes: number, bytes: Uint8Array): void;
  /** Returns when everything written is durable. */
  sync(): void;
  close(): void;
}

export interface LogOptions {
  /** True makes a new one, false opens one that is there. */
  readonly create: boolean;
  /** Files that hold the same bytes: a new one takes their owner and rights. */
  readonly like?: readonly string[];
}

/**
 * Opens a log file. A new one is its owner's alone until it has the rights of the files that it is like.
 *
 * @param hasAcl Whether a list of access control belongs to a file; nobody knows where the system is not asked.
 * @throws {RegrainError} `TARGET_UNSUITABLE` when a new one stands there already, `PERMISSION`, `OPEN_FAILED`.
 */
export function openLogFile(
  path: string,
  { create, like = [] }: LogOptions,
  hasAcl: RightsOf["hasAcl"] = () => false,
): LogFile {
  const fs = nodeFs();
  const fd = openDescriptor(path, create);
  try {
    if (create) {
      translating({ operation: "set rights", path }, () => takeRights(fd, { paths: like, hasAcl }));
      syncFolderOf(path);
    }
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
  return {
    path,
    write(offsetBytes, bytes) {
      translating({ operation: "save", path }, () => {
        for (let at = 0; at < bytes.length;) {
          at += fs.writeSync(fd, bytes, at, bytes.length - at, offsetBytes + at);
        }
      });
    },
    sync: () => translating({ operation: "flush", path }, () => fs.fsyncSync(fd)),
    close: () => fs.closeSync(fd),
  };
}

function openDescriptor(path: string, create: boolean): number {
  const fs = nodeFs();
  const { O_WRONLY, O_CREAT, O_EXCL } = fs.constants;
  try {
    return fs.openSync(path, create ? O_WRONLY | O_CREAT | O_EXCL : O_WRONLY, PRIVATE_MODE);
  } catch (cause) {
    throw isTaken(cause) ? isThereAlready(path) : translated({ operation: "open log", path }, cause);
  }
}

/** When a file was changed last; a device needs more permissions to be asked than the answer is worth. */
export function modifiedMs(path: string): number | undefined {
  try {
    return Deno.statSync(path).mtime?.getTime();
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}
