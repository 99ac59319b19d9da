/** Two files of holes, zeros and data, made equal: what is written, and where the holes are afterwards. */
import assert from "node:assert/strict";
import { createContext } from "../../cli/context.ts";
import { pickIo } from "../../cli/io/mod.ts";
import { syncDisk, type SyncDiskOptions } from "../../cli/sync/run.ts";
import { passedBytes, type SyncCounts } from "../../cli/sync/write.ts";
import type { SparseMode } from "../../cli/target/sparse.ts";
import { verifySynced } from "../../cli/sync/verify.ts";
import { Disk, KIB, MIB, openChain, RegrainError, type Target } from "../../core-as/host/mod.ts";
import { withTempDir } from "../helpers/peers.ts";
import { checkAsync, fc } from "../helpers/property.ts";

const BLOCK = 4 * KIB;

/** A stretch of a test disk. */
interface Part {
  readonly kind: "hole" | "zeros" | "data" | "other data";
  readonly sectors: number;
}

/** Writes the parts into a sparse file; `same` data depends on its place alone, so that two files can hold it. */
function writeDisk(path: string, parts: readonly Part[], sizeBytes: number, salt: number): void {
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  file.truncateSync(sizeBytes);
  let at = 0;
  for (const { kind, sectors } of parts) {
    const length = Math.min(sectors * 512, sizeBytes - at);
    if (length <= 0) break;
    if (kind !== "hole") {
      const bytes = new Uint8Array(length);
      if (kind !== "zeros") fill(bytes, at, kind === "data" ? 1 : salt);
      file.seekSync(at, Deno.SeekMode.Start);
      let done = 0;
      while (done < length) done += file.writeSync(bytes.subarray(done));
    }
    at += length;
  }
}

function fill(bytes: Uint8Array, at: number, salt: number): void {
  for (let i = 0; i < bytes.length; i += 512) {
    bytes.fill((((at + i) / 512 * 7 + salt * 31) % 255) + 1, i, Math.min(i + 512, bytes.length));
  }
}

async function withBoth<T>(
  folder: string,
  fn: (both: { disk: Disk; target: Target }) => Promise<T>,
  kind: "linux" | "portable" = "linux",
): Promise<T> {
  const io = pickIo(kind);
  const context = createContext(io, { format: "raw" }, () => {});
  const disk = new Disk(context.core, await openChain(`${folder}/source.img`, context));
  const target = io.openTarget(`${folder}/target.img`, { force: false });
  try {
    return await fn({ disk, target });
  } finally {
    target.close();
    disk.close();
  }
}

const OPTIONS = { sparse: "auto", blockBytes: BLOCK } as const;

async function sync(
  folder: string,
  options: Partial<SyncDiskOptions> = {},
  kind: "linux" | "portable" = "linux",
): Promise<SyncCounts> {
  return await withBoth(
    folder,
    async ({ disk, target }) => await syncDisk(disk, target, { ...OPTIONS, target, ...options }),
    kind,
  );
}

/** Blocks that differ, found by comparing the files byte for byte. */
function differingBytes(a: Uint8Array, b: Uint8Array, blockBytes: number): number {
  let sum = 0;
  for (let at = 0; at < a.length; at += blockBytes) {
    const end = Math.min(a.length, at + blockBytes);
    if (a.subarray(at, end).some((byte, i) => byte !== b[at + i])) sum += end - at;
  }
  return sum;
}

const parts = fc.array(
  fc.record({
    kind: fc.constantFrom("hole", "zeros", "data", "other data"),
    sectors: fc.oneof(fc.integer({ min: 1, max: 24 }), fc.integer({ min: 100, max: 3000 })),
  }),
  { minLength: 1, maxLength: 24 },
) as fc.Arbitrary<Part[]>;

Deno.test("any source makes any target read as it does, and no block is written that was right", () =>
  withTempDir(async (folder) => {
    const [source, target] = [`${folder}/source.img`, `${folder}/target.img`];
    const cases = fc.record({
      source: parts,
      target: parts,
      sectors: fc.integer({ min: 1, max: 12_000 }),
      sparse: fc.constantFrom<SparseMode>("auto", "always", "never"),
      blockBytes: fc.constantFrom(512, 4096, 65536),
      io: fc.constantFrom<"linux" | "portable">("linux", "portable"),
    });
    await checkAsync(
      fc.asyncProperty(cases, async ({ sectors, sparse, blockBytes, io, ...both }) => {
        const sizeBytes = sectors * 512;
        writeDisk(source, both.source, sizeBytes, 2);
        writeDisk(target, both.target, sizeBytes, 3);
        const [wanted, before] = [Deno.readFileSync(source), Deno.readFileSync(target)];
        const looked = await sync(folder, { sparse, blockBytes, target: undefined }, io);
        assert.deepEqual(Deno.readFileSync(target), before, "a look changes nothing");
        const counts = await sync(folder, { sparse, blockBytes }, io);
        assert.deepEqual(Deno.readFileSync(target), wanted);
        assert.deepEqual(looked, counts);
        assert.equal(passedBytes(counts), sizeBytes);
        assert.ok(counts.writtenBytes <= differingBytes(wanted, before, blockBytes), JSON.stringify(counts));
        const again = await sync(folder, { sparse, blockBytes }, io);
        assert.equal(again.writtenBytes + again.zeroedBytes, 0, "a second run finds nothing to do");
        await withBoth(
          folder,
          ({ disk, target }) => verifySynced(disk, target, { onProgress: () => {} }),
          io,
        );
      }),
      { runs: 40 },
    );
  }));

Deno.test("a target has no data where its source has a hole, fresh and after the source got new holes", () =>
  withTempDir(async (folder) => {
    const [source, target] = [`${folder}/source.img`, `${folder}/target.img`];
    const sizeBytes = 24 * MIB;
    const whole = [{ kind: "data", sectors: 8192 }, { kind: "hole", sectors: 16384 }, {
      kind: "data",
      sectors: 24576,
    }] as const;
    writeDisk(source, whole, sizeBytes, 1);
    Deno.openSync(target, { write: true, create: true }).truncateSync(sizeBytes);
    await sync(folder);
    assert.deepEqual(dataOf(target), dataOf(source));
    const holed = [{ kind: "data", sectors: 4096 }, { kind: "hole", sectors: 28672 }, {
      kind: "data",
      sectors: 16384,
    }] as const;
    writeDisk(source, holed, sizeBytes, 1);
    const { writtenBytes, zeroedBytes } = await sync(folder);
    assert.deepEqual([writtenBytes, zeroedBytes], [0, 6 * MIB]);
    assert.deepEqual(dataOf(target), dataOf(source));
  }));

/** Where a file has data, by its file system. */
function dataOf(path: string): readonly string[] {
  const file = pickIo("linux").openSource(path);
  try {
    const runs = file.runs!(0, file.sizeBytes) as { start: number; length: number; kind: string }[];
    return runs.filter(({ kind }) => kind === "data").map(({ start, length }) => `${start}+${length}`);
  } finally {
    file.close();
  }
}

Deno.test("a target that reads otherwise afterwards is found, with the first byte", () =>
  withTempDir(async (folder) => {
    const [source, target] = [`${folder}/source.img`, `${folder}/target.img`];
    writeDisk(source, [{ kind: "data", sectors: 4096 }], 2 * MIB, 1);
    writeDisk(target, [{ kind: "data", sectors: 4096 }], 2 * MIB, 1);
    const changed = Deno.readFileSync(target);
    changed[70_001]! ^= 0xff;
    Deno.writeFileSync(target, changed);
    await withBoth(folder, async ({ disk, target }) => {
      await assert.rejects(verifySynced(disk, target, { onProgress: () => {} }), (error) => {
        assert.ok(error instanceof RegrainError);
        assert.deepEqual([error.code, error.offsetBytes], ["VERIFY_FAILED", 70_001]);
        return true;
      });
    });
  }));
