/** Random chains read as the model says: bytes, kinds, runs. */
import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import {
  Batch,
  Disk,
  type Link,
  openLink,
  type RunKind,
  SECTOR_SIZE,
  surveyLink,
} from "../../core-as/host/mod.ts";
import { openChain } from "../../core-as/host/mod.ts";
import { countKinds } from "../../fixtures/mod.ts";
import { core, memoryContext, readWhole } from "../helpers/memory.ts";
import { checkAsync, fc } from "../helpers/property.ts";
import {
  chainBytes,
  chainFiles,
  kindsOf,
  linkName,
  type RandomChain,
  randomChain,
} from "../helpers/random_chain.ts";
import { recordsOf, type RunRecord } from "../helpers/runs.ts";

/** The links above the base, newest first. */
async function openDeltaLinks(chain: RandomChain): Promise<Link[]> {
  const context = memoryContext(chainFiles(chain));
  const links: Link[] = [];
  for (const position of chain.links.keys()) {
    links.unshift(await openLink(linkName(position), context, "delta"));
  }
  return links;
}

async function walk(disk: Disk): Promise<RunRecord[]> {
  const records: RunRecord[] = [];
  for await (const { list } of disk.walk()) records.push(...recordsOf(list));
  return records;
}

Deno.test("the runs of any deltas are gap-free up to the capacity, and of the kinds they were built of", async () => {
  await checkAsync(
    fc.asyncProperty(randomChain, async (chain) => {
      const disk = new Disk(core, await openDeltaLinks(chain));
      const expected = kindsOf(chain.links);
      const found: RunKind[] = [];
      for (const { start, length, place, owner } of await walk(disk)) {
        assert.equal(start, found.length);
        assert.ok(length > 0);
        if (place >= 0) assert.ok((place + length) * SECTOR_SIZE <= disk.media[owner]!.sizeBytes);
        for (let i = 0; i < length; i++) found.push(disk.kindOf(place));
      }
      assert.deepEqual(found, expected);
      const runs = await disk.runs(0, disk.sizeBytes);
      assert.ok(runs.every(({ kind }, i) => kind !== runs[i - 1]?.kind), "neighbours are merged");
    }),
    { runs: 120 },
  );
});

Deno.test("walking twice gives the same runs", async () => {
  await checkAsync(
    fc.asyncProperty(randomChain, async (chain) => {
      const disk = new Disk(core, await openDeltaLinks(chain));
      assert.deepEqual(await walk(disk), await walk(disk));
    }),
    { runs: 40 },
  );
});

Deno.test("every link has the bytes of each kind that it was built of, and no damage", async () => {
  await checkAsync(
    fc.asyncProperty(randomChain, async (chain) => {
      for (const [i, link] of (await openDeltaLinks(chain)).reverse().entries()) {
        const { dataBytes, zeroBytes, holeBytes, findings } = await surveyLink(core, link, {
          overlaps: true,
        });
        assert.deepEqual({ dataBytes, zeroBytes, holeBytes }, countKinds(chain.links[i]!.spec));
        assert.deepEqual(findings.kept, []);
      }
    }),
    { runs: 60 },
  );
});

Deno.test("a merged chain reads as its links laid over the base one by one", async () => {
  await checkAsync(
    fc.asyncProperty(randomChain, async (chain) => {
      const links = chain.baseSectors > 0
        ? await openChain(linkName(chain.links.length - 1), memoryContext(chainFiles(chain)))
        : await openDeltaLinks(chain);
      const found = await readWhole(new Disk(core, links), 100_003);
      assert.equal(Buffer.compare(found, chainBytes(chain)), 0);
    }),
    { runs: 80 },
  );
});

Deno.test("any stretch, aligned or not, reads as that stretch of the whole", async () => {
  const stretches = fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 20 });
  await checkAsync(
    fc.asyncProperty(randomChain, stretches, async (chain, pairs) => {
      const disk = new Disk(core, await openDeltaLinks(chain));
      const expected = chainBytes({ ...chain, baseSectors: 0 });
      const batch = new Batch();
      const buffer = new Uint8Array(1 << 20).fill(0xaa);
      const parts: Uint8Array[] = [];
      let at = 0;
      for (const [a, b] of pairs) {
        const offsetBytes = a % disk.sizeBytes;
        const lengthBytes = Math.min(b % 40_000, disk.sizeBytes - offsetBytes);
        batch.add({ offsetBytes, lengthBytes, at });
        parts.push(expected.subarray(offsetBytes, offsetBytes + lengthBytes));
        at += lengthBytes;
      }
      await disk.read(batch, buffer);
      assert.equal(Buffer.compare(buffer.subarray(0, at), Buffer.concat(parts)), 0);
      assert.ok(buffer.subarray(at).every((byte) => byte === 0xaa), "something was written behind");
    }),
    { runs: 60 },
  );
});
