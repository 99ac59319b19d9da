/** Comparing disks, against byte by byte. */
import assert from "node:assert/strict";
import { baseFiles, buildCowd, deltaFiles, type Grain } from "../../../fixtures/mod.ts";
import { core, memoryContext, memorySource } from "../../../test/helpers/memory.ts";
import { checkAsync, fc } from "../../../test/helpers/property.ts";
import { COMPARE_BLOCK_BYTES, compareDisks, type Comparison } from "./compare.ts";
import { openChain } from "./chain.ts";
import { Disk } from "./disk.ts";
import type { Context } from "../context.ts";
import { openLink } from "./open_link.ts";
import type { Run, Source } from "../source.ts";
import { MIB, SECTOR_SIZE } from "../units.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A raw disk in memory, by its first bytes as any other file. */
async function rawDisk(bytes: Bytes): Promise<Disk> {
  return new Disk(core, await openChain("raw.img", memoryContext({ "raw.img": bytes })));
}

/** The same, with a medium that tells its zero sectors as holes, one run a sector. */
async function sparseDisk(bytes: Bytes): Promise<Disk> {
  const context = memoryContext({ "raw.img": bytes });
  const open = (path: string): Source => ({
    ...memorySource(path, bytes),
    runs: (fromBytes, toBytes) => sectorRuns(bytes, { fromBytes, toBytes }),
  });
  const files: Context["files"] = { ...context.files, open };
  return new Disk(core, await openChain("raw.img", { ...context, files }));
}

function sectorRuns(bytes: Bytes, range: { fromBytes: number; toBytes: number }): Run[] {
  const runs: Run[] = [];
  for (let start = range.fromBytes; start < range.toBytes; start += SECTOR_SIZE) {
    const isZero = bytes.subarray(start, start + SECTOR_SIZE).every((byte) => byte === 0);
    runs.push({ start, length: SECTOR_SIZE, kind: isZero ? "zero" : "data" });
  }
  return runs;
}

/** The same content as a COWD delta on a base of pattern: data, zero grains, and holes where the base fits. */
async function chainDisk(bytes: Bytes): Promise<Disk> {
  const capacitySectors = bytes.length / SECTOR_SIZE;
  const files = baseFiles({ capacitySectors });
  const base = files["disk-flat.vmdk"]!;
  for (let i = 0; i < bytes.length; i += 3 * SECTOR_SIZE) {
    base.set(bytes.subarray(i, i + SECTOR_SIZE), i);
  }
  const grains = Array.from({ length: capacitySectors }, (_, index): Grain => {
    const [from, to] = [index * SECTOR_SIZE, (index + 1) * SECTOR_SIZE];
    const data = bytes.subarray(from, to);
    if (index % 3 === 0) return { index, kind: "absent" };
    return data.every((byte) => byte === 0) ? { index, kind: "zero" } : { index, kind: "data", data };
  });
  const link = buildCowd({ capacitySectors, grainSectors: 1, seed: 3, grains });
  Object.assign(files, deltaFiles({ kind: "cowd", bytes: link.bytes, capacitySectors }));
  return new Disk(core, await openChain("disk-000001.vmdk", memoryContext(files)));
}

const FORMS = { raw: rawDisk, sparse: sparseDisk, chain: chainDisk } as const;

/** Byte by byte, the shorter continued by zeros. */
function naive(a: Bytes, b: Bytes): Omit<Comparison, "readBytes"> {
  const blocks = new Set<number>();
  const comparedBytes = Math.max(a.length, b.length);
  let differingBytes = 0;
  let first: Comparison["first"];
  for (let i = 0; i < comparedBytes; i++) {
    const values = [a[i] ?? 0, b[i] ?? 0] as const;
    if (values[0] === values[1]) continue;
    differingBytes++;
    blocks.add(Math.floor(i / COMPARE_BLOCK_BYTES));
    first ??= { offsetBytes: i, values };
  }
  return { comparedBytes, differingBytes, differingBlocks: blocks.size, first };
}

async function assertAsNaive(
  a: { disk: Disk; bytes: Bytes },
  b: { disk: Disk; bytes: Bytes },
): Promise<void> {
  const { readBytes, ...found } = await compareDisks(a.disk, b.disk);
  assert.deepEqual(found, naive(a.bytes, b.bytes));
  assert.ok(readBytes <= found.comparedBytes);
}

function filled(lengthBytes: number): Bytes {
  return Uint8Array.from({ length: lengthBytes }, (_, i) => i % 251 + 1);
}

Deno.test("a disk of several buffers is equal to its copy, and all of it is read", async () => {
  const bytes = filled(5 * MIB);
  const result = await compareDisks(await rawDisk(bytes), await rawDisk(bytes.slice()));
  assert.deepEqual(result, {
    comparedBytes: 5 * MIB,
    readBytes: 5 * MIB,
    differingBytes: 0,
    differingBlocks: 0,
    first: undefined,
  });
});

for (const offset of [0, 2 * MIB - 1, 2 * MIB, 5 * MIB - 1]) {
  Deno.test(`one byte that differs at ${offset} is found, with both values`, async () => {
    const bytes = filled(5 * MIB);
    const changed = bytes.slice();
    changed[offset] = 0;
    const result = await compareDisks(await rawDisk(bytes), await rawDisk(changed));
    assert.deepEqual(result.first, { offsetBytes: offset, values: [offset % 251 + 1, 0] });
    assert.equal(result.differingBytes, 1);
    assert.equal(result.differingBlocks, 1);
  });
}

Deno.test("holes are zeros, and where both disks have none but them nothing is read", async () => {
  const bytes = new Uint8Array(3 * MIB);
  bytes.fill(7, MIB, MIB + SECTOR_SIZE);
  const result = await compareDisks(await sparseDisk(bytes), await sparseDisk(bytes));
  assert.equal(result.differingBytes, 0);
  assert.equal(result.readBytes, SECTOR_SIZE);
  const mixed = await compareDisks(await sparseDisk(bytes), await rawDisk(bytes));
  assert.equal(mixed.differingBytes, 0);
  assert.equal(mixed.readBytes, 3 * MIB);
});

Deno.test("a delta that nothing lies below reads as zeros in its holes", async () => {
  const capacitySectors = 64;
  const link = buildCowd({ capacitySectors, grainSectors: 1, seed: 3, grains: [{ index: 5, kind: "data" }] });
  const files = deltaFiles({ kind: "cowd", bytes: link.bytes, capacitySectors });
  const delta = new Disk(core, [await openLink("disk-000001.vmdk", memoryContext(files), "delta")]);
  const result = await compareDisks(delta, await rawDisk(new Uint8Array(capacitySectors * SECTOR_SIZE)));
  assert.equal(result.first?.offsetBytes, 5 * SECTOR_SIZE);
  assert.equal(result.differingBytes, SECTOR_SIZE);
});

Deno.test("what the smaller disk lacks counts as zeros, on either side", async () => {
  const small = filled(MIB);
  const padded = new Uint8Array(3 * MIB);
  padded.set(small);
  const longer = padded.slice();
  longer[3 * MIB - 1] = 9;
  assert.equal((await compareDisks(await rawDisk(small), await rawDisk(padded))).differingBytes, 0);
  const result = await compareDisks(await rawDisk(longer), await rawDisk(small));
  assert.deepEqual(result.first, { offsetBytes: 3 * MIB - 1, values: [9, 0] });
  assert.equal(result.comparedBytes, 3 * MIB);
});

Deno.test("a disk compared with itself is equal", async () => {
  const disk = await chainDisk(filled(64 * SECTOR_SIZE));
  assert.equal((await compareDisks(disk, disk)).differingBytes, 0);
});

Deno.test("progress ends at the end and never goes back", async () => {
  const seen: number[] = [];
  const bytes = filled(5 * MIB);
  await compareDisks(await rawDisk(bytes), await sparseDisk(bytes), {
    onProgress: ({ comparedBytes }) => seen.push(comparedBytes),
  });
  assert.ok(seen.length >= 3);
  assert.deepEqual(seen, seen.toSorted((x, y) => x - y));
  assert.equal(seen.at(-1), 5 * MIB);
});

Deno.test("any two disks of any two forms differ as byte by byte", async () => {
  const sector = fc.constantFrom("zero", "one", "two", "one but its last byte");
  const disk = fc.record({
    form: fc.constantFrom(...Object.keys(FORMS) as (keyof typeof FORMS)[]),
    sectors: fc.array(sector, { minLength: 1, maxLength: 60 }),
  });
  const bytesOf = (sectors: readonly string[]): Bytes => {
    const bytes = new Uint8Array(sectors.length * SECTOR_SIZE);
    sectors.forEach((kind, i) => {
      const [from, to] = [i * SECTOR_SIZE, (i + 1) * SECTOR_SIZE];
      if (kind !== "zero") bytes.fill(kind === "two" ? 0x22 : 0x11, from, to);
      if (kind === "one but its last byte") bytes[to - 1] = 0;
    });
    return bytes;
  };
  await checkAsync(
    fc.asyncProperty(disk, disk, async (a, b) => {
      const [bytesA, bytesB] = [bytesOf(a.sectors), bytesOf(b.sectors)];
      await assertAsNaive(
        { disk: await FORMS[a.form](bytesA), bytes: bytesA },
        { disk: await FORMS[b.form](bytesB), bytes: bytesB },
      );
    }),
    { runs: 300 },
  );
});
