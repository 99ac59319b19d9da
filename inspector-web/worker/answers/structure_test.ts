/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { buildCowd, caseNamed, dataGrains, deltaFiles, sequence } from "../../../fixtures/mod.ts";
import { Page } from "../../../test/helpers/inspector_session.ts";
import { pathTo, pathWords } from "../../page/model/structure_path.ts";
import type { View } from "../../shared/protocol.ts";

const page = new Page();
const FILE = "disk-000001-delta.vmdk";

async function partAt(around: number): Promise<string> {
  return pathWords(pathTo(await page.ask({ type: "structure", file: FILE, around }), around));
}

Deno.test("the entry at a byte is told, however many stand before it, and when it is empty", async () => {
  const capacitySectors = 4096 * 3;
  const grains = dataGrains(sequence({ from: 0, count: 4000 }));
  const { bytes } = buildCowd({ seed: 1, capacitySectors, grainSectors: 1, grains });
  await page.open(deltaFiles({ kind: "cowd", bytes, capacitySectors }));
  const { entryOffsetBytes } = await page.ask({ type: "describe", view: 0, sector: 0 });
  const table = entryOffsetBytes!;
  assert.match(await partAt(table), /grain table 0 › entry 0, disk sector 0 = \d+$/);
  assert.match(await partAt(table + 3000 * 4 + 2), /grain table 0 › entry 3000, disk sector 3000 = \d+$/);
  assert.match(await partAt(table + 4050 * 4), /entry 4050, disk sector 4050 = 0$/);
  assert.match(await partAt(4 * 512 + 4), /^grain directory › entry 1 = 0x0 0: no table$/);
  assert.match(await partAt(0), /^header › magic/);
  const whole = await page.ask({ type: "structure", file: FILE });
  assert.equal(pathWords(pathTo(whole, table + 3000 * 4)).split(" › ").at(-1), "grain table 0");
});

Deno.test("of several disks the one is opened that is asked for, and its link told", async () => {
  const files = { ...caseNamed("chain-two-cowd-links").make(), "other.img": new Uint8Array(1 << 20) };
  const names = Object.keys(files);
  const given = Object.entries(files).map(([name, bytes]) => ({
    name,
    file: new Blob([bytes]),
    modifiedMs: null,
  }));
  const asked: Record<string, [string, View]> = {
    "other.img": ["other.img", 0],
    "disk-000002.vmdk": ["disk-000002.vmdk", "deltas"],
    "disk-000002-delta.vmdk": ["disk-000002.vmdk", "deltas"],
    "disk-000001.vmdk": ["disk-000002.vmdk", 1],
    "disk-flat.vmdk": ["disk-000002.vmdk", 2],
  };
  for (const [name, [leaf, start]] of Object.entries(asked)) {
    const opened = await page.ask({ type: "open", files: given, leaf: names.indexOf(name) });
    assert.deepEqual([opened.links[0]!.name, opened.start], [leaf, start], name);
  }
  const broken = [...given, { name: "broken.vmdk", file: new Blob(["KDMV"]), modifiedMs: null }];
  await assert.rejects(page.ask({ type: "open", files: broken, leaf: broken.length - 1 }), /broken\.vmdk/);
});
