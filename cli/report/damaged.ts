/** Stretches of a disk that could not be read and are zeros, each with its reason. */
import { formatCount, formatSize, plural } from "../../core-as/host/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import type { DamagedStretch } from "../backup/restore/salvage.ts";
import type { Console } from "../ui/mod.ts";

/** Beyond so many a person reads no more; `--json` has all of them. */
const MOST_SHOWN = 20;

/** What a snapshot lacks from the start, as a restore tells it of what it cannot read itself. */
export function damageOfSource({ damaged = [] }: Pick<Snapshot, "damaged">): DamagedStretch[] {
  return damaged.map(({ start, length }) => ({
    offsetBytes: start,
    lengthBytes: length,
    reason: "the source could not be read there when it was backed up",
  }));
}

/** @param meaning What the disk is with these zeros in it. */
export function warnDamaged(
  stretches: readonly DamagedStretch[],
  console: Console,
  meaning = "this is not the disk that was backed up",
): void {
  if (stretches.length === 0) return;
  const shown = console.json ? stretches : stretches.slice(0, MOST_SHOWN);
  for (const { offsetBytes, lengthBytes, reason } of shown) {
    const last = offsetBytes + lengthBytes - 1;
    console.warn(`bytes ${formatCount(offsetBytes)} to ${formatCount(last)} are zeros: ${reason}`);
  }
  const more = stretches.length - shown.length;
  if (more > 0) {
    console.warn(`${plural(more, "more stretch", "more stretches")} are zeros; --json lists them all`);
  }
  const sizeBytes = stretches.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  console.warn(
    `${formatSize(sizeBytes)} could not be read and are zeros: ${meaning}`,
  );
}
