/**
 * Deltas that a base holds already: an apply gives it the ids of the newest delta that went into it.
 *
 * This module is browser compatible.
 */
import { type Descriptor, isDelta } from "../formats/vmdk/descriptor.ts";

interface Identified {
  readonly descriptor: Descriptor | undefined;
}

/**
 * The delta that a base holds by its ids, among those that stand on it.
 *
 * Where a delta has the CID of its parent, it tells nothing.
 */
export function heldDelta<T extends Identified>(base: Identified, deltas: readonly T[]): T | undefined {
  const own = base.descriptor;
  if (own?.cid === undefined || isDelta(own)) return undefined;
  return deltas.find(({ descriptor }) => descriptor !== undefined && isHeld(own, descriptor));
}

function isHeld(base: Descriptor, { cid, parentCid, ddb }: Descriptor): boolean {
  return cid === base.cid && parentCid !== undefined && parentCid !== cid &&
    longContentId({ ddb }) === longContentId(base);
}

function longContentId({ ddb }: Pick<Descriptor, "ddb">): string | undefined {
  return ddb.get("longcontentid")?.toLowerCase();
}
