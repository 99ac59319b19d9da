/**
 * Damaged metadata of qcow2 images, some hundred times: each time the right image or an error with a code, in bounded
 * reads. A second reader (helpers/reference_qcow2.ts) says what the right image is; where that finds a rule broken, the
 * real one must refuse, or say that there is damage.
 *
 * ```
 * REGRAIN_MUTATIONS=20000 REGRAIN_SEED=7 deno test -A test/property/qcow2_mutation_test.ts
 * ```
 */
import assert from "node:assert/strict";
import { zstdDecompressSync } from "node:zlib";
import { inflateRawPortable } from "../../core-as/host/inflate.ts";
import { QCOW2_CASES, Rng } from "../../fixtures/mod.ts";
import { checkRefcounts } from "../../core-as/host/formats/qcow2/refcounts.ts";
import { type Batch, Disk, openLink, RegrainError, surveyLink } from "../../core-as/host/mod.ts";
import { core, memoryContext, memorySource, readWhole } from "../helpers/memory.ts";
import { Broken, readReferenceQcow2 } from "../helpers/reference_qcow2.ts";

const COUNT = Number(Deno.env.get("REGRAIN_MUTATIONS") ?? "300");
const SEED = Number(Deno.env.get("REGRAIN_SEED") ?? "1");
/** An image of a few clusters that is read more often is gone over without an end. */
const MOST_READS = 20_000;
const MOST_READ_BYTES = 32 * 1024 * 1024;
const BASES = ["qcow2-version-2", "qcow2-cluster-512", "qcow2-zstd", "qcow2-subclusters", "qcow2-snapshots"];
const INTERESTING = [0, 1, 2, 7, 8, 0x3f, 0x40, 0x7f, 0x80, 0xfe, 0xff];
const NAME = "disk.qcow2";

/** Where tables are: the header, the counts, L1 and L2, and snapshots, by what the builder says of itself. */
function metadataBytes(bytes: Uint8Array): number[] {
  const cluster = 2 ** new DataView(bytes.buffer).getUint32(20);
  const l1 = Number(new DataView(bytes.buffer).getBigUint64(40));
  const places = Array.from({ length: 160 }, (_, i) => i);
  for (let i = 0; i < 32; i++) places.push(l1 + i);
  for (let i = 0; i < 192; i++) places.push(l1 + cluster + i);
  // A third of all goes to what reading does not need, and `check` does.
  for (let i = 0; i < 64; i++) places.push(cluster + i, cluster * 2 + i);
  const snapshots = Number(new DataView(bytes.buffer).getBigUint64(64));
  for (let i = 0; snapshots > 0 && i < 96; i++) places.push(snapshots + i);
  return places.filter((at) => at < bytes.length);
}

function mutate(bytes: Uint8Array<ArrayBuffer>, rng: Rng): Uint8Array<ArrayBuffer> {
  const mutant = bytes.slice();
  const places = metadataBytes(bytes);
  for (let i = rng.int(3); i >= 0; i--) {
    const at = places[rng.int(places.length)]!;
    const how = rng.int(4);
    if (how === 0) mutant[at]! ^= 1 << rng.int(8);
    else if (how === 1) mutant[at] = INTERESTING[rng.int(INTERESTING.length)]!;
    else if (how === 2) mutant[at] = rng.int(256);
    else {mutant.copyWithin(
        at - at % 8,
        places[rng.int(places.length)]! & ~7,
        (places[rng.int(places.length)]! & ~7) + 8,
      );}
  }
  return rng.int(12) === 0 ? mutant.slice(0, 1 + rng.int(mutant.length)) : mutant;
}

/** The same files, whose reads are counted and bounded. */
function watchedContext(bytes: Uint8Array) {
  const context = memoryContext({ [NAME]: bytes }, {
    unpackers: {
      inflateRaw: inflateRawPortable,
      zstd: (packed, maxBytes) => zstdDecompressSync(packed, { maxOutputLength: maxBytes }),
    },
  });
  let reads = 0;
  const open = (path: string) => {
    const source = memorySource(path, bytes);
    return {
      ...source,
      read(batch: Batch, buffer: Uint8Array) {
        assert.ok(++reads <= MOST_READS, "it is read again and again");
        assert.ok(batch.totalBytes <= MOST_READ_BYTES, `${batch.totalBytes} bytes at once`);
        return source.read(batch, buffer);
      },
    };
  };
  return { ...context, files: { ...context.files, open } };
}

/** The bytes, or `undefined` where it is refused or found to be damaged. */
async function readReal(bytes: Uint8Array): Promise<Uint8Array | undefined> {
  try {
    const link = await openLink(NAME, watchedContext(bytes), "image");
    const { findings } = await surveyLink(core, link, { overlaps: true });
    if (findings.counts.damage > 0) return undefined;
    if (link.capacitySectors > 2 ** 21) return undefined;
    return await readWhole(new Disk(core, [link]), 65_536);
  } catch (error) {
    if (error instanceof RegrainError) return undefined;
    throw error;
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function readReference(bytes: Uint8Array): Uint8Array | undefined {
  try {
    return readReferenceQcow2(bytes);
  } catch (error) {
    if (error instanceof Broken) return undefined;
    throw error;
  }
}

Deno.test("no damage to the metadata of a qcow2 image hangs, crashes, or is taken for another disk", async () => {
  const rng = new Rng(SEED);
  const images = QCOW2_CASES.filter(({ name }) => BASES.includes(name)).map((each) =>
    each.make()[each.leaf]!
  );
  assert.equal(images.length, BASES.length);
  let [same, refused, sound] = [0, 0, 0];
  for (let i = 0; i < COUNT; i++) {
    const mutant = mutate(images[i % images.length]!, rng);
    const read = await readReal(mutant);
    const right = readReference(mutant);
    if (read === undefined) {
      refused++;
      if (right !== undefined) sound++;
    } else {
      assert.ok(right !== undefined, `mutant ${i} of seed ${SEED} is read, and breaks a rule`);
      assert.ok(isEqual(read, right), `mutant ${i} of seed ${SEED} is read as another disk`);
      same++;
    }
  }
  console.log(
    `${COUNT} mutants: ${same} read right, ${refused} refused (${sound} that a plain reader takes)`,
  );
  assert.ok(same > COUNT / 20 && refused > COUNT / 20, "the mutants are all of one kind");
});

Deno.test("no damage keeps the comparison of reference counts from its end, in bounded reads", async () => {
  const rng = new Rng(SEED + 1);
  const images = QCOW2_CASES.filter(({ name }) => BASES.includes(name)).map((each) =>
    each.make()[each.leaf]!
  );
  const seen = new Map<string, number>();
  const count = (kind: string) => seen.set(kind, (seen.get(kind) ?? 0) + 1);
  for (let i = 0; i < COUNT; i++) {
    const file = watchedContext(mutate(images[i % images.length]!, rng)).files.open(NAME);
    try {
      await checkRefcounts(file, ({ kind }) => count(kind), i % 2 === 0 ? undefined : 5);
    } catch (error) {
      if (!(error instanceof RegrainError)) throw error;
      count(error.code);
    }
  }
  for (const kind of ["refcount-low", "clusters-leaked", "copied-wrong"]) assert.ok(seen.has(kind), kind);
});

Deno.test("tables of snapshots that overlap are not walked again and again", async () => {
  const each = QCOW2_CASES.find(({ name }) => name === "qcow2-snapshots")!;
  const bytes = new Uint8Array(2 ** 20);
  bytes.set(each.make()[each.leaf]!);
  const view = new DataView(bytes.buffer);
  const [cluster, entries] = [2 ** view.getUint32(20), 4096];
  const table = cluster * 32;
  view.setUint32(60, entries);
  view.setBigUint64(64, BigInt(table));
  for (let i = 0; i < entries; i++) {
    view.setBigUint64(table + i * 40, BigInt(cluster * (i % 64 + 1)));
    view.setUint32(table + i * 40 + 8, 1 + i);
  }
  const kinds: string[] = [];
  await checkRefcounts(watchedContext(bytes).files.open(NAME), ({ kind }) => kinds.push(kind));
  assert.deepEqual(kinds, ["refcounts-unread"]);
});

Deno.test("the second reader reads every fixture as it should", () => {
  for (const { name, leaf, make, expected } of QCOW2_CASES) {
    if (/-on-/.test(name)) continue;
    assert.deepEqual(readReferenceQcow2(make()[leaf]!), new Uint8Array(expected()), name);
  }
});
