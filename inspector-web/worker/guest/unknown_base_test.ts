/// <reference lib="deno.ns" />
/** What is said of a disk of which the base is not here: never that something is empty or absent. */
import assert from "node:assert/strict";
import { caseNamed } from "../../../fixtures/mod.ts";
import { PatchedSource } from "../../../test/helpers/guest_disk.ts";
import { ext } from "../../../test/helpers/superblocks.ts";
import { surveyGuest } from "../../../core-as/host/guest/mod.ts";
import { MIB } from "../../../core-as/host/units.ts";
import { mbrSector } from "../../../test/helpers/guest_disk.ts";
import { Page } from "../../../test/helpers/inspector_session.ts";

const UNKNOWN = "not known: the base is not here";
const page = new Page();

/** A COWD delta alone. */
function withoutBase(name: string) {
  const { "disk.vmdk": _text, "disk-flat.vmdk": _base, ...delta } = caseNamed(name).make();
  return delta;
}

Deno.test("C4: of a delta alone neither a partition table nor a file system is said to be absent", async () => {
  await page.open(withoutBase("cowd-plain"));
  const { scheme, areas } = await page.ask({ type: "areas", view: 0 });
  assert.equal(scheme, UNKNOWN);
  assert.deepEqual(areas.map(({ fileSystem }) => fileSystem), [UNKNOWN]);
});

Deno.test("C4: of a saved map it is said that there are no bytes to see a table in", async () => {
  await page.open(caseNamed("cowd-plain").make());
  const { blob } = await page.ask({ type: "export", view: 0, format: "json" });
  await page.open({ "map.json": new Uint8Array(await blob.arrayBuffer()) });
  const { scheme, areas } = await page.ask({ type: "areas", view: 0 });
  assert.equal(scheme, "not known: only a map is open");
  assert.equal(areas[0]!.fileSystem, scheme);
});

/** A disk of 64 MiB with one partition at 1 MiB, of which only some stretches are here. */
async function surveyed(patches: Readonly<Record<number, Uint8Array>>, here: readonly [number, number][]) {
  const source = new PatchedSource(64 * MIB, patches);
  const survey = await surveyGuest(
    source,
    ({ offsetBytes, lengthBytes }) =>
      here.some(([from, to]) => offsetBytes >= from && offsetBytes + lengthBytes <= to),
  );
  return {
    scheme: survey.isTableUnknown ? "unknown" : survey.table.scheme,
    areas: survey.areas.map(({ kind, isUnknown, fileSystem }) =>
      `${kind} ${isUnknown ? "unknown" : fileSystem?.type ?? "-"}`
    ),
  };
}

Deno.test("C4: what the delta itself holds of tables and file systems is known", async () => {
  const table = { 0: mbrSector([{ type: 0x83, start: 2048, sectors: 20480 }]) };
  const gaps = ["unpartitioned -", "partition unknown", "unpartitioned -"];
  assert.deepEqual(await surveyed(table, [[0, 512]]), { scheme: "mbr", areas: gaps });
  const formatted = { ...table, [MIB]: ext({}) };
  const areas = ["unpartitioned -", "partition ext2", "unpartitioned -"];
  assert.deepEqual(await surveyed(formatted, [[0, 512], [MIB, MIB + 4096]]), { scheme: "mbr", areas });
  const empty = ["unpartitioned -", "partition empty", "unpartitioned -"];
  assert.deepEqual(await surveyed(table, [[0, 4 * MIB]]), { scheme: "mbr", areas: empty });
  // Sectors of zeros that the delta holds are an empty disk; others are not known.
  assert.deepEqual(await surveyed({}, [[0, 64 * MIB]]), { scheme: "none", areas: ["disk empty"] });
  assert.deepEqual(await surveyed({}, [[512, 64 * MIB]]), { scheme: "unknown", areas: ["disk unknown"] });
  assert.deepEqual(await surveyed({}, [[0, 512]]), { scheme: "none", areas: ["disk unknown"] });
});
