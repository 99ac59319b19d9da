/** Telling a person of requests that had to be made again: the first ones each, then in sums. */
import { plural } from "../../core-as/host/units.ts";
import type { Retry } from "./retry.ts";

/** So many are told one by one. */
const TOLD_EACH = 3;
/** A store that is away for minutes is told of as often as this. */
const SUM_EVERY_MS = 30_000;

export class RetryTeller {
  private count = 0;
  /** Not told yet. */
  private left = 0;
  private last: Retry | undefined;
  private toldMs = 0;

  constructor(
    private readonly warn: (line: string) => void,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  tell(retry: Retry): void {
    if (++this.count <= TOLD_EACH) {
      this.toldMs = this.nowMs();
      this.warn(`the store is asked again: ${describe(retry)}`);
      return;
    }
    this.left++;
    this.last = retry;
    if (this.nowMs() - this.toldMs >= SUM_EVERY_MS) this.sumUp();
  }

  /** Tells of what was not told yet. */
  sumUp(): void {
    if (this.last === undefined) return;
    this.warn(`the store was asked again ${plural(this.left, "more time")}, at last: ${describe(this.last)}`);
    this.toldMs = this.nowMs();
    this.left = 0;
    this.last = undefined;
  }
}

function describe({ key, attempt, reason }: Retry): string {
  return `${reason}${key === "" ? "" : `, ${key}`} (attempt ${attempt})`;
}
