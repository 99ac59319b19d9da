import assert from "node:assert/strict";
import { zstdDecompressSync } from "node:zlib";
import {
  buildQcow2,
  expectedQcow2,
  QCOW2_CASES,
  type Qcow2Cluster,
  type Qcow2Spec,
} from "../../../../fixtures/mod.ts";
import { core, memoryContext, readWhole } from "../../../../test/helpers/memory.ts";
import { openChain } from "../../disk/chain.ts";
import { Disk } from "../../disk/disk.ts";
import { doubtsOfDisk } from "../../disk/doubts.ts";
import { openLink } from "../../disk/open_link.ts";
import { surveyLink } from "../../disk/survey.ts";
import type { ErrorCode, RegrainError } from "../../errors.ts";
import { inflateRawPortable } from "../../inflate.ts";

type Bytes = Record<string, Uint8Array>;
const unpackers = {
  inflateRaw: inflateRawPortable,
  zstd: (packed: Uint8Array, maxBytes: number) => zstdDecompressSync(packed, { maxOutputLength: maxBytes }),
};
const contextOf = (files: Bytes, warned: string[] = []) =>
  memoryContext(files, { unpackers, warn: (sentence) => warned.push(sentence) });

async function read(files: Bytes, leaf: string, warned: string[] = []): Promise<Uint8Array> {
  return await readWhole(new Disk(core, await openChain(leaf, contextOf(files, warned))), 10_007);
}

async function surveyed(bytes: Uint8Array) {
  const link = await openLink("disk.qcow2", contextOf({ "disk.qcow2": bytes }), "image");
  return (await surveyLink(core, link, { overlaps: true })).findings;
}

for (const { name, leaf, make, expected } of QCOW2_CASES) {
  Deno.test(`${name} reads as it should, and its own tables are sound`, async () => {
    const files = make();
    assert.deepEqual(await read(files, leaf), expected());
    const findings = await surveyed(files[leaf]!);
    assert.equal(findings.counts.damage + findings.counts.doubt, 0, JSON.stringify(findings.kept));
  });
}

const CLUSTER = 4096;
const filled = (byte: number) => new Uint8Array(CLUSTER).fill(byte);
const SPEC: Qcow2Spec = {
  clusterBits: 12,
  sizeBytes: 8 * CLUSTER,
  clusters: new Map<number, Qcow2Cluster>([
    [0, { is: "data", bytes: filled(1) }],
    [1, { is: "data", bytes: filled(2) }],
    [2, { is: "packed", bytes: filled(3) }],
    [3, { is: "packed", bytes: filled(4) }],
  ]),
};

const u32 = (at: number, value: number) => (view: DataView) => view.setUint32(at, value);
const u64 = (at: number, value: bigint) => (view: DataView) => view.setBigUint64(at, value);

/** What is wrong, how, the code, and the byte that the message names. */
const HOSTILE: [string, (view: DataView) => void, ErrorCode, number][] = [
  ["version 1", u32(4, 1), "UNSUPPORTED", 4],
  ["version 4", u32(4, 4), "UNSUPPORTED", 4],
  ["clusters of 256 bytes", u32(20, 8), "HEADER_INVALID", 20],
  ["clusters of 4 MiB", u32(20, 22), "HEADER_INVALID", 20],
  ["clusters of 2^32 bytes", u32(20, 0xffffffff), "HEADER_INVALID", 20],
  ["a size of 0", u64(24, 0n), "HEADER_INVALID", 24],
  ["half a sector", u64(24, 256n), "HEADER_INVALID", 24],
  ["a size past 62 TiB", u64(24, 1n << 62n), "LIMIT_EXCEEDED", 24],
  ["an L1 table that is too small", u32(36, 0), "HEADER_INVALID", 36],
  ["an L1 table of 32 GiB", u32(36, 0xffffffff), "LIMIT_EXCEEDED", 36],
  ["an L1 table past the end", u64(40, 1n << 40n), "TRUNCATED", 40],
  ["an L1 table past any file", u64(40, (1n << 64n) - 4096n), "TRUNCATED", 40],
  ["an L1 table inside a cluster", u64(40, 3n * 4096n + 8n), "HEADER_INVALID", 40],
  ["an L1 table in the header", u64(40, 0n), "HEADER_INVALID", 40],
  ["an L1 table on the refcount table", u64(40, 4096n), "HEADER_INVALID", 48],
  ["a refcount table past the end", u64(48, 1n << 50n), "TRUNCATED", 48],
  ["no refcount table", u32(56, 0), "HEADER_INVALID", 56],
  ["a refcount table of 16 TiB", u32(56, 0xffffffff), "LIMIT_EXCEEDED", 56],
  ["refcounts of 128 bits", u32(96, 7), "HEADER_INVALID", 96],
  ["a header past its cluster", u32(100, 4104), "HEADER_INVALID", 100],
  ["a header of 8 bytes", u32(100, 8), "HEADER_INVALID", 100],
  ["a header extension past its cluster", u32(112, 0x12345678), "HEADER_INVALID", 116],
  ["too many snapshots", u32(60, 65_537), "LIMIT_EXCEEDED", 60],
  ["a snapshot table past the end", (view) => (u32(60, 1)(view), u64(64, 1n << 32n)(view)), "TRUNCATED", 64],
  [
    "a backing name past its cluster",
    (view) => (u64(8, 4090n)(view), u32(16, 100)(view)),
    "HEADER_INVALID",
    8,
  ],
  ["a backing name of 2000 bytes", (view) => (u64(8, 200n)(view), u32(16, 2000)(view)), "LIMIT_EXCEEDED", 16],
  ["AES", u32(32, 1), "ENCRYPTED", 32],
  ["LUKS", u32(32, 2), "ENCRYPTED", 32],
  ["an external data file", u64(72, 4n), "UNSUPPORTED", 72],
  ["an unknown feature", u64(72, 1n << 40n), "UNSUPPORTED", 72],
  ["an unknown compression", (view) => (u64(72, 8n)(view), view.setUint8(104, 7)), "UNSUPPORTED", 104],
  ["subclusters of 128 bytes", u64(72, 16n), "HEADER_INVALID", 20],
];

Deno.test("hostile headers are refused with code, path and byte", async () => {
  for (const [what, damage, code, offsetBytes] of HOSTILE) {
    const { bytes } = buildQcow2(SPEC);
    if (what.startsWith("a header extension")) new DataView(bytes.buffer).setUint32(116, 0xfffffff0);
    damage(new DataView(bytes.buffer));
    const files = { "disk.qcow2": bytes };
    await assert.rejects(openLink("disk.qcow2", contextOf(files), "image"), (error: RegrainError) => {
      assert.deepEqual([error.code, error.path, error.offsetBytes], [code, "disk.qcow2", offsetBytes], what);
      return true;
    }, what);
  }
});

Deno.test("a file cut anywhere is refused, or found to be cut, and never reads as another disk", async () => {
  const { bytes } = buildQcow2(SPEC);
  const whole = expectedQcow2(SPEC);
  for (let length = 1; length < bytes.length; length += 509) {
    try {
      assert.deepEqual(
        await read({ "disk.qcow2": bytes.slice(0, length) }, "disk.qcow2"),
        whole,
        `${length}`,
      );
    } catch (error) {
      const { code } = error as RegrainError;
      assert.ok(
        ["TRUNCATED", "DAMAGED", "GRAIN_DAMAGED", "NOT_A_DISK"].includes(code),
        `${length}: ${error}`,
      );
    }
  }
});

/** What is wrong with an entry, the entry, and the kind that the survey finds. */
const ENTRIES: [string, number, bigint, string][] = [
  ["a cluster past the end", 0, 1n << 63n | 1n << 40n, "entry-past-end"],
  ["a cluster inside another", 0, 1n << 63n | 0x3200n, "entry-reserved"],
  ["a cluster in the L1 table", 0, 1n << 63n | 0x3000n, "entry-in-metadata"],
  ["a reserved bit", 0, 1n << 56n, "entry-reserved"],
  ["a compressed cluster past the end", 2, 1n << 62n | 1n << 40n, "entry-past-end"],
  ["a compressed cluster that is none", 2, 1n << 62n | 0x5000n, "grain-damaged"],
];

Deno.test("check finds entries that point outside or into tables, with their byte", async () => {
  for (const [what, cluster, entry, kind] of ENTRIES) {
    const { bytes, entryAt } = buildQcow2(SPEC);
    new DataView(bytes.buffer).setBigUint64(entryAt(cluster), entry);
    const findings = await surveyed(bytes);
    assert.deepEqual(findings.kept.map((finding) => finding.kind), [kind], what);
    if (kind !== "grain-damaged") assert.equal(findings.kept[0]!.offsetBytes, entryAt(cluster), what);
    await assert.rejects(read({ "disk.qcow2": bytes }, "disk.qcow2"), what);
  }
});

Deno.test("check finds two entries of one cluster, plain or compressed, and an L2 table named twice", async () => {
  for (const [from, to] of [[0, 1], [2, 3]] as const) {
    const { bytes, entryAt } = buildQcow2(SPEC);
    bytes.copyWithin(entryAt(to), entryAt(from), entryAt(from) + 8);
    assert.deepEqual((await surveyed(bytes)).kept.map(({ kind, offsetBytes }) => [kind, offsetBytes]), [
      ["grain-shared", entryAt(to)],
    ]);
  }
  const many = { ...SPEC, sizeBytes: 1024 * CLUSTER };
  const { bytes, l1At } = buildQcow2(many);
  bytes.copyWithin(l1At + 8, l1At, l1At + 8);
  assert.ok((await surveyed(bytes)).has("table-shared", "disk.qcow2"));
});

Deno.test("a zero cluster in version 2 is damage, as it is to qemu", async () => {
  const { bytes, entryAt } = buildQcow2({ ...SPEC, version: 2 });
  new DataView(bytes.buffer).setBigUint64(entryAt(0), 1n);
  assert.ok((await surveyed(bytes)).has("entry-reserved", "disk.qcow2"));
});

Deno.test("the flags dirty and corrupt are told, the second refuses without --force", async () => {
  const { bytes } = buildQcow2(SPEC);
  new DataView(bytes.buffer).setBigUint64(72, 3n);
  const findings = await surveyed(bytes);
  assert.deepEqual(findings.kept.map(({ severity, kind }) => [severity, kind]), [
    ["doubt", "marked-corrupt"],
    ["note", "unclean"],
  ]);
});

Deno.test("internal snapshots are named, and the current state is read", async () => {
  const findings = await surveyed(buildQcow2({ ...SPEC, snapshots: ["before the upgrade"] }).bytes);
  assert.match(findings.kept[0]!.message, /1 internal snapshot \("before the upgrade", id 1\)/);
});

Deno.test("content never makes a qcow2 of a file, its name or --format does", async () => {
  const { bytes } = buildQcow2(SPEC);
  const warned: string[] = [];
  assert.deepEqual(await read({ "vm.img": bytes }, "vm.img", warned), bytes);
  assert.match(warned.join(), /begins like qcow2; it is read as a raw disk/);
  const context = memoryContext({ "vm.img": bytes }, { format: "qcow2" });
  assert.deepEqual(await readWhole(new Disk(core, await openChain("vm.img", context))), expectedQcow2(SPEC));
  await assert.rejects(openLink("vm.qcow2", contextOf({ "vm.qcow2": filled(7) }), "image"), {
    code: "NOT_A_DISK",
  });
});

Deno.test("a backing file is what the header says: a raw one is never probed, no format is raw, aloud", async () => {
  const inner = buildQcow2(SPEC).bytes;
  for (const format of ["raw", undefined]) {
    const spec = { ...SPEC, backing: { name: "base.qcow2", ...(format && { format }) } };
    const warned: string[] = [];
    const files = { "disk.qcow2": buildQcow2(spec).bytes, "base.qcow2": inner };
    assert.deepEqual(await read(files, "disk.qcow2", warned), expectedQcow2(spec, inner));
    assert.equal(
      warned.some((each) => /names no format for its backing file "base.qcow2"/.test(each)),
      !format,
    );
  }
});

Deno.test("a backing file whose format is not named, and that begins like an image, is in doubt", async () => {
  const [inner, raw] = [buildQcow2(SPEC).bytes, filled(7)];
  for (
    const [format, base, isDoubt] of [[undefined, inner, true], [undefined, raw, false], [
      "raw",
      inner,
      false,
    ]] as const
  ) {
    const disk = buildQcow2({ ...SPEC, backing: { name: "base.img", ...(format && { format }) } }).bytes;
    const doubts = doubtsOfDisk(
      await openChain("disk.qcow2", contextOf({ "disk.qcow2": disk, "base.img": base })),
    );
    assert.deepEqual(
      doubts.map(({ kind, path }) => `${kind} ${path}`),
      isDoubt ? ["backing-format-unsaid base.img"] : [],
    );
  }
});

Deno.test("data is data whatever its place and the length of the hole before it are", async () => {
  // Clusters of 512 bytes. After a hole of so many sectors comes data at each low place of the file.
  const cluster = 512;
  const clusters = 256;
  for (let hole = 1; hole < 60; hole++) {
    const file = new Uint8Array(128 * cluster);
    const view = new DataView(file.buffer);
    view.setUint32(0, 0x514649fb);
    view.setUint32(4, 2);
    view.setUint32(20, 9);
    view.setBigUint64(24, BigInt(clusters * cluster));
    view.setUint32(36, clusters / 64);
    view.setBigUint64(40, BigInt(cluster));
    view.setBigUint64(48, BigInt(2 * cluster));
    view.setUint32(56, 1);
    view.setBigUint64(cluster, BigInt(3 * cluster));
    // A place from 4 on: those that a hole of this length could be taken to lead to, and one more.
    const place = Math.max(4, hole - 2);
    view.setBigUint64(3 * cluster + hole * 8, BigInt(place * cluster));
    file.fill(hole, place * cluster, (place + 1) * cluster);
    const expected = new Uint8Array(clusters * cluster);
    expected.fill(hole, hole * cluster, (hole + 1) * cluster);
    assert.deepEqual(await read({ "disk.qcow2": file }, "disk.qcow2"), expected, `a hole of ${hole} sectors`);
  }
});

/** A name of a backing file, its format, and the code. */
const BACKINGS: [string, string, ErrorCode][] = [
  ['json:{"driver":"raw","file":{"driver":"file","filename":"/etc/shadow"}}', "raw", "UNSUPPORTED"],
  ["nbd:localhost:10809", "raw", "UNSUPPORTED"],
  ["nbd+unix:///?socket=/s", "raw", "UNSUPPORTED"],
  ["file:/etc/shadow", "raw", "UNSUPPORTED"],
  ["base.vdi", "vdi", "UNSUPPORTED"],
  ["/etc/shadow", "raw", "OUTSIDE_FOLDER"],
  ["../base.img", "raw", "OUTSIDE_FOLDER"],
  ["disk.qcow2", "qcow2", "CHAIN_CYCLE"],
  ["other.qcow2", "qcow2", "CHAIN_CYCLE"],
];

Deno.test("backing names with a scheme, outside of the folder, or that go round in a circle are refused", async () => {
  for (const [name, format, code] of BACKINGS) {
    const files = {
      "f/disk.qcow2": buildQcow2({ ...SPEC, backing: { name, format } }).bytes,
      "f/other.qcow2": buildQcow2({ ...SPEC, backing: { name: "disk.qcow2", format: "qcow2" } }).bytes,
    };
    await assert.rejects(openChain("f/disk.qcow2", contextOf(files)), (error: RegrainError) => {
      assert.equal(error.code, code, `${name}: ${error.message}`);
      return true;
    });
  }
});

Deno.test("zstd is refused in words where nothing unpacks it", async () => {
  const files = { "disk.qcow2": buildQcow2({ ...SPEC, compression: "zstd" }).bytes };
  await assert.rejects(openLink("disk.qcow2", memoryContext(files), "image"), {
    code: "UNSUPPORTED",
    message: /compressed by zstd, which cannot be unpacked here/,
  });
});
