/**
 * What a file is taken for: the whole disk, byte by byte, or a VMDK.
 *
 * The first bytes of a raw disk belong to its guest, who can write any header there, and one with a descriptor that
 * names the disk of another machine. So they never decide: the user does, else the name, else the place that a file has
 * in a chain. They are looked at all the same, to say so where they speak against it.
 *
 * This module is browser compatible.
 */
import { parseDescriptor } from "./vmdk/descriptor.ts";
import { RegrainError } from "../errors.ts";
import { baseName, descriptorBeside, folderOf, isVmdkName, joinPath } from "../names.ts";
import { looksLike, type Probe } from "./probe.ts";
import { type MaybePromise, readBytes, type Source } from "../source.ts";

/** What the user can say that an image is. */
export type ImageFormat = "raw" | "vmdk";

/**
 * What a file is there for. `image`: the user names it as a disk. `delta`: the user names it as what is laid over
 * another disk. `parent`: a descriptor names it as what lies below. The last two are VMDKs by their place, whatever
 * their names are.
 */
export type Role = "image" | "delta" | "parent";

/** An extent that is nothing but a piece of the disk. */
const FLAT_NAME = /-(?:flat|f\d{3,})\.vmdk$/i;

/** What a name says. */
export function formatByName(path: string): ImageFormat {
  return isVmdkName(path) && !FLAT_NAME.test(path) ? "vmdk" : "raw";
}

/**
 * What a file is taken for, before anybody has looked into it.
 *
 * @param said What the user said of the images that are named, if anything.
 */
export function decideFormat(
  file: Pick<Source, "path" | "isDisk" | "isDevice">,
  role: Role,
  said: ImageFormat | undefined,
): ImageFormat {
  if (role !== "image") return role === "parent" && FLAT_NAME.test(file.path) ? "raw" : "vmdk";
  if (said !== undefined) return said;
  return file.isDisk || file.isDevice ? "raw" : formatByName(file.path);
}

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

/** What is said of an image that is read as a raw disk and looks like something else. */
export function rawDespite(file: Pick<Source, "path" | "isDevice">, seen: Probe): string | undefined {
  const looks = looksLike(seen);
  if (looks === undefined) return undefined;
  const by = file.isDevice ? "it is a block device" : "its name says that it is a raw disk";
  const way = seen.kind === "raw"
    ? "--format raw says that this is right"
    : "--format vmdk reads it as a VMDK, --format raw says that this is right";
  return `${file.path}: ${by}, and it begins like ${looks}; it is read as a raw disk, since a guest can write such ` +
    `bytes (${way})`;
}

/** What is said of a descriptor that is read as one although its name is that of a flat extent. */
export function descriptorDespite(path: string): string {
  return `${path}: its name says that it is a flat extent, and it is the descriptor of one beside it; it is read as ` +
    "a descriptor (--format raw reads it as a raw disk)";
}
