/** After an apply the base holds what the child was: it takes the child's CID and longContentID. */
import { type LinkIdentity, withContentId } from "../../core-as/host/mod.ts";
import type { Io } from "../io/mod.ts";
import { readTargetDescriptor } from "./prepare.ts";

/**
 * Gives the base the ids of the child that was applied onto it.
 *
 * A child without a descriptor tells no id; then the base gets a random one, so that no link made against the old
 * content matches it by mistake.
 *
 * @returns the CID that the base has now.
 */
export async function adoptContentId(base: LinkIdentity, child: LinkIdentity, io: Io): Promise<number> {
  const known = child.descriptor?.cid;
  const cid = known ?? randomCid();
  const longContentId = known === undefined ? undefined : child.descriptor?.ddb.get("longcontentid");
  await setContentId(base.path, { cid, longContentId }, io);
  return cid;
}

/** Rewrites the ids in a descriptor, and leaves all else of it as it is, its owner and access rights too. */
export async function setContentId(
  path: string,
  ids: { cid: number; longContentId: string | undefined },
  io: Io,
): Promise<void> {
  const real = io.realPath(path) ?? path;
  io.rewriteFile(real, withContentId(await readTargetDescriptor(path, io), ids));
}

/** Any id that has no meaning of its own. */
function randomCid(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! & 0x7fffffff;
}
