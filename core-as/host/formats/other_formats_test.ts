import assert from "node:assert/strict";
import { memoryContext } from "../../../test/helpers/memory.ts";
import { noise } from "../../../test/helpers/planted.ts";
import type { RegrainError } from "../errors.ts";
import type { Role } from "./image_format.ts";
import { openLink } from "../disk/open_link.ts";
import { DELTAS_FIRST } from "./other_formats.ts";

const starting = (text: string, at = 0) => {
  const bytes = noise(3).slice(0, 4096);
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
  return bytes;
};
const gzip = starting("\x1f\x8b\x08");
const plain = noise(4).slice(0, 4096);

/** What opening says: message and hint, or nothing. */
async function refusal(
  path: string,
  files: Record<string, Uint8Array>,
  role: Role = "image",
): Promise<{ message: string; hint: string } | undefined> {
  try {
    await openLink(path, memoryContext(files), role);
    return undefined;
  } catch (error) {
    const { code, message, hint } = error as RegrainError;
    assert.equal(code, "NOT_A_DISK", message);
    return { message, hint: hint! };
  }
}

/** Name, content, what it is, and the line that makes a disk of it. */
const IMAGES: [string, Uint8Array, RegExp, string][] = [
  ["f/vm.img.gz", gzip, /is gzip/, "gzip -dc f/vm.img.gz > f/vm.img, and give that"],
  ["my vm.img.gz", gzip, /is gzip/, "gzip -dc 'my vm.img.gz' > 'my vm.img', and give that"],
  ["vm.img.zst", starting("\x28\xb5\x2f\xfd"), /is zstd/, "zstd -dc vm.img.zst > vm.img, and give that"],
  ["vm.img.xz", starting("\xfd7zXZ"), /is xz/, "xz -dc vm.img.xz > vm.img, and give that"],
  ["vm.img.bz2", starting("BZh9"), /is bzip2/, "bzip2 -dc vm.img.bz2 > vm.img, and give that"],
  ["vm.ova", starting("ustar", 257), /OVA/, "tar -xf vm.ova, and give the .vmdk that comes out"],
  ["vm.zip", starting("PK\x03\x04"), /is zip/, "unzip vm.zip, and give the .vmdk that comes out"],
  [
    "vm.qcow",
    starting("QFI\xfb"),
    /is qcow2/,
    "--format qcow2 reads it as what it is",
  ],
  [
    "vm.vhdx",
    starting("vhdxfile"),
    /is VHDX/,
    "qemu-img convert -f vhdx -O raw vm.vhdx vm.img, and give that",
  ],
  ["vm.vhd", starting("conectix"), /is VHD/, "qemu-img convert -f vpc -O raw vm.vhd vm.img, and give that"],
  [
    "vm.vhd",
    starting("conectix", 4096 - 512),
    /is VHD/,
    "qemu-img convert -f vpc -O raw vm.vhd vm.img, and give that",
  ],
  [
    "vm.vdi",
    starting("\x7f\x10\xda\xbe", 64),
    /is VDI/,
    "qemu-img convert -f vdi -O raw vm.vdi vm.img, and give that",
  ],
  ["f/vm.vmx", plain, /configuration of a VM/, "regrain info f tells its disks"],
  ["vm.ovf", plain, /description of a VM/, "regrain info . tells its disks"],
];

Deno.test("C9: an image that is another format by name and content is refused with the line that works", async () => {
  for (const [path, bytes, what, way] of IMAGES) {
    const said = await refusal(path, { [path]: bytes });
    assert.match(said!.message, what);
    assert.ok(said!.hint.startsWith(way), `${path}: ${said!.hint}`);
    assert.match(said!.hint, /--format raw takes its bytes as they are/);
    await openLink(path, memoryContext({ [path]: bytes }, { format: "raw" }), "image");
  }
});

Deno.test("C9: a raw disk that only begins like another format is not refused", async () => {
  for (const [path, bytes] of IMAGES) {
    if (!/\.vmx|\.ovf/.test(path)) {
      assert.equal(await refusal("vm.img", { "vm.img": bytes }), undefined, path);
    }
  }
  for (const path of ["vm.qcow", "vm.gz", "vm.vhd"]) {
    assert.equal(await refusal(path, { [path]: plain }), undefined, path);
  }
});

Deno.test("C9: of a delta that is packed the pipe is told that unpacks it", async () => {
  const rows: [string, Uint8Array, string][] = [
    ["vm-000001-delta.vmdk.gz", gzip, "gzip -dc vm-000001-delta.vmdk.gz | regrain apply - TARGET"],
    ["vm-000001-delta.vmdk", gzip, "gzip -dc vm-000001-delta.vmdk | regrain apply - TARGET"],
    ["d.zst", starting("\x28\xb5\x2f\xfd"), "zstd -dc d.zst | regrain apply - TARGET"],
    ["d.qcow2", starting("QFI\xfb"), DELTAS_FIRST],
    ["vm.vmx", plain, "regrain info . tells its disks, and the commands that move them"],
    ["vm-ctk.vmdk", starting("\xa2\x72\x19\xf6"), "give the disk it is about: vm.vmdk"],
  ];
  for (const [path, bytes, way] of rows) {
    const said = await refusal(path, { [path]: bytes }, "delta");
    assert.equal(said!.hint, way);
  }
});

Deno.test("C9: one piece of a file that was cut is refused with the line that puts it together", async () => {
  const rows: [string, string, string][] = [
    [
      "d/disk.vmdk.000000001",
      "d/disk.vmdk.000000000",
      "cat d/disk.vmdk.????????? > d/disk.vmdk, and give that",
    ],
    ["disk.vmdk.001", "disk.vmdk.002", "cat disk.vmdk.??? > disk.vmdk, and give that"],
    ["disk.img.aa", "disk.img.ab", "cat disk.img.?? > disk.img, and give that"],
    ["disk.img.ab", "disk.img.aa", "cat disk.img.?? > disk.img, and give that"],
    ["disk.img.part2", "disk.img.part1", "cat disk.img.part? > disk.img, and give that"],
  ];
  for (const [path, other, way] of rows) {
    const files = { [path]: plain, [other]: plain };
    for (const role of ["image", "delta"] as const) {
      const said = await refusal(path, files, role);
      assert.match(said!.message, /one piece of a file that was cut/);
      assert.ok(said!.hint.startsWith(way), said!.hint);
    }
  }
});

Deno.test("C9: disks whose names only end like those of pieces are disks", async () => {
  const rows = [
    ["vm.img.20261127", "vm.img.20261128"],
    ["vm.img", "vm.imh"],
    ["vm.001"],
    ["vm.aa"],
    ["vm.1", "vm.2"],
  ];
  for (const names of rows) {
    const files = Object.fromEntries(names.map((name) => [name, plain]));
    for (const name of names) assert.equal(await refusal(name, files), undefined, name);
  }
});
