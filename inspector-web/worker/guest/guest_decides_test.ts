/** The page takes a dropped file for what its name says, as the command line does. */
import assert from "node:assert/strict";
import { caseNamed } from "../../../fixtures/mod.ts";
import { Page } from "../../../test/helpers/inspector_session.ts";
import { noise, OTHER, plantedDisks } from "../../../test/helpers/planted.ts";
import { openedBench } from "../../../test/helpers/opened.ts";

for (const { name, looks, disk } of plantedDisks()) {
  Deno.test(`A0: the page shows a dropped disk with a planted ${name} as itself, with one remark`, async () => {
    const page = new Page();
    const opened = await page.open({ "guest.img": disk, [OTHER]: noise(99) });
    assert.equal(opened.links.length, 1);
    assert.deepEqual(opened.links[0]!.files.map((file) => file.name), ["guest.img"]);
    assert.equal(opened.links[0]!.capacityBytes, disk.length);
    const about = opened.remarks.filter((remark) => remark.startsWith("guest.img begins like"));
    assert.equal(about.length, 1, opened.remarks.join("\n"));
    assert.match(about[0]!, looks);
  });
}

Deno.test("A0: the page takes a parent for a VMDK by its place, whatever its name is", async () => {
  const fixture = caseNamed("cowd-plain");
  const renamed: Record<string, Uint8Array<ArrayBuffer>> = {};
  for (const [name, bytes] of Object.entries(fixture.make())) {
    if (name === "disk.vmdk") renamed["base.bin"] = bytes as Uint8Array<ArrayBuffer>;
    else if (name === "disk-000001.vmdk") {
      const text = new TextDecoder().decode(bytes).replaceAll("disk.vmdk", "base.bin");
      renamed[name] = new TextEncoder().encode(text);
    } else renamed[name] = bytes as Uint8Array<ArrayBuffer>;
  }
  const bench = await openedBench({ ...fixture, make: () => renamed });
  assert.deepEqual(bench.chain.links.map(({ path }) => path), ["disk-000001.vmdk", "base.bin"]);
});

Deno.test("A0: a disk that begins like a saved map is a disk", async () => {
  const disk = noise(5);
  disk.set(new TextEncoder().encode('{"version":1,"image":"x","capacityBytes":512,"runs":[]}'));
  const opened = await new Page().open({ "guest.img": disk });
  assert.equal(opened.mapOnly, false);
  assert.equal(opened.links[0]!.capacityBytes, disk.length);
});
