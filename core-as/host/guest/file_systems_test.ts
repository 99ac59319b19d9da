import assert from "node:assert/strict";
import { PatchedSource, putText } from "../../../test/helpers/guest_disk.ts";
import { exfat, ext, fat, fatEntry, ntfs, recogniseArea, swap } from "../../../test/helpers/superblocks.ts";
import { MIB, TIB } from "../units.ts";
import { FILE_SYSTEM_NAMES, HEAD_BYTES } from "./file_system.ts";
import { recognise, recogniseAll } from "./file_systems.ts";

Deno.test("an area of zeros is empty, one of anything else is unknown, one of nothing is neither", async () => {
  assert.deepEqual(await recogniseArea({}), {
    type: "empty",
    label: undefined,
    uuid: undefined,
    sizeBytes: undefined,
  });
  assert.equal((await recogniseArea({ [HEAD_BYTES]: Uint8Array.of(1) }))?.type, "empty");
  assert.equal(await recogniseArea({ [HEAD_BYTES - 1]: Uint8Array.of(1) }), undefined);
  assert.equal(await recogniseArea({ 0: new Uint8Array(HEAD_BYTES).fill(0xff) }), undefined);
  assert.equal(await recogniseArea({}, 0), undefined);
});

Deno.test("an area smaller than all that is looked at, and one that reaches behind the disk", async () => {
  assert.equal((await recogniseArea({ 0: ext({}).subarray(0, 2048) }, 2048))?.type, "ext2");
  assert.equal((await recogniseArea({ 0: ext({}).subarray(0, 1024) }, 1024))?.type, "empty");
  const source = new PatchedSource(2048, { 0: ext({}).subarray(0, 2048) });
  assert.equal((await recognise(source, 0, TIB))?.type, "ext2");
  assert.equal(await recognise(source, 4096, TIB), undefined);
  assert.equal(source.batches, 1);
});

Deno.test("nothing is read from behind the area, where another one is", async () => {
  const root = (4 + 40 + 3 * 2) * 512;
  const bytes = fat({ sectors: 100_000, fatSectors: 20, rootEntries: 0 });
  const source = new PatchedSource(MIB, { 0: bytes, [root]: fatEntry("OTHERS", 0x08) });
  assert.equal((await recognise(source, 0, MIB))?.label, "OTHERS");
  assert.equal((await recognise(source, 0, root))?.label, undefined);
});

Deno.test("a superblock in front hides an older one behind it", async () => {
  const older = ext({});
  assert.equal((await recogniseArea({ 0: swap() }))?.type, "swap");
  putText(older, 4086, "SWAPSPACE2");
  // One inode, which swap would take for its version.
  older.set([1, 0, 0, 0], 1024);
  assert.equal((await recogniseArea({ 0: older }))?.type, "ext2");
  const fatOverExt = fat({ sectors: 60_000, fatSectors: 200, rootEntries: 512 });
  fatOverExt.set(ext({}).subarray(1024, 2048), 1024);
  assert.equal((await recogniseArea({ 0: fatOverExt }))?.type, "fat16");
});

Deno.test("many areas take two batches for every 32", async () => {
  const areas = Array.from({ length: 70 }, (_, i) => ({ offsetBytes: i * MIB, lengthBytes: MIB }));
  const patches = Object.fromEntries(
    areas.map(({ offsetBytes }, i) => [offsetBytes, i % 2 ? ntfs() : exfat()]),
  );
  const source = new PatchedSource(70 * MIB, patches);
  const types = (await recogniseAll(source, areas)).map((each) => each?.type);
  assert.deepEqual(types, areas.map((_, i) => i % 2 ? "ntfs" : "exfat"));
  assert.ok(source.batches <= 6, `${source.batches}`);
});

Deno.test("every type has a name", () => {
  assert.equal(new Set(Object.values(FILE_SYSTEM_NAMES)).size, Object.keys(FILE_SYSTEM_NAMES).length);
});
