/**
 * What a file is taken for: the whole disk, byte by byte, or an image of some format.
 *
 * The first bytes of a raw disk belong to its guest, who can write any header there, and one with a descriptor that
 * names the disk of another machine. So they never decide: the user does, else the name, else the place that a file has
 * in a chain. They are looked at all the same, to say so where they speak against it.
 *
 * This module is browser compatible.
 */
import type { Source } from "../source.ts";
import { formatByName } from "./formats.ts";
import type { ImageFormat, Role } from "./image_format.ts";
import { FLAT_NAME } from "./vmdk/own_extent.ts";

/**
 * What a file is taken for, before anybody has looked into it.
 *
 * @param said What the user said of the images that are named, or an image of its parent, if anything.
 */
export function decideFormat(
  file: Pick<Source, "path" | "isDisk" | "isDevice">,
  role: Role,
  said: ImageFormat | undefined,
): ImageFormat {
  if (role === "backing") return said ?? "raw";
  if (role !== "image") return role === "parent" && FLAT_NAME.test(file.path) ? "raw" : "vmdk";
  if (said !== undefined) return said;
  return file.isDisk || file.isDevice ? "raw" : formatByName(file.path);
}
