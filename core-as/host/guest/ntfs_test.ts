import assert from "node:assert/strict";
import { PatchedSource, viewOf } from "../../../test/helpers/guest_disk.ts";
import { ntfs, recogniseArea, volumeRecord } from "../../../test/helpers/superblocks.ts";
import { MIB } from "../units.ts";
import { HEAD_BYTES } from "./file_system.ts";
import { recognise } from "./file_systems.ts";

Deno.test("NTFS has its label in a record that is put together again", async () => {
  const record = volumeRecord("Büro Laufwerk");
  const expected = { type: "ntfs", uuid: "0123456789ABCDEF", sizeBytes: 0x1ffff * 512 };
  const at = 4 * 4096 + 3 * 1024;
  assert.deepEqual(await recogniseArea({ 0: ntfs(), [at]: record }), { ...expected, label: "Büro Laufwerk" });
  const torn = record.slice();
  torn[1022] = 0;
  assert.deepEqual(await recogniseArea({ 0: ntfs(), [at]: torn }), { ...expected, label: undefined });
});

Deno.test("NTFS without a readable label is NTFS all the same", async () => {
  const changes: ((view: DataView, bytes: Uint8Array) => void)[] = [
    (view) => view.setBigUint64(48, 2n ** 63n, true),
    (view) => view.setBigUint64(48, 2n ** 40n, true),
    (_view, bytes) => bytes[64] = 0,
    (_view, bytes) => bytes[64] = 0x80,
    (_view, bytes) => bytes[64] = 0x7f,
    (_view, bytes) => bytes[64] = 0xff,
  ];
  for (const change of changes) {
    const bytes = ntfs();
    change(viewOf(bytes), bytes);
    const result = await recogniseArea({ 0: bytes });
    assert.deepEqual([result?.type, result?.label], ["ntfs", undefined]);
  }
  const attributes: [number, number][] = [[60, 0], [60, 23], [60, 0xffffffff], [496, 0xffffffff], [
    4,
    0x0003ffff,
  ], [
    500,
    0xffff,
  ]];
  for (const [at, value] of attributes) {
    const record = volumeRecord("x");
    viewOf(record).setUint32(at, value, true);
    const result = await recogniseArea({ 0: ntfs(), [4 * 4096 + 3 * 1024]: record });
    assert.equal(result?.type, "ntfs", `${at}`);
  }
});

Deno.test("a record of NTFS that says it is large is not read", async () => {
  const bytes = ntfs();
  bytes[64] = 127;
  const source = new PatchedSource(64 * MIB, { 0: bytes });
  assert.equal((await recognise(source, 0, 64 * MIB))?.type, "ntfs");
  assert.ok(source.readBytes <= HEAD_BYTES, `${source.readBytes}`);
});
