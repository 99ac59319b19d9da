import assert from "node:assert/strict";
import { putText, putWide, viewOf } from "../../../test/helpers/guest_disk.ts";
import { exfat, fat, fatEntry, type FatFields, recogniseArea } from "../../../test/helpers/superblocks.ts";

function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

Deno.test("FAT12, FAT16 and FAT32 are told by their clusters and fields", async () => {
  const overhead = 4 + 2 * 20 + 512 * 32 / 512;
  const rows: [FatFields, string][] = [
    [{ sectors: overhead + 2 * 4084, fatSectors: 20, rootEntries: 512 }, "fat12"],
    [{ sectors: overhead + 2 * 4085, fatSectors: 20, rootEntries: 512 }, "fat16"],
    [{ sectors: 100_000, fatSectors: 20, rootEntries: 0 }, "fat32"],
  ];
  for (const [fields, type] of rows) {
    const expected = { type, label: undefined, uuid: "CAFE-0123", sizeBytes: fields.sectors * 512 };
    assert.deepEqual(await recogniseArea({ 0: fat(fields) }), expected);
  }
});

Deno.test("the label of FAT is that of its root directory, whatever stands before it there", async () => {
  const directory = joined(
    fatEntry("\xe5LD", 0x08),
    fatEntry("Along", 0x0f),
    fatEntry("DIR", 0x10),
    fatEntry("REAL ONE", 0x08),
  );
  const sixteen = fat({ sectors: 60_000, fatSectors: 200, rootEntries: 512 });
  assert.equal((await recogniseArea({ 0: sixteen, [(4 + 400) * 512]: directory }))?.label, "REAL ONE");
  const thirtyTwo = fat({ sectors: 100_000, fatSectors: 200, rootEntries: 0 });
  const root = (4 + 400 + 3 * 2) * 512;
  assert.equal((await recogniseArea({ 0: thirtyTwo, [root]: directory }))?.label, "REAL ONE");
  putText(thirtyTwo, 64 + 7, "FROM BOOT  ");
  assert.equal((await recogniseArea({ 0: thirtyTwo }))?.label, "FROM BOOT");
  thirtyTwo[66] = 0;
  const unmarked = await recogniseArea({ 0: thirtyTwo });
  assert.deepEqual([unmarked?.label, unmarked?.uuid], [undefined, undefined]);
});

Deno.test("FAT with a root directory behind the end of the area has no label", async () => {
  const bytes = fat({ sectors: 100_000, fatSectors: 200, rootEntries: 0 });
  for (const cluster of [0, 1, 0xffffffff]) {
    viewOf(bytes).setUint32(44, cluster, true);
    assert.equal((await recogniseArea({ 0: bytes }))?.type, "fat32");
  }
});

Deno.test("a boot sector whose fields contradict each other is no FAT", async () => {
  const changes: ((view: DataView, bytes: Uint8Array) => void)[] = [
    (_view, bytes) => bytes[0] = 0,
    (_view, bytes) => bytes[510] = 0,
    (view) => view.setUint16(11, 513, true),
    (view) => view.setUint16(11, 256, true),
    (_view, bytes) => bytes[13] = 0,
    (_view, bytes) => bytes[13] = 3,
    (view) => view.setUint16(14, 0, true),
    (_view, bytes) => bytes[16] = 0,
    (_view, bytes) => bytes[21] = 0x12,
    (view) => view.setUint32(32, 100, true),
    (view) => view.setUint16(22, 0, true),
  ];
  const unmapped = fat({ sectors: 60_000, fatSectors: 0, rootEntries: 0 });
  assert.equal(await recogniseArea({ 0: unmapped }), undefined);
  for (const [i, change] of changes.entries()) {
    const bytes = fat({ sectors: 60_000, fatSectors: 200, rootEntries: 512 });
    change(viewOf(bytes), bytes);
    assert.equal(await recogniseArea({ 0: bytes }), undefined, `change ${i}`);
  }
});

Deno.test("exFAT has its label in its root directory", async () => {
  const label = new Uint8Array(64);
  label[0] = 0x81;
  label.set([0x83, 4], 32);
  putWide(label, 34, "Größe");
  const root = (512 + 2 * 8) * 512;
  const expected = { type: "exfat", uuid: "BEEF-0001", sizeBytes: 0x12345 * 512 };
  assert.deepEqual(await recogniseArea({ 0: exfat(), [root]: label }), { ...expected, label: "Größ" });
  assert.deepEqual(await recogniseArea({ 0: exfat() }), { ...expected, label: undefined });
  label[33] = 255;
  putWide(label, 34, "full length and more".slice(0, 15));
  assert.equal((await recogniseArea({ 0: exfat(), [root]: label }))?.label, "full length");
  const absurd = exfat();
  absurd.set([12, 14], 108);
  assert.equal(await recogniseArea({ 0: absurd }), undefined);
});
