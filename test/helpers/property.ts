/**
 * Properties: fast-check with a fixed seed, so that a failure on one machine is a failure on all. Another seed is
 * taken from `REGRAIN_SEED`, for those who want to look further.
 */
import fc from "fast-check";
import { DEEP } from "./tiers.ts";

export { fc };

const DEFAULT_SEED = 20_26;
/** Deep tests take so many times the runs. */
const DEEP_FACTOR = 10;

function seed(): number {
  const text = Deno.env.get("REGRAIN_SEED");
  return text === undefined ? DEFAULT_SEED : Number(text);
}

function parameters({ runs }: { runs: number }): { seed: number; numRuns: number } {
  return { seed: seed(), numRuns: DEEP ? runs * DEEP_FACTOR : runs };
}

/** Checks a property that answers at once. */
export function check<T>(property: fc.IProperty<T>, options: { runs: number }): void {
  fc.assert(property, parameters(options));
}

/** Checks a property that answers later. */
export async function checkAsync<T>(
  property: fc.IAsyncProperty<T>,
  options: { runs: number },
): Promise<void> {
  await fc.assert(property, parameters(options));
}
