/** The descriptor of a VMDK target: what an apply changes of it, and what taking it back gives back. */
import assert from "node:assert/strict";
import { BASE, baseDisk, buildCowd, dataGrains, DELTA, deltaFiles } from "../../fixtures/mod.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { testWithPeers, withTempDir } from "../helpers/peers.ts";

const SECTORS = 4096;
const LONG = "00112233445566778899AABB5EED0001";

/** Descriptors as people have them; each has CID 5eed0001, in its own way. */
const DESCRIPTORS: Readonly<Record<string, string>> = {
  "longContentID in the middle": [
    "# Disk DescriptorFile",
    "version=1",
    "CID=5eed0001",
    "parentCID=ffffffff",
    'createType="vmfs"',
    `RW ${SECTORS} VMFS "${BASE.flat}"`,
    `ddb.longContentID = "${LONG}"`,
    'ddb.adapterType = "lsilogic"',
    "",
  ].join("\n"),
  "longContentID at the end, without a newline": [
    "# Disk DescriptorFile",
    "version=1",
    "CID=5EED0001",
    "parentCID=ffffffff",
    'createType="vmfs"',
    `RW ${SECTORS} VMFS "${BASE.flat}"`,
    "# a comment of the admin",
    `ddb.longContentID="${LONG}"`,
  ].join("\r\n"),
  "no longContentID": [
    "# Disk DescriptorFile",
    "version=1",
    '  cid = "5eed0001"',
    "parentCID=ffffffff",
    'createType="vmfs"',
    `RW ${SECTORS} VMFS "${BASE.flat}"`,
    "",
  ].join("\n"),
};

/** A delta, with a longContentID or without, onto a base with this descriptor. */
async function withBase(
  descriptor: string,
  longContentId: string | undefined,
  fn: (at: { folder: string; base: string; delta: string }) => void,
): Promise<void> {
  const link = {
    capacitySectors: SECTORS,
    grainSectors: 1,
    seed: 5,
    grains: dataGrains([1, 70, 4000]),
  };
  const files = deltaFiles({
    kind: "cowd",
    bytes: buildCowd(link).bytes,
    capacitySectors: SECTORS,
    descriptor: longContentId === undefined ? {} : { longContentId },
  });
  await withTempDir((folder) => {
    for (const [name, bytes] of Object.entries(files)) Deno.writeFileSync(`${folder}/${name}`, bytes);
    Deno.writeFileSync(`${folder}/${BASE.flat}`, baseDisk(SECTORS));
    Deno.writeTextFileSync(`${folder}/${BASE.descriptor}`, descriptor);
    fn({ folder, base: `${folder}/${BASE.descriptor}`, delta: `${folder}/${DELTA}` });
  });
}

for (const [name, descriptor] of Object.entries(DESCRIPTORS)) {
  for (const longContentId of [undefined, "ffeeddccbbaa998877665544" + "5eed0002"]) {
    const has = longContentId === undefined ? "without" : "with";
    Deno.test(`D9: ${name}: a delta ${has} longContentID is taken back byte for byte`, () =>
      withBase(descriptor, longContentId, ({ folder, base, delta }) => {
        const flat = Deno.readFileSync(`${folder}/${BASE.flat}`);
        regrainExits(0, ["apply", "--undo", `${folder}/undo`, delta, base]);
        assert.match(Deno.readTextFileSync(base), /5eed0002/);
        assert.doesNotMatch(Deno.readTextFileSync(base), /5eed0001/i);
        regrainExits(0, ["apply", `${folder}/undo`, base]);
        assert.equal(Deno.readTextFileSync(base), descriptor);
        assert.deepEqual(Deno.readFileSync(`${folder}/${BASE.flat}`), flat);
      }));
  }
}

Deno.test("D9: a descriptor that was edited after the apply keeps the edit, and gets its ids back", () =>
  withBase(Object.values(DESCRIPTORS)[0]!, "ffeeddccbbaa9988776655445eed0002", ({ folder, base, delta }) => {
    regrainExits(0, ["apply", "--undo", `${folder}/undo`, delta, base]);
    Deno.writeTextFileSync(base, `${Deno.readTextFileSync(base)}ddb.toolsVersion = "12345"\n`);
    regrainExits(0, ["apply", `${folder}/undo`, base]);
    const text = Deno.readTextFileSync(base);
    assert.match(text, /^CID=5eed0001$/m);
    assert.match(text, /longContentID = "00112233445566778899aabb5eed0001"/i);
    assert.match(text, /toolsVersion = "12345"/);
  }));

testWithPeers(
  "D9: apply and taking back leave owner, group and mode of the descriptor",
  ["root-mount"],
  () =>
    withBase(Object.values(DESCRIPTORS)[0]!, undefined, ({ folder, base, delta }) => {
      Deno.chownSync(base, 1234, 4321);
      Deno.chmodSync(base, 0o640);
      const rights = () => {
        const { uid, gid, mode } = Deno.statSync(base);
        return [uid, gid, (mode ?? 0) & 0o7777];
      };
      for (const args of [["--undo", `${folder}/undo`, delta, base], [`${folder}/undo`, base]]) {
        regrainExits(0, ["apply", ...args]);
        assert.deepEqual(rights(), [1234, 4321, 0o640]);
      }
    }),
);

Deno.test("D9: what becomes of the CID is said as it is: the delta's, a new one, none, or the old one again", () => {
  const [described, bare] = [DELTA, "disk-000001-delta.vmdk"];
  const plain = DESCRIPTORS["no longContentID"]!;
  const without = plain.split("\n").filter((line) => !/^\s*cid/.test(line)).join("\n");
  return withBase(plain, undefined, ({ folder, base }) => {
    const cwd = folder;
    const told = (...args: string[]) => regrainExits(0, ["apply", ...args], { cwd }).stderr;
    assert.match(told("--undo", "u", described, base), /CID is [0-9a-f]{8} now, the delta's\n/);
    assert.match(told("u", base), /CID is 5eed0001 again\n/);
    Deno.writeTextFileSync(base, without);
    assert.match(told("--force", described, base), /it has no CID and gets none, so nothing will tell/);
    assert.equal(Deno.readTextFileSync(base), without);
    Deno.removeSync(`${folder}/${described}`);
    Deno.writeTextFileSync(base, plain);
    assert.match(
      told("--force", bare, base),
      /CID is [0-9a-f]{8} now, a new one, since the delta tells none/,
    );
  });
});

Deno.test("D6: taking back by the flat file gives its descriptor the old ids too, and says whose they are", () =>
  withBase(Object.values(DESCRIPTORS)[0]!, undefined, ({ folder, base, delta }) => {
    const flat = `${folder}/${BASE.flat}`;
    const before = Deno.readFileSync(flat);
    regrainExits(0, ["apply", "--undo", `${folder}/undo`, delta, base]);
    const after = Deno.readTextFileSync(base);
    const { stderr } = regrainExits(0, ["apply", `${folder}/undo`, flat]);
    assert.match(stderr, /CID is 5eed0001 again\n/);
    assert.doesNotMatch(stderr, /keeps its old CID|the delta's/);
    assert.equal(Deno.readTextFileSync(base), Object.values(DESCRIPTORS)[0]);
    assert.deepEqual(Deno.readFileSync(flat), before);
    // A run of an older version gave back the data alone: the second one completes it.
    Deno.writeTextFileSync(base, after);
    const again = regrainExits(0, ["apply", `${folder}/undo`, base]);
    assert.match(again.stderr, /taken back before.*CID of .* is 5eed0001 again/);
    assert.equal(Deno.readTextFileSync(base), Object.values(DESCRIPTORS)[0]);
  }));

Deno.test("D6: an undo file is refused where the descriptor took other ids since its apply", () =>
  withBase(Object.values(DESCRIPTORS)[0]!, undefined, ({ folder, base, delta }) => {
    regrainExits(0, ["apply", "--undo", `${folder}/undo`, delta, base]);
    const newer = Deno.readTextFileSync(base).replace("5eed0002", "5eed0003");
    Deno.writeTextFileSync(base, newer);
    const flat = Deno.readFileSync(`${folder}/${BASE.flat}`);
    for (const target of [base, `${folder}/${BASE.flat}`]) {
      const args = ["apply", `${folder}/undo`, target];
      const { message } = regrainRefuses({ code: "WRONG_BASE", exit: 5 }, args);
      assert.match(message, /CID is 5eed0003, and the apply left 5eed0002/);
    }
    assert.deepEqual(Deno.readFileSync(`${folder}/${BASE.flat}`), flat);
    regrainExits(0, ["apply", "--force", `${folder}/undo`, base]);
    assert.match(Deno.readTextFileSync(base), /^CID=5eed0001$/m);
  }));
