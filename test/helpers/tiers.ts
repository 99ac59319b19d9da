/**
 * Two tiers. `deno task test` takes a seeded share of whatever is drawn by lot or counted out: half a minute of it at
 * most, a minute and a half for guests and engines. `deno task test:deep` (`REGRAIN_DEEP=1`) takes all of it. What of
 * that takes longest can be had in parts, one sitting each: `REGRAIN_DEEP=1 REGRAIN_DEEP_SHARE=3/8 deno test -A …`.
 */
import process from "node:process";

export const DEEP = Deno.env.get("REGRAIN_DEEP") === "1";

/** One part of so many, which together are all of something; numbered from 1. */
export interface Part {
  readonly number: number;
  readonly of: number;
}

/** The part that this run takes of what comes in parts. */
export const PART: Part = partIn(Deno.env.get("REGRAIN_DEEP_SHARE") ?? "1/1");

function partIn(text: string): Part {
  const [number = 0, of = 0] = /^(\d+)\/(\d+)$/.exec(text)?.slice(1).map(Number) ?? [];
  if (number < 1 || number > of) throw new Error(`REGRAIN_DEEP_SHARE is ${text}, expected one such as 3/8`);
  return { number, of };
}

/** How much of a count a part has: the parts together have all of it. */
export function countInPart(count: number, { number, of }: Part): number {
  return Math.floor(count * number / of) - Math.floor(count * (number - 1) / of);
}

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
