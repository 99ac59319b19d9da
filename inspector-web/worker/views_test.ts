/// <reference lib="deno.ns" />
/** What a chain is shown as: all its deltas merged, without the base. */
import assert from "node:assert/strict";
import { caseNamed } from "../../fixtures/mod.ts";
import { Page } from "../../test/helpers/inspector_session.ts";

const page = new Page();
const CHAIN = caseNamed("chain-two-cowd-links");

Deno.test("C5: a chain is shown first as all its deltas merged, without the base", async () => {
  const opened = await page.open(CHAIN.make());
  assert.equal(opened.start, "deltas");
  const { totals } = await page.scan("deltas");
  const { bytes, owners } = await page.ask({
    type: "bytes",
    of: { view: "deltas" },
    offsetBytes: 0,
    lengthBytes: opened.capacitySectors * 512,
  });
  // What either delta holds, and nothing of the base: counted by whose each sector is.
  const of = async (view: number) =>
    (await page.ask({ type: "bytes", of: { view }, offsetBytes: 0, lengthBytes: bytes.length })).owners!;
  const [newer, older] = [await of(0), await of(1)];
  const count = (wanted: (sector: number) => boolean) =>
    Array.from(owners!).filter((_, sector) => wanted(sector)).length * 512;
  const decided = (sector: number) => newer[sector] !== -2 ? newer[sector]! : older[sector]!;
  assert.equal(totals.dataBytes, count((sector) => decided(sector) >= 0));
  assert.equal(totals.zeroBytes, count((sector) => decided(sector) === -1));
  assert.equal(totals.holeBytes, count((sector) => decided(sector) === -2));
  assert.ok(totals.holeBytes > 0);
  const newest = (await page.scan(0)).totals;
  assert.ok(totals.dataBytes > newest.dataBytes, "the newest delta alone holds less");
});

Deno.test("C5: a single delta, a base alone and a link that was asked for by name are shown as they are", async () => {
  assert.equal((await page.open(caseNamed("cowd-plain").make())).start, 0);
  assert.equal((await page.open(caseNamed("hosted-monolithic").make())).start, 0);
});

Deno.test("C5: the map of all deltas is coloured by link, and the base owns nothing in it", async () => {
  const { capacitySectors } = await page.open(CHAIN.make());
  const cells = { fromSector: 0, sectorsPerCell: 1, cells: capacitySectors } as const;
  const { owners } = await page.ask({ type: "owners", view: "deltas", ...cells });
  assert.deepEqual([...new Set(owners)].filter((owner) => owner >= 0).sort(), [0, 1]);
});
