import assert from "node:assert/strict";
import { btrfs, recogniseArea, UUID } from "../../../test/helpers/superblocks.ts";
import { GIB, MIB } from "../units.ts";

Deno.test("Btrfs is read where its superblock says that it stands", async () => {
  const expected = { type: "btrfs", label: "a label", uuid: UUID, sizeBytes: 3 * GIB };
  assert.deepEqual(await recogniseArea({ 0: btrfs() }), expected);
  assert.equal(await recogniseArea({ 0: btrfs(64 * MIB) }), undefined);
});
