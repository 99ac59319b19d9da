/** Reading back: what is right passes, and whatever is wrong is found where it is. */
import assert from "node:assert/strict";
import {
  type Batch,
  Disk,
  MIB,
  ONE_AT_A_TIME,
  openLink,
  RegrainError,
  type Run,
  SECTOR_SIZE,
  type Target,
} from "../../core-as/host/mod.ts";
import {
  buildCowd,
  buildSeSparse,
  deltaFiles,
  type Grain,
  type LinkSpec,
  overlay,
} from "../../fixtures/mod.ts";
import { sha256 } from "../../test/helpers/bytes.ts";
import { core, memoryContext, memorySource } from "../../test/helpers/memory.ts";
import { checkAsync, fc } from "../../test/helpers/property.ts";
import { applyDisk } from "./engine.ts";
import { type Verification, type VerifyCounts, verifyTarget } from "./verify.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A target in memory, whose "medium" may be changed behind everybody's back. */
class MemoryTarget implements Target {
  readonly path = "target.img";
  readonly medium = { ...ONE_AT_A_TIME, granularityBytes: SECTOR_SIZE, holesAreFree: true };
  readonly sizeBytes: number;
  /** How often the cache was dropped. */
  dropped = 0;
  constructor(readonly bytes: Bytes) {
    this.sizeBytes = bytes.length;
  }

  read(batch: Batch, buffer: Uint8Array): void {
    void memorySource(this.path, this.bytes).read(batch, buffer);
  }
  write(batch: Batch, buffer: Uint8Array): void {
    for (let i = 0; i < batch.count; i++) {
      const at = batch.at[i]!;
      this.bytes.set(buffer.subarray(at, at + batch.lengthBytes[i]!), batch.offsetBytes[i]!);
    }
  }
  zero(stretch: { offsetBytes: number; lengthBytes: number }): void {
    this.bytes.fill(0, stretch.offsetBytes, stretch.offsetBytes + stretch.lengthBytes);
  }
  flush(): void {}
  close(): void {}
  dropCache(): string | undefined {
    this.dropped++;
    return undefined;
  }
}

/** Loses one bit of the byte at `offsetBytes` when it is written: a medium that lies. */
class LyingTarget extends MemoryTarget {
  constructor(bytes: Bytes, private readonly offsetBytes: number) {
    super(bytes);
  }
  override write(batch: Batch, buffer: Uint8Array): void {
    super.write(batch, buffer);
    for (let i = 0; i < batch.count; i++) {
      const within = this.offsetBytes - batch.offsetBytes[i]!;
      if (within >= 0 && within < batch.lengthBytes[i]!) this.bytes[this.offsetBytes]! ^= 0x10;
    }
  }
}

/** Knows its holes, sector by sector, and counts what is read. */
class SparseTarget extends MemoryTarget {
  readBytes = 0;
  override read(batch: Batch, buffer: Uint8Array): void {
    this.readBytes += batch.totalBytes;
    super.read(batch, buffer);
  }
  runs(fromBytes: number, toBytes: number): Run[] {
    const runs: Run[] = [];
    for (let start = fromBytes; start < toBytes; start += SECTOR_SIZE) {
      const sector = this.bytes.subarray(start, start + SECTOR_SIZE);
      runs.push({ start, length: SECTOR_SIZE, kind: sector.some((byte) => byte !== 0) ? "data" : "zero" });
    }
    return runs;
  }
}

async function openDelta(link: LinkSpec, kind: "cowd" | "sesparse" = "cowd"): Promise<Disk> {
  const { bytes } = kind === "cowd" ? buildCowd(link) : buildSeSparse(link);
  const files = deltaFiles({ kind, bytes, capacitySectors: link.capacitySectors });
  return new Disk(core, [await openLink("disk-000001.vmdk", memoryContext(files), "delta")]);
}

/** Data, zeros and holes, several buffers long. */
function mixedLink(capacitySectors = 6 * MIB / SECTOR_SIZE): LinkSpec {
  const grains: Grain[] = [];
  for (let index = 0; index < capacitySectors / 8; index++) {
    if (index % 7 < 4) grains.push({ index, kind: "data" });
    else if (index % 7 < 6) grains.push({ index, kind: "zero" });
  }
  return { capacitySectors, grainSectors: 8, seed: 5, grains };
}

function base(lengthBytes: number): Bytes {
  return new Uint8Array(lengthBytes).fill(0xbb);
}

async function applyAndVerify(
  link: LinkSpec,
  target: Target,
  options: { hash?: boolean; before?: () => void; onProgress?: (counts: VerifyCounts) => void } = {},
): Promise<Verification> {
  const disk = await openDelta(link);
  await applyDisk(disk, target, { sparse: "auto" });
  await target.flush();
  options.before?.();
  const { hash = false, onProgress } = options;
  return await verifyTarget(disk, target, { hash, ...(onProgress && { onProgress }) });
}

async function verifyFailure(work: Promise<unknown>): Promise<RegrainError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof RegrainError, String(error));
    assert.equal(error.code, "VERIFY_FAILED");
    assert.equal(error.exit, 6);
    assert.equal(error.path, "target.img");
    return error;
  }
  assert.fail("nothing was thrown");
}

/** First byte of the first grain of a kind. */
function grainByte(link: LinkSpec, kind: Grain["kind"], position: number): number {
  const grain = link.grains.filter((each) => each.kind === kind).at(position)!;
  return grain.index * link.grainSectors * SECTOR_SIZE;
}

Deno.test("what was applied verifies, cache dropped first, and every byte is counted", async () => {
  const link = mixedLink();
  const target = new MemoryTarget(base(6 * MIB));
  let last: VerifyCounts | undefined;
  const found = await applyAndVerify(link, target, { onProgress: (counts) => last = { ...counts } });
  assert.deepEqual(found, {
    verifiedBytes: link.grains.length * 4096,
    obstacles: [],
    sums: undefined,
  });
  assert.equal(target.dropped, 1);
  assert.equal(last!.verifiedBytes, found.verifiedBytes);
});

Deno.test("a target that cannot drop what memory holds is named as an obstacle", async () => {
  const target = new MemoryTarget(base(6 * MIB));
  const without: Target = bound(target);
  const { obstacles } = await applyAndVerify(mixedLink(), without);
  assert.equal(obstacles.length, 1);
  const parts = Object.assign(bound(target), { targets: [target, target] });
  const own = await applyAndVerify(mixedLink(), parts);
  assert.deepEqual(own.obstacles, []);
  assert.equal(target.dropped, 2);
});

/** Only what every target has. */
function bound(target: MemoryTarget): Target {
  return {
    path: target.path,
    medium: target.medium,
    sizeBytes: target.sizeBytes,
    read: (batch, buffer) => target.read(batch, buffer),
    write: (batch, buffer) => target.write(batch, buffer),
    zero: (stretch) => target.zero(stretch),
    flush: () => target.flush(),
    close: () => target.close(),
  };
}

Deno.test("a medium that lost a bit while it was written is found out, with both values", async () => {
  const link = mixedLink();
  const offset = grainByte(link, "data", -1) + 4095;
  const target = new LyingTarget(base(6 * MIB), offset);
  const expected = overlay(base(6 * MIB), link)[offset]!;
  const error = await verifyFailure(applyAndVerify(link, target));
  assert.equal(error.offsetBytes, offset);
  const hex = (value: number) => `0x${value.toString(16).padStart(2, "0")}`;
  assert.ok(error.message.includes(`1 byte in 1 block of 4 KiB`), error.message);
  assert.ok(
    error.message.includes(`the first is ${hex(expected ^ 0x10)}, not ${hex(expected)}`),
    error.message,
  );
});

Deno.test("bytes changed after the write are all counted, the first is told", async () => {
  const link = mixedLink();
  const target = new MemoryTarget(base(6 * MIB));
  const offsets = [grainByte(link, "data", 3), grainByte(link, "zero", 9) + 77, grainByte(link, "data", -1)];
  const before = () => offsets.forEach((offset) => target.bytes[offset]! ^= 1);
  const error = await verifyFailure(applyAndVerify(link, target, { before }));
  assert.equal(error.offsetBytes, Math.min(...offsets));
  assert.match(error.message, /3 bytes in 3 blocks/);
});

for (
  const [what, make] of Object.entries({
    "": MemoryTarget,
    ", nor where the target knows its holes": SparseTarget,
  })
) {
  Deno.test(`zeros that do not read as zeros are not let pass${what}`, async () => {
    const link = mixedLink();
    const target = new make(base(6 * MIB));
    const offset = grainByte(link, "zero", 0) + 4095;
    const before = () => target.bytes[offset] = 1;
    assert.equal((await verifyFailure(applyAndVerify(link, target, { before }))).offsetBytes, offset);
  });
}

Deno.test("what no delta holds is not looked at", async () => {
  const link = mixedLink();
  const target = new MemoryTarget(base(6 * MIB));
  const before = () => target.bytes[6 * 4096] = 0;
  assert.equal((await applyAndVerify(link, target, { before })).verifiedBytes, link.grains.length * 4096);
});

Deno.test("holes of the target are zeros without being read", async () => {
  const link = mixedLink();
  const target = new SparseTarget(base(6 * MIB));
  const { verifiedBytes } = await applyAndVerify(link, target);
  assert.equal(verifiedBytes, link.grains.length * 4096);
  assert.equal(target.readBytes, link.grains.filter(({ kind }) => kind === "data").length * 4096);
});

Deno.test("the sums are those of what was written and of the whole target, its tail included", async () => {
  const link = mixedLink();
  const target = new MemoryTarget(base(6 * MIB + 3 * MIB + 1024));
  const { sums, verifiedBytes } = await applyAndVerify(link, target, { hash: true });
  const disk = overlay(base(6 * MIB), link);
  const expected = new Uint8Array(target.sizeBytes).fill(0xbb);
  expected.set(disk);
  const written = link.grains.toSorted((a, b) => a.index - b.index)
    .map(({ index }) => disk.subarray(index * 4096, (index + 1) * 4096));
  assert.equal(sums!.target, sha256(expected));
  assert.equal(sums!.written, sha256(new Uint8Array(await new Blob(written).arrayBuffer())));
  assert.equal(verifiedBytes, link.grains.length * 4096);
});

Deno.test("with sums too, what is wrong is an error and no sum", async () => {
  const link = mixedLink();
  const target = new MemoryTarget(base(6 * MIB));
  const before = () => target.bytes[grainByte(link, "data", 0)]! ^= 1;
  await verifyFailure(applyAndVerify(link, target, { hash: true, before }));
});

Deno.test("one flipped bit is found if and only if it is in what was written", async () => {
  const CAPACITY = 200;
  const kinds = fc.array(fc.constantFrom("data" as const, "zero" as const, "absent" as const, undefined), {
    minLength: 1,
    maxLength: CAPACITY / 8,
  });
  const flips = fc.option(fc.record({ byte: fc.nat(CAPACITY * SECTOR_SIZE - 1), bit: fc.nat(7) }));
  const whole = fc.record({ kinds, flip: flips, hash: fc.boolean() });
  await checkAsync(
    fc.asyncProperty(whole, async ({ kinds, flip, hash }) => {
      const grains = kinds.flatMap((kind, index): Grain[] => kind ? [{ index, kind }] : []);
      const link = { capacitySectors: CAPACITY, grainSectors: 8, seed: 9, grains };
      const target = new MemoryTarget(base(CAPACITY * SECTOR_SIZE));
      const before = () => {
        if (flip) target.bytes[flip.byte]! ^= 1 << flip.bit;
      };
      const kind = flip && kinds[Math.floor(flip.byte / 4096)];
      const work = applyAndVerify(link, target, { hash, before });
      if (kind === "data" || kind === "zero") {
        assert.equal((await verifyFailure(work)).offsetBytes, flip!.byte);
        return;
      }
      const { sums, verifiedBytes } = await work;
      assert.equal(verifiedBytes, grains.filter((grain) => grain.kind !== "absent").length * 4096);
      assert.equal(sums?.target, hash ? sha256(target.bytes) : undefined);
    }),
    { runs: 200 },
  );
});

Deno.test("unmapped grains of SESparse must read as zeros", async () => {
  const link: LinkSpec = {
    capacitySectors: 64,
    grainSectors: 8,
    seed: 2,
    grains: [{ index: 1, kind: "unmapped" }],
  };
  const disk = await openDelta(link, "sesparse");
  const target = new MemoryTarget(base(64 * SECTOR_SIZE));
  const error = await verifyFailure(verifyTarget(disk, target, { hash: false }));
  assert.equal(error.offsetBytes, 4096);
  assert.match(error.message, /4,096 bytes in 1 block/);
});
