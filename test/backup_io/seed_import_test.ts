/** Buckets of the tool that came before, built from their description: what is imported is the disk, or refused. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { assertFileHolds } from "../helpers/bytes.ts";
import { testWithPeers } from "../helpers/peers.ts";
import { diskOf, MIB, noise, type Place, summaryOf, withPlace } from "./place.ts";

const PART_BYTES = 64 * MIB;
/** Two parts of data with one of zeros between, and a short one at the end. */
const DISK_BYTES = 3 * PART_BYTES + 5 * MIB + 512;
const DISK = diskOf(DISK_BYTES, [
  { at: 0, lengthBytes: 2 * MIB, seed: 1 },
  { at: 40 * MIB + 4096, lengthBytes: MIB, seed: 2 },
  { at: 2 * PART_BYTES + 63 * MIB, lengthBytes: MIB, seed: 3 },
  { at: 3 * PART_BYTES, lengthBytes: 5 * MIB + 512, seed: 4 },
]);

interface PartRecord {
  StartOffset: number;
  Length: number;
  PartNumber: number;
  Compression: string;
  Checksum: string;
}

/** A streaming writer knows no size beforehand, so that none stands in the header. */
function packAsStream(plain: Uint8Array<ArrayBuffer>, folder: string): Uint8Array<ArrayBuffer> {
  const path = `${folder}/part`;
  Deno.writeFileSync(path, plain);
  const { success, stdout } = new Deno.Command("sh", {
    args: ["-c", `cat '${path}' | zstd -3 --zstd=wlog=23 --check -c`],
    stderr: "null",
  }).outputSync();
  assert.ok(success);
  const descriptor = stdout[4]!;
  assert.equal(descriptor >> 6, 0, "no size of the content in the header");
  assert.equal(descriptor & 0x20, 0, "no single segment, which would need the size");
  return stdout;
}

function writeBucketDisk(
  bucket: string,
  names: { vm: string; disk: string },
  bytes: Uint8Array<ArrayBuffer>,
): { folder: string; records: PartRecord[] } {
  const folder = `${bucket}/vm-data-${names.vm}/disk-data-${names.disk}`;
  Deno.mkdirSync(`${folder}/full`, { recursive: true });
  const records: PartRecord[] = [];
  for (let start = 0; start < bytes.length; start += PART_BYTES) {
    const plain = bytes.slice(start, start + PART_BYTES);
    const record = { StartOffset: start, Length: plain.length, PartNumber: records.length + 1 };
    if (plain.every((byte) => byte === 0)) {
      records.push({ ...record, Compression: "sparse", Checksum: "" });
      continue;
    }
    const packed = packAsStream(plain, bucket);
    Deno.writeFileSync(partPath(folder, record.PartNumber), packed);
    records.push({ ...record, Compression: "zstd", Checksum: sumOf(packed) });
  }
  Deno.removeSync(`${bucket}/part`);
  writeManifest(folder, { name: names.vm, records, sizeBytes: bytes.length });
  return { folder, records };
}

function writeManifest(folder: string, of: { name: string; records: PartRecord[]; sizeBytes: number }): void {
  const { name, records, sizeBytes } = of;
  const manifest = {
    name,
    id: "564d0000-0000-0000-0000-000000000000-vm-uuid",
    object_key: folder,
    change_id: "52 3c 9a 00-00/17",
    disk_key: "root",
    size_bytes: sizeBytes,
    number_of_sparse_parts: records.filter(({ Compression }) => Compression === "sparse").length,
    full_chunks_metadata: records,
  };
  Deno.writeTextFileSync(`${folder}/manifest.json`, JSON.stringify(manifest));
}

function partPath(folder: string, number: number): string {
  return `${folder}/full/${String(number).padStart(6, "0")}`;
}

function sumOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A bucket of one disk with a name that is no key of a repository's object. */
function withBucket(
  fn: (place: Place & { bucket: string; disk: string; records: PartRecord[] }) => void | Promise<void>,
): Promise<void> {
  return withPlace(async (place) => {
    const bucket = place.path("bucket");
    const names = { vm: "Web 01 (Köln)", disk: "vmdiskid:2000" };
    const { folder, records } = writeBucketDisk(bucket, names, DISK);
    await fn({ ...place, bucket, disk: folder, records });
  });
}

const NAME = ["--name", "web01/disk-0"];

testWithPeers(
  "a bucket of the tool before is imported, and restores to the same disk",
  ["zstd", "sh"],
  () =>
    withBucket(({ run, bucket, path }) => {
      const summary = summaryOf(run(["repo", "import", bucket, ...NAME, "--json"]));
      assert.equal(summary.sizeBytes, DISK_BYTES);
      assert.deepEqual(summary.change, { method: "import" });
      run(["restore", "web01/disk-0", path("out.img")]);
      assertFileHolds(path("out.img"), DISK);
      const again = summaryOf(run(["repo", "import", bucket, ...NAME, "--json"]));
      assert.equal(again.stats.newChunks, 0, "what is there already is not stored again");
      assert.equal(again.root, summary.root);
    }),
);

testWithPeers(
  "one disk of several is picked by its names, and without them they are listed",
  ["zstd", "sh"],
  () =>
    withBucket(({ run, refused, bucket, path }) => {
      const small = noise(MIB, 7);
      writeBucketDisk(bucket, { vm: "db", disk: "root" }, small);
      const { hint } = refused("USAGE", ["repo", "import", bucket, ...NAME]);
      assert.match(
        hint!,
        /--vm Web 01 \(Köln\) --disk vmdiskid:2000; --vm db --disk root|--vm db --disk root; /,
      );
      assert.match(
        refused("SNAPSHOT_MISSING", ["repo", "import", bucket, ...NAME, "--vm", "d"]).hint!,
        /--vm db/,
      );
      run(["repo", "import", bucket, "--name", "db/root", "--vm", "db"]);
      run(["restore", "db/root", path("db.img")]);
      assertFileHolds(path("db.img"), small);
    }),
);

testWithPeers(
  "a part that is damaged, short or missing is refused by its name",
  ["zstd", "sh"],
  () =>
    withBucket(({ refused, run, bucket, disk }) => {
      const third = partPath(disk, 3);
      const bytes = Deno.readFileSync(third);
      const refuse = (code: string) => {
        const { message } = refused(code, ["repo", "import", bucket, ...NAME]);
        assert.match(message, /full\/000003/);
      };
      const flipped = bytes.slice();
      flipped[bytes.length >> 1]! ^= 1;
      Deno.writeFileSync(third, flipped);
      refuse("CHUNK_DAMAGED");
      Deno.writeFileSync(third, bytes.subarray(0, bytes.length - 10));
      refuse("CHUNK_DAMAGED");
      Deno.removeSync(third);
      refuse("CHUNK_MISSING");
      assert.equal(run(["snapshots"]).stdout, "", "nothing is visible of what was begun");
    }),
);

testWithPeers(
  "a part with the right sum and the wrong length is refused",
  ["zstd", "sh"],
  () =>
    withBucket(({ refused, bucket, disk, records, folder }) => {
      const swap = (packed: Uint8Array<ArrayBuffer>) => {
        Deno.writeFileSync(partPath(disk, 1), packed);
        const [first, ...rest] = records;
        const changed = [{ ...first!, Checksum: sumOf(packed) }, ...rest];
        writeManifest(disk, { name: "web", records: changed, sizeBytes: DISK_BYTES });
        assert.match(refused("CHUNK_DAMAGED", ["repo", "import", bucket, ...NAME]).message, /full\/000001/);
      };
      const packed = Deno.readFileSync(partPath(disk, 1));
      swap(packed.slice(0, packed.length - 1000));
      swap(packAsStream(DISK.slice(0, PART_BYTES - 512), folder));
      swap(packAsStream(DISK.slice(0, PART_BYTES + 512), folder));
    }),
);

testWithPeers(
  "a manifest with gaps, of another size, or of a newer kind is refused",
  ["zstd", "sh"],
  () =>
    withBucket(({ refused, bucket, disk, records }) => {
      const refuse = (changed: PartRecord[], sizeBytes = DISK_BYTES) => {
        writeManifest(disk, { name: "web", records: changed, sizeBytes });
        assert.match(
          refused("SNAPSHOT_DAMAGED", ["repo", "import", bucket, ...NAME]).message,
          /manifest\.json/,
        );
      };
      refuse(records.filter(({ PartNumber }) => PartNumber !== 2));
      refuse(records, DISK_BYTES + 512);
      refuse(records.map((record) => ({ ...record, Compression: "lz4" })));
      refuse(records.map((record) => ({ ...record, PartNumber: -1 })));
      Deno.writeTextFileSync(`${disk}/manifest.json`, "{");
      refused("SNAPSHOT_DAMAGED", ["repo", "import", bucket, ...NAME]);
    }),
);
