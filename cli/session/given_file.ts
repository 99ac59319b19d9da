/** Small files that a flag or argument names: a list, a passphrase, a copy of keys. */
import { formatSize, RegrainError } from "../../core-as/host/mod.ts";
import { translated } from "../io/mod.ts";

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
    const error = translated({ operation: "read file", path }, cause);
    if (path !== "-" || !(error instanceof RegrainError)) throw error;
    throw error.withHint("/dev/stdin is standard input here");
  }
  if (bytes !== undefined && bytes.length <= mostBytes) return bytes;
  throw new RegrainError("LIMIT_EXCEEDED", `is larger than ${what} can be: ${formatSize(mostBytes)}`, {
    path,
  });
}
