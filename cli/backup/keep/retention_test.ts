import assert from "node:assert/strict";
import { check, fc } from "../../../test/helpers/property.ts";
import {
  type Candidate,
  disksWithoutTag,
  isEmptyPolicy,
  periodOf,
  type RetentionPolicy,
  selectKept,
} from "./retention.ts";
import { TimeZone } from "./time_zone.ts";

const HOUR_MS = 3600 * 1000;

function snapshot(time: string, more: Partial<Candidate> = {}): Candidate {
  const timeMs = Date.parse(time);
  return { id: String(timeMs), source: "disk", timeMs, tags: [], isHeld: false, state: "sound", ...more };
}

function kept(snapshots: readonly Candidate[], policy: RetentionPolicy): string[] {
  return selectKept(snapshots, policy).filter(({ isKept }) => isKept)
    .map(({ snapshot, reasons }) =>
      `${new Date(snapshot.timeMs).toISOString().slice(0, 16)} ${reasons.join(", ")}`
    );
}

Deno.test("selectKept() keeps the newest of each day, in UTC", () => {
  const snapshots = [
    snapshot("2026-11-19T22:00:00-03:00"),
    snapshot("2026-11-20T01:00:00Z"),
    snapshot("2026-11-20T23:59:59Z"),
    snapshot("2026-11-21T00:00:00Z"),
  ];
  assert.deepEqual(kept(snapshots, { daily: 2 }), ["2026-11-20T23:59 daily", "2026-11-21T00:00 daily"]);
});

Deno.test("selectKept() passes over days without a snapshot, and says every rule that keeps one", () => {
  const snapshots = ["2025-01-01", "2026-02-03", "2026-02-28", "2026-11-20"].map((day) =>
    snapshot(`${day}T12:00:00Z`)
  );
  assert.deepEqual(kept(snapshots, { last: 1, daily: 2, monthly: 2, yearly: 2 }), [
    "2025-01-01T12:00 yearly",
    "2026-02-28T12:00 daily, monthly",
    "2026-11-20T12:00 last, daily, monthly, yearly",
  ]);
});

Deno.test("selectKept() begins weeks on Monday", () => {
  const sunday = snapshot("2026-11-22T23:00:00Z");
  const monday = snapshot("2026-11-23T01:00:00Z");
  assert.equal(kept([sunday, monday], { weekly: 2 }).length, 2);
  assert.deepEqual(kept([snapshot("2026-11-16T00:00:00Z"), sunday], { weekly: 2 }), [
    "2026-11-22T23:00 weekly",
  ]);
});

Deno.test("selectKept() judges every disk for itself", () => {
  const snapshots = [snapshot("2026-11-20T00:00:00Z"), snapshot("2026-11-01T00:00:00Z", { source: "other" })];
  assert.equal(kept(snapshots, { last: 1 }).length, 2);
});

Deno.test("selectKept() lets a doubtful snapshot take nobody's place, nor go before its time", () => {
  const snapshots = [
    snapshot("2026-11-18T00:00:00Z"),
    snapshot("2026-11-19T00:00:00Z"),
    snapshot("2026-11-20T00:00:00Z", { state: "doubtful" }),
  ];
  assert.deepEqual(kept(snapshots, { last: 1 }), ["2026-11-19T00:00 last", "2026-11-20T00:00 last"]);
});

Deno.test("selectKept() spares the newest sound one where only tags say what is kept, else the newest of all", () => {
  const [old, newer] = [snapshot("2026-11-18T00:00:00Z"), snapshot("2026-11-19T00:00:00Z")];
  const doubtful = snapshot("2026-11-20T00:00:00Z", { state: "doubtful" });
  assert.deepEqual(kept([old, newer, doubtful], { tags: ["x"] }), ["2026-11-19T00:00 newest sound one"]);
  assert.deepEqual(kept([doubtful], { tags: ["x"] }), ["2026-11-20T00:00 newest, and none is sound"]);
});

/** Snapshots a day apart from a moment on, made one after the other. */
function days(count: number, { from, firstId, clockMs = 0 }: {
  from: string;
  firstId: number;
  clockMs?: number;
}): Candidate[] {
  return Array.from({ length: count }, (_, day) => {
    const timeMs = Date.parse(from) + day * 24 * HOUR_MS + clockMs;
    return { ...snapshot(from), timeMs, id: String(firstId + day).padStart(6, "0") };
  });
}

/** Days of November, by the ids that {@link days} gave from 1 on. */
function keptIds(snapshots: readonly Candidate[], policy: RetentionPolicy): number[] {
  return selectKept(snapshots, policy).filter(({ isKept }) => isKept)
    .map(({ snapshot }) => Number(snapshot.id)).toSorted((a, b) => a - b);
}

Deno.test("selectKept() keeps what a clock of 1970 made last, and counts the others as if it were not there", () => {
  const right = days(4, { from: "2026-11-25T00:00:00Z", firstId: 1 });
  const flat = days(2, { from: "1970-01-01T00:00:10Z", firstId: 5 });
  assert.deepEqual(kept([...right, ...flat], { last: 1 }), [
    "1970-01-02T00:00 last, a clock was wrong",
    "2026-11-28T00:00 last",
  ]);
  assert.deepEqual(keptIds([...right, ...flat], { daily: 2 }), [3, 4, 5, 6]);
  assert.deepEqual(keptIds([...right, ...flat], { withinMs: 24 * HOUR_MS }), [3, 4, 5, 6]);
});

Deno.test("B1: what a clock of 1970 made goes with those that were made beside it", () => {
  const before = days(4, { from: "2026-11-01T00:00:00Z", firstId: 1 });
  const flat = days(2, { from: "1970-01-01T00:00:10Z", firstId: 5 });
  const after = days(6, { from: "2026-11-07T00:00:00Z", firstId: 7 });
  const upTo = (count: number) => keptIds([...before, ...flat, ...after.slice(0, count)], { daily: 3 });
  assert.deepEqual(upTo(0), [2, 3, 4, 5, 6]);
  assert.deepEqual(upTo(1), [3, 4, 5, 6, 7]);
  assert.deepEqual(upTo(2), [4, 6, 7, 8]);
  assert.deepEqual(upTo(3), [7, 8, 9]);
  assert.deepEqual(upTo(6), [10, 11, 12]);
});

for (const aheadDays of [10, 365]) {
  Deno.test(`B1: no more are kept than rules say once ${aheadDays} days are over that a clock was ahead`, () => {
    const from = "2026-11-01T00:00:00Z";
    const [ahead] = days(1, { from, firstId: 1, clockMs: aheadDays * 24 * HOUR_MS - HOUR_MS });
    const after = days(aheadDays + 20, { from: "2026-11-02T00:00:00Z", firstId: 2 });
    for (let age = 1; age <= after.length; age++) {
      const made = after.slice(0, age);
      const nowMs = made.at(-1)!.timeMs + 2 * HOUR_MS;
      const isAhead = ahead!.timeMs > nowMs;
      const ids = keptIds([{ ...ahead!, isAhead }, ...made], { daily: 7 });
      const newest = made.slice(-7).map(({ id }) => Number(id));
      // Seven days longer at most, by its time, it may stand beside the right one of that day.
      const isRecent = nowMs - ahead!.timeMs < 8 * 24 * HOUR_MS;
      assert.deepEqual(ids.filter((id) => id !== 1), newest, `day ${age}`);
      if (!isRecent) assert.ok(!ids.includes(1), `day ${age}`);
      if (isAhead) assert.ok(ids.includes(1), `day ${age}`);
    }
  });
}

Deno.test("B1: a clock that was a year behind for weeks costs no day of them, and none before", () => {
  const before = days(10, { from: "2026-11-01T00:00:00Z", firstId: 1 });
  const behind = days(20, { from: "2025-11-11T00:00:00Z", firstId: 11 });
  assert.deepEqual(keptIds([...before, ...behind], { daily: 15 }).filter((id) => id > 10).length, 15);
  assert.deepEqual(keptIds([...before, ...behind], { daily: 25 }).length, 30);
});

Deno.test("B1: of two that contradict each other both count, so that neither the older nor the newer is lost", () => {
  const ahead = snapshot("2026-12-24T00:00:00Z", { id: "1" });
  const right = snapshot("2026-11-28T00:00:00Z", { id: "2" });
  assert.equal(keptIds([ahead, right], { last: 1 }).length, 2);
  const next = snapshot("2026-12-25T00:00:00Z", { id: "3" });
  assert.deepEqual(keptIds([ahead, right, next], { last: 1 }), [3]);
});

Deno.test("selectKept() counts a snapshot whose clock was behind by less than a day", () => {
  const right = snapshot("2026-11-28T12:00:00Z");
  const late = snapshot("2026-11-27T13:00:00Z", { id: `${right.timeMs + 1}` });
  assert.deepEqual(kept([right, late], { last: 1 }), ["2026-11-28T12:00 last"]);
});

Deno.test("disksWithoutTag() names disks that only a tag would keep, and no snapshot of which has it", () => {
  const snapshots = [
    ...["01", "02"].map((day) => snapshot(`2026-11-${day}T00:00:00Z`, { source: "none" })),
    ...["01", "02"].map((day) => snapshot(`2026-11-${day}T00:00:00Z`, { source: "one", tags: [`t${day}`] })),
    snapshot("2026-11-01T00:00:00Z", { source: "single" }),
  ];
  const of = (policy: RetentionPolicy) =>
    disksWithoutTag(selectKept(snapshots, policy), policy).map(({ source }) => source);
  assert.deepEqual(of({ tags: ["t01"] }), ["none"]);
  assert.deepEqual(of({ tags: ["t02", "x"] }), ["none"]);
  assert.deepEqual(of({ tags: ["x"] }), ["none", "one"]);
  for (const rule of [{ last: 1 }, { daily: 1 }, { withinMs: HOUR_MS }]) {
    assert.deepEqual(of({ tags: ["x"], ...rule }), []);
  }
});

Deno.test("B16: --keep-within counts from the newest of a disk, so old ones stay where backups ended", () => {
  const snapshots = [
    "2020-01-01T00:00:00Z",
    "2020-01-05T00:00:00Z",
    "2020-01-07T00:00:00Z",
    "2020-01-08T00:00:00Z",
  ]
    .map((time) => snapshot(time));
  const policy = { withinMs: 3 * 24 * HOUR_MS };
  assert.deepEqual(kept(snapshots, policy), [
    "2020-01-05T00:00 within",
    "2020-01-07T00:00 within",
    "2020-01-08T00:00 within",
  ]);
  // One whose time lies in the future, or that is doubtful, does not move the span away from the sound ones.
  const ahead = snapshot("2030-01-01T00:00:00Z", { isAhead: true });
  const doubtful = snapshot("2025-01-01T00:00:00Z", { state: "doubtful" });
  assert.equal(kept([...snapshots, ahead, doubtful], policy).length, 5);
  assert.ok(!isEmptyPolicy(policy));
});

Deno.test("isEmptyPolicy() knows a policy that says nothing", () => {
  assert.ok(isEmptyPolicy({}));
  assert.ok(isEmptyPolicy({ last: 0, daily: 0, tags: [] }));
  assert.ok(!isEmptyPolicy({ yearly: 1 }));
  assert.ok(!isEmptyPolicy({ tags: ["release"] }));
});

const anySnapshot = fc.record({
  hours: fc.integer({ min: 0, max: 24 * 900 }),
  source: fc.constantFrom("a", "b"),
  tags: fc.subarray(["x", "y"]),
  isHeld: fc.boolean(),
  state: fc.constantFrom("sound", "sound", "sound", "doubtful", "damaged"),
});
const anyHistory = fc.uniqueArray(anySnapshot, { maxLength: 60, selector: ({ hours }) => hours }).map((all) =>
  all.map(({ hours, ...rest }): Candidate => ({
    ...rest,
    state: rest.state as Candidate["state"],
    id: String(hours).padStart(6, "0"),
    timeMs: Date.UTC(2024, 0, 1) + hours * HOUR_MS,
  }))
);
const few = fc.integer({ min: 0, max: 5 });
const anyPolicy = fc.record({
  last: few,
  withinMs: fc.constantFrom(0, 0, 36 * HOUR_MS),
  hourly: few,
  daily: few,
  weekly: few,
  monthly: few,
  yearly: few,
  tags: fc.subarray(["x"]),
});

Deno.test("selectKept() removes no held, damaged or tagged snapshot, and never the newest sound one", () => {
  check(
    fc.property(anyHistory, anyPolicy, (history, policy) => {
      const fates = selectKept(history, policy);
      assert.equal(fates.length, history.length);
      for (const { snapshot, isKept, reasons } of fates) {
        assert.ok(reasons.length > 0);
        const isTagged = policy.tags.some((tag) => snapshot.tags.includes(tag));
        if (snapshot.isHeld || snapshot.state === "damaged" || isTagged) assert.ok(isKept);
      }
      for (const source of ["a", "b"]) {
        const sound = fates.filter(({ snapshot }) =>
          snapshot.source === source && snapshot.state === "sound"
        );
        if (sound.length > 0) assert.ok(sound.at(-1)!.isKept);
      }
    }),
    { runs: 500 },
  );
});

Deno.test("selectKept() keeps as many sound ones by each rule as it says, if there are as many periods", () => {
  check(
    fc.property(anyHistory, anyPolicy, (history, policy) => {
      const sound = history.filter(({ source, state }) => source === "a" && state === "sound");
      const days = new Set(sound.map(({ timeMs }) => Math.floor(timeMs / (24 * HOUR_MS)))).size;
      const fates = selectKept(sound, policy);
      const count = (rule: string) => fates.filter(({ reasons }) => reasons.includes(rule)).length;
      assert.equal(count("daily"), Math.min(policy.daily, days));
      assert.equal(count("last"), Math.min(policy.last, sound.length));
    }),
    { runs: 300 },
  );
});

Deno.test("selectKept() keeps the newest by time and by order whatever the clocks, and a bounded number", () => {
  const wild = fc.array(fc.integer({ min: 0, max: 24 * 900 }), { minLength: 1, maxLength: 60 });
  check(
    fc.property(wild, anyPolicy, (hours, policy) => {
      const history = hours.map((hour, i) => ({
        ...snapshot("2024-01-01T00:00:00Z", { id: String(i).padStart(6, "0") }),
        timeMs: Date.UTC(2024, 0, 1) + hour * HOUR_MS,
      }));
      const fates = selectKept(history, { ...policy, withinMs: 0 });
      const ids = new Set(fates.filter(({ isKept }) => isKept).map(({ snapshot }) => snapshot.id));
      assert.ok(ids.has(history.at(-1)!.id));
      const latestMs = Math.max(...history.map(({ timeMs }) => timeMs));
      assert.ok(history.some(({ id, timeMs }) => timeMs === latestMs && ids.has(id)));
      const { last, hourly, daily, weekly, monthly, yearly } = policy;
      assert.ok(ids.size <= Math.max(3, 3 * (last + hourly + daily + weekly + monthly + yearly)));
      for (const rule of ["last", "daily", "weekly"] as const) {
        const count = fates.filter(({ reasons }) => reasons.includes(rule)).length;
        const periods = rule === "last"
          ? history.length
          : new Set(history.map(({ timeMs }) => periodOf(timeMs, rule, TimeZone.UTC))).size;
        assert.ok(count >= Math.min(policy[rule], periods), rule);
      }
    }),
    { runs: 300 },
  );
});

Deno.test("selectKept() does not depend on the order, and what it keeps it keeps when asked again", () => {
  check(
    fc.property(anyHistory, anyPolicy, (history, policy) => {
      const ids = (from: readonly Candidate[]) =>
        selectKept(from, policy).filter(({ isKept }) => isKept).map(({ snapshot }) => snapshot.id);
      const once = ids(history);
      assert.deepEqual(ids(history.toReversed()).toSorted(), once.toSorted());
      const left = history.filter(({ id }) => once.includes(id));
      assert.deepEqual(ids(left).toSorted(), once.toSorted());
    }),
    { runs: 300 },
  );
});
