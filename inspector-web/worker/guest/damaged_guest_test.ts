/// <reference lib="deno.ns" />
/** Disks whose table or file system lies in compressed data that cannot be unpacked. */
import assert from "node:assert/strict";
import { buildQcow2, type Qcow2Cluster } from "../../../fixtures/qcow2.ts";
import { Page, TroubleError } from "../../../test/helpers/inspector_session.ts";

const CLUSTER_BYTES = 65_536;
const DISK_BYTES = 4 * CLUSTER_BYTES;

/** Sector 0 with one partition, from the second cluster to the end of the disk. */
function tableCluster(): Uint8Array {
  const bytes = new Uint8Array(CLUSTER_BYTES).map((_, i) => i * 31 + (i >> 7));
  const view = new DataView(bytes.buffer);
  bytes.fill(0, 446, 510);
  bytes.set([0, 0, 0, 0, 0x83], 446);
  view.setUint32(446 + 8, CLUSTER_BYTES / 512, true);
  view.setUint32(446 + 12, (DISK_BYTES - CLUSTER_BYTES) / 512, true);
  view.setUint16(510, 0xaa55, true);
  return bytes;
}

/** A disk of four clusters; that of `damaged` cannot be unpacked. */
function diskWith(damaged: number): Record<string, Uint8Array<ArrayBuffer>> {
  const packed = (bytes: Uint8Array): Qcow2Cluster => ({ is: "packed", bytes });
  const noise = new Uint8Array(CLUSTER_BYTES).map((_, i) => i * 7 + (i >> 5));
  const clusters = new Map([[0, packed(tableCluster())], [1, packed(noise)], [2, packed(noise)]]);
  const image = buildQcow2({ sizeBytes: DISK_BYTES, clusters });
  image.bytes.fill(0xff, image.dataAt(damaged), image.dataAt(damaged) + 40);
  return { "disk.qcow2": image.bytes };
}

Deno.test("where the first bytes of a disk are damaged its parts are not known, and the page says why", async () => {
  const page = new Page();
  await page.open(diskWith(0));
  const { scheme, areas, problems } = await page.ask({ type: "areas", view: 0 });
  assert.equal(scheme, "not known: it is damaged");
  assert.deepEqual(areas.map(({ fileSystem, lengthBytes }) => [fileSystem, lengthBytes]), [
    ["not known: it is damaged", DISK_BYTES],
  ]);
  assert.deepEqual(problems, ["what is here is damaged, and was not seen, at byte 0"]);
  const { findings } = await page.ask({ type: "findings" });
  assert.deepEqual(findings.map(({ severity }) => severity), ["damage"]);
});

Deno.test("where a partition begins with damage its file system alone is not known", async () => {
  const page = new Page();
  await page.open(diskWith(1));
  const { scheme, areas, problems } = await page.ask({ type: "areas", view: 0 });
  assert.equal(scheme, "mbr");
  const partition = areas.find(({ kind }) => kind === "partition");
  assert.deepEqual([partition?.startBytes, partition?.fileSystem], [
    CLUSTER_BYTES,
    "not known: it is damaged",
  ]);
  assert.ok(problems.includes(`what is here is damaged, and was not seen, at byte ${CLUSTER_BYTES}`));
  const bytes = { offsetBytes: CLUSTER_BYTES, lengthBytes: 512 };
  await assert.rejects(
    page.ask({ type: "bytes", of: { view: 0 }, ...bytes }),
    (error) => error instanceof TroubleError && error.trouble.code === "GRAIN_DAMAGED",
  );
});

Deno.test("what a survey could not unpack is damaged on the map and among the bytes from then on", async () => {
  const page = new Page();
  await page.open(diskWith(1));
  assert.equal((await page.scan(0)).totals.damagedBytes, 0, "no table says so");
  await page.ask({ type: "findings" });
  assert.ok(page.told.some((told) => "notice" in told && told.notice === "damaged"), "the page is not told");
  assert.equal((await page.scan(0)).totals.damagedBytes, CLUSTER_BYTES);
  const { damage } = await page.ask({
    type: "tile",
    ...{ view: 0, fromSector: 0, sectorsPerCell: CLUSTER_BYTES / 512, cells: 4 },
  });
  assert.deepEqual([...damage], [0, 1, 0, 0]);
  const bytes = { offsetBytes: CLUSTER_BYTES, lengthBytes: 1024 };
  const { owners } = await page.ask({ type: "bytes", of: { view: 0 }, ...bytes });
  assert.deepEqual([...owners ?? []], [-3, -3]);
});

Deno.test("a hint that names --format says where that can be written", async () => {
  const page = new Page();
  await assert.rejects(page.open({ "disk.qcow2": new Uint8Array(512).fill(65) }), (error) => {
    assert.ok(error instanceof TroubleError);
    assert.match(error.trouble.hint ?? "", /^on the command line \(regrain inspect\): --format raw /);
    return true;
  });
});
