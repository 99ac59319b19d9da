/** What somebody asks for in a random world: deltas in the right order, or with one of the usual mistakes. */
import { fc } from "../../helpers/property.ts";
import { linkName } from "../../helpers/random_chain.ts";
import { extentName, isBare, type World } from "./world.ts";

/** The usual mistakes with a list of deltas. */
export type Mistake = "none" | "one-missing" | "swapped" | "twice" | "oldest-missing" | "newest-missing";

export interface Request {
  readonly mistake: Mistake;
  /** Positions of the links that are given, in the order they are given. */
  readonly given: readonly number[];
  /** Per given link: its extent is named in place of its descriptor. */
  readonly byExtent: readonly boolean[];
}

export const randomRequest = fc.record({
  mistake: fc.constantFrom<Mistake>(
    "none",
    "none",
    "none",
    "one-missing",
    "swapped",
    "twice",
    "oldest-missing",
    "newest-missing",
  ),
  at: fc.nat(),
  byExtent: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
});

type Seeds = typeof randomRequest extends fc.Arbitrary<infer T> ? T : never;

/** The request that a mistake leads to in a world; a mistake that needs more links than there are is none. */
export function requestIn(world: World, { mistake, at, byExtent }: Seeds): Request {
  const all = world.chain.links.map((_, position) => position);
  const given = withMistake(all, mistake, at);
  const same = given.length === all.length && given.every((position, i) => position === i);
  return { mistake: same ? "none" : mistake, given, byExtent };
}

function withMistake(all: readonly number[], mistake: Mistake, at: number): number[] {
  const count = all.length;
  if (mistake === "one-missing" && count > 2) {
    return all.filter((position) => position !== 1 + at % (count - 2));
  }
  if (mistake === "swapped" && count > 1) {
    const first = at % (count - 1);
    return all.map((position) => position === first ? first + 1 : position === first + 1 ? first : position);
  }
  if (mistake === "twice") return [...all.slice(0, 1 + at % count), ...all.slice(at % count)];
  if (mistake === "oldest-missing" && count > 1) return all.slice(1);
  if (mistake === "newest-missing" && count > 1) return all.slice(0, -1);
  return [...all];
}

/** The names that stand on the command line. */
export function namesGiven(world: World, { given, byExtent }: Request): string[] {
  return given.map((position, i) =>
    isBare(world, position) || byExtent[i] ? extentName(world, position) : linkName(position)
  );
}
