/**
 * A raw target has no content id that could be compared. What its guest keeps in two places is looked at instead: one
 * in the deltas, the other in the target. That speaks against a wrong disk, and never for a right one.
 */
import { checkContent, type Disk, RegrainError } from "../../core-as/host/mod.ts";
import type { PreparedTarget } from "../target/prepare.ts";

/**
 * @returns warnings: what was taken by `--force`.
 * @throws {RegrainError} `WRONG_BASE` when the content says that the target is likely another disk.
 */
export async function requireLikelyBase(
  disk: Disk,
  prepared: PreparedTarget | undefined,
  request: { readonly target: string; readonly force: boolean },
): Promise<readonly string[]> {
  // A disk without parent overwrites all of the target, whatever is there.
  if (!prepared || prepared.base || prepared.isNew || disk.isWhole) return [];
  const base = { path: request.target, sizeBytes: prepared.target.sizeBytes, read: readFrom(prepared) };
  const { against } = await checkContent({ delta: disk, base, runs: (from, to) => disk.runs(from, to) });
  const [first] = against;
  if (first === undefined) return [];
  if (request.force) return against.map((sentence) => `taken by --force: checked by content: ${sentence}`);
  throw new RegrainError("WRONG_BASE", `mismatch likely, checked by content: ${first}`, {
    path: request.target,
    hint:
      "make sure that this is a copy of the disk the snapshot was taken on; --force applies all the same, " +
      "and what is written onto another disk makes one that never existed",
  });
}

function readFrom({ target }: PreparedTarget): PreparedTarget["target"]["read"] {
  return (batch, buffer) => target.read(batch, buffer);
}
