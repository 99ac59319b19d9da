import assert from "node:assert/strict";
import {
  type MbrEntry,
  mbrSector,
  PatchedSource,
  putText,
  viewOf,
} from "../../../test/helpers/guest_disk.ts";
import { MIB, SECTOR_SIZE, TIB } from "../units.ts";
import { readPartitions } from "./partitions.ts";

const SIZE = 64 * MIB;
const linux = (start: number, sectors: number): MbrEntry => ({ type: 0x83, start, sectors });
const extended = (start: number, sectors: number): MbrEntry => ({ type: 0x05, start, sectors });

/** A disk with records at sectors. */
function diskOf(records: Readonly<Record<number, Uint8Array>>, sizeBytes = SIZE): PatchedSource {
  const patches = Object.entries(records).map(([sector, bytes]) => [Number(sector) * SECTOR_SIZE, bytes]);
  return new PatchedSource(sizeBytes, Object.fromEntries(patches));
}

/** The partitions of a disk as `index start sectors`. */
async function partitionsOf(disk: PatchedSource): Promise<string[]> {
  const { partitions } = await readPartitions(disk);
  return partitions.map((each) =>
    `${each.index} ${each.startBytes / SECTOR_SIZE} ${each.lengthBytes / SECTOR_SIZE}`
  );
}

async function problemsOf(disk: PatchedSource): Promise<string[]> {
  return (await readPartitions(disk)).problems.map(({ offsetBytes, message }) =>
    `${offsetBytes}: ${message}`
  );
}

Deno.test("primary partitions have the number of their entry", async () => {
  const active = { type: 0x07, start: 2048, sectors: 4096, flag: 0x80 };
  const disk = diskOf({ 0: mbrSector([active, undefined, linux(8192, 100)], 0xbeef) });
  const table = await readPartitions(disk);
  assert.deepEqual([table.scheme, table.id, table.sectorBytes], ["mbr", "0000beef", 512]);
  assert.deepEqual(table.problems, []);
  assert.deepEqual(table.partitions[0], {
    index: 1,
    startBytes: MIB,
    lengthBytes: 2 * MIB,
    type: { id: "07", name: "NTFS/exFAT" },
    name: undefined,
    uuid: undefined,
    isBootable: true,
    isExtended: false,
    entryOffsetBytes: 446,
  });
  assert.deepEqual(await partitionsOf(disk), ["1 2048 4096", "3 8192 100"]);
});

Deno.test("a disk with primary partitions takes one batch of two reads", async () => {
  const disk = diskOf({ 0: mbrSector([linux(2048, 4096)]) });
  await readPartitions(disk);
  assert.deepEqual([disk.batches, disk.transfers], [1, 2]);
});

Deno.test("logical partitions are counted from 5 along their chain", async () => {
  const disk = diskOf({
    0: mbrSector([linux(2048, 100), extended(10_000, 50_000)]),
    10_000: mbrSector([linux(63, 1000), extended(5000, 4000)]),
    15_000: mbrSector([linux(63, 2000), extended(20_000, 4000)]),
    30_000: mbrSector([linux(1, 3000)]),
  });
  assert.deepEqual(await partitionsOf(disk), [
    ...["1 2048 100", "2 10000 50000"],
    ...["5 10063 1000", "6 15063 2000", "7 30001 3000"],
  ]);
  const { partitions, problems } = await readPartitions(disk);
  assert.deepEqual(problems, []);
  assert.deepEqual(partitions.filter(({ isExtended }) => isExtended).map(({ index }) => index), [2]);
  assert.equal(partitions[3]!.entryOffsetBytes, 15_000 * SECTOR_SIZE + 446);
});

Deno.test("a link may be first in its record, and a record may hold nothing else", async () => {
  const disk = diskOf({
    0: mbrSector([extended(10_000, 50_000)]),
    10_000: mbrSector([extended(5000, 4000)]),
    15_000: mbrSector([linux(63, 2000)]),
  });
  assert.deepEqual(await partitionsOf(disk), ["1 10000 50000", "5 15063 2000"]);
});

Deno.test("the last two entries of a record count only where they fit", async () => {
  const record = mbrSector([linux(63, 100), undefined, linux(200, 100), linux(40_000_000, 100)]);
  const disk = diskOf({ 0: mbrSector([extended(10_000, 50_000)]), 10_000: record });
  assert.deepEqual(await partitionsOf(disk), ["1 10000 50000", "5 10063 100", "6 10200 100"]);
  const bounded = diskOf({
    0: mbrSector([extended(10_000, 50_000)]),
    10_000: mbrSector([linux(63, 100), extended(5000, 1000)]),
    15_000: mbrSector([linux(63, 100), undefined, linux(900, 100), linux(901, 100)]),
  });
  assert.deepEqual(await partitionsOf(bounded), [
    ...["1 10000 50000", "5 10063 100", "6 15063 100", "7 15900 100"],
  ]);
});

Deno.test("an entry without sectors is not used, one without a type is", async () => {
  const disk = diskOf({ 0: mbrSector([linux(2048, 0), { type: 0, start: 1, sectors: 9 }, linux(4096, 10)]) });
  assert.deepEqual(await partitionsOf(disk), ["2 1 9", "3 4096 10"]);
});

Deno.test("a chain that comes back ends there, with a word about it", async () => {
  const records = { 0: mbrSector([extended(10_000, 50_000)]) };
  const itself = diskOf({ ...records, 10_000: mbrSector([linux(63, 100), extended(0, 4000)]) });
  assert.deepEqual(await partitionsOf(itself), ["1 10000 50000", "5 10063 100"]);
  assert.deepEqual(await problemsOf(itself), [
    `${10_000 * 512 + 462}: the chain of logical partitions comes back to byte 5120000`,
  ]);
  const pair = diskOf({
    ...records,
    10_000: mbrSector([linux(63, 100), extended(5000, 4000)]),
    15_000: mbrSector([linux(63, 100), extended(0, 4000)]),
  });
  assert.deepEqual(await partitionsOf(pair), ["1 10000 50000", "5 10063 100", "6 15063 100"]);
  assert.match((await problemsOf(pair))[0]!, /comes back to byte 5120000/);
  const first = diskOf({ 0: mbrSector([extended(0, 1000), linux(2048, 100)]) });
  assert.deepEqual(await partitionsOf(first), ["1 0 1000", "2 2048 100"]);
  assert.match((await problemsOf(first))[0]!, /^446: .*comes back to byte 0$/);
});

Deno.test("a chain of thousands of links is not followed to its end", async () => {
  const records: Record<number, Uint8Array> = { 0: mbrSector([extended(1000, 100_000)]) };
  for (let i = 0; i < 1000; i++) records[1000 + i] = mbrSector([undefined, extended(i + 1, 10)]);
  const disk = diskOf(records);
  assert.match((await problemsOf(disk)).join(), /more than 255 links; the rest is left out/);
  assert.ok(disk.batches < 270, `${disk.batches}`);
  for (let i = 0; i < 1000; i++) records[1000 + i] = mbrSector([linux(50_000 + i, 1), extended(i + 1, 10)]);
  const full = await readPartitions(diskOf(records));
  assert.equal(full.partitions.at(-1)!.index, 255);
  assert.match(full.problems.map(({ message }) => message).join(), /beyond number 255; they are left out/);
});

Deno.test("a chain that leads nowhere is said to", async () => {
  const master = mbrSector([extended(10_000, 50_000)]);
  const zeros = diskOf({ 0: master });
  assert.deepEqual(await problemsOf(zeros), [
    "446: the chain of logical partitions leads to byte 5120000, where no record is",
  ]);
  const next = mbrSector([linux(63, 100), extended(0xffffffff, 100)]);
  const behind = diskOf({ 0: master, 10_000: next });
  assert.match((await problemsOf(behind)).join(), /leads to byte 2199028375040, behind the end of the disk/);
});

Deno.test("partitions that lie where they should not are said to", async () => {
  const beyond = await problemsOf(diskOf({ 0: mbrSector([linux(2048, 0xffffffff)]) }));
  assert.deepEqual(beyond, ["446: partition 1 ends at byte 2199024303616, the disk at byte 67108864"]);
  const overlapping = await problemsOf(diskOf({ 0: mbrSector([linux(5000, 100), linux(2048, 4096)]) }));
  assert.deepEqual(overlapping, [
    "446: partition 1 starts at byte 2560000, inside partition 2, which ends at byte 3145728",
  ]);
  const around = await problemsOf(
    diskOf({ 0: mbrSector([linux(2048, 9000), linux(3000, 10), linux(9000, 10)]) }),
  );
  assert.deepEqual(around.map((problem) => /partition \d .* partition \d/.exec(problem)?.[0]), [
    "partition 2 starts at byte 1536000, inside partition 1",
    "partition 3 starts at byte 4608000, inside partition 1",
  ]);
  const outside = diskOf({ 0: mbrSector([extended(100, 1000)]), 100: mbrSector([linux(63, 5000)]) });
  assert.match(
    (await problemsOf(outside)).join(),
    /partition 5 is logical, and does not lie in the extended/,
  );
  const inside = diskOf({
    0: mbrSector([extended(100, 1000), linux(500, 10)]),
    100: mbrSector([linux(10, 20)]),
  });
  assert.match((await problemsOf(inside)).join(), /partition 2 starts at byte 256000, inside partition 1/);
});

Deno.test("a disk without the signature, or with other flags, has no MBR", async () => {
  const unsigned = mbrSector([linux(2048, 100)]);
  unsigned[511] = 0;
  const flagged = mbrSector([linux(2048, 100), { ...linux(1, 1), flag: 0x55 }]);
  const ones = new Uint8Array(SIZE / 16).fill(0xff);
  for (const sector of [unsigned, flagged, ones, new Uint8Array(512)]) {
    const table = await readPartitions(diskOf({ 0: sector }));
    assert.deepEqual([table.scheme, table.partitions, table.problems], ["none", [], []]);
  }
});

Deno.test("boot sectors of file systems are no MBR, although they end in its signature", async () => {
  const fat = mbrSector([linux(2048, 100)]);
  fat.set([0xeb, 0x3c, 0x90]);
  const view = viewOf(fat);
  view.setUint16(11, 512, true);
  fat.set([4, 1, 0, 2, 0, 2], 13);
  view.setUint16(19, 20_000, true);
  fat[21] = 0xf8;
  view.setUint16(22, 20, true);
  const ntfs = mbrSector([linux(2048, 100)]);
  putText(ntfs, 3, "NTFS    ");
  ntfs.set([0, 2, 8], 11);
  const exfat = mbrSector([linux(2048, 100)]);
  putText(exfat, 3, "EXFAT   ");
  exfat.set([9, 3], 108);
  for (const sector of [fat, ntfs, exfat]) {
    assert.equal((await readPartitions(diskOf({ 0: sector }))).scheme, "none");
    // The same with one field that no such file system has.
    sector[12] = 0x7f;
    sector[108] = 0;
    assert.equal((await readPartitions(diskOf({ 0: sector }))).scheme, "mbr");
  }
});

Deno.test("a disk smaller than its first sector has no partitions", async () => {
  for (const sizeBytes of [0, 1, 511]) {
    const disk = new PatchedSource(sizeBytes, { 0: mbrSector([linux(2048, 100)]) });
    assert.equal((await readPartitions(disk)).scheme, "none");
  }
});

Deno.test("offsets beyond 32 bits are exact", async () => {
  const disk = diskOf({ 0: mbrSector([linux(0xfffffff0, 0xfffffff0)]) }, 8 * TIB);
  assert.deepEqual(await partitionsOf(disk), ["1 4294967280 4294967280"]);
  assert.deepEqual(await problemsOf(disk), []);
});

Deno.test("what reading throws is passed on", async () => {
  const disk = diskOf({ 0: mbrSector([linux(2048, 100)]) });
  disk.read = () => {
    throw new Error("the cable fell out");
  };
  await assert.rejects(readPartitions(disk), /cable/);
});
