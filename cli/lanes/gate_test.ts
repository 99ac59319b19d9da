import assert from "node:assert/strict";
import { Gate, type Place } from "./gate.ts";

async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

Deno.test("Gate.run() lets no more in at once than there are places, in order, whatever fails", async () => {
  const gate = new Gate(3);
  let inside = 0;
  let most = 0;
  const begun: number[] = [];
  const results = await Promise.allSettled(
    Array.from({ length: 10 }, (_, i) =>
      gate.run(async () => {
        begun.push(i);
        most = Math.max(most, ++inside);
        await turns();
        inside--;
        if (i % 4 === 0) throw new Error("failed");
        return i;
      })),
  );
  assert.equal(most, 3);
  assert.deepEqual(begun, Array.from({ length: 10 }, (_, i) => i));
  assert.deepEqual(results.map(({ status }) => status === "rejected"), begun.map((i) => i % 4 === 0));
  assertFree(gate, 3);
});

Deno.test("a place is not lost to what throws before it returns a promise", async () => {
  const gate = new Gate(1);
  for (let i = 0; i < 3; i++) {
    await assert.rejects(
      gate.run(() => {
        throw new Error("at once");
      }),
      /at once/,
    );
  }
  assertFree(gate, 1);
});

Deno.test("nobody who comes later overtakes one who waits, not even in the moment that a place is left", async () => {
  const gate = new Gate(1);
  const first = gate.tryEnter()!;
  const order: string[] = [];
  const waiting = ["a", "b"].map((name) => gate.enter().then((place) => (order.push(name), place)));
  assert.equal(gate.tryEnter(), undefined);
  first.leave();
  assert.equal(gate.tryEnter(), undefined, "the place is that of the first who waits");
  const late = gate.enter().then((place) => (order.push("late"), place));
  (await waiting[0]!).leave();
  (await waiting[1]!).leave();
  (await late).leave();
  assert.deepEqual(order, ["a", "b", "late"]);
  assertFree(gate, 1);
});

Deno.test("leaving a place twice gives nobody a second one", async () => {
  const gate = new Gate(2);
  const place = await gate.enter();
  assert.equal(place.isHeld, true);
  for (let i = 0; i < 3; i++) place.leave();
  assert.equal(place.isHeld, false);
  assertFree(gate, 2);
});

/** Asserts that so many places are free, and not one more; they are free afterwards too. */
function assertFree(gate: Gate, count: number): void {
  const places: Place[] = [];
  for (let place = gate.tryEnter(); place !== undefined; place = gate.tryEnter()) places.push(place);
  assert.equal(places.length, count);
  for (const place of places) place.leave();
}
