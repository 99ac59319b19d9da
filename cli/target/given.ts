/**
 * The deltas as they were given: each once, in an order in which each was made on the one before. Where they are not,
 * the error prints the line that works, if there is one.
 */
import {
  applyCommand,
  baseName,
  type Context,
  identifyParents,
  isDeltaName,
  isKnownBase,
  isKnownDelta,
  judgeChain,
  type Link,
  type LinkIdentity,
  numberedFrom,
  openLink,
  overwritesAll,
  RegrainError,
  sharedFile,
} from "../../core-as/host/mod.ts";

/** What a command that is printed repeats of the one that was typed. */
interface GivenRequest {
  readonly target: string;
  readonly force: boolean;
  /** Flags as they were typed. */
  readonly words?: readonly string[];
}

/**
 * Refuses a list in which one delta stands twice; nothing can be meant by it.
 *
 * @param links Newest first.
 */
export async function requireEachOnce(
  links: readonly Link[],
  request: GivenRequest,
  context: Context,
): Promise<void> {
  const seen = new Set<string>();
  const once: Link[] = [];
  let twice: string | undefined;
  for (const link of links) {
    const real = await context.files.realPath(link.path);
    if (seen.has(real)) twice = link.path;
    else once.push(link);
    seen.add(real);
  }
  const shared = twice === undefined ? sharedFile(links.flatMap(({ extents }) => extents)) : undefined;
  if (twice === undefined && shared === undefined) return;
  const message = twice === undefined
    ? `two of the deltas given have the same file ${shared}`
    : "this delta is given more than once, by this name or by that of its extent";
  const error = new RegrainError("CHAIN_BROKEN", message, { path: twice ?? links[0]!.path });
  throw await withOrder(error, { links: once, request, context });
}

/**
 * Refuses a list of bare deltas that leaves out one which lies between two of them by the numbers of their names:
 * nothing else tells that it is missing.
 *
 * @param links Newest first.
 */
export async function requireNoneBetween(
  links: readonly Link[],
  { target, words = [] }: GivenRequest,
  context: Context,
): Promise<void> {
  const oldestFirst = [...links].reverse();
  for (const [i, { path, identity }] of oldestFirst.entries()) {
    const above = oldestFirst[i + 1];
    if (!above || identity !== undefined || above.identity !== undefined) continue;
    const later = await numberedFrom(path, context);
    const end = later.findIndex((each) => baseName(each) === baseName(above.path));
    if (end < 2) continue;
    const deltas = oldestFirst.map((link) => link.path);
    deltas.splice(i + 1, 0, ...later.slice(1, end));
    const missing = later.slice(1, end).join(", ");
    throw new RegrainError(
      "CHAIN_BROKEN",
      `by the numbers of their names ${missing} belongs between it and ${above.path}, and was not given`,
      {
        path,
        hint: `${applyCommand({ deltas, target, flags: words })}; --force leaves it out, ` +
          "which is right only if its snapshot was removed before the next one was made",
      },
    );
  }
}

/** What lies beside the disks of a VM and holds none of them, so that `vm-000001*` catches it too. */
const NO_DISK = /(?:-ctk\.vmdk|\.(?:vmx|vmxf|vmsd|vmsn|vmem|vswp|nvram|log))$/i;

/** The same error of one of the files given, with the line that leaves out all that hold no disk, where that works. */
export async function withoutOthers(
  error: RegrainError,
  request: GivenRequest & { readonly deltas: readonly string[] },
  context: Context,
): Promise<RegrainError> {
  const rest = request.deltas.filter((path) => !NO_DISK.test(path));
  if (rest.length === 0 || rest.length === request.deltas.length) return error;
  const links: Link[] = [];
  try {
    const seen = new Set<string>();
    for (const path of rest) {
      const link = await openLink(path, context, "delta");
      const real = await context.files.realPath(link.path);
      if (seen.has(real)) link.close();
      else links.unshift(link);
      seen.add(real);
    }
    return await withOrder(error, { links, request, context, isCleaned: true });
  } catch (other) {
    // What else is wrong in the list is said when this is mended.
    if (other instanceof RegrainError) return error;
    throw other;
  } finally {
    for (const link of links) link.close();
  }
}

/** What is needed to find the line that works. */
export interface Given {
  /** Newest first. */
  readonly links: readonly LinkIdentity[];
  readonly request: GivenRequest;
  readonly context: Context;
  /** True when something was left out that is no delta. */
  readonly isCleaned?: boolean;
  /** What they are applied onto, when that has a content id too. */
  readonly base?: LinkIdentity;
  /** What the links name as their parents and is none of them. */
  readonly beside?: readonly LinkIdentity[];
}

/** The same error with the line that works as its hint, where the deltas given, or those they name, make one chain. */
export async function withOrder(error: RegrainError, given: Given): Promise<RegrainError> {
  const fits = (chain: readonly LinkIdentity[] | undefined) =>
    chain !== undefined &&
    belongsTogether(given.base ? [...chain, given.base] : chain, given.beside);
  const chain = [orderOf(given.links, given.beside), await completed(given)].find(fits);
  if (chain === undefined) return error;
  return error.withHint(withFirst(lineOf(chain, given), error.hint));
}

/** The line that applies a chain, and what is other in it than in the one that was given. */
function lineOf(chain: readonly LinkIdentity[], given: Given): string {
  const { links, request } = given;
  const { target, words = [] } = request;
  const line = (deltas: readonly LinkIdentity[]) =>
    applyCommand({ deltas: deltas.map(({ path }) => path).reverse(), target, flags: words });
  const oldest = chain.at(-1)!;
  // A target that is there is taken for the copy of the base that the deltas go onto.
  if (isKnownBase(oldest) && chain.length > 1 && !words.includes("--create")) {
    return `if ${target} is a copy of ${oldest.path}: ${line(chain.slice(0, -1))}`;
  }
  const what = chain.length > links.length
    ? "with the deltas that are missing"
    : given.isCleaned
    ? "without what holds no disk"
    : "as they were made";
  return `${what}: ${line(chain)}`;
}

function withFirst(line: string, hint: string | undefined): string {
  return hint === undefined ? line : `${line}; ${hint}`;
}

function belongsTogether(links: readonly LinkIdentity[], beside?: readonly LinkIdentity[]): boolean {
  return judgeChain(links, beside).every(({ state }) => state === "match");
}

/** The links in the order in which each matches the one below it, newest first; `undefined` where there is none. */
function orderOf(
  links: readonly LinkIdentity[],
  beside: readonly LinkIdentity[] = [],
): LinkIdentity[] | undefined {
  const children = new Map<LinkIdentity, LinkIdentity>();
  const roots: LinkIdentity[] = [];
  for (const link of links) {
    const parents = links.filter((other) =>
      other !== link && judgeChain([link, other], beside)[0]!.state === "match"
    );
    if (parents.length === 0) roots.push(link);
    else if (parents.length > 1 || children.has(parents[0]!)) return undefined;
    else children.set(parents[0]!, link);
  }
  if (roots.length !== 1) return undefined;
  const order: LinkIdentity[] = [];
  for (let link = roots[0]; link !== undefined; link = children.get(link)) order.unshift(link);
  return order.length === links.length ? order : undefined;
}

/** The chain below one of the links, by the names of the parents, when it has all of them in it. */
async function completed({ links, context }: Given): Promise<LinkIdentity[] | undefined> {
  for (const leaf of links) {
    const { parents, error } = await identifyParents(leaf, context);
    const chain = [leaf, ...parents.filter(isKnownDelta)];
    if (error && isDeltaName(chain.at(-1)!.parent?.name ?? "")) continue;
    const paths = await Promise.all(chain.map(({ path }) => context.files.realPath(path)));
    const given = await Promise.all(links.map(({ path }) => context.files.realPath(path)));
    if (given.every((path) => paths.includes(path))) return chain;
  }
  return undefined;
}

/**
 * Refuses to overwrite all of a target by a disk that has no parent, unless it is meant.
 *
 * @param links Newest first.
 */
export async function requireDelta(
  links: readonly LinkIdentity[],
  request: GivenRequest,
  context: Context,
): Promise<void> {
  const oldest = links.at(-1);
  if (!oldest || request.force || !isKnownBase(oldest)) return;
  const error = overwritesAll(oldest, request.target);
  throw links.length === 1 ? error : await withOrder(error, { links, request, context });
}
