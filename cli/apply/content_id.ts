/** After an apply the base holds what the child was: it takes the child's CID and longContentID. */
import { type LinkIdentity, withContentId } from "../../core-as/host/mod.ts";
import type { Io } from "../io/mod.ts";
import { readTargetDescriptor } from "./prepare.ts";

/**
 * Rewrites the base's descriptor: written beside it, made durable, put in place by rename.
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
  const bytes = withContentId(await readTargetDescriptor(base.path, io), { cid, longContentId });
  const path = await Deno.realPath(base.path);
  const temporary = `${path}.regrain-${crypto.randomUUID().slice(0, 8)}`;
  const { mode } = await Deno.stat(path);
  try {
    using file = await Deno.open(temporary, { write: true, createNew: true, mode: (mode ?? 0o644) & 0o777 });
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.sync();
  } catch (error) {
    await Deno.remove(temporary);
    throw error;
  }
  await Deno.rename(temporary, path);
  return cid;
}

/** Any id that has no meaning of its own. */
function randomCid(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! & 0x7fffffff;
}
