import assert from "node:assert/strict";
import { RegrainError } from "../../core-as/host/errors.ts";
import { CHUNK, memoryRepository } from "../../test/backup_cli/memory_repository.ts";
import { backUp } from "./make/backup.ts";
import { InlineLanes, type Lanes, WorkerLanes } from "./lanes.ts";
import type { Repository } from "./repository.ts";

const KEY = "chunks/00/key";

Deno.test("lanes in threads make what the lane in this thread makes, and fail as it does", async () => {
  const { laneSetup } = await memoryRepository();
  const threads = new WorkerLanes(laneSetup, 2);
  try {
    const [inline, across] = await Promise.all(
      [await InlineLanes.open(laneSetup), threads].map((lanes) => whatLanesDo(lanes)),
    );
    assert.deepEqual(across, inline);
    assert.equal(inline!.error.code, "CHUNK_DAMAGED");
    assert.equal(inline!.error.path, "repo/chunks/00/key");
  } finally {
    threads.close();
  }
});

/** Every job, once; and one that fails. */
async function whatLanesDo(lanes: Lanes) {
  const plain = new Uint8Array(CHUNK).fill(7);
  const chunk = await lanes.identify(plain.slice());
  const { sealed, buffer } = await chunk.seal(KEY);
  const due = { key: KEY, path: "repo/chunks/00/key", id: chunk.id, plainBytes: plain.length };
  const back = await lanes.unseal(sealed.slice(), due);
  const released = await (await lanes.identify(plain.slice())).release();
  const error = await lanes.unseal(sealed.slice(), { ...due, id: "0".repeat(64) }).catch((error) => error);
  assert.ok(error instanceof RegrainError);
  const { code, reason, path, offsetBytes, hint } = error;
  return { id: chunk.id, sealed, buffer, back, released, error: { code, reason, path, offsetBytes, hint } };
}

Deno.test("threads start when there are jobs for them, or at once", async () => {
  const { laneSetup } = await memoryRepository();
  const Thread = globalThis.Worker;
  let started = 0;
  globalThis.Worker = class extends Thread {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      super(...args);
      started++;
    }
  };
  try {
    const lanes = new WorkerLanes(laneSetup, 2);
    assert.equal(started, 0);
    const release = async () => void await (await lanes.identify(new Uint8Array(CHUNK))).release();
    await release();
    await release();
    assert.equal(started, 1);
    await Promise.all([release(), release(), release()]);
    assert.equal(started, 2);
    lanes.close();
    const ready = new WorkerLanes(laneSetup, 2);
    ready.start();
    assert.equal(started, 4);
    ready.close();
    await assert.rejects(ready.identify(new Uint8Array(CHUNK)), /it was closed/);
    const unused = new WorkerLanes(laneSetup, 2);
    unused.close();
    await assert.rejects(unused.identify(new Uint8Array(CHUNK)), /it was closed/);
    assert.equal(started, 4);
  } finally {
    globalThis.Worker = Thread;
  }
});

Deno.test("a lane that dies under a backup ends it, and the next backup is whole", async () => {
  const repository = await memoryRepository();
  for (const at of [0, 3, 9]) {
    const lanes = new WorkerLanes(repository.laneSetup, 2);
    await assert.rejects(
      backUpLetters(repository, lanes, (chunk) => chunk === at ? lanes.close() : undefined),
      /in the lane "chunks": it was closed/,
    );
  }
  const lanes = new WorkerLanes(repository.laneSetup, 2);
  try {
    const { snapshot } = await backUpLetters(repository, lanes, () => undefined);
    assert.equal(snapshot.stats.chunks, 10);
  } finally {
    lanes.close();
  }
});

Deno.test("lanes that cannot be set up fail every job with the reason", async () => {
  const { laneSetup } = await memoryRepository();
  const lanes = new WorkerLanes({ ...laneSetup, master: new Uint8Array(0) }, 1);
  try {
    for (let i = 0; i < 2; i++) await assert.rejects(lanes.identify(new Uint8Array(CHUNK)), isNoAnswer);
  } finally {
    lanes.close();
  }
});

/** What the job says, not that the lane was never set up. */
function isNoAnswer(error: unknown): boolean {
  return error instanceof Error && !/before it was set up/.test(error.message);
}

/** Ten chunks, each of a content of its own. */
function backUpLetters(repository: Repository, lanes: Lanes, onRead: (chunk: number) => void) {
  return backUp(repository, {
    name: "vm/disk",
    tags: [],
    lanes,
    onNotice: () => undefined,
    plan: () =>
      Promise.resolve({
        sizeBytes: 10 * CHUNK,
        method: "full",
        reason: undefined,
        touched: "all",
        rereadable: true,
        cid: undefined,
        read(chunk, into) {
          onRead(chunk);
          into.fill(chunk + 1);
          return Promise.resolve(into.length);
        },
      }),
  });
}
