import assert from "node:assert/strict";
import { putText } from "../../../test/helpers/guest_disk.ts";
import { iso9660, recogniseArea } from "../../../test/helpers/superblocks.ts";

Deno.test("ISO 9660 has the date of its last change, or else of its making, for a UUID", async () => {
  const expected = { type: "iso9660", label: "MY_CD", sizeBytes: 5000 * 2048 };
  assert.deepEqual(await recogniseArea({ 0: iso9660() }), { ...expected, uuid: "2025-11-21-05-06-07-08" });
  const zeros = iso9660((_view, bytes) => putText(bytes, 32_768 + 830, "0000000000000000"));
  assert.deepEqual(await recogniseArea({ 0: zeros }), { ...expected, uuid: "2024-01-02-03-04-05-06" });
  const hostile = iso9660((_view, bytes) => bytes.fill(0x1b, 32_768 + 813, 32_768 + 847));
  assert.deepEqual(await recogniseArea({ 0: hostile }), { ...expected, uuid: undefined });
});

Deno.test("the label of Joliet is taken where it says more than that of ISO 9660", async () => {
  const joliet = (label: string) =>
    iso9660((view, bytes) => {
      putText(bytes, 34_816, "\x02CD001\x01");
      putText(bytes, 34_816 + 88, "%/E");
      for (let i = 0; i < label.length; i++) view.setUint16(34_816 + 40 + 2 * i, label.charCodeAt(i));
      putText(bytes, 36_864, "\xffCD001\x01");
    });
  assert.equal((await recogniseArea({ 0: joliet("My CD, größer") }))?.label, "My CD, größer");
  assert.equal((await recogniseArea({ 0: joliet("MY_") }))?.label, "MY_CD");
});
