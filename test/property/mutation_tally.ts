/** Counts what became of the mutants, and tells of it. Mutants are many: none is remembered by itself. */
import type { Outcome, Verdict } from "./mutation_judge.ts";

const OUTCOMES: readonly Outcome[] = ["right", "refused", "undetectable", "wrong"];
/** Lines shown of a list. */
const MAX_LINES = 25;

/** Counts by name. */
export type Counts = Record<string, number>;

/** Plain data, so that a worker can hand it over. */
export interface Tally {
  mutants: number;
  wrong: number;
  slowestMs: number;
  /** By `format outcome`. */
  readonly outcomes: Counts;
  readonly codes: Counts;
  /** Refused though no rule is broken, by what was said. */
  readonly strict: Counts;
  /** Right though a rule is broken, by the rule. */
  readonly lax: Counts;
}

export function emptyTally(): Tally {
  return { mutants: 0, wrong: 0, slowestMs: 0, outcomes: {}, codes: {}, strict: {}, lax: {} };
}

export function addVerdict(tally: Tally, format: string, verdict: Verdict): void {
  const { outcome, code, message, reference, elapsedMs } = verdict;
  tally.mutants++;
  if (outcome === "wrong") tally.wrong++;
  tally.slowestMs = Math.max(tally.slowestMs, elapsedMs);
  add(tally.outcomes, `${format} ${outcome}`);
  add(tally.outcomes, `all ${outcome}`);
  if (code !== undefined) add(tally.codes, code);
  if (reference === undefined) return;
  if (outcome === "refused") add(tally.strict, `${code}: ${shape(message!)}`);
  else add(tally.lax, reference);
}

/** The sum of what several workers counted. */
export function sumTallies(tallies: readonly Tally[]): Tally {
  const sum = emptyTally();
  for (const tally of tallies) {
    sum.mutants += tally.mutants;
    sum.wrong += tally.wrong;
    sum.slowestMs = Math.max(sum.slowestMs, tally.slowestMs);
    for (const part of ["outcomes", "codes", "strict", "lax"] as const) {
      for (const [name, count] of Object.entries(tally[part])) add(sum[part], name, count);
    }
  }
  return sum;
}

/** Outcomes by format, codes, and where the two readers judge differently. */
export function describeTally({ outcomes, codes, strict, lax, slowestMs }: Tally): string {
  const formats = new Set(Object.keys(outcomes).map((name) => name.split(" ")[0]!));
  formats.delete("all");
  const table = [...formats, "all"].map((format) => {
    const counts = OUTCOMES.map((outcome) => String(outcomes[`${format} ${outcome}`] ?? 0).padStart(14));
    return `${format.padEnd(12)}${counts.join("")}`;
  });
  return [
    `${"format".padEnd(12)}${OUTCOMES.map((name) => name.padStart(14)).join("")}`,
    ...table,
    ...["", "codes:", ...listed(codes)],
    ...["", "refused though no rule is broken:", ...listed(strict)],
    ...["", "right image though a rule is broken:", ...listed(lax)],
    ...["", `slowest: ${slowestMs.toFixed(0)} ms`],
  ].join("\n");
}

function add(counts: Counts, name: string, count = 1): void {
  counts[name] = (counts[name] ?? 0) + count;
}

function listed(counts: Counts): string[] {
  const sorted = Object.entries(counts).sort((a, b) => b[1] - a[1]).slice(0, MAX_LINES);
  return sorted.map(([name, count]) => `${String(count).padStart(8)}  ${name}`);
}

/** A message without its numbers and names. */
function shape(message: string): string {
  return message.replace(/0x[0-9a-f]+|\d+/gi, "N").replace(/"[^"]*"/g, '"…"').replace(/; .*|\(.*/, "");
}
