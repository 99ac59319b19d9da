/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { caseNamed } from "../../../fixtures/mod.ts";
import { Page } from "../../../test/helpers/inspector_session.ts";
import { NO_TABLES, tablesOf } from "./tables.ts";

const page = new Page();

Deno.test("the first byte of a table's part of the disk has the first entry of that table", async () => {
  for (
    const name of ["cowd-plain", "sesparse-runs", "hosted-version-1", "hosted-monolithic", "stream-footer"]
  ) {
    const { links: [link], capacitySectors } = await page.open(caseNamed(name).make());
    const tableBytes = tablesOf(link!);
    assert.ok(typeof tableBytes === "number", `${name}: ${tableBytes}`);
    const entries = tableBytes / link!.grainBytes!;
    assert.ok(Number.isInteger(Math.log2(entries)), `${name}: ${entries} entries`);
    const entryAt = async (sector: number) =>
      (await page.ask({ type: "describe", view: 0, sector })).entryOffsetBytes;
    const first = await entryAt(0);
    const last = await entryAt(Math.min(capacitySectors, tableBytes / 512) - 1);
    if (first === undefined || last === undefined) continue;
    assert.ok(last > first && last - first < entries * 8, `${name}: from ${first} to ${last}`);
  }
});

Deno.test("disks without tables, and with those of several extents, say so in a sentence", async () => {
  const reasons = { "split-flat": NO_TABLES.none, "split-sparse": NO_TABLES.several };
  for (const [name, reason] of Object.entries(reasons)) {
    const { links: [link] } = await page.open(caseNamed(name).make());
    assert.equal(tablesOf(link!), reason, name);
  }
});
