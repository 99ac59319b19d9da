/** File systems that other programs make, as we recognise them and as `blkid` does. */
import assert from "node:assert/strict";
import { createContext, theCore } from "../../cli/context.ts";
import { pickIo } from "../../cli/io/mod.ts";
import {
  type FileSystemType,
  type GuestSurvey,
  readPartitions,
  recognise,
  sumByArea,
  surveyGuest,
} from "../../core-as/host/guest/mod.ts";
import { Disk, MIB, openChain, totalsOf } from "../../core-as/host/mod.ts";
import { feed, opened, withImage } from "../helpers/guest_image.ts";
import { run, testWithPeers, withLoop, withTempDir } from "../helpers/peers.ts";

/** What `blkid` says of a file, or of a part of it. */
function blkid(image: string, part: readonly string[] = []): Record<string, string> {
  const text = run("blkid", ["-p", "-o", "export", ...part, image]);
  const pairs = text.trim().split("\n").map((row) => /^(\w+)=(.*)$/.exec(row)!);
  return Object.fromEntries(pairs.map(([, key, value]) => [key, value!.replace(/\\(.)/g, "$1")]));
}

/** What it would say by what we found. */
function asBlkid(found: { type: FileSystemType; label: string | undefined; uuid: string | undefined }) {
  const types: Partial<Record<FileSystemType, string>> = {
    fat12: "vfat FAT12",
    fat16: "vfat FAT16",
    fat32: "vfat FAT32",
    luks1: "crypto_LUKS 1",
    luks2: "crypto_LUKS 2",
    lvm: "LVM2_member",
  };
  return { TYPE: types[found.type] ?? found.type, LABEL: found.label, UUID: found.uuid };
}

/** The same of what `blkid` says; versions only where they tell two of our types apart. */
function ofBlkid({ TYPE, VERSION, LABEL, UUID }: Record<string, string>) {
  const isVersioned = TYPE === "vfat" || TYPE === "crypto_LUKS";
  return { TYPE: isVersioned ? `${TYPE} ${VERSION}` : TYPE, LABEL, UUID };
}

interface Formatting {
  readonly peers: readonly string[];
  readonly sizeBytes: number;
  format(image: string): void;
}

/** A program that formats a file named last. */
function by(sizeBytes: number, program: string, ...args: string[]): Formatting {
  return { peers: [program, "blkid"], sizeBytes, format: (image) => void run(program, [...args, image]) };
}

/** Few rounds for the key: it protects nothing here. */
function luks(version: 1 | 2, ...args: string[]): Formatting {
  const all = [
    ...["luksFormat", "--batch-mode", "--type", `luks${version}`, "--pbkdf", "pbkdf2"],
    ...["--pbkdf-force-iterations", "1000", "--key-file", "-", ...args],
  ];
  const format = (image: string) => void feed("secret", "cryptsetup", [...all, image]);
  return { peers: ["cryptsetup", "blkid"], sizeBytes: 32 * MIB, format };
}

const FORMATTINGS: Record<string, Formatting> = {
  ext2: by(16 * MIB, "mkfs.ext4", "-q", "-F", "-t", "ext2", "-L", "second"),
  ext3: by(32 * MIB, "mkfs.ext4", "-q", "-F", "-t", "ext3", "-L", "sixteen-bytes-xx"),
  ext4: by(64 * MIB, "mkfs.ext4", "-q", "-F", "-t", "ext4", "-L", "with blanks"),
  "ext4 without a label or a journal": by(
    64 * MIB,
    "mkfs.ext4",
    "-q",
    "-F",
    "-t",
    "ext4",
    "-O",
    "^has_journal",
  ),
  "ext4 in blocks of 4 KiB": by(64 * MIB, "mkfs.ext4", "-q", "-F", "-t", "ext4", "-b", "4096"),
  XFS: by(320 * MIB, "mkfs.xfs", "-q", "-L", "twelve_bytes"),
  Btrfs: by(128 * MIB, "mkfs.btrfs", "-q", "-L", "a butter label"),
  NTFS: by(16 * MIB, "mkfs.ntfs", "-q", "-F", "-f", "-L", "System reserved"),
  "NTFS in clusters of 64 KiB": by(32 * MIB, "mkfs.ntfs", "-q", "-F", "-f", "-c", "65536", "-L", "Big"),
  FAT12: by(4 * MIB, "mkfs.vfat", "-F", "12", "-n", "FLOPPY"),
  FAT16: by(32 * MIB, "mkfs.vfat", "-F", "16", "-n", "EFI SYSTEM"),
  FAT32: by(64 * MIB, "mkfs.vfat", "-F", "32", "-n", "BOOT"),
  "FAT without a label": by(32 * MIB, "mkfs.vfat"),
  "FAT in sectors of 4096 bytes": by(64 * MIB, "mkfs.vfat", "-S", "4096", "-n", "LARGE"),
  exFAT: by(16 * MIB, "mkfs.exfat", "-n", "Camera"),
  swap: by(16 * MIB, "mkswap", "-L", "swap space"),
  "swap in pages of 64 KiB": by(16 * MIB, "mkswap", "-p", "65536"),
  "LUKS 1": luks(1),
  "LUKS 2": luks(2, "--label", "secrets"),
};

for (const [name, { peers, sizeBytes, format }] of Object.entries(FORMATTINGS)) {
  testWithPeers(
    `${name} is recognised as blkid recognises it`,
    peers,
    () =>
      withImage(sizeBytes, async (image) => {
        format(image);
        const { areas } = await opened(image, surveyGuest);
        assert.deepEqual(areas.map(({ kind }) => kind), ["disk"]);
        const found = areas[0]!.fileSystem;
        assert.ok(found);
        assert.deepEqual(asBlkid(found), ofBlkid(blkid(image)));
        if (!name.startsWith("LUKS")) assertSize(found.sizeBytes, sizeBytes);
      }),
  );
}

/** A file system has the size of what it was made on, less what its units or a copy of its boot sector take. */
function assertSize(found: number | undefined, sizeBytes: number): void {
  assert.ok(found !== undefined && found <= sizeBytes && found > sizeBytes - MIB, `${found} of ${sizeBytes}`);
}

testWithPeers("a physical volume of LVM is recognised as blkid recognises it", [
  "pvcreate",
  "blkid",
  "root-loop",
], () =>
  withImage(16 * MIB, async (image) => {
    await withLoop(image, (device) => void run("pvcreate", ["-q", "-y", "--devices", device, device]));
    const found = await opened(image, (source) => recognise(source, 0, source.sizeBytes));
    assert.ok(found);
    assert.deepEqual(asBlkid(found), ofBlkid(blkid(image)));
    assertSize(found.sizeBytes, 16 * MIB);
  }));

for (const [name, label] of [["ISO 9660", "A_DISC"], ["Joliet", "a longer disc label"]] as const) {
  testWithPeers(
    `${name} is recognised as blkid recognises it`,
    ["xorriso", "blkid"],
    () =>
      withTempDir(async (folder) => {
        const image = `${folder}/disc.iso`;
        Deno.mkdirSync(`${folder}/files`);
        const joliet = name === "Joliet" ? ["-joliet"] : [];
        run("xorriso", ["-as", "mkisofs", "-quiet", ...joliet, "-V", label, "-o", image, `${folder}/files`]);
        const found = await opened(image, (source) => recognise(source, 0, source.sizeBytes));
        assert.ok(found);
        assert.deepEqual(asBlkid(found), ofBlkid(blkid(image)));
        assert.equal(found.sizeBytes, Deno.statSync(image).size);
      }),
  );
}

/** FAT, swap, and three logical partitions. */
const DISK = "label: dos\n2048,20480,c\n,20480,82\n,,5\n,20480,83\n,10240,8e\n,10240,7\n";

testWithPeers(
  "file systems in partitions are recognised as blkid recognises them there",
  ["sfdisk", "blkid", "mkfs.ext4", "mkfs.vfat", "mkswap"],
  () =>
    withImage(128 * MIB, async (image) => {
      feed(DISK, "sfdisk", ["--quiet", image]);
      const { partitions } = await opened(image, readPartitions);
      const programs: Record<number, readonly string[]> = {
        1: ["mkfs.vfat", "-n", "FIRST"],
        2: ["mkswap", "-L", "second"],
        5: ["mkfs.ext4", "-q", "-F", "-L", "fifth"],
      };
      for (const { index, startBytes, lengthBytes } of partitions) {
        const [program, ...args] = programs[index] ?? [];
        if (program) formatPart(image, { startBytes, lengthBytes }, [program, ...args]);
      }
      const survey = await opened(image, surveyGuest);
      assert.deepEqual(described(survey), [
        "-: -",
        "1: fat16",
        "2: swap",
        ...["-: -", "5: ext4", "-: -", "6: empty", "-: -", "7: empty", "-: -"],
      ]);
      for (const { partition, fileSystem } of survey.areas) {
        if (!partition || !fileSystem || fileSystem.type === "empty") continue;
        const part = ["-O", `${partition.startBytes}`, "-S", `${partition.lengthBytes}`];
        assert.deepEqual(asBlkid(fileSystem), ofBlkid(blkid(image, part)));
      }
    }),
);

function described({ areas }: GuestSurvey): string[] {
  return areas.map(({ partition, fileSystem }) => `${partition?.index ?? "-"}: ${fileSystem?.type ?? "-"}`);
}

/** Formats a file of the size of a partition, and puts it there. */
function formatPart(
  image: string,
  place: { startBytes: number; lengthBytes: number },
  command: readonly string[],
): void {
  const part = `${image}.part`;
  Deno.writeFileSync(part, new Uint8Array(place.lengthBytes));
  run(command[0]!, [...command.slice(1), part]);
  using file = Deno.openSync(image, { write: true });
  file.seekSync(place.startBytes, Deno.SeekMode.Start);
  file.writeSync(Deno.readFileSync(part));
  Deno.removeSync(part);
}

testWithPeers(
  "a VMDK is surveyed like the disk that it holds, and its runs add up",
  ["sfdisk", "mkfs.ext4", "mkfs.vfat", "mkswap", "qemu-img"],
  () =>
    withImage(64 * MIB, async (image) => {
      feed("label: gpt\nsize=16MiB\nsize=16MiB,type=uefi\n", "sfdisk", ["--quiet", image]);
      const { partitions } = await opened(image, readPartitions);
      formatPart(image, partitions[0]!, ["mkfs.ext4", "-q", "-F", "-L", "root"]);
      formatPart(image, partitions[1]!, ["mkfs.vfat", "-n", "EFI"]);
      const expected = await opened(image, surveyGuest);
      assert.deepEqual(described(expected), ["-: -", "1: ext4", "2: fat16", "-: -"]);
      for (const subformat of ["monolithicSparse", "streamOptimized"]) {
        const vmdk = `${image}.${subformat}.vmdk`;
        run("qemu-img", ["convert", "-O", "vmdk", "-o", `subformat=${subformat}`, image, vmdk]);
        const disk = new Disk(theCore(), await openChain(vmdk, createContext(pickIo(), {})));
        assert.deepEqual(await surveyGuest(disk), expected);
        const totals = sumByArea(expected.areas, await disk.runs(0, disk.sizeBytes));
        const dataBytes = totals.reduce((sum, total) => sum + total.dataBytes, 0);
        assert.equal(dataBytes, (await totalsOf(disk)).dataBytes);
        assert.ok(totals[1]!.dataBytes > 0 && totals[1]!.zeroBytes > 0);
        disk.close();
      }
    }),
);
