/**
 * From a heap of dropped files to the plan of a chain: which are descriptors, which their extents, who stands on whom.
 */
import {
  type Context,
  type ImageFormat,
  MAX_CHAIN_LINKS,
  RegrainError,
  SECTOR_SIZE,
} from "../../../core-as/host/mod.ts";
import { claimsOf, type Item, lookAt, mayHaveParent, named } from "./items.ts";

/** What is to be opened, newest first, and what is left over. */
export interface Plan {
  readonly items: readonly Item[];
  /** Names of the links. */
  readonly names: readonly string[];
  /** Index of the link that was asked for. */
  readonly start: number;
  readonly remarks: readonly string[];
}

/**
 * Looks at every file.
 *
 * @param formatOf What is said of a file by its name.
 */
export async function lookAtAll(
  names: readonly string[],
  context: Context,
  formatOf: (name: string) => ImageFormat | undefined = () => undefined,
): Promise<Item[]> {
  const items: Item[] = [];
  for (const name of names) {
    items.push(await lookAt({ name, format: formatOf(name), role: "image" }, context));
  }
  // What another one names as its parent is what that says, or a VMDK by that; and may name a parent itself.
  const waiting = [...items];
  for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) {
    const parent = parentNamedBy(item, items);
    if (parent?.role !== "image" || parent.format !== undefined) continue;
    const format = item.said?.parent?.by?.format;
    const again = await lookAt({ ...parent, format, role: format ? "backing" : "parent" }, context);
    items[items.indexOf(parent)] = again;
    waiting.push(again);
  }
  return items;
}

function parentNamedBy({ said }: Item, items: readonly Item[]): Item | undefined {
  const hint = said?.delta === false ? undefined : said?.parent;
  return hint && named(items, hint.name);
}

/**
 * Finds the chain in what was dropped.
 *
 * @param asked Name of the file whose chain is wanted; without one the longest chain is taken.
 * @throws {RegrainError} when there is no disk in it, or the file that was asked for is none.
 */
export function planChain(items: readonly Item[], asked?: string): Plan {
  const claims = claimsOf(items);
  const candidates = items.filter(({ name, error, kind }) => !error && kind !== "map" && !claims.has(name));
  const parents = new Map<Item, Item>();
  for (const item of candidates) {
    const parent = mayHaveParent(item) ? namedParent(item, items, candidates, claims) : undefined;
    if (parent) parents.set(item, parent);
  }
  standOnLooseBase(candidates, parents);
  const leaves = leavesOf(candidates, parents);
  const wanted = asked === undefined ? undefined : itemFor(asked, items, claims);
  const first = leaves.find((leaf) => !wanted || chainOf(leaf, parents).includes(wanted)) ?? leaves[0];
  if (!first) throw noDisk(items, candidates);
  const others = leaves.filter((leaf) => leaf !== first);
  const chain = chainOf(first, parents);
  const remarks = others.map(({ name }) =>
    `${name} is another disk than ${first.name} and was left out; open it alone to see it`
  );
  return {
    items,
    names: chain.map(({ name }) => name),
    start: wanted ? Math.max(0, chain.indexOf(wanted)) : 0,
    remarks: [...remarks, ...leftOver(items.filter(({ name }) => !claims.has(name)))],
  };
}

/** The link that a file stands for: the one whose extent it is, or itself. */
function itemFor(
  name: string,
  items: readonly Item[],
  claims: ReadonlyMap<string, string>,
): Item | undefined {
  const holder = claims.get(name) ?? name;
  const item = items.find((each) => each.name === holder);
  if (item?.error) throw item.error;
  return item;
}

/** The parent that an image names, by file name or else by content id. */
function namedParent(
  item: Item,
  items: readonly Item[],
  candidates: readonly Item[],
  claims: ReadonlyMap<string, string>,
): Item | undefined {
  const parent = item.said?.parent;
  const meant = parent && named(items, parent.name);
  const holder = meant && claims.get(meant.name);
  const byName = holder === undefined ? meant : items.find(({ name }) => name === holder);
  if (byName && candidates.includes(byName)) return byName;
  const wanted = item.said?.identity?.parent.cid;
  return wanted === undefined
    ? undefined
    : candidates.find((other) => other !== item && other.said?.identity?.own.cid === wanted);
}

/** A delta whose parent nobody names stands on a base that nobody names, if that is the only one and fits. */
function standOnLooseBase(candidates: readonly Item[], parents: Map<Item, Item>): void {
  const taken = new Set(parents.values());
  const bases = candidates.filter((item) => !mayHaveParent(item) && !taken.has(item));
  // What names its parent and what that is stands on no other.
  const deltas = candidates.filter((item) =>
    mayHaveParent(item) && !parents.has(item) && !item.said?.parent?.by
  );
  const [base] = bases;
  const [delta] = deltas;
  if (!base || !delta || bases.length > 1 || deltas.length > 1) return;
  const size = base.said?.capacitySectors ?? base.sizeBytes / SECTOR_SIZE;
  const wanted = delta.said?.capacitySectors;
  if (base.kind === "raw" || wanted === undefined || wanted === size) parents.set(delta, base);
}

/** Links that no other stands on; the one with the longest chain first, then as they were dropped. */
function leavesOf(candidates: readonly Item[], parents: ReadonlyMap<Item, Item>): Item[] {
  const named = new Set(parents.values());
  const depths = new Map(candidates.map((item) => [item, depthOf(item, parents)]));
  return candidates.filter((item) => !named.has(item)).sort((a, b) => depths.get(b)! - depths.get(a)!);
}

function depthOf(item: Item, parents: ReadonlyMap<Item, Item>): number {
  return chainOf(item, parents).length * 2 + (mayHaveParent(item) ? 1 : 0);
}

function chainOf(leaf: Item, parents: ReadonlyMap<Item, Item>): Item[] {
  const chain: Item[] = [];
  for (let item: Item | undefined = leaf; item && !chain.includes(item); item = parents.get(item)) {
    if (chain.length >= MAX_CHAIN_LINKS) {
      const message = `the chain has more than ${MAX_CHAIN_LINKS} links`;
      throw new RegrainError("CHAIN_TOO_DEEP", message, { path: leaf.name });
    }
    chain.push(item);
  }
  return chain;
}

function noDisk(items: readonly Item[], candidates: readonly Item[]): RegrainError {
  const [first] = candidates;
  if (first) {
    return new RegrainError("CHAIN_CYCLE", "every link is the parent of another one", { path: first.name });
  }
  const error = items.find((item) => item.kind !== "raw" && item.error)?.error ??
    items.find((item) => item.error)?.error;
  return error ?? new RegrainError("NOT_A_DISK", "nothing was dropped that is a disk");
}

/** Why files belong to nothing. */
function leftOver(items: readonly Item[]): string[] {
  const remarks: string[] = [];
  for (const { name, error, kind } of items) {
    if (error) remarks.push(`left out: ${error.message}`);
    else if (kind === "map") {
      remarks.push(`${name} is a saved map and was left out: there are disks to look at`);
    }
  }
  return remarks;
}
