/**
 * Chains: from the newest link down to the base by `parentFileNameHint`, and whether each two links belong together.
 *
 * This module is browser compatible.
 */
import { type Descriptor, formatCid, isDelta, NEVER_WRITTEN } from "./descriptor.ts";
import { RegrainError } from "./errors.ts";
import { type Context, type Link, openLink, readLinkDescriptor, sharedFile } from "./link.ts";
import { wantedParent } from "./candidate.ts";
import { resolveName } from "./resolve.ts";

/** Longer chains have not been seen; vSphere allows 32. */
export const MAX_CHAIN_LINKS = 64;

/** What is known of a child and its parent. */
export interface Verdict {
  /** `match`: nothing speaks against it. `unknown`: nothing speaks at all. `mismatch`: they do not belong together. */
  readonly state: "match" | "unknown" | "mismatch";
  /** Path of the child. */
  readonly child: string;
  /** Path of the parent. */
  readonly parent: string;
  /** Sentences for a person. */
  readonly reasons: readonly string[];
}

/** What a verdict needs of a link; a base whose data is elsewhere still has it. */
export interface LinkIdentity {
  readonly path: string;
  readonly descriptor: Descriptor | undefined;
  /** `undefined` where only opening the data would tell. */
  readonly capacitySectors: number | undefined;
}

/** A chain without its base, for writing onto a copy of that base. */
export interface Deltas {
  /** Newest first. */
  readonly links: readonly Link[];
  /** What the base's descriptor says. */
  readonly base: LinkIdentity;
}

/**
 * Opens a whole chain.
 *
 * @returns links, newest first, the base last.
 * @throws {RegrainError} `CHAIN_CYCLE`, `CHAIN_TOO_DEEP`, `NOT_FOUND`, `OUTSIDE_FOLDER` and all that opening a link
 * may.
 */
export async function openChain(leaf: string, context: Context): Promise<Link[]> {
  return (await descend(leaf, context, { keepBase: true })).links;
}

/**
 * Opens a chain down to its base, which is left out: its data need not be here, only its descriptor is read.
 *
 * @throws {RegrainError} like {@link openChain}; `USAGE` when the leaf is no delta.
 */
export async function openDeltas(leaf: string, context: Context): Promise<Deltas> {
  const { links, base } = await descend(leaf, context, { keepBase: false });
  if (links.length > 0 && base) return { links, base };
  for (const link of links) link.close();
  throw new RegrainError("USAGE", "a chain was asked for, and this disk has no parent", { path: leaf });
}

async function descend(
  leaf: string,
  context: Context,
  options: { keepBase: boolean },
): Promise<{ links: Link[]; base: LinkIdentity | undefined }> {
  const links: Link[] = [];
  const seen = new Set<string>();
  try {
    for (let path: string | undefined = leaf; path !== undefined;) {
      const real = await context.files.realPath(path);
      if (seen.has(real)) {
        throw new RegrainError("CHAIN_CYCLE", "the chain comes back to this link", { path });
      }
      seen.add(real);
      if (seen.size > MAX_CHAIN_LINKS) {
        throw new RegrainError("CHAIN_TOO_DEEP", `the chain has more than ${MAX_CHAIN_LINKS} links`, {
          path: leaf,
        });
      }
      if (!options.keepBase) {
        const base: LinkIdentity | undefined = await identityOfBase(path, context);
        if (base) return { links, base };
      }
      const link: Link = await openLink(path, context, options.keepBase ? "raw" : "vmdk");
      links.push(link);
      const shared = sharedFile(links.flatMap(({ extents }) => extents));
      if (shared !== undefined) {
        throw new RegrainError("CHAIN_BROKEN", `two links have the same file ${shared}`, { path });
      }
      path = await parentPath(link, context);
    }
    return { links, base: undefined };
  } catch (error) {
    for (const link of links) link.close();
    throw error;
  }
}

/** The way down a chain: refuses to go round in circles, or on for ever. */
class Descent {
  private readonly seen = new Set<string>();
  constructor(private readonly context: Context) {}

  async visit(path: string): Promise<void> {
    const real = await this.context.files.realPath(path);
    if (this.seen.has(real)) {
      throw new RegrainError("CHAIN_CYCLE", "the chain comes back to this link", { path });
    }
    this.seen.add(real);
    if (this.seen.size <= MAX_CHAIN_LINKS) return;
    throw new RegrainError("CHAIN_TOO_DEEP", `the chain has more than ${MAX_CHAIN_LINKS} links`, { path });
  }
}

/**
 * What the descriptors say of the links below one, newest first; their data need not be here.
 *
 * @returns also why the way ended before a base, if it did.
 */
export async function identifyParents(
  link: Link,
  context: Context,
): Promise<{ parents: LinkIdentity[]; error: RegrainError | undefined }> {
  const parents: LinkIdentity[] = [];
  const descent = new Descent(context);
  try {
    await descent.visit(link.path);
    let path = await parentPath(link, context);
    while (path !== undefined) {
      await descent.visit(path);
      const descriptor = await readLinkDescriptor(path, context);
      parents.push({ path, descriptor, capacitySectors: descriptor?.capacitySectors });
      const hint = descriptor && isDelta(descriptor) ? descriptor.parentFileNameHint : undefined;
      path = hint === undefined
        ? undefined
        : await resolveName(hint, path, context, "parent", wantedParent(descriptor!));
    }
    return { parents, error: undefined };
  } catch (error) {
    if (error instanceof RegrainError) return { parents, error };
    throw error;
  }
}

/** What the descriptor at a path says, if it is that of a base. */
async function identityOfBase(path: string, context: Context): Promise<LinkIdentity | undefined> {
  const descriptor = await readLinkDescriptor(path, context);
  if (!descriptor || isDelta(descriptor)) return undefined;
  return { path, descriptor, capacitySectors: descriptor.capacitySectors };
}

/** Path of the parent's descriptor, or `undefined` when the link is a base or does not say. */
export async function parentPath(link: Link, context: Context): Promise<string | undefined> {
  if (link.delta !== true) return undefined;
  const { descriptor } = link;
  const hint = descriptor?.parentFileNameHint;
  if (hint !== undefined) {
    return await resolveName(hint, link.path, context, "parent", wantedParent(descriptor!));
  }
  throw new RegrainError("NOT_FOUND", "it is a delta, and nothing names its parent", {
    path: link.path,
    hint: "keep the descriptor (the small .vmdk text file) beside the delta; apply takes a delta without it",
  });
}

/** Compares CID, longContentID and size of a child with its parent. */
export function judge(child: LinkIdentity, parent: LinkIdentity): Verdict {
  const reasons: string[] = [];
  const cid = judgeCid(child, parent, reasons);
  const size = judgeSize(child, parent, reasons);
  const state = cid === "mismatch" || size === "mismatch" ? "mismatch" : cid;
  return { state, child: child.path, parent: parent.path, reasons };
}

function judgeCid(child: LinkIdentity, parent: LinkIdentity, reasons: string[]): Verdict["state"] {
  const expected = child.descriptor?.parentCid;
  const found = parent.descriptor?.cid;
  if (expected === undefined || found === undefined) {
    const who = expected === undefined ? "the child" : "the parent";
    reasons.push(`content ids cannot be compared: ${who} has no descriptor that tells one`);
    return "unknown";
  }
  if (expected !== found) {
    reasons.push(
      `parentCID ${formatCid(expected)} is not the parent's CID ${formatCid(found)}: ` +
        "the parent was written to after this delta was made, or it is another disk",
    );
    return "mismatch";
  }
  const weak = found === NEVER_WRITTEN
    ? ", which every disk has that was never written to, so it proves little"
    : "";
  reasons.push(`parentCID ${formatCid(expected)} is the parent's CID${weak}`);
  const long = parent.descriptor?.ddb.get("longcontentid");
  if (long !== undefined && long.slice(-8).toLowerCase() !== formatCid(found)) {
    reasons.push(
      `the parent's longContentID ends in ${long.slice(-8)}, its CID is ${formatCid(found)}: ` +
        "another program than VMware's wrote the descriptor",
    );
  }
  return "match";
}

function judgeSize(child: LinkIdentity, parent: LinkIdentity, reasons: string[]): Verdict["state"] {
  if (child.capacitySectors === undefined || parent.capacitySectors === undefined) return "match";
  if (child.capacitySectors === parent.capacitySectors) return "match";
  const sizes = `${child.capacitySectors} sectors, the parent ${parent.capacitySectors}`;
  if (child.capacitySectors > parent.capacitySectors) {
    reasons.push(`the disk was grown: the child has ${sizes}`);
    return "match";
  }
  reasons.push(`the child has ${sizes}: a disk cannot shrink`);
  return "mismatch";
}

/** Throws `CHAIN_BROKEN` when two links do not belong together. */
export function requireMatch(verdict: Verdict): void {
  if (verdict.state !== "mismatch") return;
  throw new RegrainError("CHAIN_BROKEN", `${verdict.reasons.join("; ")} (parent: ${verdict.parent})`, {
    path: verdict.child,
    hint: "--force goes on all the same; the result is a disk that never existed",
  });
}
