/** streamOptimized files as programs other than VMware's write them, or as they arrive: by path as through a pipe. */
import assert from "node:assert/strict";
import { openLink, type RegrainError, SECTOR_SIZE, surveyLink } from "../../core-as/host/mod.ts";
import { caseNamed, dataGrains, fullDisk, type LinkSpec, overlay } from "../../fixtures/mod.ts";
import { streamImage } from "../../fixtures/cases/stream.ts";
import { putInteger } from "../../fixtures/image.ts";
import { buildXenOrchestra } from "../../fixtures/xen_orchestra.ts";
import { sameBytes } from "../helpers/bytes.ts";
import { regrainExits } from "../helpers/cli.ts";
import { core, memoryContext } from "../helpers/memory.ts";
import { testWithPeers, withTempDir } from "../helpers/peers.ts";
import { applyByName, applyByPipe, codeOf, MemoryScratch, pipeOf } from "../helpers/pipe.ts";

const LINK: LinkSpec = {
  capacitySectors: 128 * 600,
  grainSectors: 128,
  seed: 97,
  grains: dataGrains([0, 7, 515, 599]),
};
const WANTED = overlay(new Uint8Array(LINK.capacitySectors * SECTOR_SIZE), LINK);

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Kinds of what is said about a file by its name. */
async function kindsOf(bytes: Uint8Array): Promise<string[]> {
  const link = await openLink("disk.vmdk", memoryContext({ "disk.vmdk": bytes }), "image");
  const { findings } = await surveyLink(core, link, { overlaps: true });
  return findings.kept.map(({ severity, kind }) => `${severity} ${kind}`);
}

async function assertReads(bytes: Uint8Array, wanted: Uint8Array, what: string): Promise<void> {
  const byName = await applyByName(bytes);
  assert.ok(sameBytes(byName.target.bytes, wanted), `${what}: by name`);
  const byPipe = await applyByPipe(pipeOf(bytes, 10_007));
  assert.ok(sameBytes(byPipe.target.bytes, wanted), `${what}: by pipe`);
  assert.deepEqual(byPipe.counts, byName.counts, what);
}

const whole = () => streamImage(LINK, { form: "footer" }).bytes;
const TEXT = new TextEncoder().encode('# Disk DescriptorFile\nversion=1\nRW 8 FLAT "other.img" 0\n');

const BEHIND: Record<string, () => Uint8Array> = {
  "64 KiB of zeros": () => new Uint8Array(65_536),
  "zeros up to a mebibyte": () => new Uint8Array(2 ** 20 - whole().length % 2 ** 20),
  "100 zeros": () => new Uint8Array(100),
  "a text descriptor": () => TEXT,
  "garbage": () => fullDisk({ seed: 3, capacitySectors: 40 }),
};

for (const [what, make] of Object.entries(BEHIND)) {
  Deno.test(`A14: ${what} behind a stream's end is left out, by path as by pipe, with a note`, async () => {
    const bytes = joined(whole(), make());
    await assertReads(bytes, WANTED, what);
    assert.deepEqual(await kindsOf(bytes), ["note stream-goes-on"]);
  });
}

Deno.test("A14: a stream that lacks the marker of its end is read, by path as by pipe, with a note", async () => {
  const bytes = whole().subarray(0, -SECTOR_SIZE);
  await assertReads(bytes, WANTED, "no end");
  assert.deepEqual(await kindsOf(bytes), ["note stream-goes-on"]);
});

Deno.test("A14: capacity 0 in the header of a stream: the footer's is taken, by path as by pipe", async () => {
  for (const behind of [new Uint8Array(0), new Uint8Array(5000)]) {
    const bytes = joined(whole(), behind);
    putInteger(bytes, { at: 12, size: 8, value: 0 });
    await assertReads(bytes, WANTED, `${behind.length} bytes behind`);
    assert.equal((await kindsOf(bytes))[0], "note capacity-in-footer");
  }
});

Deno.test("A14: capacity 0 is refused where nothing says the real one, or two say it differently", async () => {
  const bytes = whole();
  putInteger(bytes, { at: 12, size: 8, value: 0 });
  const footerAt = bytes.length - 2 * SECTOR_SIZE;
  const noFooter = bytes.subarray(0, footerAt - SECTOR_SIZE);
  assert.equal(await codeOf(applyByName(noFooter)), "TRUNCATED");
  assert.equal(await codeOf(applyByPipe(pipeOf(noFooter))), "TRUNCATED");
  const both = bytes.slice();
  putInteger(both, { at: footerAt + 12, size: 8, value: 0 });
  assert.equal(await codeOf(applyByName(both)), "HEADER_INVALID");
  assert.equal(await codeOf(applyByPipe(pipeOf(both))), "HEADER_INVALID");
  const other = bytes.slice();
  putInteger(other, { at: footerAt + 12, size: 8, value: LINK.capacitySectors - 128 });
  assert.equal(await codeOf(applyByPipe(pipeOf(other))), "HEADER_INVALID");
});

Deno.test("A14: a stream that was cut short is still refused, wherever that is", async () => {
  const bytes = whole();
  for (let cut = bytes.length - 2 * SECTOR_SIZE; cut > 2048; cut -= 7 * SECTOR_SIZE) {
    await assert.rejects(applyByName(bytes.subarray(0, cut)), (error: RegrainError) => {
      assert.equal(error.code, "TRUNCATED", `cut at byte ${cut}`);
      return true;
    });
  }
});

const EXPORTS = ["stream-xen-orchestra", "stream-xen-orchestra-short-cid", "stream-xen-orchestra-twice"];

for (const name of EXPORTS) {
  Deno.test(`A11: ${name} is read by path as by pipe, with anything behind it too`, async () => {
    const fixture = caseNamed(name);
    const bytes = fixture.make()["disk.vmdk"]!;
    await assertReads(bytes, fixture.expected!(), name);
    await assertReads(joined(bytes, new Uint8Array(65_536)), fixture.expected!(), `${name}, padded`);
    const isLong = name !== "stream-xen-orchestra-short-cid";
    assert.deepEqual(await kindsOf(bytes), isLong ? ["note descriptor-odd"] : []);
  });
}

Deno.test("A11: of tables that come twice, the ones that the footer names must fit the grains", async () => {
  const spec = { ...LINK, cid: "3141592653", tables: "twice" } as const;
  const { bytes, layout } = buildXenOrchestra(spec);
  const second = new DataView(bytes.buffer).getUint32(layout.directory, true) * SECTOR_SIZE;
  const changed = bytes.slice();
  putInteger(changed, { at: second + 4, size: 4, value: layout.grains.get(0)! / SECTOR_SIZE });
  assert.equal(await codeOf(applyByPipe(pipeOf(changed))), "DAMAGED");
  assert.notEqual(await codeOf(applyByName(changed)), "ok");
  const scratch = new MemoryScratch();
  await applyByPipe(pipeOf(bytes), { scratch });
  assert.equal(scratch.sizeBytes, 0, "few tables are kept in memory");
});

Deno.test("A11: every command reads an export, and says that its CID is none", () =>
  withTempDir((folder) => {
    const fixture = caseNamed("stream-xen-orchestra-twice");
    Deno.writeFileSync(`${folder}/x.vmdk`, fixture.make()["disk.vmdk"]!);
    Deno.writeFileSync(`${folder}/x.img`, fixture.expected!());
    const options = { cwd: folder };
    regrainExits(0, ["compare", "x.vmdk", "x.img"], options);
    assert.match(regrainExits(0, ["check", "x.vmdk"], options).stdout, /CID "4294967295" has more than 8/);
    regrainExits(0, ["info", "x.vmdk"], options);
    regrainExits(0, ["apply", "--create", "x.vmdk", "y.img"], options);
    assert.ok(sameBytes(Deno.readFileSync(`${folder}/y.img`), fixture.expected!()));
  }));

testWithPeers("A11: qemu-img reads the same of an export", ["qemu-img"], () =>
  withTempDir((folder) => {
    for (const name of EXPORTS) {
      const fixture = caseNamed(name);
      Deno.writeFileSync(`${folder}/x.vmdk`, fixture.make()["disk.vmdk"]!);
      const args = ["convert", "-f", "vmdk", "-O", "raw", `${folder}/x.vmdk`, `${folder}/x.img`];
      assert.equal(new Deno.Command("qemu-img", { args }).outputSync().code, 0);
      assert.ok(sameBytes(Deno.readFileSync(`${folder}/x.img`), fixture.expected!()), name);
    }
  }));
