/** What reading back needs and says, whatever was written: the caches dropped before, and the error after. */
import { hexByte, plural, RegrainError, type Target } from "../../core-as/host/mod.ts";

/** Drops what the system holds of each file of the target; returns what is in the way, each once. */
export function dropCaches(target: Target): string[] {
  return [...new Set(obstaclesOf(target))];
}

function obstaclesOf(target: Target): string[] {
  if (target.targets) return target.targets.flatMap(obstaclesOf);
  if (!target.dropCache) return ["what the system holds of it in memory cannot be dropped from here"];
  const obstacle = target.dropCache();
  return obstacle === undefined ? [] : [obstacle];
}

/** What reads back otherwise than it was written. */
export interface ReadBackDifference {
  readonly bytes: number;
  /** Blocks of 4 KiB that have one. */
  readonly blocks: number;
  readonly first: { readonly offsetBytes: number; readonly expected: number; readonly found: number };
}

export function readBackOtherwise(
  { path }: Pick<Target, "path">,
  { bytes, blocks, first }: ReadBackDifference,
): RegrainError {
  const message =
    `${plural(bytes, "byte")} in ${plural(blocks, "block")} of 4 KiB read back otherwise than written; ` +
    `the first is ${hexByte(first.found)}, not ${hexByte(first.expected)}`;
  return new RegrainError("VERIFY_FAILED", message, {
    path,
    offsetBytes: first.offsetBytes,
    hint:
      "do not use this target: something else wrote to it, or what it lies on loses writes (see the system log); " +
      "the same command without --resume writes it anew",
  });
}
