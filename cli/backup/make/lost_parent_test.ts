import assert from "node:assert/strict";
import { snapshotKey } from "../../../core-as/host/repo/mod.ts";
import { RegrainError } from "../../../core-as/host/errors.ts";
import {
  backUpLetters,
  CHUNK,
  fillChunk,
  memoryRepository,
} from "../../../test/backup_cli/memory_repository.ts";
import { MemoryStore } from "../../../test/helpers/memory_store.ts";
import { ChunkSet } from "../../../core-as/host/chunk_set.ts";
import { InlineLanes } from "../lanes.ts";
import type { Repository } from "../repository.ts";
import { verify } from "../verify/verify.ts";
import { backUp, type BackupRequest } from "./backup.ts";

/** Backs "abX" up, of which only the last chunk is said to have changed while there is a snapshot to build on. */
async function backUpChange(
  repository: Repository,
  { onPlan, onNotice }: { onPlan: (attempt: number) => void; onNotice: BackupRequest["onNotice"] },
) {
  let attempt = 0;
  return await backUp(repository, {
    name: "web01/disk-0",
    tags: [],
    lanes: await InlineLanes.open(repository.laneSetup),
    onNotice,
    plan(parent) {
      onPlan(attempt++);
      const touched = new ChunkSet(3);
      touched.add(2);
      return Promise.resolve({
        sizeBytes: 3 * CHUNK,
        method: parent === undefined ? "full" : "changed-areas",
        reason: undefined,
        cid: undefined,
        touched: parent === undefined ? "all" : touched,
        rereadable: true,
        read(chunk, plain) {
          fillChunk("abX"[chunk]!, plain);
          return Promise.resolve(plain.length);
        },
      });
    },
  });
}

Deno.test("a backup whose parent is withdrawn under it, and collected, starts again without it", async () => {
  const store = new MemoryStore();
  const repository = await memoryRepository(store);
  const parent = await backUpLetters(repository, "abc");
  const told: string[] = [];
  const { snapshot, restarts } = await backUpChange(repository, {
    onNotice: (sentence) => told.push(sentence),
    // What a backup does that was taken for dead, and a collection after it.
    onPlan(attempt) {
      if (attempt > 0) return;
      store.objects.delete(snapshotKey(parent.source.key, parent.id, repository.suffix));
      for (const key of [...store.objects.keys()]) {
        if (/^(maps|chunks)\//.test(key)) store.objects.delete(key);
      }
    },
  });
  assert.equal(restarts, 1);
  assert.equal(snapshot.parent, undefined);
  assert.equal(told[0], "the snapshot that this backup was built on is gone, and it starts again");
  const lanes = await InlineLanes.open(repository.laneSetup);
  const { findings, readChunks } = await verify(repository, [snapshot], {
    mode: "deep",
    lanes,
    onNotice: () => undefined,
  });
  assert.deepEqual([findings, readChunks], [[], 3]);
});

Deno.test("a backup whose parent stands and has lost a page ends with that, and does not start again", async () => {
  const store = new MemoryStore();
  const repository = await memoryRepository(store);
  await backUpLetters(repository, "abc");
  let plans = 0;
  const failed = backUpChange(repository, {
    onNotice: () => undefined,
    onPlan() {
      plans++;
      for (const key of [...store.objects.keys()]) if (key.startsWith("maps/")) store.objects.delete(key);
    },
  });
  await assert.rejects(failed, (error) => error instanceof RegrainError && !error.code.startsWith("STORE_"));
  assert.equal(plans, 1);
});
