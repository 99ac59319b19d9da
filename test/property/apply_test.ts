/** Applying random deltas: first what is asked of the target, then what it holds. */
import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { applyDisk } from "../../cli/apply/engine.ts";
import type { SparseMode } from "../../cli/target/sparse.ts";
import {
  Disk,
  type Link,
  openChain,
  openLink,
  operations,
  planApply,
  SECTOR_SIZE,
} from "../../core-as/host/mod.ts";
import { buildCowd, dataGrains, overlay, sequence } from "../../fixtures/mod.ts";
import { core, memoryContext } from "../helpers/memory.ts";
import { MemoryTarget, type RecordedOperation } from "../helpers/memory_target.ts";
import { checkAsync, fc } from "../helpers/property.ts";
import {
  baseBytes,
  chainBytes,
  chainFiles,
  kindsOf,
  linkName,
  type RandomChain,
  randomChain,
} from "../helpers/random_chain.ts";

interface Setting {
  readonly sparse: SparseMode;
  readonly kind: "file" | "device";
}

const SETTINGS: readonly Setting[] = (["auto", "always", "never"] as const).flatMap((sparse) =>
  (["file", "device"] as const).map((kind) => ({ sparse, kind }))
);
const setting = fc.constantFrom(...SETTINGS);

async function openDeltaLinks(chain: RandomChain): Promise<Link[]> {
  const context = memoryContext(chainFiles(chain));
  const links: Link[] = [];
  for (const position of chain.links.keys()) {
    links.unshift(await openLink(linkName(position), context, "delta"));
  }
  return links;
}

/** Bytes that no link writes, to see what was left alone; the target is larger than the disk by `more`. */
function targetFor(disk: Disk, setting: Setting, below: Uint8Array, more = 0): MemoryTarget {
  const bytes = new Uint8Array(disk.sizeBytes + more);
  bytes.set(below.subarray(0, disk.sizeBytes));
  bytes.fill(0x55, disk.sizeBytes);
  return new MemoryTarget(bytes, setting.kind);
}

/** What was done to each sector: nothing, once written, once zeroed; twice is refused. */
function bySector(
  operations: readonly RecordedOperation[],
  sectors: number,
): ("write" | "zero" | undefined)[] {
  const done = new Array<"write" | "zero" | undefined>(sectors).fill(undefined);
  for (const { kind, offsetBytes, lengthBytes } of operations) {
    assert.equal(offsetBytes % SECTOR_SIZE, 0);
    assert.equal(lengthBytes % SECTOR_SIZE, 0);
    assert.ok(lengthBytes > 0, "an empty operation");
    for (let i = 0; i < lengthBytes / SECTOR_SIZE; i++) {
      const sector = offsetBytes / SECTOR_SIZE + i;
      assert.equal(done[sector], undefined, `sector ${sector} is touched twice`);
      done[sector] = kind;
    }
  }
  return done;
}

Deno.test("apply touches every sector of the plan once and no other, and the sums are those of the plan", async () => {
  await checkAsync(
    fc.asyncProperty(randomChain, setting, async (chain, setting) => {
      const disk = new Disk(core, await openDeltaLinks(chain));
      const target = targetFor(disk, setting, baseBytes(chain), 4096);
      const plan = await planApply(disk);
      const counts = await applyDisk(disk, target, setting);

      const kinds = kindsOf(chain.links);
      const done = bySector(target.operations, target.sizeBytes / SECTOR_SIZE);
      for (const [sector, what] of done.entries()) {
        const kind = kinds[sector] ?? "hole";
        assert.equal(what !== undefined, kind !== "hole", `sector ${sector} is ${kind}`);
        if (kind === "zero") assert.equal(what, "zero", `sector ${sector}`);
      }
      assert.equal(counts.zeroedBytes, plan.zeroBytes);
      assert.equal(counts.writtenBytes + counts.sparedBytes, plan.writeBytes);
      assert.equal(counts.skippedBytes, plan.skipBytes);
      const total = (wanted: string) =>
        target.operations.reduce(
          (sum, { kind, lengthBytes }) => sum + (kind === wanted ? lengthBytes : 0),
          0,
        );
      assert.equal(total("write"), counts.writtenBytes);
      assert.equal(total("zero"), counts.zeroedBytes + counts.sparedBytes);

      assert.equal(Buffer.compare(target.bytes.subarray(0, disk.sizeBytes), chainBytes(chain)), 0);
      assert.ok(target.bytes.subarray(disk.sizeBytes).every((byte) => byte === 0x55));
      assert.equal(target.flushes, 0, "to flush is the caller's");
    }),
    { runs: 150 },
  );
});

Deno.test("zero runs are punched unless sparse is never; data becomes holes where the mode asks for it", async () => {
  await checkAsync(
    fc.asyncProperty(randomChain, setting, async (chain, setting) => {
      const disk = new Disk(core, await openDeltaLinks(chain));
      const target = targetFor(disk, setting, baseBytes(chain));
      await applyDisk(disk, target, setting);
      const kinds = kindsOf(chain.links);
      const looks = setting.sparse === "always" || (setting.sparse === "auto" && setting.kind === "file");
      for (const { kind, offsetBytes, lengthBytes, punch } of target.operations) {
        if (kind !== "zero") continue;
        const first = offsetBytes / SECTOR_SIZE;
        const under = new Set(kinds.slice(first, first + lengthBytes / SECTOR_SIZE));
        assert.equal(under.size, 1, "one operation over data and zero runs");
        assert.equal(punch, setting.sparse !== "never");
        if (!under.has("data")) continue;
        assert.ok(looks, "data became a hole unasked");
        assert.equal(offsetBytes % target.medium.granularityBytes, 0, "a hole that gives nothing back");
        assert.equal(lengthBytes % target.medium.granularityBytes, 0, "a hole that gives nothing back");
      }
    }),
    { runs: 80 },
  );
});

Deno.test("with always, a block of zero data is written only where two windows of the walk meet in it", async () => {
  await checkAsync(
    fc.asyncProperty(randomChain, async (chain) => {
      const disk = new Disk(core, await openDeltaLinks(chain));
      const target = targetFor(disk, { sparse: "always", kind: "device" }, baseBytes(chain));
      await applyDisk(disk, target, { sparse: "always" });
      const done = bySector(target.operations, target.sizeBytes / SECTOR_SIZE);
      const edges: number[] = [];
      for await (const { fromSector } of disk.walk()) edges.push(fromSector);
      const block = target.medium.granularityBytes / SECTOR_SIZE;
      for (let first = 0; first + block <= done.length; first += block) {
        if (!done.slice(first, first + block).every((what) => what === "write")) continue;
        if (edges.some((edge) => edge > first && edge < first + block)) continue;
        const bytes = target.bytes.subarray(first * SECTOR_SIZE, (first + block) * SECTOR_SIZE);
        assert.ok(bytes.some((byte) => byte !== 0), `the block of sector ${first}`);
      }
    }),
    { runs: 60 },
  );
});

Deno.test("applying twice is applying once", async () => {
  await checkAsync(
    fc.asyncProperty(randomChain, setting, async (chain, setting) => {
      const disk = new Disk(core, await openDeltaLinks(chain));
      const target = targetFor(disk, setting, baseBytes(chain));
      await applyDisk(disk, target, setting);
      const bytes = target.bytes.slice();
      const first = target.operations.splice(0);
      await applyDisk(disk, target, setting);
      assert.equal(Buffer.compare(target.bytes, bytes), 0);
      assert.deepEqual(target.operations, first);
    }),
    { runs: 40 },
  );
});

Deno.test("a chain applied at once is its links applied one by one", async () => {
  await checkAsync(
    fc.asyncProperty(randomChain, setting, async (chain, setting) => {
      const links = await openDeltaLinks(chain);
      const merged = new Disk(core, links);
      const target = targetFor(merged, setting, baseBytes(chain));
      await applyDisk(merged, target, setting);
      const stepwise = targetFor(merged, setting, baseBytes(chain));
      for (const link of links.toReversed()) await applyDisk(new Disk(core, [link]), stepwise, setting);
      assert.equal(Buffer.compare(target.bytes, stepwise.bytes), 0);
    }),
    { runs: 40 },
  );
});

Deno.test("a chain with its base overwrites a target whole, whatever was there", async () => {
  await checkAsync(
    fc.asyncProperty(randomChain, setting, async (chain, setting) => {
      fc.pre(chain.baseSectors > 0);
      const links = await openChain(linkName(chain.links.length - 1), memoryContext(chainFiles(chain)));
      const disk = new Disk(core, links);
      const target = targetFor(disk, setting, new Uint8Array(disk.sizeBytes).fill(0x77));
      const { skippedBytes } = await applyDisk(disk, target, setting);
      assert.equal(skippedBytes, 0);
      assert.ok(bySector(target.operations, disk.capacitySectors).every((what) => what !== undefined));
      assert.equal(Buffer.compare(target.bytes, chainBytes(chain)), 0);
    }),
    { runs: 40 },
  );
});

Deno.test("the operations of the plan are those that apply carries out", async () => {
  await checkAsync(
    fc.asyncProperty(randomChain, async (chain) => {
      const disk = new Disk(core, await openDeltaLinks(chain));
      const planned: RecordedOperation[] = [];
      for await (const { kind, start, length } of operations(disk)) {
        planned.push({ kind, offsetBytes: start, lengthBytes: length });
      }
      const target = targetFor(disk, { sparse: "never", kind: "file" }, baseBytes(chain));
      await applyDisk(disk, target, { sparse: "never" });
      assert.deepEqual(
        bySector(target.operations, disk.capacitySectors),
        bySector(planned, disk.capacitySectors),
      );
    }),
    { runs: 40 },
  );
});

Deno.test("data is moved by the mebibyte, and by the whole buffer where every move costs a sync", async () => {
  const capacitySectors = 24_000;
  const spec = {
    capacitySectors,
    grainSectors: 8,
    seed: 4,
    grains: dataGrains(sequence({ from: 0, count: 3000 })),
  };
  const bytes = buildCowd(spec).bytes;
  const cases = [
    { options: {}, moveBytes: 1024 * 1024 },
    { options: { beforeWrite: () => {} }, moveBytes: core.buffer.length },
  ];
  for (const { options, moveBytes } of cases) {
    const disk = new Disk(core, [
      await openLink("a-delta.vmdk", memoryContext({ "a-delta.vmdk": bytes }), "delta"),
    ]);
    const target = targetFor(disk, { sparse: "auto", kind: "file" }, new Uint8Array(0));
    await applyDisk(disk, target, { sparse: "auto", ...options });
    const sizes = target.operations.map(({ lengthBytes }) => lengthBytes);
    const full = Math.floor(disk.sizeBytes / moveBytes);
    assert.deepEqual(sizes, [...Array(full).fill(moveBytes), disk.sizeBytes % moveBytes]);
    assert.equal(Buffer.compare(target.bytes, overlay(new Uint8Array(disk.sizeBytes), spec)), 0);
  }
});

Deno.test("progress only grows, and ends at the whole disk", async () => {
  await checkAsync(
    fc.asyncProperty(randomChain, setting, async (chain, setting) => {
      const disk = new Disk(core, await openDeltaLinks(chain));
      let passed = 0;
      const counts = await applyDisk(disk, targetFor(disk, setting, baseBytes(chain)), {
        ...setting,
        onProgress({ writtenBytes, sparedBytes, zeroedBytes, skippedBytes }) {
          const sum = writtenBytes + sparedBytes + zeroedBytes + skippedBytes;
          assert.ok(sum >= passed);
          passed = sum;
        },
      });
      assert.equal(Object.values(counts).reduce((sum, bytes) => sum + bytes, 0), disk.sizeBytes);
    }),
    { runs: 30 },
  );
});
