/** qcow2 as qemu makes it, with every option that changes the file: bytes and map are those that qemu-img says. */
import assert from "node:assert/strict";
import { Disk, openChain, openLink, SECTOR_SIZE, surveyLink } from "../../core-as/host/mod.ts";
import { createContext, theCore } from "../../cli/context.ts";
import { pickIo } from "../../cli/io/mod.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { run, testWithPeers, withTempDir } from "../helpers/peers.ts";
import { readWhole } from "../helpers/memory.ts";

const SIZE = 3 * 1024 * 1024 + 512;
const context = () => createContext(pickIo(undefined), {});

/** Options of `qemu-img create`, by name. */
const OPTIONS: Record<string, string> = {
  "version 2": "compat=0.10",
  "version 3": "compat=1.1",
  "clusters of 512 bytes": "cluster_size=512",
  "clusters of 4 KiB": "cluster_size=4096",
  "clusters of 2 MiB": "cluster_size=2M",
  "lazy refcounts": "lazy_refcounts=on",
  "refcounts of 1 bit": "refcount_bits=1",
  "refcounts of 64 bits": "refcount_bits=64",
  "metadata preallocated": "preallocation=metadata",
  "fully preallocated": "preallocation=full",
  "extended L2 entries": "extended_l2=on,cluster_size=128k",
  "extended L2 entries, smallest": "extended_l2=on,cluster_size=16k",
  "zstd": "compression_type=zstd",
};

/** Every kind of write, at places of all kinds of alignment; compressed ones take whole clusters of any size here. */
function write(image: string, { zeros }: { zeros: boolean }): void {
  const commands = [
    "write -P 0x11 0 70000",
    "write -P 0x22 131072 512",
    "write -P 0x33 400000 300000",
    ...zeros ? ["write -z 720896 131072", "write -z 20000 3000"] : [],
    `write -P 0x44 ${SIZE - 512} 512`,
  ];
  run("qemu-io", ["-f", "qcow2", ...commands.flatMap((command) => ["-c", command]), image]);
}

async function assertReadAlike(image: string): Promise<void> {
  const raw = `${image}.raw`;
  run("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", image, raw]);
  const disk = new Disk(theCore(), await openChain(image, context()));
  try {
    const [ours, theirs] = [await readWhole(disk, 1_048_576), await Deno.readFile(raw)];
    assert.equal(ours.length, theirs.length, image);
    const at = ours.findIndex((byte, i) => byte !== theirs[i]);
    assert.equal(at, -1, `${image}: byte ${at} differs`);
  } finally {
    disk.close();
  }
  await Deno.remove(raw);
}

testWithPeers(
  "an image of an older qemu, that names no format for its qcow2 backing file, is refused; the hint makes it right",
  ["qemu-img", "qemu-io"],
  () =>
    withTempDir((cwd) => {
      const [base, image, raw] = ["base.qcow2", "vm.qcow2", "vm.raw"].map((name) => `${cwd}/${name}`) as [
        string,
        string,
        string,
      ];
      run("qemu-img", ["create", "-q", "-f", "qcow2", base, `${SIZE}`]);
      write(base, { zeros: true });
      run("qemu-img", ["create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", image]);
      run("qemu-img", ["convert", "-O", "raw", image, raw]);
      const bytes = Deno.readFileSync(image);
      // The header extension with the format becomes one that nobody knows.
      const at = bytes.findIndex((_, i) => new DataView(bytes.buffer).getUint32(i) === 0xe2792aca);
      bytes[at] = 0x12;
      Deno.writeFileSync(image, bytes);
      const { message, hint } = regrainRefuses(
        { code: "NOT_A_DISK", exit: 4 },
        ["compare", "vm.qcow2", raw],
        { cwd },
      );
      assert.match(
        message,
        /base\.qcow2: it begins like qcow2, and vm\.qcow2, .* names no format for it/,
      );
      regrainExits(1, ["compare", "--force", "vm.qcow2", raw], { cwd });
      const [, line] = /: (qemu-img rebase .*); --force/.exec(hint!)!;
      const [, ...words] = line!.replace("FORMAT", "qcow2").replace("BASE", "base.qcow2").replace(
        "IMAGE",
        image,
      ).split(" ");
      run("qemu-img", words);
      regrainExits(0, ["compare", "--strict", "vm.qcow2", raw], { cwd });
    }),
);

interface Mapped {
  readonly start: number;
  readonly length: number;
  readonly depth: number;
  readonly present: boolean;
  readonly data: boolean;
  readonly offset?: number;
}

/** Each sector of the newest image alone: `d` and its place in the file where it has one, `z`, or `.` for a hole. */
function sectorsOf(
  runs: Iterable<{ start: number; length: number; kind: string; at?: number | undefined }>,
): string[] {
  const sectors = Array<string>(SIZE / SECTOR_SIZE).fill(".");
  for (const { start, length, kind, at } of runs) {
    for (let i = 0; i < length / SECTOR_SIZE; i++) {
      sectors[start / SECTOR_SIZE + i] = at === undefined ? kind : `${kind}${at + i * SECTOR_SIZE}`;
    }
  }
  return sectors;
}

async function assertMappedAlike(image: string): Promise<void> {
  const mapped: Mapped[] = JSON.parse(run("qemu-img", ["map", "-f", "qcow2", "--output=json", image]));
  const theirs = sectorsOf(
    mapped.filter(({ depth, present }) => depth === 0 && present).map(({ start, length, data, offset }) => ({
      start,
      length,
      kind: data ? "d" : "z",
      at: data ? offset : undefined,
    })),
  );
  const link = await openLink(image, context(), "image");
  const { extent } = link.extents[0]!;
  const runs: { start: number; length: number; kind: string; at: number | undefined }[] = [];
  for await (const { list } of new Disk(theCore(), [link]).walk()) {
    for (let i = 0; i < list.count; i++) {
      const place = list.place(i);
      if (place === -2) continue;
      runs.push({
        start: list.start(i) * SECTOR_SIZE,
        length: list.length(i) * SECTOR_SIZE,
        kind: place < 0 ? "z" : "d",
        at: place < 0 ? undefined : extent.fileOffset!(place),
      });
    }
  }
  const { findings } = await surveyLink(theCore(), link, { overlaps: true });
  assert.equal(findings.counts.damage + findings.counts.doubt, 0, JSON.stringify(findings.kept));
  link.close();
  assert.deepEqual(sectorsOf(runs), theirs, image);
}

testWithPeers(
  "qcow2 of qemu with every option reads and maps as qemu-img says",
  ["qemu-img", "qemu-io"],
  async (t) => {
    for (const [name, options] of Object.entries(OPTIONS)) {
      await t.step(name, () =>
        withTempDir(async (folder) => {
          const image = `${folder}/disk.qcow2`;
          run("qemu-img", ["create", "-q", "-f", "qcow2", "-o", options, image, String(SIZE)]);
          write(image, { zeros: name !== "version 2" });
          await assertMappedAlike(image);
          await assertReadAlike(image);
        }));
    }
  },
);

testWithPeers(
  "compressed qcow2 of qemu reads and maps as qemu-img says",
  ["qemu-img", "qemu-io"],
  async (t) => {
    for (
      const options of [
        "compression_type=zlib",
        "compression_type=zstd",
        "compression_type=zstd,cluster_size=512",
        "compression_type=zlib,cluster_size=2M",
        "extended_l2=on,compression_type=zstd",
      ]
    ) {
      await t.step(options, () =>
        withTempDir(async (folder) => {
          const [plain, image] = [`${folder}/plain.qcow2`, `${folder}/disk.qcow2`];
          run("qemu-img", ["create", "-q", "-f", "qcow2", plain, String(SIZE)]);
          write(plain, { zeros: true });
          run("qemu-img", ["convert", "-c", "-f", "qcow2", "-O", "qcow2", "-o", options, plain, image]);
          await assertMappedAlike(image);
          // A write into what is compressed makes some of it plain.
          run("qemu-io", ["-f", "qcow2", "-c", "write -P 0x55 410000 5000", image]);
          await assertMappedAlike(image);
          await assertReadAlike(image);
        }));
    }
  },
);

testWithPeers("qcow2 on raw, qcow2 and VMDK, shorter and longer than it, reads as qemu-img says", [
  "qemu-img",
  "qemu-io",
], async (t) => {
  for (const format of ["raw", "qcow2", "vmdk"]) {
    for (const size of [1024 * 1024, 4 * 1024 * 1024]) {
      await t.step(`${format} of ${size} bytes`, () =>
        withTempDir(async (folder) => {
          const base = `${folder}/base.${format === "raw" ? "img" : format}`;
          const [middle, image] = [`${folder}/middle.disk`, `${folder}/disk.qcow2`];
          run("qemu-img", ["create", "-q", "-f", format, base, String(size)]);
          run("qemu-io", ["-f", format, "-c", `write -P 0x77 0 ${size - 65536}`, base]);
          const on = (under: string, its: string, made: string) =>
            run("qemu-img", ["create", "-q", "-f", "qcow2", "-b", under, "-F", its, made, String(SIZE)]);
          on(base, format, middle);
          run("qemu-io", [
            "-f",
            "qcow2",
            "-c",
            "write -P 0x66 100000 5000",
            "-c",
            "write -z 200000 70000",
            middle,
          ]);
          on("middle.disk", "qcow2", image);
          write(image, { zeros: true });
          await assertMappedAlike(image);
          await assertReadAlike(image);
        }));
    }
  }
});

testWithPeers(
  "internal snapshots leave the current state as it is",
  ["qemu-img", "qemu-io"],
  () =>
    withTempDir(async (folder) => {
      const image = `${folder}/disk.qcow2`;
      run("qemu-img", ["create", "-q", "-f", "qcow2", image, String(SIZE)]);
      write(image, { zeros: true });
      run("qemu-img", ["snapshot", "-c", "before the upgrade", image]);
      run("qemu-io", ["-f", "qcow2", "-c", "write -P 0x99 0 200000", image]);
      await assertMappedAlike(image);
      await assertReadAlike(image);
      const link = await openLink(image, context(), "image");
      assert.match(JSON.stringify(link.extents[0]!.extent.findings), /before the upgrade/);
      link.close();
    }),
);

testWithPeers(
  "what qemu encrypts, or puts into a file of its own, is refused by name",
  ["qemu-img"],
  () =>
    withTempDir(async (folder) => {
      const image = `${folder}/luks.qcow2`;
      run("qemu-img", [
        ...["create", "-q", "-f", "qcow2", "--object", "secret,id=s,data=abc"],
        ...["-o", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10", image, "1M"],
      ]);
      await assert.rejects(openLink(image, context(), "image"), { code: "ENCRYPTED", message: /LUKS/ });
      const outside = `${folder}/outside.qcow2`;
      run("qemu-img", ["create", "-q", "-f", "qcow2", "-o", `data_file=${folder}/data.raw`, outside, "1M"]);
      await assert.rejects(openLink(outside, context(), "image"), {
        code: "UNSUPPORTED",
        message: /data\.raw/,
      });
    }),
);
