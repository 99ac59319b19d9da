import assert from "node:assert/strict";
import { caseNamed } from "../../../fixtures/mod.ts";
import { memoryContext, readWhole } from "../../../test/helpers/memory.ts";
import { noise, OTHER, plantedDisk, plantedDisks } from "../../../test/helpers/planted.ts";
import { openChain } from "../disk/chain.ts";
import type { Context } from "../context.ts";
import { Disk } from "../disk/disk.ts";
import type { RegrainError } from "../errors.ts";
import { formatByName } from "./formats.ts";
import { openLink } from "../disk/open_link.ts";

type Files = Record<string, Uint8Array>;

/** What an image reads as, and what was said of it. */
async function readImage(
  path: string,
  files: Files,
  changes: Partial<Context> = {},
): Promise<{ bytes: Uint8Array; warnings: string[] }> {
  const warnings: string[] = [];
  const context = memoryContext(files, { warn: (sentence) => void warnings.push(sentence), ...changes });
  const disk = new Disk(context.core, await openChain(path, context));
  return { bytes: await readWhole(disk), warnings };
}

function assertReads(read: { bytes: Uint8Array }, expected: Uint8Array): void {
  assert.equal(read.bytes.length, expected.length);
  assert.ok(read.bytes.every((byte, i) => byte === expected[i]), "other bytes than the disk's");
}

const other = noise(99);
const text = (lines: string) => new TextEncoder().encode(lines);
const descriptor = (extent: string, header = "parentCID=ffffffff") =>
  text(`# Disk DescriptorFile\nversion=1\nCID=12345678\n${header}\ncreateType="vmfs"\n${extent}\n`);

Deno.test("A0: a name says VMDK when it ends in .vmdk and is not that of a flat extent", () => {
  const rows: [string, "raw" | "vmdk"][] = [
    ["vm.vmdk", "vmdk"],
    ["folder.img/VM.VMDK", "vmdk"],
    ["vm-000001-delta.vmdk", "vmdk"],
    ["vm-s001.vmdk", "vmdk"],
    ["flat.vmdk", "vmdk"],
    ["vm-flat.vmdk", "raw"],
    ["vm-FLAT.vmdk", "raw"],
    ["vm-f001.vmdk", "raw"],
    ["vm-f12.vmdk", "vmdk"],
    ["vm.vmdk.REDO_a1B2c3", "vmdk"],
    ["folder/vm.vmdk-delta.REDO_a1B2c3", "vmdk"],
    ["vm.REDO_a1B2c3", "vmdk"],
    ["vm.vmdk.REDO_a1B2c3.img", "raw"],
    ["vm.vmdk.redo_log", "raw"],
    ["vm.img", "raw"],
    ["vm.vmdk.img", "raw"],
    ["vm.vmdk/disk", "raw"],
    ["/dev/vg0/vm", "raw"],
    ["vmdk", "raw"],
  ];
  for (const [path, format] of rows) assert.equal(formatByName(path), format, path);
});

for (const { name, looks, disk } of plantedDisks()) {
  Deno.test(`A0: a raw disk whose guest planted ${name} is read as itself, with one warning`, async () => {
    for (const path of ["guest.img", "guest", "folder/guest-flat.vmdk", "guest-f001.vmdk"]) {
      const read = await readImage(path, { [path]: disk, [OTHER]: other });
      assertReads(read, disk);
      assert.equal(read.warnings.length, 1, path);
      assert.match(read.warnings[0]!, looks);
      assert.ok(read.warnings[0]!.startsWith(`${path}: its name says`), read.warnings[0]);
      assert.match(read.warnings[0]!, /--format raw/);
    }
  });

  Deno.test(`A0: --format raw takes a disk with a planted ${name} without a word, whatever its name is`, async () => {
    for (const path of ["guest.img", "guest.vmdk"]) {
      const read = await readImage(path, { [path]: disk, [OTHER]: other }, { format: "raw" });
      assertReads(read, disk);
      assert.deepEqual(read.warnings, []);
    }
  });

  Deno.test(`A0: a block device with a planted ${name} is a raw disk, whatever its name is`, async () => {
    const files = { "guest.vmdk": disk, [OTHER]: other };
    const { files: plain } = memoryContext(files);
    const open = async (path: string) => ({ ...await plain.open(path), isDevice: true });
    const read = await readImage("guest.vmdk", files, { files: { ...plain, open } });
    assertReads(read, disk);
    assert.equal(read.warnings.length, 1);
    assert.match(read.warnings[0]!, /it is a block device/);
  });

  Deno.test(`A0: a snapshot of a disk with a planted ${name} is a raw disk, for certain`, async () => {
    const files = { "repo:vm/disk@latest": disk };
    const { files: plain } = memoryContext(files);
    const open = async (path: string) => ({ ...await plain.open(path), isDisk: true });
    const read = await readImage("repo:vm/disk@latest", files, { files: { ...plain, open } });
    assertReads(read, disk);
    assert.deepEqual(read.warnings, []);
  });

  Deno.test(`A0: a flat extent with a planted ${name} stays flat, by its line alone`, async () => {
    const files = {
      "vm.vmdk": descriptor(`RW 2048 VMFS "vm-flat.vmdk"`),
      "vm-flat.vmdk": disk,
      [OTHER]: other,
    };
    for (const path of ["vm.vmdk", "vm-flat.vmdk"]) {
      const read = await readImage(path, files);
      assertReads(read, disk);
      assert.deepEqual(read.warnings, []);
    }
  });

  Deno.test(`A16: a flat line over a file that begins like ${name} is noted by name`, async () => {
    const files = { "vm.vmdk": descriptor(`RW 2048 VMFS "vm-flat.vmdk"`), "vm-flat.vmdk": disk };
    const link = await openLink("vm.vmdk", memoryContext(files), "image");
    const findings = link.extents.flatMap(({ extent }) => extent.findings);
    assert.deepEqual(findings.map(({ severity, kind }) => [severity, kind]), [[
      "note",
      "flat-looks-otherwise",
    ]]);
    assert.match(findings[0]!.message, looks);
    assert.equal(findings[0]!.path, "vm-flat.vmdk");
  });
}

Deno.test("A16: a flat extent that begins like a disk is not noted", async () => {
  const files = { "vm.vmdk": descriptor(`RW 2048 VMFS "vm-flat.vmdk"`), "vm-flat.vmdk": other };
  const link = await openLink("vm.vmdk", memoryContext(files), "image");
  assert.deepEqual(link.extents.flatMap(({ extent }) => extent.findings), []);
});

Deno.test("A0: --format vmdk reads a VMDK that has another name", async () => {
  const files = { "disk.bin": descriptor(`RW 2048 FLAT "${OTHER}" 0`), [OTHER]: other };
  const read = await readImage("disk.bin", files, { format: "vmdk" });
  assertReads(read, other);
  assert.deepEqual(read.warnings, []);
});

Deno.test("A0: a descriptor by the name of a flat extent is one when it names its own flat beside it", async () => {
  const files = {
    "srv-flat.vmdk": descriptor(`RW 2048 VMFS "srv-flat-flat.vmdk"`),
    "srv-flat-flat.vmdk": other,
  };
  const read = await readImage("srv-flat.vmdk", files);
  assertReads(read, other);
  assert.equal(read.warnings.length, 1);
  assert.match(read.warnings[0]!, /srv-flat\.vmdk: .*descriptor.*--format raw/);
});

Deno.test("A0: a descriptor by the name of a flat extent that names another disk is the disk", async () => {
  const planted = plantedDisk("descriptor").disk;
  const far = `RW 2048 VMFS "elsewhere/srv-flat-flat.vmdk"`;
  const padded = (bytes: Uint8Array, length: number) => {
    const whole = new Uint8Array(length);
    whole.set(bytes);
    return whole;
  };
  const rows: [string, Uint8Array][] = [
    ["it names another VM's", planted],
    ["its own flat is not there", padded(descriptor(`RW 2048 VMFS "srv-flat-flat.vmdk"`), 1024)],
    ["its own flat is in another folder", padded(descriptor(far), 1024)],
    ["it is as large as a disk", padded(descriptor(`RW 2048 VMFS "big-flat.vmdk"`), 1024 * 1024)],
  ];
  for (const [why, disk] of rows) {
    const files = { "srv-flat.vmdk": disk, [OTHER]: other, "big-flat.vmdk": other };
    assertReads(await readImage("srv-flat.vmdk", files), disk);
    assert.ok(why);
  }
});

Deno.test("A0: a parent is a VMDK by its place, whatever its name is", async () => {
  const fixture = caseNamed("cowd-plain");
  const files = fixture.make();
  const renamed: Files = {};
  for (const [name, bytes] of Object.entries(files)) {
    renamed[name === "disk.vmdk" ? "base.bin" : name] = bytes;
  }
  renamed["disk-000001.vmdk"] = text(
    new TextDecoder().decode(files["disk-000001.vmdk"]).replaceAll("disk.vmdk", "base.bin"),
  );
  assertReads(await readImage("disk-000001.vmdk", renamed), fixture.expected!());
});

Deno.test("A0: a raw disk is no parent, so that its guest cannot decide what it is", async () => {
  const header = `parentCID=12345678\nparentFileNameHint="guest.img"`;
  const files = {
    "vm-000001.vmdk": descriptor(`RW 2048 VMFS "vm-flat.vmdk"`, header),
    "vm-flat.vmdk": other,
  };
  const chain = openChain("vm-000001.vmdk", memoryContext({ ...files, "guest.img": other }));
  await assert.rejects(chain, (error: RegrainError) => {
    assert.equal(error.code, "NOT_A_DISK");
    assert.match(error.hint!, /descriptor with a line FLAT/);
    return true;
  });
});

Deno.test("A0: what is given as a delta is a VMDK by its place, whatever its name is", async () => {
  const bytes = caseNamed("cowd-plain").make()["disk-000001-delta.vmdk"]!;
  const warnings: string[] = [];
  const context = memoryContext({ delta: bytes }, { warn: (sentence) => void warnings.push(sentence) });
  const link = await openLink("delta", context, "delta");
  assert.equal(link.extents[0]!.extent.format, "cowd");
  assert.deepEqual(warnings, []);
});

Deno.test("A15: a flat file named x.vmdk is refused with what to do, and that works", async () => {
  await assert.rejects(readImage("x.vmdk", { "x.vmdk": other }), (error: RegrainError) => {
    assert.equal(error.code, "NOT_A_DISK");
    assert.match(error.hint!, /--format raw, or its right name, x-flat\.vmdk; .* would read wrong/);
    return true;
  });
  assertReads(await readImage("x.vmdk", { "x.vmdk": other }, { format: "raw" }), other);
  assertReads(await readImage("x-flat.vmdk", { "x-flat.vmdk": other }), other);
});

Deno.test("D14: a raw image of odd size is refused with its size, and --format raw reads it", async () => {
  const odd = other.slice(0, 1300);
  await assert.rejects(readImage("x.img", { "x.img": odd }), (error: RegrainError) => {
    assert.equal(error.code, "NOT_A_DISK");
    assert.match(error.message, /1300 bytes are no whole number of sectors of 512 bytes/);
    assert.match(error.hint!, /--format raw takes it with zeros up to the end of its last sector/);
    return true;
  });
  const padded = new Uint8Array(1536);
  padded.set(odd);
  assertReads(await readImage("x.img", { "x.img": odd }, { format: "raw" }), padded);
});

Deno.test("A9: a sparse file of version 4 may be one that Workstation has encrypted, which is said", async () => {
  const file = caseNamed("hosted-version-2-zero-grains");
  const [path, bytes] = Object.entries(file.make()).find(([, each]) => each[0] === 0x4b)!;
  bytes[4] = 4;
  const context = memoryContext({ [path]: bytes });
  await assert.rejects(openLink(path, context, "delta"), (error: RegrainError) => {
    assert.equal(error.code, "UNSUPPORTED");
    assert.match(
      error.message,
      /version 4, 1 to 3 are known: it may be a disk that Workstation or Fusion has encrypted/,
    );
    assert.match(error.hint!, /decrypt it there first/);
    return true;
  });
});
