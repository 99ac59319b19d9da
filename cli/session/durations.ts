/** Durations as flags take them. */
import { RegrainError } from "../../core-as/host/errors.ts";

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** @throws {RegrainError} `USAGE` when it is no time such as `90s`, `15m`, `2h` or `7d`. */
export function durationMs(text: string, flag: string): number {
  const [, digits, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (digits !== undefined) return Number(digits) * UNITS[unit as keyof typeof UNITS];
  throw new RegrainError("USAGE", `${flag} ${text} is no time`, { hint: "such as 90s, 15m, 2h or 7d" });
}
