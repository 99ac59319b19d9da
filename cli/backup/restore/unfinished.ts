/** What is said of a restore that did not end: how the rest is had, and where what was written so far stands. */
import { RegrainError } from "../../../core-as/host/mod.ts";
import { isDamage } from "../places.ts";

/**
 * Adds to an error what can be done about it, and where what was written so far stands.
 *
 * @param where.part The file that was begun; `undefined` when there is none, as with a device or a pipe.
 * @param where.journal What a run that carries on can go by.
 */
export function withHint(
  error: unknown,
  where: { part: string | undefined; isPipe?: boolean; journal?: string | undefined },
): unknown {
  const { part, isPipe = false, journal } = where;
  if (isDamage(error)) {
    return error.withHint(
      "--damaged zeros restores the rest, with zeros in place of what cannot be read, and lists them: the disk is " +
        "not the one that was backed up then" +
        (part === undefined ? "" : `; what is restored so far is in ${part}`),
    );
  }
  const goesOn = error instanceof RegrainError && !isPipe &&
    ["INTERRUPTED", "TERMINATED", "NO_SPACE", "WRITE_FAILED", "STORE_FAILED"].includes(error.code);
  if (!goesOn || error.hint !== undefined) return error;
  const first = error.code === "NO_SPACE" ? "make room there; then " : "";
  return error.withHint(
    first +
      (part === undefined
        ? `the same command ${journal === undefined ? "again" : "with --resume"} completes it`
        : `the same command again carries on with ${part}, which was begun`),
  );
}
