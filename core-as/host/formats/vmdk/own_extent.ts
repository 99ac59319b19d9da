/**
 * Descriptors whose names look like those of flat extents.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../../errors.ts";
import { baseName, descriptorBeside, folderOf, joinPath } from "../../names.ts";
import { type MaybePromise, readBytes, type Source } from "../../source.ts";
import type { Probe } from "../probe.ts";
import { parseDescriptor } from "./descriptor.ts";

/** An extent that is nothing but a piece of the disk. */
export const FLAT_NAME = /-(?:flat|f\d{3,})\.vmdk$/i;

/** No file that is a disk to a guest is so small, and no descriptor so large. */
const MAX_TEXT_BYTES = 1024 * 1024;

/**
 * True of a text descriptor whose name looks like that of a flat extent: the VM is called `srv-flat`, and beside
 * `srv-flat.vmdk` lies the `srv-flat-flat.vmdk` that it names. Nothing less is believed of a file of such a name.
 */
export async function isDescriptorOfOwnExtent(
  file: Source,
  seen: Probe,
  exists: (path: string) => MaybePromise<boolean>,
): Promise<boolean> {
  const { path, sizeBytes } = file;
  if (!FLAT_NAME.test(path) || seen.kind !== "descriptor" || sizeBytes >= MAX_TEXT_BYTES) return false;
  try {
    const [line] = parseDescriptor(await readBytes(file, 0, sizeBytes), path).extents;
    const own = line?.fileName;
    if (own === undefined || descriptorBeside(own) !== baseName(path)) return false;
    return await exists(joinPath(folderOf(path), own));
  } catch (error) {
    if (error instanceof RegrainError) return false;
    throw error;
  }
}

/** What is said of a descriptor that is read as one although its name is that of a flat extent. */
export function descriptorDespite(path: string): string {
  return `${path}: its name says that it is a flat extent, and it is the descriptor of one beside it; it is read as ` +
    "a descriptor (--format raw reads it as a raw disk)";
}
