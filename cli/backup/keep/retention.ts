/**
 * Which snapshots of a disk are kept, and why. Only a rule on a list: nothing is read, nothing is removed.
 *
 * Every rule goes from the newest snapshot to the oldest. `daily` keeps the newest of each of the last N days that have
 * a snapshot at all, so days without one do not count; the others likewise, by hours, ISO weeks (from Monday), months
 * and years. They are those of the policy's time zone; without one of UTC, so that every host comes to the same result.
 */
import { inLine } from "./in_line.ts";
import { TimeZone } from "./time_zone.ts";

const PERIODS = ["hourly", "daily", "weekly", "monthly", "yearly"] as const;
export type Period = typeof PERIODS[number];

/** How many are kept by each rule; absent: none by that rule. */
export interface RetentionPolicy extends Partial<Record<Period, number>> {
  /** The newest, whenever they were made. */
  readonly last?: number;
  /** Whatever was made within so many milliseconds before the newest of its disk. */
  readonly withinMs?: number;
  /** Whatever has one of these tags. */
  readonly tags?: readonly string[];
  /** Whose days, weeks, months and years are meant; UTC without it. */
  readonly timeZone?: TimeZone;
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
   * `damaged`: its manifest cannot be read. `doubtful`: its backup was taken for dead, chunks of it were found damaged,
   * parts of its source could not be read, or the run that made it for a VM did not end. Neither counts for a rule, so
   * that it never takes the place of a sound one.
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
export function isEmptyPolicy(policy: RetentionPolicy): boolean {
  const { tags = [], last = 0, withinMs = 0 } = policy;
  return last === 0 && withinMs === 0 && tags.length === 0 && !hasPeriods(policy);
}

/** True when a policy counts periods, so that it matters whose days are meant. */
export function hasPeriods(policy: RetentionPolicy): boolean {
  return PERIODS.some((period) => (policy[period] ?? 0) > 0);
}

/**
 * Disks of which a policy of tags alone keeps no snapshot: mostly a tag that is typed wrong, and all but the newest
 * would go.
 *
 * @returns one snapshot of each such disk that would lose any.
 */
export function disksWithoutTag<T extends Candidate>(
  fates: readonly Fate<T>[],
  { last = 0, withinMs = 0, tags = [], ...policy }: RetentionPolicy,
): T[] {
  if (last > 0 || withinMs > 0 || hasPeriods(policy)) return [];
  const disks = [...Map.groupBy(fates, ({ snapshot }) => snapshot.source).values()];
  return disks.flatMap((disk) => {
    const isTagged = disk.some(({ snapshot }) => tags.some((tag) => snapshot.tags.includes(tag)));
    return isTagged ? [] : disk.filter(({ isKept }) => !isKept).slice(0, 1).map(({ snapshot }) => snapshot);
  });
}

/** Judges every snapshot; in the order of the disks as they come, and of each the oldest first. */
export function selectKept<T extends Candidate>(snapshots: readonly T[], policy: RetentionPolicy): Fate<T>[] {
  const disks = Map.groupBy(snapshots, ({ source }) => source);
  return [...disks.values()].flatMap((disk) => judgeDisk(disk, policy));
}

/**
 * The rules are asked about the sound ones alone, and about all that can be read. What either keeps is kept, so a
 * doubtful snapshot neither takes a sound one's place nor goes earlier than the rules say.
 *
 * Where a clock was wrong, they are asked of the snapshots in three {@link viewsOf views}. So one that is out of line
 * takes no other's place, and yet does not stay for ever: it goes with those that were made beside it.
 */
function judgeDisk<T extends Candidate>(disk: readonly T[], policy: RetentionPolicy): Fate<T>[] {
  const oldestFirst = [...disk].sort((a, b) => a.timeMs - b.timeMs || (a.id < b.id ? -1 : 1));
  const readable = oldestFirst.filter(({ state, isAhead }) => state !== "damaged" && !isAhead);
  const right = inLine(readable);
  const outOfLine = new Set(readable.filter((each) => !right.has(each)));
  const views = viewsOf(readable, right);
  const isSound = ({ state }: T) => state === "sound";
  const taken = [...views.map((view) => view.filter(isSound)), ...views]
    .map((view) => applyRules(view, policy));
  // Whatever the rules say, the disk can be restored: as it was last, by either way to see it.
  const spared = new Set(views.map((view) => view.findLast(isSound) ?? view.at(-1)));
  return oldestFirst.map((snapshot) => {
    const rules = new Set(taken.flatMap((rules) => rules.get(snapshot) ?? []));
    const reasons = [...protections(snapshot, policy), ...rules];
    if (reasons.length === 0 && spared.has(snapshot)) {
      reasons.push(isSound(snapshot) ? "newest sound one" : "newest, and none is sound");
    }
    const isKept = reasons.length > 0;
    if (!isKept) reasons.push("no rule");
    else if (outOfLine.has(snapshot)) reasons.push("a clock was wrong");
    return { snapshot, isKept, reasons };
  });
}

/** By time, by the order in which they were made, and those alone whose time fits that order; mostly all are one. */
function viewsOf<T extends Candidate>(byTime: readonly T[], right: ReadonlySet<T>): (readonly T[])[] {
  if (right.size === byTime.length) return [byTime];
  const byOrder = [...byTime].sort((a, b) => a.id < b.id ? -1 : 1);
  return [byTime, byOrder, byTime.filter((each) => right.has(each))];
}

/** Which rules take each snapshot. */
function applyRules<T extends Candidate>(
  oldestFirst: readonly T[],
  policy: RetentionPolicy,
): ReadonlyMap<T, string[]> {
  const zone = policy.timeZone ?? TimeZone.UTC;
  const rules = [
    new LastRule(policy.last ?? 0),
    new WithinRule(policy.withinMs ?? 0),
    ...PERIODS.map((name) => new PeriodRule(name, { left: policy[name] ?? 0, zone })),
  ];
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

/**
 * Takes what is not much older than the first that it is asked about: than the newest, not than now. Where backups have
 * ended long ago, what there is stays.
 */
class WithinRule {
  readonly name = "within";
  private newestMs: number | undefined;
  constructor(private readonly spanMs: number) {}

  takes(timeMs: number): boolean {
    this.newestMs ??= timeMs;
    // Where a clock was wrong, the newest by the order may have an older time.
    return this.spanMs > 0 && Math.abs(this.newestMs - timeMs) <= this.spanMs;
  }
}

/** Takes the first it is asked about of each period. */
class PeriodRule {
  /** All of them: where clocks are set back over midnight, a date comes again after the next one. */
  private readonly taken = new Set<string>();
  constructor(readonly name: Period, private readonly rule: { left: number; zone: TimeZone }) {}

  takes(timeMs: number): boolean {
    const { left, zone } = this.rule;
    if (this.taken.size >= left) return false;
    const period = periodOf(timeMs, this.name, zone);
    if (this.taken.has(period)) return false;
    this.taken.add(period);
    return true;
  }
}

const DAY_MS = 24 * 3600 * 1000;

/** A text that is the same for all times of one period in a time zone. */
export function periodOf(timeMs: number, period: Period, zone: TimeZone): string {
  const { date, clock, offset } = zone.at(timeMs);
  switch (period) {
    case "hourly":
      return `${date} ${clock.slice(0, 2)} ${offset}`;
    case "daily":
      return date;
    case "weekly": {
      // Reckoned with dates, not with times: a week has 167 or 169 hours twice a year.
      const dayMs = Date.parse(`${date}T00:00:00Z`);
      const sinceMonday = (new Date(dayMs).getUTCDay() + 6) % 7;
      return new Date(dayMs - sinceMonday * DAY_MS).toISOString().slice(0, 10);
    }
    case "monthly":
      return date.slice(0, 7);
    case "yearly":
      return date.slice(0, 4);
  }
}
