/** The check by content, with file systems that their own programs made. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type Batch, KIB, MIB, type Run, type RunKind } from "../../core-as/host/mod.ts";
import { checkContent, type ContentCheck } from "../../core-as/host/guest/content_check.ts";
import { feed } from "../helpers/guest_image.ts";
import { run, testWithPeers, withMount, withTempDir } from "../helpers/peers.ts";

const GRAIN = 64 * KIB;

/** Bytes as a source. */
function sourceOf(path: string, bytes: Uint8Array) {
  return {
    path,
    sizeBytes: bytes.length,
    read(batch: Batch, buffer: Uint8Array): void {
      for (let i = 0; i < batch.count; i++) {
        const [from, at] = [batch.offsetBytes[i]!, batch.at[i]!];
        buffer.set(bytes.subarray(from, from + batch.lengthBytes[i]!), at);
      }
    },
  };
}

/** What a snapshot would hold after a disk became another one: the grains that differ. */
function checked(before: Uint8Array, after: Uint8Array, base: Uint8Array): Promise<ContentCheck> {
  const kinds: RunKind[] = [];
  const delta = new Uint8Array(after.length);
  for (let from = 0; from < after.length; from += GRAIN) {
    const grain = after.subarray(from, from + GRAIN);
    const isSame = Buffer.compare(grain, before.subarray(from, from + GRAIN)) === 0;
    kinds.push(isSame ? "hole" : "data");
    if (!isSame) delta.set(grain, from);
  }
  const runs = (fromBytes: number, toBytes: number): Run[] => {
    const found: Run[] = [];
    for (let at = fromBytes; at < toBytes;) {
      const end = Math.min(toBytes, (Math.floor(at / GRAIN) + 1) * GRAIN);
      found.push({ start: at, length: end - at, kind: kinds[Math.floor(at / GRAIN)]! });
      at = end;
    }
    return found;
  };
  return checkContent({ delta: sourceOf("delta", delta), runs, base: sourceOf("base", base) });
}

/** A disk as `make` leaves it, what it becomes by `use`, another disk that is made alike, and what they are told. */
async function compareDisks(
  sizeBytes: number,
  make: (image: string) => void | Promise<void>,
  use: (image: string, folder: string) => void | Promise<void>,
): Promise<{ own: ContentCheck; other: ContentCheck; zeros: ContentCheck; grew: number }> {
  return await withTempDir(async (folder) => {
    const [image, stranger] = [`${folder}/disk.img`, `${folder}/stranger.img`];
    for (const path of [image, stranger]) {
      Deno.writeFileSync(path, new Uint8Array());
      Deno.truncateSync(path, sizeBytes);
      await make(path);
    }
    const before = Deno.readFileSync(image);
    await Deno.mkdir(`${folder}/mount`);
    await use(image, `${folder}/mount`);
    const after = Deno.readFileSync(image);
    return {
      own: await checked(before, after, before),
      other: await checked(before, after, Deno.readFileSync(stranger)),
      zeros: await checked(before, after, new Uint8Array(sizeBytes)),
      grew: Buffer.compare(before, after),
    };
  });
}

/** Its own base has nothing against it, and others have; never is there more than that. */
function requireTold({ own, other, grew }: Awaited<ReturnType<typeof compareDisks>>, words: RegExp): void {
  assert.notEqual(grew, 0, "nothing was written");
  assert.deepEqual(own.against, []);
  assert.ok(own.agreed.length > 0 && own.agreed.some((each) => words.test(each)), own.agreed.join("; "));
  assert.ok(other.against.some((each) => words.test(each)), JSON.stringify(other));
}

function mounted(image: string, folder: string): Promise<void> {
  return withMount(folder, ["-o", "loop", image], () => {
    Deno.writeFileSync(`${folder}/file`, new Uint8Array(MIB).fill(7));
    run("sync", ["-f", folder]);
  });
}

testWithPeers(
  "C1: a delta of ext4 on another disk of its size is told by the copies of its superblock",
  ["mkfs.ext4", "debugfs"],
  async () => {
    const make = (image: string) => void run("mkfs.ext4", ["-q", "-F", "-b", "1024", image]);
    const use = (image: string) => void run("debugfs", ["-w", "-R", "mkdir somewhere", image]);
    const told = await compareDisks(40 * MIB, make, use);
    requireTold(told, /UUID of the ext4 file system/);
    assert.match(told.zeros.against.join(), /none in the backup superblock in group 1/);
  },
);

testWithPeers(
  "C1: a delta of XFS on another disk of its size is told by the UUIDs of its allocation groups",
  ["mkfs.xfs", "root-mount", "root-loop"],
  async () => {
    const told = await compareDisks(300 * MIB, (image) => void run("mkfs.xfs", ["-q", image]), mounted);
    requireTold(told, /XFS/);
    assert.ok(told.zeros.against.length > 0);
  },
);

testWithPeers(
  "C1: a delta of Btrfs on another disk of its size is told by its superblock",
  ["mkfs.btrfs", "root-mount", "root-loop"],
  async () => {
    const make = (image: string) => void run("mkfs.btrfs", ["-q", image]);
    const { own, other } = await compareDisks(160 * MIB, make, mounted);
    assert.deepEqual(own.against, []);
    assert.match(other.against.join(), /UUID of the Btrfs file system/);
  },
);

testWithPeers(
  "C1: a delta of NTFS in a partition is told by the records of its own table",
  ["mkfs.ntfs", "sfdisk"],
  async () => {
    let made = 0;
    const make = (image: string) => {
      feed("label: dos\nstart=2048,type=7\n", "sfdisk", ["-q", image]);
      const volume = `${image}.volume`;
      Deno.writeFileSync(volume, new Uint8Array(31 * MIB));
      run("mkfs.ntfs", ["-q", "-F", "-f", "-p", "2048", volume]);
      const bytes = Deno.readFileSync(volume);
      // Two volumes of one second differ in the time of their records all the same.
      const table = new DataView(bytes.buffer).getBigUint64(48, true) * BigInt(bytes[13]! * 512);
      const mirror = new DataView(bytes.buffer).getBigUint64(56, true) * BigInt(bytes[13]! * 512);
      for (const at of [Number(table), Number(mirror)]) bytes[at + 80] = ++made > 2 ? 0x55 : 0x44;
      const disk = Deno.openSync(image, { write: true });
      disk.seekSync(MIB, Deno.SeekMode.Start);
      disk.writeSync(bytes);
      disk.close();
    };
    const use = (image: string) => {
      const bytes = Deno.readFileSync(image);
      const view = new DataView(bytes.buffer, MIB);
      const table = Number(view.getBigUint64(48, true)) * view.getUint8(13) * 512;
      // The sequence number of the log, as every change of the record writes it.
      view.setBigUint64(table + 8, 0x1234n, true);
      Deno.writeFileSync(image, bytes);
    };
    requireTold(await compareDisks(32 * MIB, make, use), /NTFS volume was made, in record 0 at byte 1048576/);
  },
);

testWithPeers(
  "C1: another kind of file system in the place of a delta's, and another disk's partition table, are told",
  ["mkfs.ext4", "mkfs.vfat", "debugfs", "sfdisk"],
  async () => {
    await withTempDir(async (folder) => {
      const made = (name: string, make: (path: string) => void) => {
        const path = `${folder}/${name}`;
        Deno.writeFileSync(path, new Uint8Array(40 * MIB));
        make(path);
        return path;
      };
      const ext = made("ext", (path) => void run("mkfs.ext4", ["-q", "-F", "-b", "1024", path]));
      const fat = Deno.readFileSync(made("fat", (path) => void run("mkfs.vfat", ["-F", "32", path])));
      const before = Deno.readFileSync(ext);
      run("debugfs", ["-w", "-R", "mkdir somewhere", ext]);
      const after = Deno.readFileSync(ext);
      const { against } = await checked(before, after, fat);
      assert.match(against.join(), /ext4/);

      const labelled = (id: string) =>
        Deno.readFileSync(
          made(id, (path) =>
            void feed(`label: dos\nlabel-id: 0x${id}\nstart=2048,type=83\n`, "sfdisk", ["-q", path])),
        );
      const [own, other] = [labelled("11112222"), labelled("33334444")];
      const changed = own.slice();
      changed[600] = 1;
      assert.deepEqual(await checked(own, changed, own), {
        agreed: ["disk signature of the MBR: 11112222"],
        against: [],
      });
      assert.deepEqual((await checked(own, changed, other)).against, [
        "disk signature of the MBR: 11112222 in the MBR of delta, 33334444 in the MBR of base",
      ]);
    });
  },
);

Deno.test("C1: a check by content that finds nothing to compare says nothing", async () => {
  const [before, after] = [new Uint8Array(MIB), new Uint8Array(MIB)];
  after[512 * 1024] = 1;
  assert.deepEqual(await checked(before, after, new Uint8Array(MIB)), { agreed: [], against: [] });
});
