import assert from "node:assert/strict";
import { ext, type ExtFields, recogniseArea, UUID } from "../../../test/helpers/superblocks.ts";
import { MIB } from "../units.ts";

Deno.test("ext2, ext3 and ext4 are told by their features", async () => {
  const rows: [ExtFields, string][] = [
    [{}, "ext2"],
    [{ incompatible: 0x12, readOnly: 0x7 }, "ext2"],
    [{ compatible: 0x4 }, "ext3"],
    [{ compatible: 0x4, incompatible: 0x6, readOnly: 0x7 }, "ext3"],
    [{ compatible: 0x4, incompatible: 0x40 }, "ext4"],
    [{ incompatible: 0x40 }, "ext4"],
    [{ compatible: 0x4, readOnly: 0x8 }, "ext4"],
  ];
  for (const [fields, type] of rows) {
    const expected = { type, label: "exactly sixteen!", uuid: UUID, sizeBytes: 64 * MIB };
    assert.deepEqual(await recogniseArea({ 0: ext(fields) }), expected, JSON.stringify(fields));
  }
});

Deno.test("the upper half of the blocks of ext4 counts only with the feature that has it", async () => {
  const large = await recogniseArea({ 0: ext({ incompatible: 0xc0, blocksHigh: 2 }) });
  assert.equal(large?.sizeBytes, 2 * 2 ** 32 * 4096 + 64 * MIB);
  assert.equal((await recogniseArea({ 0: ext({ incompatible: 0x40, blocksHigh: 2 }) }))?.sizeBytes, 64 * MIB);
  const absurd = await recogniseArea({ 0: ext({ incompatible: 0xc0, blocksHigh: 0xffffffff }) });
  assert.deepEqual([absurd?.type, absurd?.sizeBytes], ["ext4", undefined]);
});

Deno.test("the journal of another file system is no ext", async () => {
  assert.equal(await recogniseArea({ 0: ext({ incompatible: 0x8 }) }), undefined);
});
