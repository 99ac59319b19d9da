import assert from "node:assert/strict";
import { putText } from "../../../test/helpers/guest_disk.ts";
import { luks, lvm, recogniseArea, swap, UUID } from "../../../test/helpers/superblocks.ts";
import { GIB } from "../units.ts";
import { HEAD_BYTES } from "./file_system.ts";

Deno.test("a physical volume of LVM has its label in one of the first four sectors", async () => {
  const uuid = "abcdef-GHIJ-KLmn-opQR-STuv-wxYZ-012345";
  for (const sector of [0, 1, 3]) {
    assert.deepEqual(await recogniseArea({ 0: lvm(sector) }), {
      type: "lvm",
      label: undefined,
      uuid,
      sizeBytes: 7 * GIB,
    });
  }
  assert.equal(await recogniseArea({ 0: lvm(4) }), undefined);
  for (const at of [600, 520]) {
    const wrong = lvm(1);
    wrong[at]! ^= 2;
    assert.equal(await recogniseArea({ 0: wrong }), undefined, `${at}`);
  }
  // A header that ends behind the head, of which all but the size is there.
  for (const headerAt of [473, 0xffffffff, HEAD_BYTES - 512 - 32]) {
    const bytes = lvm(1, headerAt);
    putText(bytes, HEAD_BYTES - 32, "abcdefGHIJKLmnopQRSTuvwxYZ012345");
    assert.equal(await recogniseArea({ 0: bytes }), undefined);
  }
});

Deno.test("LUKS is told by its version", async () => {
  const expected = { uuid: UUID, sizeBytes: undefined };
  assert.deepEqual(await recogniseArea({ 0: luks(1) }), { type: "luks1", label: undefined, ...expected });
  assert.deepEqual(await recogniseArea({ 0: luks(2) }), {
    type: "luks2",
    label: "LABEL OR CIPHER",
    ...expected,
  });
  for (const version of [0, 3, 256, 258]) assert.equal(await recogniseArea({ 0: luks(version) }), undefined);
});

Deno.test("swap is found at the end of a page of any size, asleep or not", async () => {
  for (const pageBytes of [4096, 8192, 16_384, 32_768, 65_536]) {
    const expected = { type: "swap", label: "swap label", uuid: UUID, sizeBytes: 1000 * pageBytes };
    assert.deepEqual(await recogniseArea({ 0: swap(pageBytes, "SWAPSPACE2") }), expected);
    assert.deepEqual(await recogniseArea({ 0: swap(pageBytes, "S1SUSPEND\0") }), expected);
  }
  assert.equal(await recogniseArea({ 0: swap(4096, "SWAP-SPACE") }), undefined);
  const newer = swap();
  newer[1024] = 2;
  assert.equal(await recogniseArea({ 0: newer }), undefined);
  assert.equal(await recogniseArea({ 0: swap(5000, "SWAPSPACE2") }), undefined);
});
