/**
 * What a user may have before an apply, and what must be said of it: read by the command's dry run and by the page, so
 * that neither promises what the other refuses.
 */
import { SECTOR_SIZE } from "../../core-as/host/units.ts";
import { buildCowd, caseNamed, dataGrains, deltaFiles, type Files } from "../../fixtures/mod.ts";

export interface Situation {
  readonly name: string;
  /** Every file, in one folder. */
  make(): Files;
  /** What a user types behind `regrain apply`: the deltas, oldest first, and the target. */
  readonly typed: readonly string[];
  readonly expect: Applied | Refused | Doubted;
}

/** It will work: the first sentence of the page, and the command that it shows. */
interface Applied {
  readonly page: "applies" | "unknown";
  readonly says: RegExp;
  readonly command: string;
}

/** The command refuses it, and the page shows the same sentence in the place of a command. */
interface Refused {
  readonly code: string;
  readonly says: RegExp;
}

/** The content speaks against the base: the page shows no command, and the command needs `--force`. */
interface Doubted extends Refused {
  readonly page: "unlikely";
}

const CAPACITY_SECTORS = 4096;

/** A sector 0 with a disk signature, as an MBR has it. */
function signed(signature: number): Uint8Array {
  const sector = new Uint8Array(SECTOR_SIZE);
  const view = new DataView(sector.buffer);
  view.setUint32(440, signature, true);
  view.setUint16(510, 0xaa55, true);
  return sector;
}

/** A delta that holds sector 0, with one signature, over a raw base that has another one or the same. */
function signedDisks(signatures: { delta: number; base: number }): Files {
  const image = buildCowd({
    capacitySectors: CAPACITY_SECTORS,
    grainSectors: 1,
    seed: 5,
    grains: dataGrains([0, 7]),
  });
  image.bytes.set(signed(signatures.delta), image.bytes.length - 2 * SECTOR_SIZE);
  const base = new Uint8Array(CAPACITY_SECTORS * SECTOR_SIZE);
  base.set(signed(signatures.base));
  return {
    ...deltaFiles({ kind: "cowd", bytes: image.bytes, capacitySectors: CAPACITY_SECTORS }),
    "copy.img": base,
  };
}

/** A fixture without its base, and what is in its place. */
function onRaw(name: string, resize: (base: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>): Files {
  const { "disk.vmdk": _text, "disk-flat.vmdk": base, ...deltas } = caseNamed(name).make();
  return { ...deltas, "copy.img": resize(base!) };
}

function without(name: string, ...gone: readonly string[]): Files {
  const files = caseNamed(name).make();
  for (const file of gone) delete files[file];
  return files;
}

/** All links of a chain with one content id, as ESXi leaves them while the VM runs, and no hint of an order. */
function oneIdEverywhere(...gone: readonly string[]): Files {
  const files = without("chain-two-cowd-links", ...gone);
  const decoder = new TextDecoder();
  for (const [name, bytes] of Object.entries(files)) {
    const text = decoder.decode(bytes.subarray(0, 2000));
    if (!text.includes("parentCID")) continue;
    const same = text.replaceAll(/^(parentCID|CID)=(?!ffffffff)\w+$/gm, "$1=5eed0001");
    files[name] = new TextEncoder().encode(same);
  }
  return files;
}

const ONE = ["disk-000001.vmdk", "disk.vmdk"];
const TWO = ["disk-000001.vmdk", "disk-000002.vmdk", "disk.vmdk"];

export const SITUATIONS: readonly Situation[] = [
  {
    name: "one delta on its base",
    make: () => caseNamed("cowd-plain").make(),
    typed: ONE,
    expect: {
      page: "applies",
      says: /^✓ Can be applied$/,
      command: "regrain apply disk-000001.vmdk disk.vmdk",
    },
  },
  {
    name: "a chain of two deltas on its base",
    make: () => caseNamed("chain-two-cowd-links").make(),
    typed: TWO,
    expect: {
      page: "applies",
      says: /^✓ Can be applied$/,
      command: "regrain apply disk-000001.vmdk disk-000002.vmdk disk.vmdk",
    },
  },
  {
    name: "a chain of two deltas without its base",
    make: () => without("chain-two-cowd-links", "disk.vmdk", "disk-flat.vmdk"),
    typed: ["disk-000001.vmdk", "disk-000002.vmdk", "TARGET"],
    expect: {
      page: "unknown",
      says: /^\? .*: what disk-000001\.vmdk belongs on: its parent "disk\.vmdk" is not here/,
      command: "regrain apply disk-000001.vmdk disk-000002.vmdk TARGET",
    },
  },
  {
    name: "a raw copy of the base, which has no content id",
    make: () => onRaw("cowd-plain", (base) => base),
    typed: ["disk-000001.vmdk", "copy.img"],
    expect: {
      page: "unknown",
      says: /^\? .*: whether copy\.img is what disk-000001\.vmdk was made on: .*no content id/,
      command: "regrain apply disk-000001.vmdk copy.img",
    },
  },
  {
    name: "a raw base whose partition table has the signature of the delta's",
    make: () => signedDisks({ delta: 0x11112222, base: 0x11112222 }),
    typed: ["disk-000001.vmdk", "copy.img"],
    expect: {
      page: "unknown",
      says: /^\? .*: whether copy\.img is what disk-000001\.vmdk was made on/,
      command: "regrain apply disk-000001.vmdk copy.img",
    },
  },
  {
    name: "a raw disk of the same size with another disk's partition table",
    make: () => signedDisks({ delta: 0x11112222, base: 0x33334444 }),
    typed: ["disk-000001.vmdk", "copy.img"],
    expect: {
      page: "unlikely",
      code: "WRONG_BASE",
      says:
        /disk signature of the MBR: 11112222 in the MBR of disk-000001\.vmdk, 33334444 in the MBR of copy\.img/,
    },
  },
  {
    name: "a base that was written to after the snapshot",
    make: () => caseNamed("refused-chain-cid-mismatch").make(),
    typed: ONE,
    expect: { code: "WRONG_BASE", says: /parentCID \w+ is not the parent's CID \w+/ },
  },
  {
    name: "a chain whose middle is missing",
    make: () => without("chain-two-cowd-links", "disk-000001.vmdk", "disk-000001-delta.vmdk"),
    typed: ["disk-000002.vmdk", "disk.vmdk"],
    expect: { code: "WRONG_BASE", says: /parentCID \w+ is not the parent's CID \w+/ },
  },
  {
    name: "a chain of one content id whose middle is missing",
    make: () => oneIdEverywhere("disk-000001.vmdk", "disk-000001-delta.vmdk"),
    typed: ["disk-000002.vmdk", "disk.vmdk"],
    expect: { code: "WRONG_BASE", says: /disk-000001\.vmdk/ },
  },
  {
    name: "a delta with an entry past its end",
    make: () => caseNamed("refused-cowd-entry-past-the-end").make(),
    typed: ONE,
    expect: { code: "DAMAGED", says: /past the end|behind the end|ends at/ },
  },
  {
    name: "a delta that was cut short",
    make: () => caseNamed("refused-cowd-cut-before-last-grain").make(),
    typed: ONE,
    expect: { code: "TRUNCATED", says: /./ },
  },
  {
    name: "a delta whose two directories disagree",
    make: () => caseNamed("refused-hosted-twins-disagree").make(),
    typed: ONE,
    expect: { code: "DAMAGED", says: /./ },
  },
  {
    name: "a raw copy of the base that was cut short",
    make: () => onRaw("cowd-plain", (base) => base.slice(0, base.length - 64 * 1024)),
    typed: ["disk-000001.vmdk", "copy.img"],
    expect: { code: "SIZE_MISMATCH", says: /too small/ },
  },
  {
    name: "a raw disk that is larger than the delta's",
    make: () =>
      onRaw("cowd-plain", (base) => {
        const larger = new Uint8Array(base.length + 64 * 1024);
        larger.set(base);
        return larger;
      }),
    typed: ["disk-000001.vmdk", "copy.img"],
    expect: { code: "SIZE_MISMATCH", says: /is this the right base\?/ },
  },
];
