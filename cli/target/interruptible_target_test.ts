import assert from "node:assert/strict";
import { Batch, RegrainError } from "../../core-as/host/mod.ts";
import { MemoryTarget } from "../../test/helpers/memory_target.ts";
import { InterruptibleTarget } from "./interruptible_target.ts";

const BLOCK = 4096;

function oneBlock(): Batch {
  const batch = new Batch();
  batch.add({ offsetBytes: 0, lengthBytes: BLOCK, at: 0 });
  return batch;
}

Deno.test("nothing changes for as long as nobody wants the work to stop", async () => {
  const inner = new MemoryTarget(new Uint8Array(2 * BLOCK));
  const target = new InterruptibleTarget(inner, () => undefined);
  await target.write(oneBlock(), new Uint8Array(BLOCK).fill(7));
  await target.zero({ offsetBytes: BLOCK, lengthBytes: BLOCK, punch: true });
  await target.flush();
  const found = new Uint8Array(BLOCK);
  await target.read(oneBlock(), found);
  assert.deepEqual(found, new Uint8Array(BLOCK).fill(7));
  assert.deepEqual(inner.operations.map(({ kind }) => kind), ["write", "zero"]);
  assert.equal(inner.flushes, 1);
  assert.deepEqual([target.path, target.isDevice, target.sizeBytes, target.medium], [
    inner.path,
    inner.isDevice,
    inner.sizeBytes,
    inner.medium,
  ]);
  assert.deepEqual(target.targets, [inner]);
});

Deno.test("a stop makes what was written durable and throws instead of going on", async () => {
  const stop = new RegrainError("INTERRUPTED", "stopped by SIGINT");
  const works = [
    (target: InterruptibleTarget) => target.write(oneBlock(), new Uint8Array(BLOCK)),
    (target: InterruptibleTarget) => target.zero({ offsetBytes: 0, lengthBytes: BLOCK, punch: false }),
    (target: InterruptibleTarget) => target.read(oneBlock(), new Uint8Array(BLOCK)),
  ];
  for (const work of works) {
    const inner = new MemoryTarget(new Uint8Array(BLOCK));
    const target = new InterruptibleTarget(inner, () => stop);
    await assert.rejects(work(target), stop);
    assert.deepEqual(inner.operations, []);
    assert.equal(inner.flushes, 1);
  }
});

Deno.test("a target that knows its holes still does, one that does not still does not", async () => {
  const inner = new MemoryTarget(new Uint8Array(BLOCK));
  assert.equal(new InterruptibleTarget(inner, () => undefined).runs, undefined);
  const knowing = Object.assign(inner, {
    runs: (start: number, end: number) => [{ start, length: end, kind: "zero" as const }],
  });
  const target = new InterruptibleTarget(knowing, () => undefined);
  assert.deepEqual(await target.runs?.(0, BLOCK), [{ start: 0, length: BLOCK, kind: "zero" }]);
});
