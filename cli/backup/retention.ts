/**
 * Which snapshots of a disk are kept, and why. Only a rule on a list: nothing is read, nothing is removed.
 *
 * Every rule goes from the newest snapshot to the oldest. `daily` keeps the newest of each of the last N days that have
 * a snapshot at all, so days without one do not count; the others likewise, by hours, ISO weeks (from Monday), months
 * and years. All times are UTC, so that every host comes to the same result.
 */

const PERIODS = ["hourly", "daily", "weekly", "monthly", "yearly"] as const;
export type Period = typeof PERIODS[number];

/** How many are kept by each rule; absent: none by that rule. */
export interface RetentionPolicy extends Partial<Record<Period, number>> {
  /** The newest, whenever they were made. */
  readonly last?: number;
  /** Whatever has one of these tags. */
  readonly tags?: readonly string[];
}

/** A snapshot as the rules see it. */
export interface Candidate {
  readonly id: string;
  /** Which disk it is of; every disk is judged for itself. */
  readonly source: string;
  /** When it was made, in milliseconds since 1970. */
  readonly timeMs: number;
  /** Its time has not come yet: the clock of its host was ahead. It counts for no rule, and is kept. */
  readonly isAhead?: boolean | undefined;
  readonly tags: readonly string[];
  readonly isHeld: boolean;
  /** The day before which the store lets nobody remove it, while that is to come. */
  readonly retainedUntil?: string | undefined;
  /**
   * `damaged`: its manifest cannot be read. `doubtful`: its backup was taken for dead, or chunks of it were found
   * damaged. Neither counts for a rule, so that it never takes the place of a sound one.
   */
  readonly state: "sound" | "doubtful" | "damaged";
}

export interface Fate<T extends Candidate = Candidate> {
  readonly snapshot: T;
  readonly isKept: boolean;
  /** Why it is kept, or why it is not. */
  readonly reasons: readonly string[];
}

/** True when a policy says nothing, so that it would remove all but the newest. */
export function isEmptyPolicy({ tags = [], last = 0, ...periods }: RetentionPolicy): boolean {
  return last === 0 && tags.length === 0 && PERIODS.every((period) => (periods[period] ?? 0) === 0);
}

/** Judges every snapshot; in the order of the disks as they come, and of each the oldest first. */
export function selectKept<T extends Candidate>(snapshots: readonly T[], policy: RetentionPolicy): Fate<T>[] {
  const disks = Map.groupBy(snapshots, ({ source }) => source);
  return [...disks.values()].flatMap((disk) => judgeDisk(disk, policy));
}

/**
 * The rules are asked twice: about the sound ones alone, and about all that can be read. What either keeps is kept, so
 * a doubtful snapshot neither takes a sound one's place nor goes earlier than the rules say.
 */
function judgeDisk<T extends Candidate>(disk: readonly T[], policy: RetentionPolicy): Fate<T>[] {
  const oldestFirst = [...disk].sort((a, b) => a.timeMs - b.timeMs || (a.id < b.id ? -1 : 1));
  const readable = oldestFirst.filter(({ state, isAhead }) => state !== "damaged" && !isAhead);
  const sound = readable.filter(({ state }) => state === "sound");
  const [bySound, byAll] = [applyRules(sound, policy), applyRules(readable, policy)];
  // Whatever the rules say, the disk can be restored.
  const spared = sound.at(-1) ?? readable.at(-1);
  return oldestFirst.map((snapshot) => {
    const rules = new Set([...bySound.get(snapshot) ?? [], ...byAll.get(snapshot) ?? []]);
    const reasons = [...protections(snapshot, policy), ...rules];
    if (reasons.length === 0 && snapshot === spared) {
      reasons.push(snapshot.state === "sound" ? "newest sound one" : "newest, and none is sound");
    }
    return { snapshot, isKept: reasons.length > 0, reasons: reasons.length > 0 ? reasons : ["no rule"] };
  });
}

/** Which rules take each snapshot. */
function applyRules<T extends Candidate>(
  oldestFirst: readonly T[],
  policy: RetentionPolicy,
): Map<T, string[]> {
  const rules = [new LastRule(policy.last ?? 0), ...PERIODS.map((p) => new PeriodRule(p, policy[p] ?? 0))];
  const taken = new Map<T, string[]>();
  for (const snapshot of oldestFirst.toReversed()) {
    taken.set(snapshot, rules.filter((rule) => rule.takes(snapshot.timeMs)).map(({ name }) => name));
  }
  return taken;
}

function protections(
  { isHeld, isAhead, retainedUntil, state, tags }: Candidate,
  policy: RetentionPolicy,
): string[] {
  return [
    ...isAhead ? ["its time lies in the future, not counted"] : [],
    ...isHeld ? ["held"] : [],
    ...retainedUntil === undefined ? [] : [`locked until ${retainedUntil}`],
    ...state === "damaged" ? ["damaged, left alone"] : [],
    ...(policy.tags ?? []).filter((tag) => tags.includes(tag)).map((tag) => `tag ${tag}`),
  ];
}

class LastRule {
  readonly name = "last";
  constructor(private left: number) {}

  takes(_timeMs: number): boolean {
    return this.left-- > 0;
  }
}

/** Takes the first it is asked about of each period. */
class PeriodRule {
  private taken: string | undefined;
  constructor(readonly name: Period, private left: number) {}

  takes(timeMs: number): boolean {
    const period = periodOf(timeMs, this.name);
    if (this.left <= 0 || period === this.taken) return false;
    this.taken = period;
    this.left--;
    return true;
  }
}

const DAY_MS = 24 * 3600 * 1000;

/** A text that is the same for all times of one period, in UTC. */
export function periodOf(timeMs: number, period: Period): string {
  const text = new Date(timeMs).toISOString();
  switch (period) {
    case "hourly":
      return text.slice(0, 13);
    case "daily":
      return text.slice(0, 10);
    case "weekly": {
      const sinceMonday = (new Date(timeMs).getUTCDay() + 6) % 7;
      return new Date(timeMs - sinceMonday * DAY_MS).toISOString().slice(0, 10);
    }
    case "monthly":
      return text.slice(0, 7);
    case "yearly":
      return text.slice(0, 4);
  }
}
