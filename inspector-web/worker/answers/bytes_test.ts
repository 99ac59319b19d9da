/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { caseNamed } from "../../../fixtures/mod.ts";
import { Page } from "../../../test/helpers/inspector_session.ts";
import { CHANGED, SAME, UNKNOWN_BELOW, type View } from "../../shared/protocol.ts";

const page = new Page();
const fixture = caseNamed("chain-two-cowd-links");

function all(view: View, withBelow: boolean) {
  const lengthBytes = fixture.capacitySectors * 512;
  return page.ask({ type: "bytes", of: { view }, offsetBytes: 0, lengthBytes, withBelow });
}

/** Of each byte of a link: whether another one stands below it. */
async function requireChanges(view: View, below: Uint8Array): Promise<number> {
  const { bytes, owners, changes, below: told } = await all(view, true);
  assert.ok(changes && owners && told);
  assert.equal(told.findIndex((byte, i) => byte !== below[i]), -1);
  let changed = 0;
  for (let i = 0; i < bytes.length; i++) {
    const holds: boolean = owners[Math.floor(i / 512)] !== -2;
    const expected: number = holds && bytes[i] !== below[i] ? CHANGED : SAME;
    if (changes[i] !== expected) assert.fail(`byte ${i} is told as ${changes[i]}, expected ${expected}`);
    if (expected === CHANGED) changed++;
  }
  return changed;
}

Deno.test("the bytes that a link changes are told from those that it repeats", async () => {
  await page.open(fixture.make());
  const base = (await all(2, false)).bytes;
  assert.ok(await requireChanges(1, base) > 0);
  assert.equal((await all(2, true)).changes, undefined, "nothing lies below the base");
  assert.equal((await all(1, false)).changes, undefined, "nobody asked");
  // What lies below the newest link is the base with the other delta over it.
  const { "disk-000002.vmdk": _text, "disk-000002-delta.vmdk": _delta, ...lower } = fixture.make();
  await page.open(lower);
  const below = (await all("merged", false)).bytes;
  await page.open(fixture.make());
  assert.ok(await requireChanges(0, below) > 0);
  // All deltas merged are compared with the base, and so is the whole disk.
  assert.equal(await requireChanges("merged", base), await requireChanges("deltas", base));
});

Deno.test("without the base nobody says what a link changes", async () => {
  const { "disk.vmdk": _text, "disk-flat.vmdk": _flat, ...deltas } = fixture.make();
  await page.open(deltas);
  const { changes, owners } = await all(0, true);
  assert.ok(changes?.includes(UNKNOWN_BELOW));
  assert.ok(owners!.some((owner, sector) => owner === 0 && changes![sector * 512] === UNKNOWN_BELOW));
});

Deno.test("bytes from the middle of a sector on are told with their own owners and changes", async () => {
  await page.open(fixture.make());
  const { owners, changes } = await all(0, true);
  const sector = owners!.findIndex((owner, i) => owner === 0 && owners![i + 1] === 0);
  const of = { view: 0 } as const;
  const offsetBytes = sector * 512 + 500;
  const part = await page.ask({ type: "bytes", of, offsetBytes, lengthBytes: 30, withBelow: true });
  assert.deepEqual(part.owners, owners!.slice(sector, sector + 2));
  assert.deepEqual(part.changes, changes!.slice(offsetBytes, offsetBytes + 30));
});

Deno.test("behind the end of a base that was outgrown lie zeros", async () => {
  const grown = caseNamed("chain-disk-grown");
  const { links } = await page.open(grown.make());
  const below = links[1]!.capacityBytes;
  assert.ok(below < links[0]!.capacityBytes);
  const of = { view: 0 } as const;
  const asked = { offsetBytes: below - 512, lengthBytes: 2048, withBelow: true };
  const told = await page.ask({ type: "bytes", of, ...asked });
  assert.ok(told.below!.subarray(512).every((byte) => byte === 0));
  assert.ok(!told.changes!.subarray(512).includes(UNKNOWN_BELOW));
});
