/**
 * Deltas that a base holds already: an apply gives it the ids of the newest delta that went into it.
 *
 * This module is browser compatible.
 */
import { type DiskIds, type Identity, isKnownDelta, type LinkIdentity } from "../formats/identity.ts";

type Identified = Pick<LinkIdentity, "identity" | "delta">;

/**
 * The delta that a base holds by its ids, among those that stand on it.
 *
 * Where a delta has the CID of its parent, it tells nothing.
 */
export function heldDelta<T extends Identified>(base: Identified, deltas: readonly T[]): T | undefined {
  const own = base.identity?.own;
  if (own?.cid === undefined || isKnownDelta(base)) return undefined;
  return deltas.find(({ identity }) => identity !== undefined && isHeld(own, identity));
}

function isHeld(base: DiskIds, { own, parent }: Identity): boolean {
  return own.cid === base.cid && parent.cid !== undefined && parent.cid !== own.cid &&
    own.longContentId?.toLowerCase() === base.longContentId?.toLowerCase();
}
