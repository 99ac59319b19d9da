import assert from "node:assert/strict";
import { RegrainError } from "../../core-as/host/errors.ts";
import { type Judgement, persist, type Retry, type RetryPolicy } from "./retry.ts";

const QUICK: RetryPolicy = { baseMs: 1, capMs: 2, forMs: 1000 };

function judge(thrown: unknown): Judgement {
  const error = thrown as Error;
  return {
    transient: error.message !== "final",
    maxAttempts: error.message === "twice" ? 2 : Infinity,
    reason: error.message,
    error: new RegrainError("STORE_FAILED", `it failed: ${error.message}`, { path: "s3://b/k", hint: "h" }),
  };
}

/** Fails with each of the messages in turn, then succeeds. */
function failing(...messages: string[]): () => Promise<string> {
  return () => {
    const message = messages.shift();
    return message === undefined ? Promise.resolve("done") : Promise.reject(new Error(message));
  };
}

Deno.test("persist() tries again and tells of each failure", async () => {
  const retries: Retry[] = [];
  const policy = { ...QUICK, onRetry: (retry: Retry) => retries.push(retry) };
  assert.equal(await persist("k", { policy, judge, attempt: failing("a", "b") }), "done");
  assert.deepEqual(retries, [{ key: "k", attempt: 1, reason: "a" }, { key: "k", attempt: 2, reason: "b" }]);
});

Deno.test("persist() gives up at once when a new attempt cannot help", async () => {
  const policy = { ...QUICK, onRetry: () => assert.fail("no retry") };
  await assert.rejects(persist("k", { policy, judge, attempt: failing("final") }), {
    message: "s3://b/k: it failed: final",
  });
});

Deno.test("persist() gives up after as many attempts as the failure is worth, and says how many", async () => {
  await assert.rejects(persist("k", { policy: QUICK, judge, attempt: failing("twice", "twice", "twice") }), {
    code: "STORE_FAILED",
    message: "s3://b/k: it failed: twice, after 2 attempts",
    hint: "h",
  });
});

Deno.test("persist() gives up when its time is over", async () => {
  const attempt = () => Promise.reject(new Error("again"));
  await assert.rejects(persist("k", { policy: { ...QUICK, forMs: 50 }, judge, attempt }), {
    code: "STORE_FAILED",
  });
});

Deno.test("persist() waits longer after each failure, up to a limit", async () => {
  const policy = { baseMs: 4, capMs: 16, forMs: 5000 };
  const times: number[] = [];
  const attempt = () => {
    times.push(performance.now());
    return times.length > 4 ? Promise.resolve() : Promise.reject(new Error("again"));
  };
  await persist("k", { policy, judge, attempt });
  const pauses = times.slice(1).map((time, i) => time - times[i]!);
  for (const [i, least] of [2, 4, 8, 8].entries()) assert.ok(pauses[i]! >= least - 1, `${pauses}`);
});
