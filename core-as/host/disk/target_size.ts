/**
 * Whether a target is as large as the disk, and what to do when it is not.
 *
 * The usual reason is a copy of the base that was cut: `ssh` died in the pipe, or the disk was full. A cut copy that
 * is filled up with zeros has the right size and the wrong content, and no later check can tell. So the hints name
 * the cut copy first, and `truncate` only second, with what it risks.
 *
 * This module is browser compatible.
 */
import { quotePath } from "../command_line.ts";
import type { ExtentLine } from "../formats/vmdk/descriptor.ts";
import { RegrainError } from "../errors.ts";
import type { Target } from "../source.ts";
import { SECTOR_SIZE } from "../units.ts";

/** An extent of a VMDK target: its line in the descriptor, and the file that holds it. */
export interface ExtentFile {
  readonly line: ExtentLine;
  readonly path: string;
}

/** A target that is a VMDK knows its extents. */
export interface SizedTarget extends Pick<Target, "path" | "sizeBytes" | "isDevice"> {
  readonly extents?: readonly ExtentFile[] | undefined;
}

/**
 * Compares the size of a target with that of the disk. A device may be larger, since volumes come in steps.
 *
 * @throws {RegrainError} `SIZE_MISMATCH`; of a larger file only without `force`.
 */
export function requireSize(target: SizedTarget, disk: { sizeBytes: number; force: boolean }): void {
  const mismatch = sizeMismatch(target, disk.sizeBytes);
  if (mismatch && !(mismatch.byForce && disk.force)) throw mismatch.error;
}

/**
 * Why a target is not as large as the disk, if it is not.
 *
 * @returns `byForce`: true where `--force` goes on all the same.
 */
export function sizeMismatch(
  target: SizedTarget,
  diskBytes: number,
): { error: RegrainError; byForce: boolean } | undefined {
  const { path, sizeBytes } = target;
  const sizes = `the target has ${sizeBytes} bytes, the disk ${diskBytes}`;
  if (sizeBytes < diskBytes) {
    const hint = tooSmallHint(target, diskBytes);
    return {
      error: new RegrainError("SIZE_MISMATCH", `${sizes}: too small`, { path, hint }),
      byForce: false,
    };
  }
  if (sizeBytes === diskBytes || target.isDevice) return undefined;
  const hint =
    "--force writes into the larger file all the same; what is past the end of the disk stays as it is";
  return {
    error: new RegrainError("SIZE_MISMATCH", `${sizes}: is this the right base?`, { path, hint }),
    byForce: true,
  };
}

/** The error of an extent whose file ends before the extent does. */
export function extentTooShort(
  { line, path }: ExtentFile,
  at: { index: number; count: number; sizeBytes: number },
): RegrainError {
  const neededBytes = (line.offsetSectors + line.sizeSectors) * SECTOR_SIZE;
  const which = `extent ${at.index + 1} of ${at.count}, ${formatExtentLine(line)}`;
  return new RegrainError(
    "SIZE_MISMATCH",
    `${which}, needs ${neededBytes} bytes, its file has ${at.sizeBytes}`,
    { path, hint: cutCopyHint(path, neededBytes) },
  );
}

function tooSmallHint({ path, isDevice, sizeBytes, extents }: SizedTarget, neededBytes: number): string {
  const last = extents?.at(-1);
  if (last !== undefined) return otherBaseHint(last, { path, moreBytes: neededBytes - sizeBytes });
  if (!isDevice) return cutCopyHint(path, neededBytes);
  return "make the volume as large as the disk; a copy of the base that ended where the volume does is cut: " +
    "copy it again";
}

/** What to do about a raw file that is too short. */
function cutCopyHint(path: string, neededBytes: number): string {
  return "the copy may not be complete: compare its size with the source's, and copy it again if they differ; " +
    `only if the source is as short, truncate -s ${neededBytes} ${
      quotePath(path)
    } fills it up with zeros; a cut copy becomes ` +
    "a wrong disk by that, and nothing will tell";
}

/** The extents are all there, and the disk is larger than what their lines add up to. */
function otherBaseHint(last: ExtentFile, at: { path: string; moreBytes: number }): string {
  const sizeSectors = last.line.sizeSectors + at.moreBytes / SECTOR_SIZE;
  const grown = { ...last.line, sizeSectors };
  const endBytes = (grown.offsetSectors + sizeSectors) * SECTOR_SIZE;
  return `the copy may not be complete, or not of this disk: compare ${at.path} and the sizes of its extents with ` +
    `the source's; only if the disk was grown after this base was made, write ${formatExtentLine(grown)} ` +
    `instead of ${formatExtentLine(last.line)} there, and truncate -s ${endBytes} ${
      quotePath(last.path)
    }; the wrong base ` +
    "becomes a wrong disk by that";
}

/** An extent line as a descriptor has it. */
function formatExtentLine({ access, sizeSectors, type, fileName, offsetSectors }: ExtentLine): string {
  const name = fileName === undefined ? "" : ` "${fileName}"`;
  const offset = type === "FLAT" ? ` ${offsetSectors}` : "";
  return `${access} ${sizeSectors} ${type}${name}${offset}`;
}
