/**
 * Properties: fast-check with a fixed seed, so that a failure on one machine is a failure on all. Another seed is
 * taken from `REGRAIN_SEED`, for those who want to look further.
 */
import fc from "fast-check";

export { fc };

const DEFAULT_SEED = 20_26;

function seed(): number {
  const text = Deno.env.get("REGRAIN_SEED");
  return text === undefined ? DEFAULT_SEED : Number(text);
}

/** Checks a property that answers at once. */
export function check<T>(property: fc.IProperty<T>, options: { runs: number }): void {
  fc.assert(property, { seed: seed(), numRuns: options.runs });
}

/** Checks a property that answers later. */
export async function checkAsync<T>(
  property: fc.IAsyncProperty<T>,
  options: { runs: number },
): Promise<void> {
  await fc.assert(property, { seed: seed(), numRuns: options.runs });
}
