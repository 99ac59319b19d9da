/** What becomes of zeros that are written. */
import type { TargetMedium } from "../../core-as/host/mod.ts";

/**
 * What to do with zeros. `auto`: zero runs, and zero data from 64 KiB on, become holes in files; devices have their
 * zero runs zeroed out. `always`: zero data from 4 KiB on, and on devices too. `never`: every zero is written.
 */
export type SparseMode = "auto" | "always" | "never";

/**
 * Smallest stretch of zero data that becomes a hole, in sectors. 4 KiB is the block of the file systems that matter;
 * but punching so little into ext4 costs twenty times what writing it does (74 against 3 microseconds), so it is
 * done only on demand.
 */
export const ZERO_BLOCK_SECTORS = { auto: 128, always: 8, never: 8 } as const satisfies Record<
  SparseMode,
  number
>;

/** Whether data that is zeros is looked for, and not written as it comes. */
export function findsZeros(
  sparse: SparseMode,
  { holesAreFree }: Pick<TargetMedium, "holesAreFree">,
): boolean {
  return sparse === "always" || (sparse === "auto" && holesAreFree);
}
