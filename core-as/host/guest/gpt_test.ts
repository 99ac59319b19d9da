import assert from "node:assert/strict";
import {
  DISK_GUID,
  EFI_GUID,
  type GptEntry,
  type GptParts,
  gptParts,
  gptSource,
  LINUX_GUID,
  mbrSector,
  PatchedSource,
  protectiveMbr,
  sealed,
  viewOf,
  zlibCrc32,
} from "../../../test/helpers/guest_disk.ts";
import { MIB, TIB } from "../units.ts";
import { readPartitions } from "./partitions.ts";

const SIZE = 64 * MIB;
const LAST = SIZE - 512;
const ENTRIES: readonly GptEntry[] = [
  { index: 1, first: 2048, last: 4095, type: EFI_GUID, name: "EFI system" },
  { index: 3, first: 8192, last: 16_383, attributes: 4n },
];

const parts = (changes: Partial<Parameters<typeof gptParts>[0]> = {}) =>
  gptParts({ sizeBytes: SIZE, entries: ENTRIES, ...changes });

/** A copy of a header with other fields and the right checksum. */
function header(of: Uint8Array, change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = of.slice();
  change(viewOf(bytes), bytes);
  return sealed(bytes);
}

/** Both copies changed in the same way. */
function both(made: GptParts, change: (view: DataView) => void): GptParts {
  return { ...made, primary: header(made.primary, change), backup: header(made.backup, change) };
}

async function read(disk: PatchedSource) {
  const table = await readPartitions(disk);
  return {
    ...table,
    indexes: table.partitions.map(({ index }) => index),
    said: table.problems.map(({ offsetBytes, message }) => `${offsetBytes}: ${message}`),
  };
}

Deno.test("a sound GPT is read with names, types and flags", async () => {
  const table = await read(gptSource(SIZE, parts()));
  assert.deepEqual([table.scheme, table.id, table.sectorBytes, table.isBackup], [
    "gpt",
    DISK_GUID,
    512,
    false,
  ]);
  assert.deepEqual(table.said, []);
  assert.deepEqual(table.partitions, [{
    index: 1,
    startBytes: MIB,
    lengthBytes: MIB,
    type: { id: EFI_GUID, name: "EFI System" },
    name: "EFI system",
    uuid: `${DISK_GUID.slice(0, -2)}01`,
    isBootable: false,
    isExtended: false,
    entryOffsetBytes: 1024,
  }, {
    index: 3,
    startBytes: 4 * MIB,
    lengthBytes: 4 * MIB,
    type: { id: LINUX_GUID, name: "Linux" },
    name: undefined,
    uuid: `${DISK_GUID.slice(0, -2)}03`,
    isBootable: true,
    isExtended: false,
    entryOffsetBytes: 1024 + 256,
  }]);
});

Deno.test("a usual GPT with its backup takes one batch of two reads, in either size of sectors", async () => {
  for (const sectorBytes of [512, 4096]) {
    const disk = gptSource(SIZE, parts({ sectorBytes, entries: [{ index: 1, first: 256, last: 511 }] }));
    const table = await read(disk);
    assert.deepEqual([disk.batches, disk.transfers], [1, 2]);
    assert.deepEqual([table.sectorBytes, table.indexes, table.said], [sectorBytes, [1], []]);
    assert.equal(table.partitions[0]!.lengthBytes, 256 * sectorBytes);
  }
});

Deno.test("a first copy with any wrong byte is replaced by the backup", async () => {
  const made = parts();
  const wrong: Record<string, Record<number, Uint8Array>> = {
    "no header": { 512: new Uint8Array(512) },
    "header checksum": { 512: made.primary.map((byte, i) => i === 60 ? byte ^ 1 : byte) },
    "entries checksum": { 1024: made.array.map((byte, i) => i === 127 ? byte ^ 1 : byte) },
    "elsewhere": { 512: header(made.primary, (view) => view.setBigUint64(24, 2n, true)) },
    "header too short": { 512: header(made.primary, (view) => view.setUint32(12, 91, true)) },
    "header too long": { 512: header(made.primary, (view) => view.setUint32(12, 513, true)) },
  };
  for (const [what, over] of Object.entries(wrong)) {
    const table = await read(gptSource(SIZE, made, over));
    assert.deepEqual([table.isBackup, table.indexes], [true, [1, 3]], what);
    assert.equal(table.partitions[0]!.entryOffsetBytes, made.places.backupArray, what);
    assert.match(table.said[0]!, /^512: /, what);
    assert.equal(table.said[1], `${LAST}: the backup of the GPT is used, which is sound`, what);
    assert.equal(table.said.length, 2, what);
  }
});

Deno.test("a damaged copy says what is wrong with it", async () => {
  const made = parts();
  const rows: [Uint8Array, RegExp][] = [
    [made.primary.map((byte, i) => i === 60 ? byte ^ 1 : byte), /has checksum 0x[0-9a-f]{8}, and says 0x/],
    [
      header(made.primary, (view) => view.setUint32(12, 2 ** 32 - 1, true)),
      /says that it has 4294967295 bytes/,
    ],
    [
      header(made.primary, (view) => view.setBigUint64(24, 2n ** 64n - 1n, true)),
      /in sector 18446744073709551615/,
    ],
    [header(made.primary, (view) => view.setUint32(84, 0, true)), /entries of 0 bytes/],
    [header(made.primary, (view) => view.setUint32(84, 129, true)), /entries of 129 bytes/],
    [header(made.primary, (view) => view.setUint32(84, 2 ** 31, true)), /128 entries of 2147483648 bytes/],
    [
      header(made.primary, (view) => view.setUint32(80, 2 ** 32 - 1, true)),
      /4294967295 entries of 128 bytes/,
    ],
    [header(made.primary, (view) => view.setUint32(80, 0, true)), /0 entries of 128 bytes/],
    [header(made.primary, (view) => view.setBigUint64(72, 2n ** 63n, true)), /entries are in sector 922337/],
    [header(made.primary, (view) => view.setBigUint64(72, 131_071n, true)), /entries are behind the end/],
  ];
  for (const [primary, message] of rows) {
    const disk = gptSource(SIZE, { ...made, primary });
    const table = await read(disk);
    assert.match(table.said[0]!, message);
    assert.deepEqual([table.isBackup, table.indexes], [true, [1, 3]], table.said[0]);
    assert.ok(disk.readBytes < 2 * MIB);
  }
});

Deno.test("a damaged header where small sectors would have it does not hide a sound one of large sectors", async () => {
  const made = parts({ sectorBytes: 4096, entries: [{ index: 1, first: 256, last: 511 }] });
  const table = await read(gptSource(SIZE, made, { 512: parts().primary.fill(7, 60, 70) }));
  assert.deepEqual([table.sectorBytes, table.indexes, table.said], [4096, [1], []]);
});

Deno.test("with neither copy sound, what has a sound header is shown as doubtful", async () => {
  const made = parts();
  const array = made.array.map((byte, i) => i === 127 ? byte ^ 1 : byte);
  const table = await read(gptSource(SIZE, { ...made, array }));
  assert.deepEqual([table.scheme, table.indexes, table.isBackup], ["gpt", [1, 3], false]);
  assert.equal(table.said.length, 3);
  assert.match(table.said[2]!, /^512: neither copy of the GPT is sound/);
  const onlyBackup = await read(gptSource(SIZE, { ...made, array }, { 512: new Uint8Array(512) }));
  assert.deepEqual([onlyBackup.indexes, onlyBackup.isBackup], [[1, 3], true]);
});

Deno.test("an announced GPT that is nowhere leaves a table without partitions", async () => {
  for (const filler of [0x00, 0xff]) {
    const bytes = new Uint8Array(SIZE / 4).fill(filler);
    bytes.set(protectiveMbr());
    const table = await read(
      new PatchedSource(SIZE, { 0: bytes, [SIZE - MIB]: new Uint8Array(MIB).fill(filler) }),
    );
    assert.deepEqual([table.scheme, table.id, table.partitions], ["gpt", undefined, []]);
    assert.deepEqual(table.said, [
      "512: the MBR announces a GPT, and there is no header",
      `${LAST}: there is no backup of the GPT`,
    ]);
  }
});

Deno.test("a disk that was cut off or has grown is said to", async () => {
  const cut = await read(gptSource(SIZE - MIB, parts()));
  assert.deepEqual([cut.indexes, cut.isBackup], [[1, 3], false]);
  assert.match(cut.said[0]!, /^512: the backup of the GPT is at byte 67108352, .*was the disk cut off\?/);
  const grown = await read(gptSource(2 * SIZE, parts()));
  assert.match(
    grown.said.join(),
    /^512: .*not in the last sector at byte 134217216; the disk has become larger/,
  );
  const nowhere = header(parts().primary, (view) => view.setBigUint64(32, 2n ** 64n - 1n, true));
  assert.match((await read(gptSource(SIZE, { ...parts(), primary: nowhere }))).said.join(), /is on no disk/);
});

Deno.test("a grown disk whose first array is damaged is read from the backup that the header names", async () => {
  const table = await read(gptSource(2 * SIZE, parts(), { 1024: new Uint8Array(16_384) }));
  assert.deepEqual([table.indexes, table.isBackup], [[1, 3], true]);
});

Deno.test("a backup that is damaged, absent or different is said to be", async () => {
  const made = parts();
  const other = parts({ entries: ENTRIES.slice(1) });
  const foreign = header(made.backup, (_view, bytes) => bytes[56]! ^= 1);
  const rows: [Record<number, Uint8Array>, RegExp][] = [
    [{ [LAST]: new Uint8Array(512) }, /no backup of the GPT where its header says/],
    [{ [LAST]: made.backup.map((byte, i) => i === 60 ? 9 : byte) }, /the backup: the GPT header is damaged/],
    [{ [made.places.backupArray]: new Uint8Array(16_384) }, /the backup: .*the entries have checksum/],
    [{ [LAST]: other.backup, [made.places.backupArray]: other.array }, /differs from the first copy/],
    [{ [LAST]: foreign }, /differs from the first copy/],
  ];
  for (const [over, message] of rows) {
    const table = await read(gptSource(SIZE, made, over));
    assert.deepEqual([table.isBackup, table.indexes, table.said.length], [false, [1, 3], 1]);
    assert.match(table.said[0]!, message);
    assert.equal(table.problems[0]!.offsetBytes, LAST);
  }
});

Deno.test("entries that go nowhere are left out, those behind the end are not", async () => {
  const max = 2n ** 64n - 1n;
  const entries: GptEntry[] = [
    { index: 1, first: 4096, last: 4095 },
    { index: 2, first: max, last: max },
    { index: 4, first: 2n ** 44n, last: 2n ** 44n },
    { index: 5, first: 2048, last: 2048 },
    { index: 6, first: 2n ** 40n, last: 2n ** 41n },
  ];
  const table = await read(gptSource(SIZE, parts({ entries })));
  assert.deepEqual(table.indexes, [5, 6]);
  assert.deepEqual(table.said.slice(0, 2), [
    "1024: partition 1 goes from sector 4096 to 4095; it is left out",
    `1152: partition 2 goes from sector ${max} to ${max}; it is left out`,
  ]);
  assert.match(table.said[2]!, /^1408: partition 4 /);
  assert.match(table.said[3]!, /^1664: partition 6 ends at byte \d+, the disk at byte 67108864$/);
});

Deno.test("entries may be larger than usual, and more", async () => {
  const table = await read(gptSource(SIZE, parts({ entryBytes: 512, count: 400 })));
  assert.deepEqual([table.indexes, table.said], [[1, 3], []]);
});

Deno.test("no more partitions are taken than Linux takes", async () => {
  const entries = Array.from({ length: 300 }, (_, i) => ({ index: i + 1, first: 4096 + i, last: 4096 + i }));
  const table = await read(gptSource(SIZE, parts({ entries, count: 512 })));
  assert.equal(table.partitions.length, 255);
  assert.deepEqual(table.said, [
    `${1024 + 255 * 128}: the GPT has more than 255 partitions; the rest is left out`,
  ]);
});

Deno.test("thousands of things that are wrong are not all told", async () => {
  const entries = Array.from({ length: 8000 }, (_, i) => ({ index: i + 1, first: 9, last: 8 }));
  const table = await read(gptSource(SIZE, parts({ entries, count: 8192 })));
  assert.equal(table.said.length, 101);
  assert.equal(table.said[100], `${1024 + 100 * 128}: 7,900 more are left out`);
});

Deno.test("overlapping partitions are said to", async () => {
  const entries = [{ index: 1, first: 2048, last: 4096 }, { index: 2, first: 4096, last: 5000 }];
  assert.deepEqual((await read(gptSource(SIZE, parts({ entries })))).said, [
    "1152: partition 2 starts at byte 2097152, inside partition 1, which ends at byte 2097664",
  ]);
});

Deno.test("a GPT that no MBR announces is taken when it is sound, and when the MBR has no partitions", async () => {
  for (const mbr of [new Uint8Array(512), mbrSector([])]) {
    const table = await read(gptSource(SIZE, { ...parts(), mbr }));
    assert.deepEqual([table.scheme, table.indexes], ["gpt", [1, 3]]);
    assert.deepEqual(table.said, ["0: no MBR protects the GPT; Linux takes it only when it is told to"]);
    const damaged = await read(gptSource(SIZE, { ...parts(), mbr }, { 1024: new Uint8Array(128) }));
    assert.deepEqual(damaged.partitions, []);
  }
  const mbr = mbrSector([{ type: 0x83, start: 2048, sectors: 100 }]);
  const table = await read(gptSource(SIZE, { ...parts(), mbr }));
  assert.deepEqual([table.scheme, table.indexes], ["mbr", [1]]);
  assert.deepEqual(table.said, [
    "512: a GPT header stands here, and the MBR does not announce it; the MBR is used",
  ]);
});

Deno.test("an MBR that names partitions beside the GPT is said to", async () => {
  const mbr = mbrSector([{ type: 0x83, start: 2048, sectors: 10 }, { type: 0xee, start: 1, sectors: 2047 }]);
  const table = await read(gptSource(SIZE, { ...parts(), mbr }));
  assert.deepEqual([table.scheme, table.indexes], ["gpt", [1, 3]]);
  assert.deepEqual(table.said, ["446: the MBR names partitions beside the GPT; the GPT is used"]);
});

Deno.test("a table at the end of a disk of 62 TiB is found", async () => {
  const entries = [{ index: 1, first: 2048, last: 2n ** 36n }];
  const made = gptParts({ sizeBytes: 62 * TIB, entries });
  const table = await read(gptSource(62 * TIB, made, { 512: new Uint8Array(512) }));
  assert.deepEqual([table.isBackup, table.indexes], [true, [1]]);
  assert.equal(table.partitions[0]!.lengthBytes, (2 ** 36 - 2047) * 512);
});

Deno.test("a checksum that is right makes no field right: both copies with the same wrong field", async () => {
  const changes: ((view: DataView) => void)[] = [
    (view) => view.setUint32(80, 2 ** 32 - 1, true),
    (view) => view.setUint32(84, 64, true),
    (view) => view.setBigUint64(72, 2n ** 64n - 1n, true),
    (view) => view.setUint32(88, zlibCrc32(new Uint8Array(1)), true),
  ];
  for (const change of changes) {
    const disk = gptSource(SIZE, both(parts(), change));
    const table = await read(disk);
    assert.equal(table.scheme, "gpt");
    assert.ok(table.said.length >= 2);
    assert.ok(disk.readBytes < 3 * MIB);
  }
});
