/**
 * Time zones, for rules that speak of days. A day is what a calendar on the wall says: in some zones it has 23 or 25
 * hours twice a year, and an hour of the clock comes twice.
 */
import { RegrainError } from "../../../core-as/host/errors.ts";
import { variable } from "../../environment.ts";

/** What clock and calendar say in a zone. */
export interface LocalTime {
  /** `2026-10-25`. */
  readonly date: string;
  /** `02:30`. */
  readonly clock: string;
  /** How far the zone is ahead of UTC: `+02:00`. It tells two hours of one name apart. */
  readonly offset: string;
}

export class TimeZone {
  /** The zone of rules that name none: every host comes to the same result by it. */
  static readonly UTC = new TimeZone("UTC");

  private readonly format: Intl.DateTimeFormat;

  private constructor(readonly name: string) {
    this.format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      timeZoneName: "longOffset",
    });
  }

  /**
   * The zone that a text names: `Europe/Berlin`, `+02:00`, `UTC`, or `local` for that of this machine.
   *
   * @throws {RegrainError} `USAGE` when no zone has that name.
   */
  static named(text: string, flag: string): TimeZone {
    if (text === "local") return TimeZone.local(flag);
    const zone = TimeZone.known(text);
    if (zone !== undefined) return zone;
    throw new RegrainError("USAGE", `${flag} ${JSON.stringify(text)} is no time zone`, {
      hint: "such as Europe/Berlin, America/New_York, +02:00 or UTC; local is the zone of this machine",
    });
  }

  /** What TZ says in rules or as a path has no name here, and would count as UTC, or as nothing. */
  private static local(flag: string): TimeZone {
    const asked = variable("TZ");
    const name: string | undefined = new Intl.DateTimeFormat().resolvedOptions().timeZone;
    const zone = asked === undefined ? name && TimeZone.known(name) : TimeZone.known(asked);
    if (zone) return zone;
    const why = asked === undefined ? "this machine names none" : `TZ=${asked} is no name of one`;
    throw new RegrainError("USAGE", `${flag} local: the zone of this machine is not known: ${why}`, {
      hint: `name it: ${flag} Europe/Berlin; or ${flag} UTC`,
    });
  }

  private static known(name: string): TimeZone | undefined {
    try {
      return new TimeZone(name);
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  at(timeMs: number): LocalTime {
    const parts = new Map(this.format.formatToParts(timeMs).map(({ type, value }) => [type, value]));
    const of = (type: Intl.DateTimeFormatPartTypes) => parts.get(type)!;
    return {
      date: `${of("year").padStart(4, "0")}-${of("month")}-${of("day")}`,
      clock: `${of("hour")}:${of("minute")}`,
      // In UTC itself it is `GMT` alone.
      offset: of("timeZoneName").slice(3) || "+00:00",
    };
  }
}
