import assert from "node:assert/strict";
import { head, recogniseArea, vmfs } from "../../../test/helpers/superblocks.ts";
import { MIB, TIB } from "../units.ts";

Deno.test("VMFS is found by its two headers, although its first megabyte is empty", async () => {
  const { volume, inner } = vmfs();
  const expected = { type: "vmfs", sizeBytes: 2 * TIB };
  const uuid = "13121110-17161514-1918-1a1b1c1d1e1f";
  const whole = { [MIB]: volume, [19 * MIB]: inner };
  assert.deepEqual(await recogniseArea(whole), { ...expected, label: "datastore1", uuid });
  const boot = head((_view, bytes) => bytes[0] = 1);
  assert.deepEqual(await recogniseArea({ ...whole, 0: boot }), { ...expected, label: "datastore1", uuid });
  const other = { ...expected, label: undefined, uuid: "01020304-05060708-090a-0b0c0d0e0f10" };
  assert.deepEqual(await recogniseArea({ [MIB]: volume }), other);
  assert.deepEqual(await recogniseArea(whole, 4 * MIB), other);
});
