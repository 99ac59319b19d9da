/** A source that is slow is read many chunks at once, a slow target is written so: what comes of it is the same. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Disk, KIB, openChain, RegrainError, type Source } from "../../core-as/host/mod.ts";
import type { Snapshot } from "../../core-as/host/repo/mod.ts";
import { CHUNK, memoryRepository } from "../../test/backup_cli/memory_repository.ts";
import { core, memoryContext, memorySource } from "../../test/helpers/memory.ts";
import {
  SLOW_MS,
  type SlowOptions,
  SlowSource,
  slowTarget,
  VirtualTime,
} from "../../test/helpers/slow_medium.ts";
import { baseDisk, baseFiles, buildCowd, deltaFiles, overlay } from "../../fixtures/mod.ts";
import { backUp } from "./make/backup.ts";
import { InlineLanes } from "./lanes.ts";
import { planFull } from "./make/origins.ts";
import type { Repository } from "./repository.ts";
import { restoreTo, type TargetContent } from "./restore/restore.ts";

const CHUNKS = 40;

/** Every chunk a content of its own; some are zeros, the last one is short. */
function diskBytes(chunks = CHUNKS): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array((chunks - 1) * CHUNK + 512 * 3);
  for (let at = 0; at < bytes.length; at += 4 * KIB) {
    if (Math.floor(at / CHUNK) % 7 !== 5) bytes.fill(1 + at / 4 / KIB % 251, at, at + 4 * KIB);
  }
  return bytes;
}

async function backUpSource(repository: Repository, source: Source): Promise<Snapshot> {
  const { snapshot } = await backUp(repository, {
    name: "web01/disk-0",
    tags: [],
    lanes: await InlineLanes.open(repository.laneSetup),
    onNotice: () => undefined,
    plan: () => Promise.resolve(planFull({ source, chunkBytes: CHUNK, cid: undefined })),
  });
  return snapshot;
}

async function restoreSlowly(
  work: { repository: Repository; snapshot: Snapshot; before?: Uint8Array; content?: TargetContent },
  options: SlowOptions,
) {
  const { repository, snapshot, before, content = "unknown" } = work;
  const target = slowTarget(before ?? new Uint8Array(snapshot.sizeBytes).fill(9), options);
  const lanes = await InlineLanes.open(repository.laneSetup);
  const done = restoreTo(repository, snapshot, { target, lanes, content });
  return { target, done };
}

Deno.test("F6: with 20 ms a read, a backup with 16 reads under way takes a tenth of the time", async () => {
  const bytes = diskBytes(64);
  const tookMs: Record<number, number> = {};
  for (const inFlight of [1, 16]) {
    const repository = await memoryRepository();
    const source = new SlowSource(memorySource("disk", bytes), { medium: { inFlight } });
    const snapshot = await backUpSource(repository, source);
    assert.equal(source.latency.mostAtOnce, inFlight);
    tookMs[inFlight] = source.latency.time.nowMs;
    const { target, done } = await restoreSlowly({ repository, snapshot }, { medium: { inFlight: 1 } });
    await done;
    assert.equal(Buffer.compare(target.memory.bytes, bytes), 0);
  }
  assert.equal(tookMs[1], 64 * SLOW_MS);
  assert.ok(tookMs[1]! >= 10 * tookMs[16]!, `${tookMs[1]} ms one by one, ${tookMs[16]} ms with 16 under way`);
});

Deno.test("F6: a chain of slow files is read many chunks at once, its tables many at a look", async () => {
  const capacitySectors = 24 * CHUNK / 512;
  const link = { capacitySectors, grainSectors: 1, seed: 3, grains: grainsOf(capacitySectors) } as const;
  const files = {
    ...baseFiles({ capacitySectors }),
    ...deltaFiles({ kind: "cowd", bytes: buildCowd(link).bytes, capacitySectors }),
  };
  const tookMs: Record<number, number> = {};
  for (const inFlight of [1, 16]) {
    const time = new VirtualTime();
    const context = memoryContext(files);
    const open = (path: string) => {
      return new SlowSource(context.files.open(path) as Source, { time, medium: { inFlight } });
    };
    const links = await openChain("disk-000001.vmdk", { ...context, files: { ...context.files, open } });
    const disk = new Disk(core, links);
    assert.equal(disk.medium.inFlight, inFlight);
    const repository = await memoryRepository();
    const openedMs = time.nowMs;
    const snapshot = await backUpSource(repository, disk);
    tookMs[inFlight] = time.nowMs - openedMs;
    const { target, done } = await restoreSlowly({ repository, snapshot }, {});
    await done;
    assert.equal(Buffer.compare(target.memory.bytes, overlay(baseDisk(capacitySectors), link)), 0);
  }
  assert.ok(tookMs[1]! >= 5 * tookMs[16]!, `${tookMs[1]} ms one by one, ${tookMs[16]} ms with 16 under way`);
});

/** A few runs a chunk. */
function grainsOf(capacitySectors: number): { index: number; kind: "data" | "zero" }[] {
  const grains: { index: number; kind: "data" | "zero" }[] = [];
  for (let index = 0; index < capacitySectors; index += 300) {
    for (let i = 0; i < 20; i++) {
      if (index + i < capacitySectors) {
        grains.push({ index: index + i, kind: index % 900 === 0 ? "zero" : "data" });
      }
    }
  }
  return grains;
}

Deno.test("F6: of several reads that fail the first by offset is told, and there is no snapshot", async () => {
  const repository = await memoryRepository();
  const failing = [20 * CHUNK, 22 * CHUNK, 25 * CHUNK];
  const source = new SlowSource(memorySource("disk", diskBytes()), {
    latencyMs: ({ offsetBytes }) => offsetBytes === failing[0] ? 400 : SLOW_MS,
    fails: ({ offsetBytes }) => failing.includes(offsetBytes) ? readFailure(offsetBytes) : undefined,
  });
  await assert.rejects(backUpSource(repository, source), { code: "READ_FAILED", offsetBytes: 20 * CHUNK });
  assert.deepEqual(await repository.listSnapshots(await repository.sourceKey("web01/disk-0")), []);
});

function readFailure(offsetBytes: number): RegrainError {
  return new RegrainError("READ_FAILED", "the medium refused", { path: "disk", offsetBytes });
}

Deno.test("F6: with 20 ms a write, a restore with 16 writes under way takes a tenth of the time", async () => {
  const bytes = diskBytes(64);
  const repository = await memoryRepository();
  const snapshot = await backUpSource(repository, memorySource("disk", bytes));
  for (const content of ["unknown", "compare"] as const) {
    const tookMs: Record<number, number> = {};
    for (const inFlight of [1, 16]) {
      const { target, done } = await restoreSlowly({ repository, snapshot, content }, {
        medium: { inFlight },
      });
      await done;
      assert.equal(Buffer.compare(target.memory.bytes, bytes), 0);
      assert.equal(target.latency.mostAtOnce, inFlight);
      assert.equal(target.memory.flushes, 0, "to flush is the caller's");
      tookMs[inFlight] = target.latency.time.nowMs;
    }
    assert.ok(
      tookMs[1]! >= 10 * tookMs[16]!,
      `${content}: ${tookMs[1]} ms one by one, ${tookMs[16]} ms with 16 under way`,
    );
  }
});

Deno.test("F6: of several writes of a restore that fail the first by offset is told", async () => {
  const repository = await memoryRepository();
  const snapshot = await backUpSource(repository, memorySource("disk", diskBytes()));
  const failing = [20 * CHUNK, 22 * CHUNK, 25 * CHUNK];
  const { target, done } = await restoreSlowly({ repository, snapshot }, {
    latencyMs: ({ offsetBytes }) => offsetBytes === failing[0] ? 400 : SLOW_MS,
    fails: ({ offsetBytes }) => {
      return failing.includes(offsetBytes)
        ? new RegrainError("WRITE_FAILED", "the medium refused", { path: "target", offsetBytes })
        : undefined;
    },
  });
  await assert.rejects(done, { code: "WRITE_FAILED", offsetBytes: 20 * CHUNK });
  assert.ok(target.latency.calls.length <= 26 + 32, "writes were begun after one had failed");
});
