import assert from "node:assert/strict";
import {
  type GptEntry,
  gptParts,
  gptSource,
  mbrSector,
  PatchedSource,
  protectiveMbr,
  putText,
  sealed,
  viewOf,
} from "../../../test/helpers/guest_disk.ts";
import {
  btrfs,
  exfat,
  ext,
  fat,
  iso9660,
  luks,
  lvm,
  ntfs,
  swap,
  xfs,
} from "../../../test/helpers/superblocks.ts";
import { checkAsync, fc } from "../../../test/helpers/property.ts";
import { memorySource } from "../../../test/helpers/memory.ts";
import type { Source } from "../source.ts";
import { KIB, MIB } from "../units.ts";
import { surveyGuest } from "./guest.ts";

const SIZE = 64 * MIB;

/** Areas as `kind index type from-to`, in MiB. */
async function areasOf(source: Source): Promise<string[]> {
  const { areas } = await surveyGuest(source);
  assertTiles(areas, source.sizeBytes);
  return areas.map(({ kind, partition, fileSystem, startBytes, lengthBytes }) => {
    const place = `${startBytes / MIB}-${(startBytes + lengthBytes) / MIB}`;
    return [kind, partition?.index ?? "", fileSystem?.type ?? "", place].filter((part) => part !== "").join(
      " ",
    );
  });
}

function assertTiles(areas: readonly { startBytes: number; lengthBytes: number }[], sizeBytes: number): void {
  let reached = 0;
  for (const { startBytes, lengthBytes } of areas) {
    assert.equal(startBytes, reached);
    assert.ok(lengthBytes > 0);
    reached += lengthBytes;
  }
  assert.equal(reached, sizeBytes);
}

const ENTRIES: readonly GptEntry[] = [
  { index: 1, first: 2048, last: 4095 },
  { index: 2, first: 8192, last: 16_383 },
];

Deno.test("a disk with partitions has areas for them and for the gaps, with what is in them", async () => {
  const made = gptParts({ sizeBytes: SIZE, entries: ENTRIES });
  const source = gptSource(SIZE, made, { [MIB]: luks(1), [4 * MIB]: luks(2) });
  assert.deepEqual(await areasOf(source), [
    "unpartitioned 0-1",
    "partition 1 luks1 1-2",
    "unpartitioned 2-4",
    "partition 2 luks2 4-8",
    "unpartitioned 8-64",
  ]);
  assert.ok(source.batches <= 3, `${source.batches}`);
});

Deno.test("a file system straight on the disk is one area", async () => {
  assert.deepEqual(await areasOf(new PatchedSource(SIZE, { 0: luks(2) })), ["disk luks2 0-64"]);
  assert.deepEqual(await areasOf(new PatchedSource(SIZE, {})), ["disk empty 0-64"]);
  const noise = new Uint8Array(128 * KIB).fill(0xff);
  assert.deepEqual(await areasOf(new PatchedSource(SIZE, { 0: noise })), ["disk 0-64"]);
  assert.deepEqual(await areasOf(new PatchedSource(0, {})), []);
});

Deno.test("a table without partitions leaves the disk unpartitioned, unless a file system is there", async () => {
  assert.deepEqual(await areasOf(new PatchedSource(SIZE, { 0: mbrSector([]) })), ["unpartitioned 0-64"]);
  const xfs = mbrSector([]);
  putText(xfs, 0, "XFSB");
  viewOf(xfs).setUint32(4, 4096);
  viewOf(xfs).setUint32(88, 4);
  assert.deepEqual(await areasOf(new PatchedSource(SIZE, { 0: xfs })), ["disk xfs 0-64"]);
});

Deno.test("a partition that another overlaps is looked into from its own start", async () => {
  const mbr = mbrSector([{ type: 0x83, start: 2048, sectors: 4096 }, {
    type: 0x83,
    start: 4096,
    sectors: 8192,
  }]);
  const source = new PatchedSource(SIZE, { 0: mbr, [2 * MIB]: luks(2) });
  assert.deepEqual(await areasOf(source), [
    "unpartitioned 0-1",
    "partition 1 empty 1-3",
    "partition 2 luks2 3-6",
    "unpartitioned 6-64",
  ]);
});

Deno.test("logical partitions are areas, their extended one is not", async () => {
  const source = new PatchedSource(SIZE, {
    0: mbrSector([{ type: 0x05, start: 2048, sectors: 65_536 }]),
    [MIB]: mbrSector([{ type: 0x83, start: 2048, sectors: 2048 }]),
    [2 * MIB]: luks(2),
  });
  assert.deepEqual(await areasOf(source), [
    "unpartitioned 0-2",
    "partition 5 luks2 2-3",
    "unpartitioned 3-64",
  ]);
});

Deno.test("a cut-off disk has what is left of its partitions", async () => {
  const made = gptParts({ sizeBytes: SIZE, entries: ENTRIES });
  const source = gptSource(5 * MIB, made, { [4 * MIB]: luks(2) });
  assert.deepEqual(await areasOf(source), [
    ...["unpartitioned 0-1", "partition 1 empty 1-2", "unpartitioned 2-4", "partition 2 luks2 4-5"],
  ]);
  const { table } = await surveyGuest(source);
  assert.match(
    table.problems.map(({ message }) => message).join(),
    /ends at byte 8388608, the disk at byte 5242880/,
  );
});

/** Numbers that break what believes them. */
const nasty = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n),
  fc.bigInt({ min: 0n, max: 4096n }),
);

const SMALL = MIB;
/** Where its partitions begin, in sectors. */
const [FIRST, SECOND, EXTENDED] = [256, 768, 1280];

/** A small disk that leads on in every way: a GPT, a chain of logical partitions. What the MBR says, is left out. */
function smallDisk(): Uint8Array {
  const bytes = new Uint8Array(SMALL);
  const entries = [{ index: 1, first: FIRST, last: SECOND - 1 }, { index: 2, first: SECOND, last: EXTENDED }];
  const made = gptParts({ sizeBytes: SMALL, entries });
  const logical = [{ type: 0x83, start: 1, sectors: 100 }, { type: 5, start: 200, sectors: 100 }];
  bytes.set(made.primary, made.places.primary);
  bytes.set(made.array, made.places.array);
  bytes.set(made.backup, made.places.backup);
  bytes.set(made.array, made.places.backupArray);
  bytes.set(mbrSector(logical), EXTENDED * 512);
  bytes.set(mbrSector(logical.slice(0, 1)), (EXTENDED + 200) * 512);
  return bytes;
}

const MBRS = [
  protectiveMbr(),
  mbrSector([
    { type: 0x83, start: FIRST, sectors: 500 },
    { type: 0x83, start: SECOND, sectors: 500 },
    { type: 0x05, start: EXTENDED, sectors: 400 },
  ]),
  new Uint8Array(512),
];

/** Superblocks by what they are recognised as. */
const SUPERBLOCKS: Readonly<Record<string, Uint8Array>> = {
  ext2: ext({}),
  ext4: ext({ incompatible: 0xc0 }),
  xfs: xfs(),
  btrfs: btrfs(),
  ntfs: ntfs(),
  fat12: fat({ sectors: 2000, fatSectors: 20, rootEntries: 512 }),
  fat32: fat({ sectors: 100_000, fatSectors: 20, rootEntries: 0 }),
  exfat: exfat(),
  lvm: lvm(1),
  luks1: luks(1),
  swap: swap(),
  iso9660: iso9660(),
};

Deno.test("no bytes make the survey throw, and its areas always tile the disk", async () => {
  const places = [0, FIRST * 512, SECOND * 512];
  const near = (place: number, bytes: number) => fc.integer({ min: place, max: place + bytes - 8 });
  const change = fc.record({
    at: fc.oneof(
      ...places.map((place) => near(place, 2048)),
      near(SMALL - 512, 512),
      near(EXTENDED * 512 + 446, 66),
      near(0, SMALL),
    ),
    value: nasty,
  });
  const superblock = fc.record({
    place: fc.constantFrom(...places),
    type: fc.constantFrom(...Object.keys(SUPERBLOCKS)),
  });
  const input = fc.record({
    mbr: fc.constantFrom(...MBRS),
    superblocks: fc.array(superblock, { maxLength: 3 }),
    changes: fc.array(change, { maxLength: 6 }),
    isSealed: fc.boolean(),
    sizeBytes: fc.oneof(fc.constant(SMALL), near(0, SMALL), near(0, 8192)),
  });
  const seen = new Set<string>();
  const template = smallDisk();
  await checkAsync(
    fc.asyncProperty(input, async ({ mbr, superblocks, changes, isSealed, sizeBytes }) => {
      const bytes = template.slice();
      bytes.set(mbr);
      for (const { place, type } of superblocks) bytes.set(SUPERBLOCKS[type]!, place);
      for (const { at, value } of changes) viewOf(bytes).setBigUint64(at, value, true);
      if (isSealed) {
        sealed(bytes.subarray(512, 1024));
        sealed(bytes.subarray(SMALL - 512));
      }
      const { table, areas } = await surveyGuest(memorySource("x.img", bytes.subarray(0, sizeBytes)));
      assertTiles(areas, sizeBytes);
      seen.add(table.scheme);
      for (const { fileSystem } of areas) if (fileSystem) seen.add(fileSystem.type);
    }),
    { runs: 1500 },
  );
  const expected = [...Object.keys(SUPERBLOCKS), "empty", "gpt", "mbr", "none"];
  assert.deepEqual(expected.filter((each) => !seen.has(each)), []);
});

Deno.test("disks of nothing but random bytes, or of one byte, are surveyed", async () => {
  const random = fc.uint8Array({ minLength: 0, maxLength: 80 * KIB });
  await checkAsync(
    fc.asyncProperty(random, async (bytes) => {
      const { areas } = await surveyGuest(memorySource("x.img", bytes));
      assertTiles(areas, bytes.length);
    }),
    { runs: 100 },
  );
  for (const filler of [0x00, 0x55, 0xaa, 0xff]) {
    const bytes = new Uint8Array(2 * MIB).fill(filler);
    bytes.set([0x55, 0xaa], 510);
    const { areas } = await surveyGuest(memorySource("x.img", bytes));
    assertTiles(areas, bytes.length);
  }
});
