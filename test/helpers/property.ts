/**
 * Properties: fast-check with a fixed seed, so that a failure on one machine is a failure on all. Another seed is
 * taken from `REGRAIN_SEED`, for those who want to look further.
 */
import fc from "fast-check";
import { countInPart, countOf, PART } from "./tiers.ts";

export { fc };

const DEFAULT_SEED = 20_26;
/** Deep tests take so many times the runs, unless they say how many. */
const DEEP_FACTOR = 10;
/** What lies between the seeds of two parts. */
const SEED_STEP = 1_000_003;

/** Runs of a property; `full` is for deep tests, and of that a part is taken where parts are asked for. */
export interface Runs {
  readonly runs: number;
  readonly full?: number;
}

function seed(): number {
  const text = Deno.env.get("REGRAIN_SEED");
  return text === undefined ? DEFAULT_SEED : Number(text);
}

function parameters({ runs, full = runs * DEEP_FACTOR }: Runs): { seed: number; numRuns: number } {
  const numRuns = countInPart(countOf({ share: runs, full }), PART);
  return { seed: seed() + (PART.number - 1) * SEED_STEP, numRuns };
}

/** Checks a property that answers at once. */
export function check<T>(property: fc.IProperty<T>, options: Runs): void {
  fc.assert(property, parameters(options));
}

/** Checks a property that answers later. */
export async function checkAsync<T>(
  property: fc.IAsyncProperty<T>,
  options: Runs,
): Promise<void> {
  await fc.assert(property, parameters(options));
}
