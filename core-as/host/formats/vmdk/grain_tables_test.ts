/** The walk over directories and tables: steps, second copies, damage. */
import assert from "node:assert/strict";
import {
  buildCowd,
  buildHosted,
  dataGrains,
  getU32,
  type HostedSpec,
  type Image,
  overlay,
  putInteger,
  sequence,
} from "../../../../fixtures/mod.ts";
import { sameBytes } from "../../../../test/helpers/bytes.ts";
import { core, memoryContext, readWhole } from "../../../../test/helpers/memory.ts";
import { recordsOf } from "../../../../test/helpers/runs.ts";
import { Disk, totalsOf } from "../../disk/disk.ts";
import type { RegrainError } from "../../errors.ts";
import type { Finding } from "../../extent.ts";
import { MAX_DIRECTORY_ENTRIES } from "./hosted_sparse.ts";
import type { Link } from "../../disk/link.ts";
import { openLink } from "../../disk/open_link.ts";
import type { Source } from "../../source.ts";
import { surveyLink } from "../../disk/survey.ts";
import { SECTOR_SIZE } from "../../units.ts";

const SPEC: HostedSpec = {
  capacitySectors: 40_000,
  grainSectors: 16,
  tableEntries: 512,
  seed: 5,
  grains: dataGrains([...sequence({ from: 0, count: 6 }), 700, 701, 2400]),
};

async function openBytes(bytes: Uint8Array, name = "disk.vmdk"): Promise<Link> {
  return await openLink(name, memoryContext({ [name]: bytes }), "delta");
}

/** A hosted file with something changed, and what is found in it. */
async function damaged(
  change: (image: Image) => void,
): Promise<{ findings: readonly Finding[]; same: boolean }> {
  const image = buildHosted(SPEC);
  const expected = await readWhole(new Disk(core, [await openBytes(image.bytes)]));
  change(image);
  const link = await openBytes(image.bytes);
  const { findings } = await surveyLink(core, link, { overlaps: true });
  const kept = findings.kept.filter(({ kind }) => kind !== "no-descriptor");
  // A walk refuses damage, so only what has none can be read.
  if (findings.counts.damage > 0) return { findings: kept, same: false };
  const found = await readWhole(new Disk(core, [await openBytes(image.bytes)]));
  return { findings: kept, same: found.every((byte, i) => byte === expected[i]) };
}

const put32 = (image: Image, at: number, value: number) => putInteger(image.bytes, { at, size: 4, value });
const said = (findings: readonly Finding[]) =>
  findings.map(({ severity, kind, offsetBytes }) => ({ severity, kind, offsetBytes }));
const twinOf = ({ layout }: Image, grain: number) =>
  layout.entries.get(grain)! - layout.tables.get(Math.floor(grain / 512))! +
  layout.redundantTables.get(Math.floor(grain / 512))!;
const PAST_END = 0x7fff_fff0;

Deno.test("two equal copies say nothing", async () => {
  assert.deepEqual(await damaged(() => {}), { findings: [], same: true });
});

Deno.test("a directory entry past the end is replaced by the redundant one, with a note", async () => {
  let at = 0;
  const { findings, same } = await damaged((image) =>
    put32(image, at = image.layout.directory + 4, PAST_END)
  );
  assert.deepEqual(said(findings), [{ severity: "note", kind: "directory-repaired", offsetBytes: at }]);
  assert.ok(same);
});

Deno.test("a damaged table is replaced by the redundant one, with a note that counts", async () => {
  let at = 0;
  const { findings, same } = await damaged((image) => {
    put32(image, at = image.layout.entries.get(700)!, PAST_END);
    put32(image, image.layout.entries.get(701)!, 2);
  });
  assert.deepEqual(said(findings), [{ severity: "note", kind: "table-repaired", offsetBytes: at }]);
  assert.match(findings[0]!.message, /\(2 in this table\); the redundant table is used instead/);
  assert.ok(same);
});

Deno.test("damage in both copies is damage", async () => {
  const { findings } = await damaged((image) => {
    put32(image, image.layout.entries.get(700)!, PAST_END);
    put32(image, twinOf(image, 2400), PAST_END);
    put32(image, twinOf(image, 701), 3);
  });
  assert.deepEqual(
    findings.filter(({ severity }) => severity === "damage").map(({ kind }) => kind),
    ["entry-in-metadata"],
    "the damaged first copy has a damaged twin",
  );
});

Deno.test("a directory entry past the end in both copies is damage", async () => {
  const { findings } = await damaged((image) => {
    put32(image, image.layout.directory + 4, PAST_END);
    put32(image, image.layout.redundantDirectory! + 4, PAST_END);
  });
  const { directory } = buildHosted(SPEC).layout;
  assert.deepEqual(said(findings), [
    { severity: "damage", kind: "table-past-end", offsetBytes: directory + 4 },
  ]);
});

Deno.test("C3: a whole table that cannot be read is damaged, all that it covers and no more", async () => {
  const image = buildHosted(SPEC);
  put32(image, image.layout.directory + 4, PAST_END);
  put32(image, image.layout.redundantDirectory! + 4, PAST_END);
  const link = await openBytes(image.bytes);
  const { damagedBytes, dataBytes, holeBytes } = await surveyLink(core, link, { overlaps: true });
  const span = 512 * SPEC.grainSectors * SECTOR_SIZE;
  assert.equal(damagedBytes, span);
  assert.equal(dataBytes, 7 * SPEC.grainSectors * SECTOR_SIZE, "700 and 701 are in the lost table");
  assert.equal(dataBytes + holeBytes + damagedBytes, SPEC.capacitySectors * SECTOR_SIZE);
});

Deno.test("C3: a file whose tables are nearly all missing is walked, each a damaged stretch of its own", async () => {
  const capacitySectors = 100_000;
  const spec: HostedSpec = { capacitySectors, grainSectors: 1, tableEntries: 1, seed: 1, grains: [] };
  const image = buildHosted({
    ...spec,
    grains: dataGrains(sequence({ from: 0, count: 50_000 }).map((i) => i * 2)),
  });
  const cut = image.bytes.slice(0, image.layout.grains.get(0)!);
  for (let table = 0; table < capacitySectors; table += 2) {
    putInteger(cut, { at: image.layout.directory + table * 4, size: 4, value: PAST_END });
    putInteger(cut, { at: image.layout.redundantDirectory! + table * 4, size: 4, value: PAST_END });
  }
  const link = await openBytes(cut);
  const { damagedBytes, holeBytes } = await surveyLink(core, link, { overlaps: false });
  assert.deepEqual([damagedBytes, holeBytes], [50_000 * SECTOR_SIZE, 50_000 * SECTOR_SIZE]);
});

Deno.test("copies that could both be right and differ are a doubt, at the entry", async () => {
  let at = 0;
  const { findings } = await damaged((image) => {
    at = image.layout.entries.get(700)!;
    put32(image, twinOf(image, 700), 0);
  });
  assert.deepEqual(said(findings), [{ severity: "doubt", kind: "copies-disagree", offsetBytes: at }]);
});

Deno.test("a table that only the redundant directory names is a doubt, with data in it or not", async () => {
  let at = 0;
  const { findings } = await damaged((image) => put32(image, at = image.layout.directory + 4, 0));
  assert.deepEqual(said(findings), [{ severity: "doubt", kind: "copies-disagree", offsetBytes: at }]);
});

Deno.test("a redundant entry that cannot be is a doubt about the copy", async () => {
  let at = 0;
  const { findings, same } = await damaged((image) =>
    put32(image, at = image.layout.redundantDirectory! + 4, PAST_END)
  );
  assert.deepEqual(said(findings), [{ severity: "doubt", kind: "redundant-bad", offsetBytes: at }]);
  assert.ok(same);
});

Deno.test("a walk in windows of any size gives the runs of the whole", async () => {
  const extent = (await openBytes(buildHosted(SPEC).bytes)).extents[0]!.extent;
  const list = core.lists[0];
  const placesOf = async (step: number) => {
    const places: number[] = [];
    for (let from = 0; from < SPEC.capacitySectors;) {
      const to = Math.min(SPEC.capacitySectors, from + step);
      const reached = await extent.fill(core, list, { from, to, shift: 0, owner: 0 }, {
        finding: ({ message }) => assert.fail(message),
      });
      assert.ok(reached > from && reached <= to);
      let next = from;
      for (const { start, length, place } of recordsOf(list)) {
        assert.equal(start, next, "gap-free");
        for (let i = 0; i < length; i++) places.push(place < 0 ? place : place + i);
        next += length;
      }
      assert.equal(next, reached);
      from = reached;
    }
    return places;
  };
  const whole = await placesOf(Infinity);
  assert.equal(whole.length, SPEC.capacitySectors);
  for (const step of [1000, 8191, 8192, 8193]) {
    assert.deepEqual(await placesOf(step), whole, `steps of ${step}`);
  }
});

Deno.test("a directory of many pages is walked to its end; a table that does not exist costs no read", async () => {
  const capacitySectors = 4096 * 40_000;
  const last = capacitySectors - 1;
  const image = buildCowd({
    capacitySectors,
    grainSectors: 1,
    seed: 1,
    grains: dataGrains([last, 0, 4096 * 16_384]),
  });
  let reads = 0;
  const context = memoryContext({ "a-delta.vmdk": image.bytes });
  const { open } = context.files;
  const link = await openLink("a-delta.vmdk", {
    ...context,
    files: {
      ...context.files,
      async open(path) {
        const source = await open(path);
        return { ...source, read: (batch, buffer) => (reads++, source.read(batch, buffer)) };
      },
    },
  }, "delta");
  reads = 0;
  const totals = await totalsOf(new Disk(core, [link]));
  assert.equal(totals.dataBytes, 3 * SECTOR_SIZE);
  assert.equal(totals.holeBytes, (capacitySectors - 3) * SECTOR_SIZE);
  assert.ok(reads <= 6, `${reads} reads for 3 pages and 3 tables`);
  const { extent } = link.extents[0]!;
  assert.equal(await extent.entryOffset!(last), image.layout.entries.get(last));
  assert.equal(await extent.entryOffset!(5000), undefined, "no table, no entry");
});

Deno.test("the entry that decides about a sector is where the file has it", async () => {
  const image = buildHosted(SPEC);
  const { extent } = (await openBytes(image.bytes)).extents[0]!;
  for (const grain of [0, 5, 700, 2400]) {
    const at = await extent.entryOffset!(grain * SPEC.grainSectors + 3);
    assert.equal(at, image.layout.entries.get(grain));
    assert.equal(getU32(image.bytes, at!) * SECTOR_SIZE, image.layout.grains.get(grain));
  }
});

for (const tableEntries of [1, 2, 4, 8]) {
  Deno.test(`D10: tables of ${tableEntries} entries, every second of them missing, are read in full`, async () => {
    // Each entry is a run of its own, each missing table another: more of them than one step has room for.
    const tables = Math.ceil(70_000 / (tableEntries + 1));
    const indexes = sequence({ from: 0, count: tables })
      .flatMap((table) => sequence({ from: 2 * table * tableEntries, count: tableEntries }));
    const spec: HostedSpec = {
      capacitySectors: 2 * tables * tableEntries,
      grainSectors: 1,
      tableEntries,
      seed: 6,
      redundant: false,
      tables: "first-touch",
      grains: dataGrains([...indexes].reverse()),
    };
    const { bytes } = buildHosted(spec);
    const { findings, dataBytes, holeBytes } = await surveyLink(core, await openBytes(bytes), {
      overlaps: true,
    });
    assert.equal(findings.counts.damage, 0);
    assert.equal(dataBytes, indexes.length * SECTOR_SIZE);
    assert.equal(holeBytes, dataBytes);
    const found = await readWhole(new Disk(core, [await openBytes(bytes)]));
    assert.ok(sameBytes(found, overlay(new Uint8Array(found.length), spec)));
  });
}

/** A file of any length that holds zeros behind its first bytes, as sparse files do. */
function sparseSource(path: string, front: Uint8Array, sizeBytes: number): Source {
  return {
    path,
    sizeBytes,
    read(batch, buffer) {
      for (let i = 0; i < batch.count; i++) {
        const at = batch.at[i]!;
        const into = buffer.subarray(at, at + batch.lengthBytes[i]!);
        into.fill(0);
        into.set(front.subarray(batch.offsetBytes[i]!, batch.offsetBytes[i]! + into.length));
      }
    },
    close() {},
  };
}

Deno.test("D10: a directory larger than any disk needs is refused at once, the largest one is read", async () => {
  const { bytes } = buildHosted({ ...SPEC, redundant: false });
  const open = async (entries: number) => {
    const front = bytes.slice(0, 4096);
    const field = (at: number, size: 4 | 8, value: number) => putInteger(front, { at, size, value });
    field(12, 8, entries);
    field(20, 8, 1);
    field(44, 4, 1);
    field(56, 8, 100);
    const context = memoryContext({ "disk.vmdk": front });
    const files = { ...context.files, open: (path: string) => sparseSource(path, front, 2 ** 40) };
    const link = await openLink("disk.vmdk", { ...context, files }, "delta");
    return await surveyLink(core, link, { overlaps: false });
  };
  await assert.rejects(open(2 ** 36), (error: RegrainError) => {
    assert.equal(error.code, "LIMIT_EXCEEDED");
    assert.match(error.message, /a grain directory of 68,719,476,736 entries, 33,554,432 is the most/);
    assert.ok(error.hint);
    return true;
  });
  await assert.rejects(open(MAX_DIRECTORY_ENTRIES + 1), /33,554,433 entries/);
  const { holeBytes } = await open(MAX_DIRECTORY_ENTRIES);
  assert.equal(holeBytes, MAX_DIRECTORY_ENTRIES * SECTOR_SIZE);
});
