/**
 * Which snapshots of a disk have a time that fits their place among the others.
 *
 * Ids say in which order snapshots were made, and times come from the clocks of hosts. A clock of 1970, or of next
 * year, puts one out of line. Which of two that contradict each other is wrong, nothing tells; so the most that agree
 * are taken for right.
 */

/** Hosts whose clocks are a little apart are in line with each other. */
const TOLERANCE_MS = 24 * 3600 * 1000;

export interface Placed {
  readonly id: string;
  readonly timeMs: number;
}

/** The largest set of snapshots whose times rise with their ids, and whatever is no more than a day beside it. */
export function inLine<T extends Placed>(disk: readonly T[]): ReadonlySet<T> {
  const byId = [...disk].sort((a, b) => a.id < b.id ? -1 : 1);
  const rising = longestRise(byId);
  const inLine = new Set(rising);
  let next = 0;
  for (const snapshot of byId) {
    if (snapshot === rising[next]) next++;
    else {
      const { timeMs } = snapshot;
      const earliestMs = rising[next - 1]?.timeMs ?? -Infinity;
      const latestMs = rising[next]?.timeMs ?? Infinity;
      if (timeMs >= earliestMs - TOLERANCE_MS && timeMs <= latestMs + TOLERANCE_MS) inLine.add(snapshot);
    }
  }
  return inLine;
}

/** The longest subsequence whose times do not fall, by the tails of the best ones of each length. */
function longestRise<T extends Placed>(byId: readonly T[]): T[] {
  /** Of all rises of `i + 1` snapshots, the index of the last one of that which ends earliest. */
  const tails: number[] = [];
  const before: (number | undefined)[] = [];
  for (const [at, { timeMs }] of byId.entries()) {
    let [low, high] = [0, tails.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (byId[tails[middle]!]!.timeMs <= timeMs) low = middle + 1;
      else high = middle;
    }
    before.push(tails[low - 1]);
    tails[low] = at;
  }
  const rise: T[] = [];
  for (let at: number | undefined = tails.at(-1); at !== undefined; at = before[at]) rise.push(byId[at]!);
  return rise.reverse();
}
