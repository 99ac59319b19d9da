import assert from "node:assert/strict";
import { check, fc } from "../../../test/helpers/property.ts";
import { RegrainError } from "../../../core-as/host/errors.ts";
import { type Candidate, periodOf, type RetentionPolicy, selectKept } from "./retention.ts";
import { TimeZone } from "./time_zone.ts";

const HOUR_MS = 3600 * 1000;
const DAY_MS = 24 * HOUR_MS;
const BERLIN = TimeZone.named("Europe/Berlin", "--timezone");

function kept(times: readonly string[], policy: RetentionPolicy): string[] {
  const snapshots = times.map((time): Candidate => {
    const timeMs = Date.parse(time);
    return { id: String(timeMs), source: "disk", timeMs, tags: [], isHeld: false, state: "sound" };
  });
  return selectKept(snapshots, policy).filter(({ isKept }) => isKept)
    .map(({ snapshot }) => new Date(snapshot.timeMs).toISOString().slice(0, 16));
}

Deno.test("B19: the evening's backup and the one after midnight are of two days in the zone that is named", () => {
  const times = ["2026-11-27T22:30:00Z", "2026-11-27T23:30:00Z"];
  assert.deepEqual(kept(times, { daily: 2 }), ["2026-11-27T23:30"], "one day of UTC");
  assert.equal(kept(times, { daily: 2, timeZone: BERLIN }).length, 2);
  // West of Greenwich it is the other way round: 18:30 and 20:30 of one day are two days of UTC.
  const evening = ["2026-11-27T23:30:00Z", "2026-11-28T01:30:00Z"];
  const newYork = TimeZone.named("America/New_York", "--timezone");
  assert.equal(kept(evening, { daily: 2 }).length, 2);
  assert.deepEqual(kept(evening, { daily: 2, timeZone: newYork }), ["2026-11-28T01:30"]);
});

Deno.test("B19: weeks, months and years end at midnight of the zone", () => {
  const policy = { timeZone: BERLIN };
  // Monday 2026-11-30 begins at 23:00 of Sunday in UTC.
  assert.equal(kept(["2026-11-29T22:59:59Z", "2026-11-29T23:00:00Z"], { ...policy, weekly: 2 }).length, 2);
  assert.equal(kept(["2026-11-30T22:59:59Z", "2026-11-30T23:00:00Z"], { ...policy, monthly: 2 }).length, 2);
  assert.equal(kept(["2026-12-31T22:59:59Z", "2026-12-31T23:00:00Z"], { ...policy, yearly: 2 }).length, 2);
  assert.equal(kept(["2026-12-31T23:00:00Z", "2027-01-01T12:00:00Z"], { ...policy, yearly: 2 }).length, 1);
});

Deno.test("B19: days of 23 and 25 hours count as one day each, and weeks with them as one week", () => {
  // Half past midnight by the clock on the wall, each night of the two weeks around a change.
  for (
    const [first, offsets] of [["2026-03-22", ["+01:00", "+02:00"]], ["2026-10-18", [
      "+02:00",
      "+01:00",
    ]]] as const
  ) {
    const days = Array.from(
      { length: 15 },
      (_, i) => new Date(Date.parse(first) + i * DAY_MS).toISOString().slice(0, 10),
    );
    // The clock changes on the eighth day, after 00:30 of it.
    const times = days.map((day, i) => `${day}T00:30:00${offsets[i <= 7 ? 0 : 1]}`);
    for (const daily of [7, 14, 15]) {
      assert.equal(kept(times, { daily, timeZone: BERLIN }).length, daily, `${first}: ${daily}`);
    }
    // 23:30 of each evening besides: it is of the same day, and takes its place.
    const evenings = days.map((day, i) => `${day}T23:30:00${offsets[i <= 6 ? 0 : 1]}`);
    const both = kept([...times, ...evenings], { daily: 15, timeZone: BERLIN });
    assert.deepEqual(both, evenings.map((time) => new Date(time).toISOString().slice(0, 16)));
    assert.equal(kept(times, { weekly: 9, timeZone: BERLIN }).length, 3, "from Sunday to Sunday");
  }
});

Deno.test("B19: of the hour that comes twice each is an hour, and none is lost where one is left out", () => {
  const autumn = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"];
  assert.deepEqual(autumn.map((time) => BERLIN.at(Date.parse(time))), [
    { date: "2026-10-25", clock: "02:30", offset: "+02:00" },
    { date: "2026-10-25", clock: "02:30", offset: "+01:00" },
  ]);
  assert.equal(kept(autumn, { hourly: 2, timeZone: BERLIN }).length, 2);
  const spring = ["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"];
  assert.deepEqual(spring.map((time) => BERLIN.at(Date.parse(time)).clock), ["01:30", "03:30"]);
  assert.equal(kept(spring, { hourly: 2, timeZone: BERLIN }).length, 2);
});

Deno.test("B19: a date that comes again after the next one, where clocks go back over midnight, is one day", () => {
  // Goose Bay went back from 00:01 to 23:01 in those years: 00:00:30 of the 7th came before 23:30 of the 6th.
  const timeZone = TimeZone.named("America/Goose_Bay", "--timezone");
  const times = [
    "2010-11-07T02:00:00Z",
    "2010-11-07T03:00:30Z",
    "2010-11-07T03:30:00Z",
    "2010-11-07T12:00:00Z",
  ];
  assert.deepEqual(times.map((time) => timeZone.at(Date.parse(time)).date.slice(8)), [
    "06",
    "07",
    "06",
    "07",
  ]);
  assert.deepEqual(kept(times, { daily: 4, timeZone }), ["2010-11-07T03:30", "2010-11-07T12:00"]);
});

/** Milliseconds that Berlin is ahead of UTC, by the rule of the European Union since 1996. */
function berlinAheadMs(timeMs: number): number {
  const year = new Date(timeMs).getUTCFullYear();
  const lastSunday = (month: number) => {
    const end = Date.UTC(year, month + 1, 0);
    return end - new Date(end).getUTCDay() * DAY_MS + HOUR_MS;
  };
  return timeMs >= lastSunday(2) && timeMs < lastSunday(9) ? 2 * HOUR_MS : HOUR_MS;
}

Deno.test("B19: what the calendar says at any time is what the rule of the zone says", () => {
  const seconds = fc.integer({ min: Date.UTC(1997, 0, 1) / 1000, max: Date.UTC(2060, 0, 1) / 1000 });
  check(
    fc.property(seconds, (second) => {
      const aheadMs = berlinAheadMs(second * 1000);
      const due = new Date(second * 1000 + aheadMs).toISOString();
      assert.deepEqual(BERLIN.at(second * 1000), {
        date: due.slice(0, 10),
        clock: due.slice(11, 16),
        offset: `+0${aheadMs / HOUR_MS}:00`,
      });
      const monday = new Date(periodOf(second * 1000, "weekly", BERLIN));
      assert.equal(monday.getUTCDay(), 1);
      const since = Date.parse(due.slice(0, 10)) - monday.getTime();
      assert.ok(since >= 0 && since < 7 * DAY_MS);
    }),
    { runs: 500 },
  );
});

Deno.test("B19: zones are known by name, by their offset, and as that of this machine; others are refused", () => {
  assert.equal(TimeZone.UTC.at(0).offset, "+00:00");
  assert.deepEqual(TimeZone.named("+05:30", "--timezone").at(0), {
    date: "1970-01-01",
    clock: "05:30",
    offset: "+05:30",
  });
  assert.equal(
    TimeZone.named("local", "--timezone").name,
    new Intl.DateTimeFormat().resolvedOptions().timeZone,
  );
  for (const text of ["", "Berlin", "Europe/Nowhere", "25:00", "+2"]) {
    assert.throws(
      () => TimeZone.named(text, "--timezone"),
      (error) => error instanceof RegrainError && error.code === "USAGE",
      text,
    );
  }
});

Deno.test("B19: local is refused where TZ holds rules or a path, which Deno would count as UTC or as nothing", () => {
  const before = Deno.env.get("TZ");
  try {
    for (const text of ["UTC0+", "CET-1CEST,M3.5.0,M10.5.0/3", ":/etc/localtime", "/etc/nonsense", ""]) {
      Deno.env.set("TZ", text);
      assert.throws(
        () => TimeZone.named("local", "--timezone"),
        (error) => error instanceof RegrainError && error.code === "USAGE" && /name it/.test(error.hint!),
        text,
      );
    }
    Deno.env.set("TZ", "Asia/Tokyo");
    assert.equal(TimeZone.named("local", "--timezone").at(0).offset, "+09:00");
  } finally {
    if (before === undefined) Deno.env.delete("TZ");
    else Deno.env.set("TZ", before);
  }
});
