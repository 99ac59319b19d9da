/** A stream reads the same wherever its reads end. */
import assert from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { openLink, SECTOR_SIZE } from "../../core-as/host/mod.ts";
import { unpacked } from "../../cli/stream/unpack.ts";
import { buildCowd } from "../../fixtures/cowd.ts";
import { buildHosted } from "../../fixtures/hosted_sparse.ts";
import { buildSeSparse, CASES, dataGrains, type FixtureCase, type Grain, Rng } from "../../fixtures/mod.ts";
import { streamImage } from "../../fixtures/cases/stream.ts";
import { sameBytes } from "../helpers/bytes.ts";
import { memoryContext } from "../helpers/memory.ts";
import { type Applied, applyByName, applyByPipe, splitPipe } from "../helpers/pipe.ts";

const SPARSE = new Set(["cowd", "sesparse", "hosted", "stream"]);
/** A read that ends anywhere shows at once. */
const AT_ONCE = { fillBytes: 1 } as const;
/** Random splits of one fixture in each packing. */
const RANDOM_SPLITS = 3;

const PACKINGS: Record<string, (bytes: Uint8Array) => Uint8Array> = {
  plain: (bytes) => bytes,
  gzip: (bytes) => gzipSync(bytes),
  zstd: (bytes) => zstdCompressSync(bytes),
};

/** The file that holds the newest link of a case, where that is one file. */
async function singleFile(fixture: FixtureCase): Promise<Uint8Array | undefined> {
  const files = fixture.make();
  const link = await openLink(fixture.leaf, memoryContext(files), "image");
  const [only] = link.extents;
  if (link.extents.length !== 1 || !SPARSE.has(only!.extent.format)) return undefined;
  return files[only!.extent.path];
}

/** Ends of reads whose lengths are of every order of size. */
function* randomEnds(rng: Rng, sizeBytes: number): Generator<number> {
  for (let at = 0; at < sizeBytes;) {
    at += 1 + rng.int(2 ** (2 + rng.int(17)));
    yield at;
  }
}

function* everyNth(stepBytes: number, firstEnd: number): Generator<number> {
  for (let end = firstEnd;; end += stepBytes) yield end;
}

async function assertSame(
  stream: Uint8Array,
  ends: Iterable<number>,
  wanted: { byName: Applied; what: string; windowBytes?: number },
): Promise<void> {
  const { byName, what, windowBytes } = wanted;
  const read = await unpacked(splitPipe(stream, ends), () => {});
  const options = { ...AT_ONCE, ...(windowBytes === undefined ? {} : { windowBytes }) };
  const { target, counts } = await applyByPipe(read, options).catch((error) => {
    throw new Error(what, { cause: error });
  });
  assert.ok(sameBytes(target.bytes, byName.target.bytes), `${what}: the bytes differ`);
  assert.deepEqual(counts, byName.counts, what);
}

for (const fixture of CASES.filter(({ expect }) => expect === "ok")) {
  const bytes = await singleFile(fixture);
  if (!bytes) continue;
  Deno.test(`D1: ${fixture.name} reads the same however the stream is split`, async () => {
    const byName = await applyByName(bytes);
    for (const [packing, pack] of Object.entries(PACKINGS)) {
      const stream = pack(bytes);
      for (let seed = 0; seed < RANDOM_SPLITS; seed++) {
        const ends = randomEnds(new Rng(seed), stream.length);
        await assertSame(stream, ends, { byName, what: `${packing}, seed ${seed}` });
      }
      const writes = everyNth(10_007, 10_007);
      await assertSame(stream, writes, { byName, what: `${packing}, writes of 10,007 bytes` });
    }
  });
}

const full = (value: number) => new Uint8Array(SECTOR_SIZE).fill(value);
const oneTable = {
  capacitySectors: 64,
  grainSectors: 1,
  seed: 98,
  grains: [
    ...[0, 1, 63].map((index): Grain => ({ index, kind: "data", data: full(index + 1) })),
    { index: 2, kind: "zero" },
    ...dataGrains([4]),
  ] satisfies Grain[],
};
const twoTables = {
  ...oneTable,
  capacitySectors: 514,
  grains: [...oneTable.grains, { index: 513, kind: "data", data: full(9) }] satisfies Grain[],
};

/** Small enough to be split at every single byte. */
const SMALL: Record<string, () => Uint8Array> = {
  "a stream with its footer": () => streamImage(twoTables, { form: "footer" }).bytes,
  "a stream with tables in front": () => streamImage(oneTable, { form: "front" }).bytes,
  "a stream without markers": () => streamImage(oneTable, { form: "front", markers: false }).bytes,
  "hosted sparse": () => buildHosted({ ...oneTable, redundant: false }).bytes,
};

/** Their tables alone have 16 and 32 KiB: reads end at every byte, a fixed number of bytes apart. */
const LARGER: Record<string, () => Uint8Array> = {
  COWD: () =>
    buildCowd({ capacitySectors: 4100, grainSectors: 1, seed: 99, grains: dataGrains([0, 1, 4098]) }).bytes,
  SESparse: () => buildSeSparse({ capacitySectors: 64 * 8, seed: 99, grains: dataGrains([0, 63]) }).bytes,
};
const STEP_BYTES = 509;

for (const [name, make] of Object.entries(SMALL)) {
  Deno.test(`D1: ${name} reads the same when a read ends at any one of its bytes`, async () => {
    const bytes = make();
    const byName = await applyByName(bytes);
    for (let end = 1; end < bytes.length; end++) {
      await assertSame(bytes, [end], { byName, what: `split at byte ${end}` });
    }
    for (const packing of ["gzip", "zstd"]) {
      const stream = PACKINGS[packing]!(bytes);
      for (let end = 1; end < stream.length; end += 7) {
        await assertSame(stream, [end], { byName, what: `${packing} split at byte ${end}` });
      }
    }
  });
}

for (const [name, make] of Object.entries(LARGER)) {
  Deno.test(`D1: ${name} reads the same with reads of ${STEP_BYTES} bytes from any byte on`, async () => {
    const bytes = make();
    const byName = await applyByName(bytes);
    for (let first = 1; first <= STEP_BYTES; first += 3) {
      const ends = everyNth(STEP_BYTES, first);
      await assertSame(bytes, ends, { byName, what: `first read of ${first} bytes`, windowBytes: 64 * 1024 });
    }
  });
}

Deno.test("D1: a directory that ends inside a sector is passed with the rest of that sector", async () => {
  const bytes = LARGER["COWD"]!();
  const byName = await applyByName(bytes);
  // The directory has two entries, in the eight bytes from byte 2048 on.
  for (let end = 2040; end <= 2600; end++) {
    await assertSame(bytes, [end], { byName, what: `split at byte ${end}` });
  }
});
