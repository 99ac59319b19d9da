/** Which mutants there are, and how each is told from the others by name. */
import { isTaken } from "../helpers/tiers.ts";
import type { MutationBase } from "./mutation_bases.ts";

export interface PlannedMutant {
  readonly base: MutationBase;
  /** Counts the mutants of a base. */
  readonly number: number;
}

/** Shares `count` mutants among the bases by their weights. */
export function planMutants(bases: readonly MutationBase[], count: number): PlannedMutant[] {
  const total = bases.reduce((sum, { weight }) => sum + weight, 0);
  return bases.flatMap((base) => {
    const share = Math.ceil(count * base.weight / total);
    return Array.from({ length: share }, (_, number) => ({ base, number }));
  });
}

/** One mutant in so many is of the share that `deno task test` takes. */
const SHARE_ONE_IN = 5;

/** What this tier takes of a plan: mutants of every base, the first of each among them, and of every kind of damage. */
export function shareOf(plan: readonly PlannedMutant[], runSeed: number): PlannedMutant[] {
  return plan.filter((planned) => planned.number === 0 || isTaken(seedOf(planned, runSeed), SHARE_ONE_IN));
}

/** `cowd-grain-1#17`: with the seed of the run it makes the same mutant again. */
export function nameOf({ base, number }: PlannedMutant): string {
  return `${base.name}#${number}`;
}

/** Seed of one mutant; it does not depend on the other bases. FNV-1a of all that names it. */
export function seedOf(mutant: PlannedMutant, runSeed: number): number {
  let hash = 0x811c9dc5;
  for (const char of `${runSeed}/${nameOf(mutant)}`) {
    hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0;
  }
  return hash;
}
