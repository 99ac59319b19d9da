/// <reference lib="deno.ns" />
import assert from "node:assert/strict";
import { caseNamed } from "../../../fixtures/mod.ts";
import { Page } from "../../../test/helpers/inspector_session.ts";

const page = new Page();

Deno.test("the first stretches of a comparison are those where the bytes are so", async () => {
  for (const name of ["chain-two-cowd-links", "cowd-plain", "sesparse-runs"]) {
    const { links } = await page.open(caseNamed(name).make());
    const { first } = await page.ask({ type: "compare" });
    const lengthBytes = links[0]!.capacityBytes;
    const of = { view: "deltas" } as const;
    const { bytes, below } = await page.ask({
      type: "bytes",
      of,
      offsetBytes: 0,
      lengthBytes,
      withBelow: true,
    });
    assert.ok(below && first.changed.length > 0, name);
    for (const { startBytes } of first.changed) {
      assert.notEqual(bytes[startBytes], below[startBytes], `${name}: ${startBytes}`);
      const sector = startBytes - startBytes % 512;
      assert.deepEqual(bytes.slice(sector, startBytes), below.slice(sector, startBytes));
    }
    for (const { startBytes, lengthBytes } of first.identical) {
      const end = startBytes + lengthBytes;
      assert.deepEqual(bytes.slice(startBytes, end), below.slice(startBytes, end));
    }
    for (const { startBytes, lengthBytes } of first.zero) {
      assert.ok(bytes.subarray(startBytes, startBytes + lengthBytes).every((byte) => byte === 0));
    }
  }
});

Deno.test("stretches side by side are one, and changed, identical and zero are told apart", async () => {
  const files = caseNamed("cowd-plain").make();
  const flat = files["disk-flat.vmdk"]!;
  await page.open(files);
  const before = await page.ask({ type: "compare" });
  const [{ startBytes, lengthBytes }] = before.first.changed as [{ startBytes: number; lengthBytes: number }];
  // The base becomes what the delta holds there.
  const of = { view: 0 } as const;
  const sector = startBytes - startBytes % 512;
  const wholeBytes = startBytes + lengthBytes - sector;
  const { bytes } = await page.ask({ type: "bytes", of, offsetBytes: sector, lengthBytes: wholeBytes });
  assert.ok(wholeBytes >= 1024);
  flat.set(bytes, sector);
  await page.open({ ...files, "disk-flat.vmdk": flat });
  const after = await page.ask({ type: "compare" });
  assert.equal(after.identicalBytes, before.identicalBytes + wholeBytes);
  assert.ok(after.first.identical.some((range) =>
    range.startBytes <= sector && sector <
      range.startBytes + range.lengthBytes
  ));
  assert.equal(after.zeroBytes, before.zeroBytes);
  // All but one byte of a sector.
  flat[sector + 517]! ^= 1;
  await page.open({ ...files, "disk-flat.vmdk": flat });
  const { first } = await page.ask({ type: "compare" });
  assert.ok(first.changed.some((range) => range.startBytes === sector + 517), "the byte that differs");
});
