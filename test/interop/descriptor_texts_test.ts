/** Descriptors in the letters and with the heads that are found in the field, read together with their data. */
import assert from "node:assert/strict";
import { Disk, openChain, openLink, type RegrainError } from "../../core-as/host/mod.ts";
import { BASE, baseDisk, baseFiles, DELTA, deltaFiles } from "../../fixtures/case.ts";
import { dataGrains, overlay } from "../../fixtures/mod.ts";
import { buildCowd } from "../../fixtures/cowd.ts";
import { core, memoryContext, readWhole } from "../helpers/memory.ts";
import { withTempDir } from "../helpers/peers.ts";
import { regrainExits } from "../helpers/cli.ts";

const CAPACITY = 4096 * 2;
const LINK = { capacitySectors: CAPACITY, grainSectors: 1, seed: 7, grains: dataGrains([5, 4100]) };

/** A delta on a base, both descriptors changed. */
function chainWith(change: (text: string) => string): Record<string, Uint8Array> {
  const delta = deltaFiles({ kind: "cowd", bytes: buildCowd(LINK).bytes, capacitySectors: CAPACITY });
  const files: Record<string, Uint8Array> = { ...baseFiles({ capacitySectors: CAPACITY }), ...delta };
  for (const name of [BASE.descriptor, DELTA]) {
    files[name] = new TextEncoder().encode(change(new TextDecoder().decode(files[name])));
  }
  return files;
}

const HEAD = "# Disk DescriptorFile\n";
const HEADS: Record<string, string> = {
  "the comment in three words": "# Disk Descriptor File\n",
  "another comment first": `# re-created by hand after KB 1026353\n${HEAD}`,
  "no comment at all": "",
  "blank lines first": `\n\n${HEAD}`,
  "the comment of another program": "# Description file created by VMDK stream converter\n",
  "a comment of two kilobytes": `# ${"-".repeat(2000)}\n`,
};

for (const [what, head] of Object.entries(HEADS)) {
  Deno.test(`A13: a chain whose descriptors begin with ${what} is read`, async () => {
    const files = chainWith((text) => text.replace(HEAD, head));
    const links = await openChain(DELTA, memoryContext(files));
    const found = await readWhole(new Disk(core, links));
    assert.deepEqual(found, overlay(baseDisk(CAPACITY), LINK));
  });
}

Deno.test("A15: a chain with a line of junk in each descriptor is read, with a note for each", async () => {
  const files = chainWith((text) => text.replace("# Extent", "~~ left by an editor\n# Extent"));
  const links = await openChain(DELTA, memoryContext(files));
  assert.deepEqual(await readWhole(new Disk(core, links)), overlay(baseDisk(CAPACITY), LINK));
  for (const { findings } of links) {
    assert.deepEqual(findings.map(({ severity, kind }) => [severity, kind]), [["note", "descriptor-odd"]]);
  }
});

/** A flat disk under a name in some encoding, and its descriptor. */
function diskNamed(name: string, encoding: string, bytes: number[]): Record<string, Uint8Array> {
  const utf8 = (text: string) => new TextEncoder().encode(text);
  const front = utf8(`${HEAD}version=1\nencoding="${encoding}"\nCID=1\nparentCID=ffffffff\nRW 8 VMFS "`);
  const back = utf8('-flat.vmdk"\n');
  return {
    "disk.vmdk": Uint8Array.from([...front, ...bytes, ...back]),
    [`${name}-flat.vmdk`]: new Uint8Array(4096).fill(7),
  };
}

Deno.test("A12: a disk whose name is in an encoding of VMware's is found", async () => {
  const cases: [string, string, number[]][] = [
    ["Диск", "windows-1251", [0xc4, 0xe8, 0xf1, 0xea]],
    ["磁盘", "GB18030", [0xb4, 0xc5, 0xc5, 0xcc]],
    ["디스크", "windows-949", [0xb5, 0xf0, 0xbd, 0xba, 0xc5, 0xa9]],
    ["ソ", "windows-932", [0x83, 0x5c]],
    ["功", "windows-950", [0xa5, 0x5c]],
    ["Диск", "KOI8-R", [0xe4, 0xc9, 0xd3, 0xcb]],
  ];
  for (const [name, encoding, bytes] of cases) {
    const link = await openLink("disk.vmdk", memoryContext(diskNamed(name, encoding, bytes)), "delta");
    assert.equal(link.extents[0]!.extent.path, `${name}-flat.vmdk`, encoding);
    assert.deepEqual(link.findings, [], encoding);
  }
});

Deno.test("A12: where a file is not found, an unknown encoding is named as the likely cause", async () => {
  const files = diskNamed("Диск", "EBCDIC", [0xc4, 0xe8, 0xf1, 0xea]);
  await assert.rejects(openLink("disk.vmdk", memoryContext(files), "delta"), (error: RegrainError) => {
    assert.equal(error.code, "NOT_FOUND");
    assert.match(error.hint!, /^the descriptor's encoding "EBCDIC" is unknown, names may be garbled; /);
    return true;
  });
});

Deno.test("A12: apply gives a base in UTF-16 the content id of its delta, and changes no other byte", () =>
  withTempDir((folder) => {
    const wide = (text: string) => {
      const units = Uint16Array.from(`\uFEFF${text}`, (char) => char.charCodeAt(0));
      return new Uint8Array(units.buffer);
    };
    const files = chainWith((text) => text);
    const text = new TextDecoder().decode(files[BASE.descriptor]);
    files[BASE.descriptor] = wide(text);
    for (const [name, bytes] of Object.entries(files)) Deno.writeFileSync(`${folder}/${name}`, bytes);
    regrainExits(0, ["apply", `${folder}/${DELTA}`, `${folder}/${BASE.descriptor}`]);
    assert.deepEqual(
      Deno.readFileSync(`${folder}/${BASE.descriptor}`),
      wide(text.replace("CID=5eed0001", "CID=5eed0002")),
    );
    assert.deepEqual(Deno.readFileSync(`${folder}/${BASE.flat}`), overlay(baseDisk(CAPACITY), LINK));
  }));
