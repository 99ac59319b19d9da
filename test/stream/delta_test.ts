/** Every disk through a pipe: the same as by its name, or an error, and never wrong bytes. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { ReadNext, Scratch } from "../../core-as/host/forward/mod.ts";
import { openLink, RegrainError, SECTOR_SIZE } from "../../core-as/host/mod.ts";
import { Spill } from "../../cli/stream/spill.ts";
import { unpacked } from "../../cli/stream/unpack.ts";
import { buildCowd } from "../../fixtures/cowd.ts";
import { buildHosted } from "../../fixtures/hosted_sparse.ts";
import { getU32, type Image, putInteger } from "../../fixtures/image.ts";
import {
  buildSeSparse,
  caseNamed,
  CASES,
  dataGrains,
  type FixtureCase,
  Rng,
  SESPARSE_HEADER,
} from "../../fixtures/mod.ts";
import { streamImage } from "../../fixtures/cases/stream.ts";
import { sameBytes } from "../helpers/bytes.ts";
import { memoryContext } from "../helpers/memory.ts";
import type { MemoryTarget } from "../helpers/memory_target.ts";
import { peer, testWithPeers } from "../helpers/peers.ts";
import { applyByName, applyByPipe, codeOf, MemoryScratch, pipeOf } from "../helpers/pipe.ts";

const SPARSE = new Set(["cowd", "sesparse", "hosted", "stream"]);
const SMALL_WINDOW = 256 * 1024;

/** The file that holds the newest link of a case, where that is one file. */
async function singleFile(fixture: FixtureCase): Promise<Uint8Array | undefined> {
  const files = fixture.make();
  const link = await openLink(fixture.leaf, memoryContext(files), "image");
  const [only] = link.extents;
  if (link.extents.length !== 1 || !SPARSE.has(only!.extent.format)) return undefined;
  return files[only!.extent.path];
}

async function fileOf(name: string): Promise<Uint8Array> {
  return (await singleFile(caseNamed(name)))!;
}

function unpack(bytes: Uint8Array, pieceBytes?: number): Promise<ReadNext> {
  return unpacked(pipeOf(bytes, pieceBytes), () => {});
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

for (const fixture of CASES.filter(({ expect }) => expect === "ok")) {
  const bytes = await singleFile(fixture);
  if (!bytes) continue;
  Deno.test(`${fixture.name} comes out of a pipe as it does out of its file`, async () => {
    const byName = await applyByName(bytes);
    const pipes = [
      { read: pipeOf(bytes), windowBytes: SMALL_WINDOW },
      { read: pipeOf(bytes, 1_000_003), windowBytes: 3 * 1024 * 1024 },
      { read: await unpack(gzipSync(bytes)), windowBytes: SMALL_WINDOW },
      { read: await unpack(zstdCompressSync(bytes)), windowBytes: SMALL_WINDOW },
    ];
    for (const { read, windowBytes } of pipes) {
      const scratch = new MemoryScratch();
      const byPipe = await applyByPipe(read, { windowBytes, scratch });
      assert.ok(sameBytes(byPipe.target.bytes, byName.target.bytes), "the bytes differ");
      assert.deepEqual(byPipe.counts, byName.counts);
      assert.equal(byPipe.slack.nextDiskAt, undefined);
      assert.equal(scratch.sizeBytes, 0, "something had to be kept");
    }
  });
}

const CUT_CODES = new Set(["TRUNCATED", "DAMAGED", "NOT_A_DISK"]);
const CUT = [
  "cowd-plain",
  "cowd-interleaved-first-touch",
  "sesparse-all-four-kinds",
  "hosted-version-1",
  "hosted-monolithic",
  "stream-footer",
  "stream-footer-zero-grains",
  "stream-front",
  "stream-front-without-markers",
];

for (const name of CUT) {
  Deno.test(`${name} cut short is an error wherever that is, and the whole completes it`, async () => {
    const bytes = await fileOf(name);
    const whole = await applyByName(bytes);
    const rng = new Rng(4);
    const cuts = [
      1,
      2,
      511,
      512,
      513,
      2047,
      2048,
      ...Array.from({ length: 30 }, () => rng.int(bytes.length)),
    ];
    for (const cut of [...cuts, bytes.length - 1, bytes.length - 512]) {
      let target: MemoryTarget | undefined;
      const onTarget = (opened: MemoryTarget) => target = opened;
      const read = pipeOf(bytes.subarray(0, cut));
      const code = await codeOf(applyByPipe(read, { windowBytes: SMALL_WINDOW, onTarget }));
      // The padding of the last grain, and what a grain held that is unmapped now, nobody misses.
      const isWhole = code === "ok" && sameBytes(target!.bytes, whole.target.bytes);
      assert.ok(isWhole || CUT_CODES.has(code), `${code} when cut at byte ${cut}`);
      if (!target) continue;
      for (const { kind, offsetBytes, lengthBytes } of target.operations) {
        if (kind === "zero") continue;
        const end = offsetBytes + lengthBytes;
        const written = target.bytes.subarray(offsetBytes, end);
        assert.ok(sameBytes(written, whole.target.bytes.subarray(offsetBytes, end)), `cut at byte ${cut}`);
      }
    }
  });
}

Deno.test("a delta cut short says where the pipe ended", async () => {
  const bytes = await fileOf("cowd-plain");
  await assert.rejects(applyByPipe(pipeOf(bytes.subarray(0, 100_000))), (error: RegrainError) => {
    assert.equal(error.code, "TRUNCATED");
    assert.equal(error.offsetBytes, 100_000);
    return true;
  });
});

/** Puts a part of a file to its end and fills its old place with what must not be read; returns the new sector. */
function moveToEnd(image: Image, part: { at: number; lengthBytes: number }): number {
  const { at, lengthBytes } = part;
  const bytes = new Uint8Array(image.bytes.length + lengthBytes);
  bytes.set(image.bytes);
  bytes.copyWithin(image.bytes.length, at, at + lengthBytes);
  bytes.fill(0xee, at, at + lengthBytes);
  const sector = image.bytes.length / SECTOR_SIZE;
  image.bytes = bytes;
  return sector;
}

const scattered = dataGrains([5, 4, 7000, 6, 4200, 4201, 9000, 8999, 3]);

function cowdWithLateTables(): Uint8Array {
  const image = buildCowd({ capacitySectors: 3 * 4096, grainSectors: 1, seed: 90, grains: scattered });
  for (const number of [0, 1]) {
    const sector = moveToEnd(image, { at: image.layout.tables.get(number)!, lengthBytes: 4096 * 4 });
    putInteger(image.bytes, { at: image.layout.directory + number * 4, size: 4, value: sector });
  }
  return image.bytes;
}

function seSparseWithLateTables(): Uint8Array {
  const image = buildSeSparse({ capacitySectors: 3 * 4096 * 8, seed: 91, grains: scattered });
  const at = getU32(image.bytes, SESPARSE_HEADER.grainTablesOffset.at) * SECTOR_SIZE;
  const lengthBytes = getU32(image.bytes, SESPARSE_HEADER.grainTablesSize.at) * SECTOR_SIZE;
  const sector = moveToEnd(image, { at, lengthBytes });
  // The grains' region ends where the file did.
  const grains = getU32(image.bytes, SESPARSE_HEADER.grainsOffset.at);
  putInteger(image.bytes, { ...SESPARSE_HEADER.grainsSize, value: sector - grains });
  putInteger(image.bytes, { ...SESPARSE_HEADER.grainTablesOffset, value: sector });
  return image.bytes;
}

function hostedWithLateTable(): Uint8Array {
  const image = buildHosted({
    capacitySectors: 600 * 16,
    grainSectors: 16,
    seed: 92,
    redundant: false,
    grains: dataGrains([5, 4, 513, 6, 514, 599]),
  });
  const sector = moveToEnd(image, { at: image.layout.tables.get(1)!, lengthBytes: 2048 });
  putInteger(image.bytes, { at: image.layout.directory + 4, size: 4, value: sector });
  return image.bytes;
}

function hostedWithLateDirectory(): Uint8Array {
  const image = buildHosted({
    capacitySectors: 600 * 16,
    grainSectors: 16,
    seed: 93,
    redundant: false,
    grains: dataGrains([5, 4, 513, 6, 514, 599]),
  });
  const sector = moveToEnd(image, { at: image.layout.directory, lengthBytes: SECTOR_SIZE });
  putInteger(image.bytes, { at: 56, size: 8, value: sector });
  return image.bytes;
}

/** Neither markers nor tables in front: only the end of the file says where anything is. */
function streamWithoutMarkers(): Uint8Array {
  const link = {
    capacitySectors: 128 * 600,
    grainSectors: 128,
    seed: 94,
    grains: dataGrains([0, 7, 515, 599]),
  };
  const image = streamImage(link, { form: "front", markers: false });
  const sector = moveToEnd(image, { at: image.layout.directory, lengthBytes: SECTOR_SIZE });
  putInteger(image.bytes, { at: 56, size: 8, value: sector });
  return image.bytes;
}

const LATE: Record<string, () => Uint8Array> = {
  "COWD with tables behind their grains": cowdWithLateTables,
  "SESparse with tables behind their grains": seSparseWithLateTables,
  "hosted sparse with a table behind its grains": hostedWithLateTable,
  "hosted sparse with its directory at the end": hostedWithLateDirectory,
  "streamOptimized without markers and with its directory at the end": streamWithoutMarkers,
};

for (const [name, make] of Object.entries(LATE)) {
  Deno.test(`${name} is kept in part, and comes out right`, async () => {
    const bytes = make();
    const byName = await applyByName(bytes);
    for (const windowBytes of [SMALL_WINDOW, 3 * 1024 * 1024]) {
      const scratch = new MemoryScratch();
      const byPipe = await applyByPipe(pipeOf(bytes), { windowBytes, scratch });
      assert.ok(sameBytes(byPipe.target.bytes, byName.target.bytes), "the bytes differ");
      assert.deepEqual(byPipe.counts, byName.counts);
      assert.ok(scratch.sizeBytes > 0 && scratch.sizeBytes <= bytes.length, `${scratch.sizeBytes} kept`);
    }
  });

  Deno.test(`${name} is told where it is kept, and refused where nothing may be`, async () => {
    const bytes = make();
    const folder = Deno.makeTempDirSync({ prefix: "regrain_test_" });
    try {
      const told: string[] = [];
      const spill = new Spill({ folder, limitBytes: 2 ** 30, onCreate: (where) => told.push(where) });
      const byName = await applyByName(bytes);
      const { target } = await applyByPipe(pipeOf(bytes), { scratch: spill });
      assert.ok(sameBytes(target.bytes, byName.target.bytes), "the bytes differ");
      assert.deepEqual(told, [folder]);
      assert.deepEqual([...Deno.readDirSync(folder)], []);
      spill.close();
      const none = new Spill({ folder: undefined, limitBytes: 2 ** 30, onCreate: () => {} });
      assert.equal(await codeOf(applyByPipe(pipeOf(bytes), { scratch: none })), "UNSUPPORTED");
      const little = new Spill({ folder, limitBytes: 512, onCreate: () => {} });
      assert.equal(await codeOf(applyByPipe(pipeOf(bytes), { scratch: little })), "NO_SPACE");
      little.close();
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

Deno.test("two entries that name the same grain are damage, before or behind it", async () => {
  const image = buildCowd({ capacitySectors: 3 * 4096, grainSectors: 1, seed: 95, grains: scattered });
  const { entries } = image.layout;
  for (const [from, to] of [[5, 4], [4200, 5], [5, 4200], [9000, 7000]] as const) {
    const bytes = image.bytes.slice();
    putInteger(bytes, { at: entries.get(to)!, size: 4, value: getU32(bytes, entries.get(from)!) });
    assert.equal(await codeOf(applyByPipe(pipeOf(bytes))), "DAMAGED", `entry ${to} as entry ${from}`);
  }
});

Deno.test("a directory that names a table twice, the directory or the header is damage", async () => {
  const image = buildCowd({ capacitySectors: 3 * 4096, grainSectors: 1, seed: 96, grains: scattered });
  const { directory } = image.layout;
  for (const value of [getU32(image.bytes, directory), 4, 1]) {
    const bytes = image.bytes.slice();
    putInteger(bytes, { at: directory + 4, size: 4, value });
    assert.equal(await codeOf(applyByPipe(pipeOf(bytes))), "DAMAGED", `sector ${value}`);
  }
});

Deno.test("a stream whose table does not name the grains that came is damage", async () => {
  const image = streamImage(
    { capacitySectors: 128 * 600, grainSectors: 128, seed: 97, grains: dataGrains([0, 7, 515]) },
    { form: "footer" },
  );
  const { entries, tables, directory } = image.layout;
  const changes = [
    { at: entries.get(7)!, value: 0 },
    { at: entries.get(7)!, value: 1 },
    { at: entries.get(7)!, value: getU32(image.bytes, entries.get(0)!) },
    { at: entries.get(7)! + 4, value: getU32(image.bytes, entries.get(0)!) },
    { at: directory, value: 0 },
    { at: directory + 4, value: tables.get(0)! / SECTOR_SIZE },
  ];
  for (const { at, value } of changes) {
    const bytes = image.bytes.slice();
    putInteger(bytes, { at, size: 4, value });
    assert.equal(await codeOf(applyByPipe(pipeOf(bytes))), "DAMAGED", `${value} at byte ${at}`);
  }
});

Deno.test("headers that promise more than there can be are refused before anything is kept", async () => {
  const huge = (name: string, at: number, size: 4 | 8) => async () => {
    const bytes = (await fileOf(name)).slice();
    putInteger(bytes, { at, size, value: 2n ** BigInt(size * 8) - 2n });
    const scratch = new MemoryScratch();
    const code = await codeOf(applyByPipe(pipeOf(bytes), { scratch }));
    assert.ok(["LIMIT_EXCEEDED", "HEADER_INVALID", "UNSUPPORTED"].includes(code), `${name} ${at}: ${code}`);
    assert.equal(scratch.sizeBytes, 0);
  };
  for (const at of [4, 16, 24]) await huge("cowd-plain", at, 4)();
  for (const at of [8, 16, 24, 32, 128, 144, 192]) await huge("sesparse-runs", at, 8)();
  for (const at of [12, 20]) await huge("hosted-version-1", at, 8)();
  for (const at of [12, 20]) await huge("stream-footer", at, 8)();
});

Deno.test("what is no disk is refused, with what it is", async () => {
  const text = new TextEncoder().encode("# Disk DescriptorFile\nversion=1\n");
  const cases: [string, Uint8Array][] = [
    ["an empty pipe", new Uint8Array(0)],
    ["one byte", new Uint8Array(1)],
    ["a raw image", new Uint8Array(1_000_000)],
    ["a descriptor", text],
    ["a packed empty pipe", gzipSync(new Uint8Array(0))],
    ["a packed raw image", zstdCompressSync(new Uint8Array(10_000))],
    ["a packed file packed again", gzipSync(gzipSync(new Uint8Array(10)))],
  ];
  for (const [name, bytes] of cases) {
    const code = codeOf((async () => applyByPipe(await unpack(bytes)))());
    assert.equal(await code, "NOT_A_DISK", name);
  }
});

Deno.test("a disk whose descriptor names several files is refused", async () => {
  const bytes = (await fileOf("hosted-monolithic")).slice();
  putInteger(bytes, { at: 12, size: 8, value: 0 });
  assert.equal(await codeOf(applyByPipe(pipeOf(bytes))), "UNSUPPORTED");
});

Deno.test("a writer that is slow and brings single bytes changes nothing", async () => {
  const bytes = await fileOf("cowd-interleaved-first-touch");
  const byName = await applyByName(bytes);
  const read = pipeOf(bytes, 509);
  let calls = 0;
  const { target } = await applyByPipe(async (into) => {
    if (calls++ % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    return await read(into);
  });
  assert.ok(sameBytes(target.bytes, byName.target.bytes));
});

Deno.test("garbage without end behind the last grain is left after a while", async () => {
  const bytes = await fileOf("cowd-plain");
  const read = pipeOf(bytes);
  let garbageBytes = 0;
  const { target } = await applyByPipe((into) => {
    const got = read(into) as number;
    if (got > 0) return got;
    garbageBytes += into.length;
    return into.length;
  }, { windowBytes: 3 * 1024 * 1024 });
  assert.ok(garbageBytes < 1.1 * 2 ** 30);
  assert.ok(sameBytes(target.bytes, (await applyByName(bytes)).target.bytes));
});

const FOLLOWED = [
  "cowd-plain",
  "sesparse-all-four-kinds",
  "hosted-monolithic",
  "stream-footer",
  "stream-front",
  "stream-front-without-markers",
];

Deno.test("D1: a second delta in one pipe is noticed, wherever it begins and however reads cut it", async () => {
  const rng = new Rng(11);
  for (const name of FOLLOWED) {
    const first = await fileOf(name);
    const byName = await applyByName(first);
    for (const next of FOLLOWED.slice(0, 4)) {
      const start = (await fileOf(next)).subarray(0, 4096);
      for (const gap of [new Uint8Array(0), new Uint8Array(1 + rng.int(3000)), rng.bytes(300_000)]) {
        const both = joined(first, gap, start);
        const read = pipeOf(both, 1 + rng.int(9000));
        const { target, slack } = await applyByPipe(read, { windowBytes: SMALL_WINDOW });
        assert.ok(sameBytes(target.bytes, byName.target.bytes), name);
        assert.equal(slack.nextDiskAt, first.length + gap.length, `${name}, ${gap.length} bytes, ${next}`);
      }
    }
  }
});

Deno.test("D1: what may follow a delta is no other one: zeros, garbage, a footer in front of padding", async () => {
  for (const name of FOLLOWED) {
    const first = await fileOf(name);
    for (const gap of [new Uint8Array(5000), new Rng(3).bytes(300_001)]) {
      const { slack } = await applyByPipe(pipeOf(joined(first, gap)), { windowBytes: SMALL_WINDOW });
      assert.deepEqual(slack.nextDiskAt, undefined, name);
    }
  }
});

Deno.test("an error of the pipe passes through", async () => {
  const failing: ReadNext = () => {
    throw new RegrainError("READ_FAILED", "reading failed");
  };
  assert.equal(await codeOf(applyByPipe(failing)), "READ_FAILED");
});

Deno.test("packed streams one after the other are one, and frames to skip do no harm", async () => {
  const bytes = await fileOf("cowd-plain");
  const byName = await applyByName(bytes);
  const [a, b] = [bytes.subarray(0, 70_001), bytes.subarray(70_001)];
  const skippable = new Uint8Array(12);
  new DataView(skippable.buffer).setUint32(0, 0x184d2a53, true);
  skippable[4] = 4;
  const packed = {
    "two gzip members": joined(gzipSync(a), gzipSync(b)),
    "two zstd frames": joined(zstdCompressSync(a), zstdCompressSync(b)),
    "frames to skip": joined(skippable, zstdCompressSync(a), skippable, zstdCompressSync(b), skippable),
    "an empty frame": joined(zstdCompressSync(new Uint8Array(0)), zstdCompressSync(bytes)),
  };
  for (const [name, stream] of Object.entries(packed)) {
    const { target } = await applyByPipe(await unpack(stream, 4096));
    assert.ok(sameBytes(target.bytes, byName.target.bytes), name);
  }
});

for (const [name, pack] of Object.entries({ gzip: gzipSync, zstd: zstdCompressSync })) {
  Deno.test(`a ${name} stream that is cut short or goes on with something else is an error`, async () => {
    const packed = pack(await fileOf("cowd-plain"));
    const rng = new Rng(5);
    const cuts = Array.from({ length: 25 }, () => 5 + rng.int(packed.length - 6));
    for (const cut of [...cuts, packed.length - 1, packed.length - 3]) {
      const code = await codeOf((async () => applyByPipe(await unpack(packed.subarray(0, cut))))());
      assert.equal(code, "TRUNCATED", `cut at byte ${cut}`);
    }
    const trailing = joined(packed, new TextEncoder().encode("garbage behind"));
    assert.equal(await codeOf((async () => applyByPipe(await unpack(trailing)))()), "DAMAGED");
  });
}

Deno.test("a changed gzip stream is damage", async () => {
  const packed = new Uint8Array(gzipSync(await fileOf("cowd-plain")));
  packed[packed.length - 6]! ^= 1;
  assert.equal(await codeOf((async () => applyByPipe(await unpack(packed)))()), "DAMAGED");
});

testWithPeers("real disks come out of a pipe as they do out of their files", ["samples"], async () => {
  const names = [
    "plaso/image.vmdk",
    "vmdk-rs/monolithicSparse.vmdk",
    "vmdk-rs/streamOptimized.vmdk",
    "vmdk-rs/streamOptimizedWithMarkers.vmdk",
    "vmdk-rs/twoGbMaxExtentSparse-s001.vmdk",
  ];
  for (const name of names) {
    const bytes = Deno.readFileSync(`${peer("samples")}/${name}`);
    const byName = await applyByName(bytes);
    for (const packed of [bytes, gzipSync(bytes), zstdCompressSync(bytes)]) {
      const byPipe = await applyByPipe(await unpack(packed), { windowBytes: SMALL_WINDOW });
      assert.ok(sameBytes(byPipe.target.bytes, byName.target.bytes), name);
      assert.deepEqual(byPipe.counts, byName.counts, name);
    }
  }
});

for (const fixture of CASES.filter(({ expect }) => expect === "ok")) {
  const bytes = await singleFile(fixture);
  if (!bytes || fixture.name.startsWith("stream-footer")) continue;
  Deno.test(`D15: ${fixture.name} comes out right when next to nothing may wait in memory`, async () => {
    const byName = await applyByName(bytes);
    const byPipe = await applyByPipe(pipeOf(bytes), { windowBytes: SMALL_WINDOW, maxWaiting: 2 });
    assert.ok(sameBytes(byPipe.target.bytes, byName.target.bytes), "the bytes differ");
    assert.deepEqual(byPipe.counts, byName.counts);
  });
}

const IN_FRONT = ["sesparse-all-four-kinds", "sesparse-runs", "hosted-version-2-zero-grains", "stream-front"];

for (const name of IN_FRONT) {
  Deno.test(`D15: ${name}: what finds no room is refused before the first write`, async () => {
    const bytes = await fileOf(name);
    const scratch: Scratch = {
      append() {
        throw new RegrainError("NO_SPACE", "no room");
      },
      read: () => assert.fail("nothing was kept"),
    };
    let target: MemoryTarget | undefined;
    const onTarget = (opened: MemoryTarget) => target = opened;
    const options = { windowBytes: SMALL_WINDOW, maxWaiting: 0, scratch, onTarget };
    assert.equal(await codeOf(applyByPipe(pipeOf(bytes), options)), "NO_SPACE");
    assert.deepEqual(target!.operations, []);
  });
}
