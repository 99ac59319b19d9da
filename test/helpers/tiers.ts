/**
 * Two tiers. `deno task test` takes a seeded share of whatever is drawn by lot or counted out: half a minute of it at
 * most, a minute and a half for guests and engines. `deno task test:deep` (`REGRAIN_DEEP=1`) takes all of it.
 */
import process from "node:process";

export const DEEP = Deno.env.get("REGRAIN_DEEP") === "1";

/** How many of a full count this tier takes: always the same ones, the first. */
export function countOf(counts: { readonly share: number; readonly full: number }): number {
  return DEEP ? counts.full : counts.share;
}

/**
 * True for what this tier takes of many that differ in kind: all in deep tests, else one in so many, drawn by lot.
 *
 * @param lot A number that the seed of the run and the name of the one decide.
 */
export function isTaken(lot: number, oneIn: number): boolean {
  return DEEP || lot % oneIn === 0;
}

/** Options of a test that only the deep tier runs. */
export const ONLY_DEEP = { ignore: !DEEP } as const;

/**
 * Milliseconds that the processor has worked for this process. Limits of hangs count these: on a machine that others
 * keep busy, the clock on the wall says nothing about the work.
 */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
