/** What was written in place is another disk than before: its descriptor takes the ids of that disk. */
import { type LinkIdentity, parseDescriptor, withContentId } from "../../core-as/host/mod.ts";
import type { Io } from "../io/mod.ts";
import { readTargetDescriptor } from "./prepare.ts";

/** What the content of a disk is known by. */
export interface ContentIds {
  readonly cid: number;
  readonly longContentId: string | undefined;
}

/** The ids of a link; `undefined` where nothing tells them. */
export function contentIdsOf({ identity }: Pick<LinkIdentity, "identity">): ContentIds | undefined {
  const { cid, longContentId } = identity?.own ?? {};
  return cid === undefined ? undefined : { cid, longContentId };
}

/**
 * Gives a base the ids of the disk that it holds now.
 *
 * @param ids Those of the link that was applied onto it, or of the disk that was restored. Where nothing tells them the
 *   base gets a random one, so that no link made against the old content matches it by mistake.
 * @returns the CID that the base has now; `undefined` where its descriptor has no line for one, and gets none.
 */
export async function adoptContentId(
  base: LinkIdentity,
  ids: ContentIds | undefined,
  io: Io,
): Promise<number | undefined> {
  await setContentId(base.path, ids ?? { cid: randomCid(), longContentId: undefined }, io);
  return parseDescriptor(await readTargetDescriptor(base.path, io), base.path).cid;
}

/** Rewrites the ids in a descriptor, and leaves all else of it as it is, its owner and access rights too. */
export async function setContentId(
  path: string,
  ids: ContentIds,
  io: Io,
): Promise<void> {
  const real = io.realPath(path) ?? path;
  io.rewriteFile(real, withContentId(await readTargetDescriptor(path, io), ids));
}

/** What an undo file knows of a descriptor before the apply. */
export interface DescriptorBefore {
  readonly ids: ContentIds;
  /** All of it, where it was kept. */
  readonly bytes: Uint8Array | undefined;
}

/**
 * Takes back what {@link adoptContentId} did: byte for byte when the descriptor has only other ids since, and by its
 * ids alone when somebody has edited it.
 */
export async function giveBackContentId(path: string, before: DescriptorBefore, io: Io): Promise<void> {
  const { ids, bytes } = before;
  const present = await readTargetDescriptor(path, io);
  if (bytes === undefined || !hasOnlyOtherIds(present, bytes, { path, cid: ids.cid })) {
    await setContentId(path, ids, io);
  } else io.rewriteFile(io.realPath(path) ?? path, bytes);
}

function hasOnlyOtherIds(
  present: Uint8Array,
  before: Uint8Array,
  expected: { path: string; cid: number },
): boolean {
  const { path } = expected;
  // An apply that was ended between its last two steps and run again has kept the new ids as the old ones.
  if (parseDescriptor(before, path).cid !== expected.cid) return false;
  const { cid, ddb } = parseDescriptor(present, path);
  if (cid === undefined) return false;
  const again = withContentId(before, { cid, longContentId: ddb.get("longcontentid") });
  return again.length === present.length && again.every((byte, i) => byte === present[i]);
}

/** Any id that has no meaning of its own. */
function randomCid(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! & 0x7fffffff;
}
