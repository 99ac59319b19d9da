/**
 * The words for what an image is, and for what a file is there for. What each format does is its record: `formats.ts`.
 *
 * This module is browser compatible.
 */

/** What the user can say that an image is. */
export const IMAGE_FORMATS = ["raw", "vmdk", "qcow2"] as const;
export type ImageFormat = typeof IMAGE_FORMATS[number];

/**
 * What a file is there for. `image`: the user names it as a disk. `delta`: the user names it as what is laid over
 * another disk. `parent`: a descriptor names it as its parent; both are VMDKs by their place, whatever their names are.
 * `backing`: an image names it as its parent and says in which format; where it does not say, it is raw.
 */
export type Role = "image" | "delta" | "parent" | "backing";
