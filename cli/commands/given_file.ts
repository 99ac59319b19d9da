/** Small files that a flag or argument names: a list, a passphrase, a copy of keys. */
import { formatSize, RegrainError } from "../../core-as/host/mod.ts";

/**
 * The whole of a small file; of a pipe, such as a shell makes of `<(…)`, all that comes.
 *
 * @param mostBytes More is not read of a file, and refused of anything.
 * @param what What the file is to be, with its article: `a list of disks`.
 * @throws {RegrainError} `NOT_FOUND`, `PERMISSION`, `OPEN_FAILED`, `LIMIT_EXCEEDED`.
 */
export function readGivenFile(path: string, { mostBytes, what }: { mostBytes: number; what: string }) {
  let bytes: Uint8Array<ArrayBuffer> | undefined;
  try {
    const { isFile, size } = Deno.statSync(path);
    if (!isFile || size <= mostBytes) bytes = Deno.readFileSync(path);
  } catch (cause) {
    throw openError(path, cause);
  }
  if (bytes !== undefined && bytes.length <= mostBytes) return bytes;
  throw new RegrainError("LIMIT_EXCEEDED", `is larger than ${what} can be: ${formatSize(mostBytes)}`, {
    path,
  });
}

function openError(path: string, cause: unknown): RegrainError {
  if (cause instanceof Deno.errors.NotFound) {
    const hint = path === "-" ? { hint: "/dev/stdin is standard input here" } : {};
    return new RegrainError("NOT_FOUND", "does not exist", { path, cause, ...hint });
  }
  const isDenied = cause instanceof Deno.errors.NotCapable || cause instanceof Deno.errors.PermissionDenied;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new RegrainError(isDenied ? "PERMISSION" : "OPEN_FAILED", `cannot be read (${why})`, {
    path,
    cause,
  });
}
