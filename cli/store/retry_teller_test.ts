import assert from "node:assert/strict";
import { RetryTeller } from "./retry_teller.ts";

function tellerAt(clock: { nowMs: number }): { teller: RetryTeller; lines: string[] } {
  const lines: string[] = [];
  return { teller: new RetryTeller((line) => lines.push(line), () => clock.nowMs), lines };
}

Deno.test("the first requests made again are told each, the rest in a sum at the end", () => {
  const { teller, lines } = tellerAt({ nowMs: 0 });
  for (let i = 0; i < 10; i++) teller.tell({ key: `k${i}`, attempt: 1, reason: "SlowDown" });
  assert.equal(lines.length, 3);
  assert.equal(lines[0], "the store is asked again: SlowDown, k0 (attempt 1)");
  teller.sumUp();
  assert.equal(lines.at(-1), "the store was asked again 7 more times, at last: SlowDown, k9 (attempt 1)");
  teller.sumUp();
  assert.equal(lines.length, 4);
});

Deno.test("a store that stays away is told of now and then", () => {
  const clock = { nowMs: 0 };
  const { teller, lines } = tellerAt(clock);
  for (; clock.nowMs < 100_000; clock.nowMs += 1000) {
    teller.tell({ key: "", attempt: 1, reason: "ECONNRESET" });
  }
  assert.equal(lines.length, 6);
  assert.equal(lines[3], "the store was asked again 30 more times, at last: ECONNRESET (attempt 1)");
});

Deno.test("where nothing was made again, nothing is told", () => {
  const { teller, lines } = tellerAt({ nowMs: 0 });
  teller.sumUp();
  assert.deepEqual(lines, []);
});
