import assert from "node:assert/strict";
import { viewOf } from "../../../test/helpers/guest_disk.ts";
import { recogniseArea, UUID, xfs } from "../../../test/helpers/superblocks.ts";

Deno.test("XFS is read in its own order of bytes", async () => {
  const expected = { type: "xfs", label: "twelve_bytes", uuid: UUID };
  assert.deepEqual(await recogniseArea({ 0: xfs() }), { ...expected, sizeBytes: 5 * 2 ** 32 * 4096 });
  const absurd = await recogniseArea({ 0: xfs(2n ** 64n - 1n) });
  assert.deepEqual(absurd, { ...expected, sizeBytes: undefined });
});

Deno.test("a superblock of XFS with fields that cannot be is none", async () => {
  for (const [at, value] of [[4, 0], [4, 0x80000000], [88, 0]] as const) {
    const bytes = xfs();
    viewOf(bytes).setUint32(at, value);
    assert.equal(await recogniseArea({ 0: bytes }), undefined);
  }
});
