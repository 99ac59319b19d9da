/**
 * Chains: from the newest link down to the base by `parentFileNameHint`.
 *
 * This module is browser compatible.
 */
import { applyCommand } from "../command_line.ts";
import { RegrainError } from "../errors.ts";
import { boundedContext } from "../bounds.ts";
import type { Bounds } from "../files.ts";
import type { Context } from "../context.ts";
import { isKnownBase, isKnownDelta, type LinkIdentity } from "../formats/identity.ts";
import type { ImageFormat, Role } from "../formats/image_format.ts";
import { type ParentHint, withNameDoubt } from "../formats/parent_hint.ts";
import { type Link, sharedFile } from "./link.ts";
import { identifyLink, openLink } from "./open_link.ts";
import { withFormatDoubt } from "./format_doubt.ts";
import { boundsOf, resolveName } from "./resolve.ts";

/** Longer chains have not been seen; vSphere allows 32. */
export const MAX_DELTAS = 64;
/** Deltas, and the base. */
export const MAX_CHAIN_LINKS = MAX_DELTAS + 1;

/** A chain without its base, for writing onto a copy of that base. */
export interface Deltas {
  /** Newest first. */
  readonly links: readonly Link[];
  /** What the base says of itself. */
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
    for (
      let next: Named | undefined = { path: leaf, bounds: undefined, format: undefined };
      next !== undefined;
    ) {
      const { path }: Named = next;
      const within = placeOf(next, context);
      const real = await context.files.realPath(path);
      if (seen.has(real)) {
        throw new RegrainError("CHAIN_CYCLE", "the chain comes back to this link", { path });
      }
      seen.add(real);
      if (seen.size > MAX_CHAIN_LINKS) {
        throw chainTooDeep(leaf);
      }
      // A parent is what names it says, or a VMDK by its place; the leaf is what the user says it is.
      const role: Role = links.length > 0 ? roleOf(next) : options.keepBase ? "image" : "delta";
      if (!options.keepBase) {
        const base: LinkIdentity | undefined = await identityOfBase(path, within, role);
        if (base) return { links, base };
      }
      const link: Link = await withFormatDoubt(links.at(-1), await openLink(path, within, role));
      links.push(link);
      const shared = sharedFile(links.flatMap(({ extents }) => extents));
      if (shared !== undefined) {
        throw new RegrainError("CHAIN_BROKEN", `two links have the same file ${shared}`, { path });
      }
      next = await parentOf(link, context);
    }
    return { links, base: undefined };
  } catch (error) {
    for (const link of links) link.close();
    throw error;
  }
}

/** The error of a chain that goes on below {@link MAX_CHAIN_LINKS}. */
export function chainTooDeep(path: string): RegrainError {
  return new RegrainError("CHAIN_TOO_DEEP", `the chain has more than ${MAX_DELTAS} deltas above its base`, {
    path,
    hint: "apply the older deltas to a copy of the base first, then the newer ones to that copy",
  });
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
    throw chainTooDeep(path);
  }
}

/**
 * What the images below one say of themselves, newest first; their data need not be here.
 *
 * @returns also why the way ended before a base, if it did.
 */
export async function identifyParents(
  link: LinkIdentity,
  context: Context,
): Promise<{ parents: LinkIdentity[]; error: RegrainError | undefined }> {
  const parents: LinkIdentity[] = [];
  const descent = new Descent(context);
  try {
    await descent.visit(link.path);
    for (let next = await parentOf(link, context); next !== undefined;) {
      await descent.visit(next.path);
      const parent = await identifyNamed(next, context);
      parents.push(parent);
      const hint = isKnownDelta(parent) ? parent.parent : undefined;
      next = hint === undefined ? undefined : await resolveParent(hint, parent, context);
    }
    return { parents, error: undefined };
  } catch (error) {
    if (error instanceof RegrainError) return { parents, error };
    throw error;
  }
}

/** What the image says of itself that a link names as its parent; `undefined` where it cannot be found or read. */
export async function identifyParent(
  link: LinkIdentity,
  context: Context,
): Promise<LinkIdentity | undefined> {
  const hint = link.parent;
  if (hint === undefined) return undefined;
  try {
    return await identifyNamed(await namedParent(hint, link.path, context), context);
  } catch (error) {
    if (error instanceof RegrainError) return undefined;
    throw error;
  }
}

/**
 * What the links name as their parents, as far as that is here, each with the one that names it: where names are all
 * there is to judge by, such a file says that another one of its name was given. One of the links keeps its path.
 */
export async function namedBeside(
  links: readonly LinkIdentity[],
  context: Context,
): Promise<LinkIdentity[]> {
  const given = new Map<string, string>();
  for (const { path } of links) given.set(await context.files.realPath(path), path);
  const beside: LinkIdentity[] = [];
  for (const link of links) {
    const named = await identifyParent(link, context);
    if (!named) continue;
    const path = given.get(await context.files.realPath(named.path)) ?? named.path;
    beside.push({ ...named, path, namedBy: link.path });
  }
  return beside;
}

/** What an image says of itself, if it is a base that has an identity. */
async function identityOfBase(
  path: string,
  context: Context,
  role: Role,
): Promise<LinkIdentity | undefined> {
  const link = await identifyLink(path, context, role);
  return link.identity !== undefined && isKnownBase(link) ? link : undefined;
}

/** A file that another one names, and what it must be to be opened. */
interface Named {
  readonly path: string;
  readonly bounds: Bounds | undefined;
  /** What the one that names it says that it is. */
  readonly format: ImageFormat | undefined;
}

/** What a named file is there for. */
function roleOf({ format }: Named): Role {
  return format === undefined ? "parent" : "backing";
}

/** What a named file is opened with. */
function placeOf({ bounds, format }: Named, context: Context): Context {
  const within = boundedContext(context, bounds);
  return format === undefined ? within : { ...within, format };
}

async function identifyNamed(named: Named, context: Context): Promise<LinkIdentity> {
  return await identifyLink(named.path, placeOf(named, context), roleOf(named));
}

/** The file that a child's hint means. */
async function namedParent(
  { name, wanted, by }: ParentHint,
  holder: string,
  context: Context,
): Promise<Named> {
  const path = await resolveName(name, holder, context, "parent", wanted);
  const bounds = await boundsOf({ name, holder, what: "parent" }, context);
  return { path, bounds, format: by?.format };
}

/** The same, and what its encoding has to do with it when it is not there. */
async function resolveParent(hint: ParentHint, child: LinkIdentity, context: Context): Promise<Named> {
  try {
    return await namedParent(hint, child.path, context);
  } catch (error) {
    throw withNameDoubt(error, hint);
  }
}

/** The parent, or `undefined` when the link is a base or does not say. */
async function parentOf(link: LinkIdentity, context: Context): Promise<Named | undefined> {
  if (!isKnownDelta(link)) return undefined;
  const hint = link.parent;
  if (hint !== undefined) return await resolveParent(hint, link, context);
  throw unnamedParent(link);
}

function unnamedParent({ path, identity }: LinkIdentity): RegrainError {
  const uuid = identity?.parent.uuid;
  if (uuid === undefined) {
    return new RegrainError("NOT_FOUND", "it is a delta, and nothing names its parent", {
      path,
      hint:
        "keep the descriptor (the small .vmdk text file) beside the delta; apply takes a delta without it",
    });
  }
  const whole = applyCommand({ deltas: ["PARENT.vmdk"], target: "COPY", flags: ["--create"] });
  const delta = applyCommand({ deltas: [path], target: "COPY" });
  return new RegrainError("NOT_FOUND", `it is a delta, whose parent only ddb.uuid.parent ${uuid} tells`, {
    path,
    hint: `${whole} makes an image of its parent, then ${delta} makes it this disk`,
  });
}
