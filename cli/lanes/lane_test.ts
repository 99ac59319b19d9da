import assert from "node:assert/strict";
import { RegrainError } from "../../core-as/host/errors.ts";
import { type FaultyJobs, faultyLane } from "../../test/helpers/faulty_lane.ts";

Deno.test("a lane does jobs that were asked for before it listened, in their order, and moves buffers", async () => {
  using lane = faultyLane("late");
  const bytes = new Uint8Array([1, 2, 3]);
  const order: number[] = [];
  const answers = [0, 1, 2].map((i) =>
    lane.ask("echo", i === 1 ? bytes : i, i === 1 ? [bytes.buffer] : []).then((result) => {
      order.push(i);
      return result;
    })
  );
  assert.equal(lane.waiting, 3);
  assert.deepEqual(await Promise.all(answers), [0, new Uint8Array([1, 2, 3]), 2]);
  assert.deepEqual(order, [0, 1, 2]);
  assert.equal(bytes.length, 0);
  assert.equal(lane.waiting, 0);
});

Deno.test("an error in a lane keeps its code, path, offset and hint, and the lane goes on", async () => {
  using lane = faultyLane();
  const offsetBytes = 2 ** 40 + 1;
  const error = await thrownBy(lane.ask("refuse", { code: "GRAIN_DAMAGED", offsetBytes }));
  assert.ok(error instanceof RegrainError);
  const { code, exit, reason, path, hint, message } = error;
  assert.deepEqual({ code, exit, reason, path, offsetBytes: error.offsetBytes, hint }, {
    code: "GRAIN_DAMAGED",
    exit: 4,
    reason: "is not right",
    path: "/disks/a.vmdk",
    offsetBytes,
    hint: "look at it",
  });
  assert.equal(message, `/disks/a.vmdk: is not right, at byte ${offsetBytes}`);
  assert.equal(await lane.ask("echo", 7), 7);
});

Deno.test("a bug in a lane is a bug here, with the trace of where it was thrown, and the lane goes on", async () => {
  using lane = faultyLane();
  const bug = await thrownBy(lane.ask("bug", "no such thing"));
  assert.ok(!(bug instanceof RegrainError));
  assert.match(bug.message, /^in the lane "faulty": TypeError: no such thing\n\s+at .*faulty_lane\.ts/);
  const unknown = await thrownBy(lane.ask("refuse", { code: "NO_SUCH_CODE", offsetBytes: 0 }));
  assert.match(unknown.message, /unknown code NO_SUCH_CODE: is not right/);
  assert.match(
    (await thrownBy(lane.ask("unsendable", undefined))).message,
    /DataCloneError|could not be cloned/,
  );
  assert.match(
    (await thrownBy(lane.ask("memory", undefined))).message,
    /allocation failed|Invalid array buffer/i,
  );
  assert.match((await thrownBy(lane.ask("echo", () => 1))).message, /could not be cloned/);
  assert.match((await thrownBy(lane.ask("nothing" as "echo", 1))).message, /asked for nothing/);
  assert.equal(await lane.ask("echo", 7), 7);
});

/** Ways to die; the second job waits behind the one that ends the lane. */
const DEATHS: readonly { name: string; job: keyof FaultyJobs; says: RegExp }[] = [
  { name: "load", job: "echo", says: /^in the lane "load": .*thrown at load/ },
  { name: "stray", job: "stray", says: /^in the lane "stray": .*thrown where nobody waits/ },
  { name: "exit", job: "exit", says: /^in the lane "exit": its thread ended/ },
  { name: "close", job: "close", says: /^in the lane "close": its thread ended/ },
];

for (const { name, job, says } of DEATHS) {
  Deno.test(`a lane that dies by ${name} fails the job, those that wait, and every later one`, async () => {
    using lane = faultyLane(name);
    const [first, second] = [lane.ask(job, undefined), lane.ask("echo", 1)].map(thrownBy);
    assert.match((await first!).message, says);
    assert.match((await second!).message, says);
    assert.match((await thrownBy(lane.ask("echo", 2))).message, says);
    assert.equal(lane.waiting, 0);
  });
}

Deno.test("a lane that is closed fails what it has not done, whether it had begun to listen or not", async () => {
  for (const isListening of [true, false]) {
    const lane = faultyLane();
    if (isListening) await lane.ask("echo", 1);
    const waiting = thrownBy(lane.ask("never", undefined));
    lane.close();
    lane.close();
    assert.equal((await waiting).message, 'in the lane "faulty": it was closed');
    await assert.rejects(lane.ask("echo", 1), /it was closed/);
  }
});

async function thrownBy(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof Error);
    return error;
  }
  return assert.fail("nothing was thrown");
}
