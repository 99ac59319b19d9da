/** Raw disks whose guest wrote the header of an image format onto them, to have something else read in their place. */
import { caseNamed } from "../../fixtures/mod.ts";

const DISK_BYTES = 1024 * 1024;
const SECTORS = DISK_BYTES / 512;
/** The raw disk of another machine, in the same folder. */
export const OTHER = "other.img";

/** What a guest can write at the start of its disk. */
export interface Planted {
  /** What it looks like. */
  readonly name: "hosted" | "cowd" | "sesparse" | "descriptor" | "qcow2";
  /** What a sentence about it says. */
  readonly looks: RegExp;
  readonly disk: Uint8Array<ArrayBuffer>;
}

/** A raw disk in which no byte but a few is like that of another one. */
export function noise(seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(DISK_BYTES);
  let state = seed;
  for (let i = 0; i < bytes.length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    bytes[i] = state >> 16;
  }
  return bytes;
}

/** Disks of a guest, one of each format that it can plant; those that can name another file name {@link OTHER}. */
export function plantedDisks(): Planted[] {
  const rows: [Planted["name"], RegExp, Uint8Array][] = [
    ["hosted", /hosted sparse VMDK/, hostedWithDescriptor()],
    ["cowd", /COWD VMDK/, fileOf("cowd-plain", /-delta\.vmdk$/)],
    ["sesparse", /SESparse VMDK/, fileOf("sesparse-all-four-kinds", /-sesparse\.vmdk$/)],
    ["descriptor", /VMDK descriptor/, descriptorText(512)],
    ["qcow2", /qcow2/, Uint8Array.from([0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3])],
  ];
  return rows.map(([name, looks, head], i) => {
    const disk = noise(i + 1);
    disk.set(head.subarray(0, DISK_BYTES / 2));
    return { name, looks, disk };
  });
}

export function plantedDisk(name: Planted["name"]): Planted {
  return plantedDisks().find((each) => each.name === name)!;
}

/** A flat disk in {@link OTHER}, as a descriptor has it. */
function descriptorText(lengthBytes: number): Uint8Array {
  const text = "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n" +
    `createType="monolithicFlat"\nRW ${SECTORS} FLAT "${OTHER}" 0\n`;
  const bytes = new Uint8Array(lengthBytes);
  new TextEncoder().encodeInto(text, bytes);
  return bytes;
}

/** A KDMV header of capacity 0, which leaves everything to the descriptor behind it. */
function hostedWithDescriptor(): Uint8Array {
  const bytes = new Uint8Array(21 * 512);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x564d444b, true);
  view.setUint32(4, 1, true);
  view.setUint32(8, 3, true);
  view.setBigUint64(20, 128n, true);
  view.setBigUint64(28, 1n, true);
  view.setBigUint64(36, 20n, true);
  view.setUint32(44, 512, true);
  view.setBigUint64(64, 128n, true);
  bytes.set([0x0a, 0x20, 0x0d, 0x0a], 73);
  bytes.set(descriptorText(20 * 512), 512);
  return bytes;
}

function fileOf(fixture: string, name: RegExp): Uint8Array {
  const found = Object.entries(caseNamed(fixture).make()).find(([path]) => name.test(path));
  if (!found) throw new Error(`${fixture} has no file like ${name}`);
  return found[1];
}
