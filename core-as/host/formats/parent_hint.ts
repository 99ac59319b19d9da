/**
 * What an image says of its parent, whatever its format.
 *
 * This module is browser compatible.
 */
import { RegrainError } from "../errors.ts";
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
  /** Why the name may be garbled, where it may. */
  readonly nameDoubt?: string | undefined;
  /**
   * Of a child whose format knows no ids: what it says that its parent is. The name is all there is to judge by then,
   * and the two may differ in size.
   */
  readonly by?: {
    readonly format: ImageFormat;
    /** False where it does not say what its parent is, which is the format of all that is not named. */
    readonly isSaid: boolean;
  };
}

/** The same error; where a name in an image was not found and may be garbled, its hint says so. */
export function withNameDoubt(
  error: unknown,
  { nameDoubt }: { readonly nameDoubt?: string | undefined },
): unknown {
  if (!(error instanceof RegrainError) || error.code !== "NOT_FOUND" || nameDoubt === undefined) return error;
  return error.withHint(error.hint === undefined ? nameDoubt : `${nameDoubt}; ${error.hint}`);
}
