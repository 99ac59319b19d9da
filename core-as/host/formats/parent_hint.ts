/**
 * What an image says of its parent, whatever its format.
 *
 * This module is browser compatible.
 */
import type { ImageFormat } from "./image_format.ts";

/** What the right file has. */
export interface Wanted {
  /** Content id: of a parent, what its child says; of an extent, that of its descriptor. */
  readonly cid?: number | undefined;
  /** A flat extent has at least as many bytes. */
  readonly leastBytes?: number | undefined;
}

export interface ParentHint {
  /** As it is written in the child. */
  readonly name: string;
  readonly wanted: Wanted;
  /**
   * Of a child whose format knows no ids: what it says that its parent is. The name is all there is to judge by then,
   * and the two may differ in size.
   */
  readonly by?: { readonly format: ImageFormat };
}
