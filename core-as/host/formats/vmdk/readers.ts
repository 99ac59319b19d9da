/**
 * The readers of extents that are recognised by their first bytes.
 *
 * This module is browser compatible.
 */
import type { Context } from "../../context.ts";
import type { Extent } from "../../extent.ts";
import type { Source } from "../../source.ts";
import type { Kind } from "../probe.ts";
import { openCowd } from "./cowd.ts";
import { openHosted } from "./hosted_sparse.ts";
import { openSeSparse } from "./sesparse.ts";

/** One a kind of sparse extent; a line each. */
export const EXTENT_READERS: Partial<Record<Kind, (file: Source, context: Context) => Promise<Extent>>> = {
  cowd: (file) => openCowd(file),
  sesparse: (file, context) => openSeSparse(file, context),
  hosted: (file, context) => openHosted(file, context),
};
