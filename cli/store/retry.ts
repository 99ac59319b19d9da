/** Trying again: with growing pauses, for a bounded time, and never without telling. */
import { RegrainError } from "../../core-as/host/errors.ts";

/** What a failed attempt means. */
export interface Judgement {
  readonly transient: boolean;
  /** Given up after this many attempts, whatever time is left. */
  readonly maxAttempts: number;
  readonly reason: string;
  readonly error: RegrainError;
}

/** One attempt failed and another one follows. */
export interface Retry {
  readonly key: string;
  /** The attempt that failed, counted from 1. */
  readonly attempt: number;
  readonly reason: string;
}

export interface RetryPolicy {
  /** Longest pause after the first failure; it doubles with each. */
  readonly baseMs: number;
  readonly capMs: number;
  /** No attempt begins later than this after the first one began. */
  readonly forMs: number;
  readonly onRetry?: ((retry: Retry) => void) | undefined;
}

export const DEFAULT_RETRY: RetryPolicy = { baseMs: 100, capMs: 20_000, forMs: 300_000 };

/** Pauses are drawn between this share and the whole: some wait always, and no two clients in step. */
const LEAST_SHARE = 0.5;

/**
 * Runs `attempt` until it succeeds, or until its failure is not transient or the time is up.
 *
 * @param judge What a failure means; throws on what is no failure of the world.
 * @throws {RegrainError} The last failure, with the number of attempts.
 */
export async function persist<T>(
  key: string,
  { policy, judge, attempt }: {
    policy: RetryPolicy;
    judge: (thrown: unknown) => Judgement;
    attempt: () => Promise<T>;
  },
): Promise<T> {
  const endMs = performance.now() + policy.forMs;
  for (let count = 1;; count++) {
    try {
      return await attempt();
    } catch (thrown) {
      const { transient, maxAttempts, reason, error } = judge(thrown);
      const pauseMs = pauseAfter(count, policy);
      if (!transient || count >= maxAttempts || performance.now() + pauseMs > endMs) {
        throw count === 1 ? error : withCount(error, count);
      }
      policy.onRetry?.({ key, attempt: count, reason });
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

function pauseAfter(count: number, { baseMs, capMs }: RetryPolicy): number {
  const longest = Math.min(capMs, baseMs * 2 ** (count - 1));
  return longest * (LEAST_SHARE + (1 - LEAST_SHARE) * Math.random());
}

function withCount(error: RegrainError, count: number): RegrainError {
  const { code, reason, path, hint, cause } = error;
  return new RegrainError(code, `${reason}, after ${count} attempts`, {
    cause,
    ...(path === undefined ? {} : { path }),
    ...(hint === undefined ? {} : { hint }),
  });
}
