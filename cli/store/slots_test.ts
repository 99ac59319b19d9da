import assert from "node:assert/strict";
import { Slots } from "./slots.ts";

Deno.test("Slots.run() lets no more go on at once than there are places, in order, whatever fails", async () => {
  const slots = new Slots(3);
  let running = 0;
  let most = 0;
  const begun: number[] = [];
  const results = await Promise.allSettled(
    Array.from({ length: 10 }, (_, i) =>
      slots.run(async () => {
        begun.push(i);
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 1));
        running--;
        if (i % 4 === 0) throw new Error("failed");
      })),
  );
  assert.equal(most, 3);
  assert.deepEqual(begun, Array.from({ length: 10 }, (_, i) => i));
  assert.equal(results.filter(({ status }) => status === "rejected").length, 3);
  assert.equal(await slots.run(() => Promise.resolve("free")), "free");
});
