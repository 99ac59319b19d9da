/** Many questions at once to the tables of one image, of which a page and a table are kept at a time. */
import assert from "node:assert/strict";
import { buildQcow2, type Qcow2Cluster, Rng } from "../../../../fixtures/mod.ts";
import { memoryContext, memorySource } from "../../../../test/helpers/memory.ts";
import { type Batch, readBytes, type Source } from "../../source.ts";
import { openQcow2 } from "./extent.ts";
import { readQcow2Header } from "./header.ts";

const CLUSTER = 512;
/** The L1 table has an entry for 64 clusters, and a page of it has 8,192 entries. */
const PER_PAGE = 64 * 8192;
const PAGES = 4;

/** Two clusters on each page of the L1 table, in tables of their own, one packed and one plain. */
function clusters(): Map<number, Qcow2Cluster> {
  const found = new Map<number, Qcow2Cluster>();
  for (let page = 0; page < PAGES; page++) {
    const bytes = (value: number) => new Uint8Array(CLUSTER).fill(value);
    found.set(page * PER_PAGE + page, { is: "packed", bytes: bytes(page * 2 + 1) });
    found.set(page * PER_PAGE + 70 + page, { is: "data", bytes: bytes(page * 2 + 2) });
  }
  return found;
}

/** The same file, whose answers come in another order than the questions. */
function shuffled(file: Source, rng: Rng): Source {
  return {
    ...file,
    async read(batch: Batch, buffer: Uint8Array) {
      for (let turns = rng.int(8); turns > 0; turns--) await Promise.resolve();
      await file.read(batch, buffer);
    },
  };
}

Deno.test("any number of questions may be under way, whichever page of the L1 table answers them", async () => {
  const content = clusters();
  const image = buildQcow2({ clusterBits: 9, sizeBytes: PAGES * PER_PAGE * CLUSTER, clusters: content });
  const rng = new Rng(5);
  const file = shuffled(memorySource("disk.qcow2", image.bytes), rng);
  const extent = await openQcow2(file, await readQcow2Header(file), memoryContext({}).unpackers);
  const numbers = [...content.keys()];
  const packedSector = extent.data!.sizeBytes / CLUSTER - extent.capacitySectors;
  const asked = Array.from({ length: 300 }, () => numbers[rng.int(numbers.length)]!);
  await Promise.all(asked.map(async (number) => {
    assert.equal(await extent.entryOffset!(number), image.entryAt(number));
    const cluster = content.get(number)!;
    if (cluster.is !== "packed") return;
    assert.deepEqual(
      await readBytes(extent.data!, (packedSector + number) * CLUSTER, CLUSTER),
      cluster.bytes,
    );
  }));
});
