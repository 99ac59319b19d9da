/**
 * What a VMDK is known by, from its descriptor; and the way back to that, for what no other format has.
 *
 * This module is browser compatible.
 */
import type { LinkIdentity, Particulars } from "../identity.ts";
import { type Descriptor, isDelta, parentHintOf, uuidOf } from "./descriptor.ts";

class VmdkParticulars implements Particulars {
  readonly format = "vmdk";
  constructor(readonly descriptor: Descriptor) {}
}

/** What a VMDK says of itself. Without a descriptor that is nothing. */
export function vmdkIdentity(path: string, descriptor: Descriptor | undefined): LinkIdentity {
  if (descriptor === undefined) {
    const nothing = { capacitySectors: undefined, delta: undefined, identity: undefined, parent: undefined };
    return { path, format: "vmdk", ...nothing };
  }
  const { cid, parentCid, ddb, extents, capacitySectors } = descriptor;
  return {
    path,
    format: "vmdk",
    capacitySectors,
    delta: isDelta(descriptor),
    identity: {
      own: {
        cid,
        longContentId: ddb.get("longcontentid"),
        uuid: uuidOf(descriptor, "image"),
        modificationUuid: uuidOf(descriptor, "modification"),
      },
      parent: {
        cid: parentCid,
        uuid: uuidOf(descriptor, "parent"),
        modificationUuid: uuidOf(descriptor, "parentmodification"),
      },
      fileNames: extents.flatMap(({ fileName }) => fileName ?? []),
    },
    parent: parentHintOf(descriptor),
    particulars: new VmdkParticulars(descriptor),
  };
}

/** The descriptor of a VMDK; `undefined` of a disk in another format, or that has none. */
export function descriptorOf({ particulars }: Pick<LinkIdentity, "particulars">): Descriptor | undefined {
  return particulars instanceof VmdkParticulars ? particulars.descriptor : undefined;
}

const FLAT_TYPES = new Set(["FLAT", "VMFS"]);

/** True for the descriptor of flat extents, which are written in place. */
export function isFlatVmdk(link: LinkIdentity): boolean {
  return descriptorOf(link)?.extents.every(({ type }) => FLAT_TYPES.has(type)) ?? false;
}
