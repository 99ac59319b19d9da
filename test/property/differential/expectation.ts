/**
 * What a careful person would conclude from the files of a random world about a request, written from the rules and not
 * from the program: which neighbours are proven, which are refuted, and of which nothing is known.
 *
 * Rules. A parentCID that is not the parent's CID refutes. Between two deltas a hint that names another file refutes,
 * even where the CIDs agree: a link in between that was made while the VM ran has the CID of the one below it. A hint
 * that names the parent proves. Without a hint, CIDs prove where no other link that is given has the parent's CID.
 * Extents without a descriptor have neither: they are believed in rising order of their numbers, where none
 * that is there has a number between.
 */
import { linkName } from "../../helpers/random_chain.ts";
import type { Request } from "./request.ts";
import { cidsOf, extentName, hintOf, isBare, type World } from "./world.ts";

export type Evidence = "proven" | "rising" | "unknown" | "refuted";

/** From the best to the worst. */
const WORSE: readonly Evidence[] = ["proven", "rising", "unknown", "refuted"];

/** What the files say of a child right above a parent, both deltas among those that are given. */
function evidenceOf(world: World, { child, parent, given }: {
  child: number;
  parent: number;
  given: readonly number[];
}): Evidence {
  if (child === parent) return "refuted";
  if (isBare(world, child) || isBare(world, parent)) return evidenceOfBare(world, child, parent);
  const { own, parent: parents } = cidsOf(world);
  if (parents[child] !== own[parent + 1]) return "refuted";
  const hint = lastPart(hintOf(world, child));
  if (hint !== undefined) return namesOf(world, parent).includes(hint) ? "proven" : "refuted";
  const isShared = given.some((link) =>
    link !== parent && !isBare(world, link) && own[link + 1] === own[parent + 1]
  );
  return isShared ? "unknown" : "proven";
}

/** One of the two lost its descriptor: a hint of the child may still tell, otherwise the numbers must rise. */
function evidenceOfBare(world: World, child: number, parent: number): Evidence {
  const hint = isBare(world, child) ? undefined : lastPart(hintOf(world, child));
  if (hint !== undefined) return namesOf(world, parent).includes(hint) ? "proven" : "refuted";
  if (child < parent) return "refuted";
  const between = world.chain.links.slice(parent + 1, child);
  const isLeftOut = isBare(world, child) && isBare(world, parent) &&
    between.some(({ kind }) => kind !== "hosted");
  return isLeftOut ? "refuted" : "rising";
}

function namesOf(world: World, position: number): string[] {
  return [linkName(position), extentName(world, position)];
}

function lastPart(name: string | undefined): string | undefined {
  return name?.split(/[\\/]/).at(-1);
}

/** What is known of all neighbours of a request together: the worst of them. */
export function evidenceOfRequest(world: World, { given }: Request): Evidence {
  const pairs = given.slice(1).map((child, i) => evidenceOf(world, { child, parent: given[i]!, given }));
  if (new Set(given).size < given.length) return "refuted";
  return worstOf(pairs);
}

function worstOf(evidence: readonly Evidence[]): Evidence {
  return WORSE[Math.max(0, ...evidence.map((each) => WORSE.indexOf(each)))]!;
}

/** The links that the hints lead to, newest first, and what speaks for them; `undefined` where the way ends early. */
export function descentFrom(
  world: World,
  leaf: number,
): { positions: readonly number[]; evidence: Evidence } | undefined {
  const { own, parent } = cidsOf(world);
  const positions: number[] = [];
  const evidence: Evidence[] = [];
  for (let position = leaf; position >= 0;) {
    if (positions.includes(position)) return undefined;
    const hint = lastPart(hintOf(world, position));
    if (isBare(world, position) || hint === undefined) return undefined;
    positions.push(position);
    const below = positionOf(world, hint);
    evidence.push(parent[position] === own[below + 1] ? "proven" : "refuted");
    position = below;
  }
  return { positions, evidence: worstOf(evidence) };
}

/** -1 is the base. */
function positionOf({ chain }: World, name: string): number {
  return chain.links.findIndex((_, position) => linkName(position) === name);
}

/** True when the deltas are those that stand on the base, one on the other, none missing. */
export function isRight({ given }: Request): boolean {
  return given.every((position, i) => position === i);
}
