/** A source with places that cannot be read, and what the snapshots of it say. */
import assert from "node:assert/strict";
import { Batch, type Source } from "../../../core-as/host/mod.ts";
import { RegrainError } from "../../../core-as/host/errors.ts";
import { systemError } from "../../io/mod.ts";
import { memorySource } from "../../../test/helpers/memory.ts";
import { ChunkSet } from "../../../core-as/host/chunk_set.ts";
import { DamagedSource, inheritedDamage, mergeDamaged } from "./damaged_source.ts";

const BLOCK = 4096;
const SIZE = 64 * BLOCK + 512;

/** Fails where a read touches one of these sectors of 512 bytes. */
function failingAt(
  sectors: readonly number[],
  errno = "EIO",
): { source: Source; bytes: Uint8Array; reads: number[] } {
  const bytes = new Uint8Array(SIZE).map((_, i) => i % 251 + 1);
  const inner = memorySource("disk", bytes);
  const reads: number[] = [];
  const source: Source = {
    ...inner,
    read(batch, buffer) {
      reads.push(batch.totalBytes);
      for (let i = 0; i < batch.count; i++) {
        const [from, length] = [batch.offsetBytes[i]!, batch.lengthBytes[i]!];
        const bad = sectors.find((sector) => sector * 512 < from + length && sector * 512 + 512 > from);
        if (bad !== undefined) {
          throw systemError({ operation: "read", errno, path: "disk", offsetBytes: from });
        }
      }
      return inner.read(batch, buffer);
    },
  };
  return { source, bytes, reads };
}

const options = { onFirst: () => undefined, pass: () => undefined, dropCaches: () => undefined };

async function readWhole(source: Source): Promise<Uint8Array> {
  const buffer = new Uint8Array(SIZE).fill(0xee);
  const batch = new Batch();
  batch.add({ offsetBytes: 0, lengthBytes: 16 * BLOCK, at: 0 });
  await source.read(batch, buffer);
  batch.clear();
  batch.add({ offsetBytes: 16 * BLOCK, lengthBytes: SIZE - 16 * BLOCK, at: 16 * BLOCK });
  await source.read(batch, buffer);
  return buffer;
}

Deno.test("what cannot be read is zeros, block by block, and listed; all else is what the disk holds", async () => {
  const { source, bytes, reads } = failingAt([3, 8 * 20, 8 * 20 + 7, 8 * 21, 8 * 64]);
  const told: string[] = [];
  let passes = 0;
  const salvaging = new DamagedSource(source, {
    ...options,
    onFirst: (error) => told.push(error.code),
    pass: () => void passes++,
  });
  const read = await readWhole(salvaging);
  const lost = [{ start: 0, length: BLOCK }, { start: 20 * BLOCK, length: 2 * BLOCK }, {
    start: 64 * BLOCK,
    length: 512,
  }];
  assert.deepEqual(salvaging.damaged, lost);
  for (const { start, length } of lost) bytes.fill(0, start, start + length);
  assert.deepEqual(read, bytes);
  assert.deepEqual(told, ["READ_FAILED"], "the first one only");
  assert.equal(passes, reads.length - 2, "before each try but the two that were asked for");
  assert.ok(reads.length < 40, `${reads.length} reads`);
});

Deno.test("a disk that can be read is read as it is, in as many calls", async () => {
  const { source, bytes, reads } = failingAt([]);
  const salvaging = new DamagedSource(source, options);
  assert.deepEqual(await readWhole(salvaging), bytes);
  assert.deepEqual([salvaging.damaged, reads.length], [[], 2]);
});

Deno.test("an error that says nothing of one place ends the backup", async () => {
  for (const errno of ["ESTALE", "ENXIO", "ETIMEDOUT", "ENODEV"]) {
    const { source } = failingAt([3], errno);
    await assert.rejects(readWhole(new DamagedSource(source, options)), { code: "READ_FAILED" });
  }
  const short = { ...memorySource("disk", new Uint8Array(BLOCK)), sizeBytes: SIZE };
  await assert.rejects(readWhole(new DamagedSource(short, options)), { code: "READ_SHORT" });
  const stop = new RegrainError("INTERRUPTED", "stopped");
  const stopped = new DamagedSource(failingAt([3]).source, { ...options, pass: () => Promise.reject(stop) });
  await assert.rejects(readWhole(stopped), { code: "INTERRUPTED" });
});

Deno.test("stretches are merged in the order of the disk, whatever the order in which they were met", () => {
  const of = (...pairs: [number, number][]) => pairs.map(([start, length]) => ({ start, length }));
  assert.deepEqual(mergeDamaged(of([8, 4], [0, 4], [4, 4], [20, 5], [22, 1], [24, 2])), of([0, 12], [20, 6]));
});

Deno.test("a snapshot inherits what it takes over of the one before, and not what was read again", () => {
  const chunkBytes = 100;
  const parent = { chunkBytes, damaged: [{ start: 50, length: 200 }, { start: 410, length: 10 }] };
  const touched = new ChunkSet(6);
  touched.add(1);
  touched.add(4);
  const inherited = (method: "changed-areas" | "delta", set: ChunkSet | "all") =>
    inheritedDamage(parent, { method, touched: set });
  assert.deepEqual(inherited("changed-areas", touched), [{ start: 50, length: 50 }, {
    start: 200,
    length: 50,
  }]);
  assert.deepEqual(inherited("delta", touched), parent.damaged, "the old chunk lies below a delta");
  assert.deepEqual(inherited("changed-areas", "all"), []);
  assert.deepEqual(inheritedDamage(undefined, { method: "delta", touched }), []);
});
