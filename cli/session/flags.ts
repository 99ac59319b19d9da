/** Flags that several commands have: what their values mean, and how they are typed in a command that is printed. */
import { parseSize, RegrainError } from "../../core-as/host/mod.ts";

/** What guards a disk that is written in place. */
export interface SafetyFlags {
  readonly undo?: string | undefined;
  readonly journal?: string | undefined;
  readonly resume?: boolean | undefined;
  readonly verify?: boolean | undefined;
}

/** @throws {RegrainError} `USAGE`. */
export function requireJournalToResume({ resume, journal }: SafetyFlags): void {
  if (!resume || journal !== undefined) return;
  throw new RegrainError("USAGE", "--resume needs --journal FILE: the journal that the interrupted run kept");
}

/**
 * Bytes a second that `--rate-limit` asks for.
 *
 * @throws {RegrainError} `USAGE` when it is no size.
 */
export function rateLimitOf(flags: { readonly rateLimit?: string | undefined }): number | undefined {
  if (flags.rateLimit === undefined) return undefined;
  const bytesPerSecond = parseSize(flags.rateLimit.replace(/\/s$/, ""));
  if (bytesPerSecond !== undefined && bytesPerSecond > 0) return bytesPerSecond;
  throw new RegrainError("USAGE", `--rate-limit ${flags.rateLimit} is not a size a second such as 50M`);
}

/** Flags that say nothing of what is done, or that a command which is printed must not repeat. */
const NOT_REPEATED = new Set(["chain", "force", "progress", "color", "quiet", "verbose", "json"]);

/** The flags as they are typed, for a command that is printed: what protected the one that was refused protects it. */
export function wordsOf(flags: object): string[] {
  return Object.entries(flags).flatMap(([key, value]) => {
    const name = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (NOT_REPEATED.has(key) || value === undefined || (key === "sparse" && value === "auto")) return [];
    if (value === false) return [`--no-${name.slice(2)}`];
    if (value === true) return [name];
    return (Array.isArray(value) ? value : [value]).flatMap((each) => [name, String(each)]);
  });
}
