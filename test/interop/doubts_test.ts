/**
 * What is refused unless the user says so: a disk whose copy was cut short, one that is encrypted, a piece of one. Each
 * in every command that reads disks, with the flag that goes on, followed.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  BASE,
  baseDisk,
  baseFiles,
  buildCowd,
  buildDescriptor,
  buildHosted,
  dataGrains,
  DELTA,
  deltaFiles,
  type Files,
  overlay,
  pattern,
} from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";

const CAPACITY = 2048;
const LINK = { capacitySectors: CAPACITY, grainSectors: 1, seed: 3, grains: dataGrains([5, 700]) };
/** Says nothing but that such a repository is used. */
const REPO = ["--repo", "r", "--name", "vm/disk"];

function withFiles(files: Files, run: (cwd: string) => void): Promise<void> {
  return withTempDir((cwd) => {
    for (const [name, bytes] of Object.entries(files)) {
      Deno.mkdirSync(join(cwd, name, ".."), { recursive: true });
      Deno.writeFileSync(join(cwd, name), bytes);
    }
    run(cwd);
  });
}

/** A base, and a COWD delta over it. */
function chainFiles(
  text: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> = (bytes) => bytes,
): Files {
  const base = baseFiles({ capacitySectors: CAPACITY });
  const delta = deltaFiles({ kind: "cowd", bytes: buildCowd(LINK).bytes, capacitySectors: CAPACITY });
  return {
    ...base,
    ...delta,
    [BASE.descriptor]: text(base[BASE.descriptor]!),
    [DELTA]: text(delta[DELTA]!),
  };
}

/** Refused as it is, and taken with the flag that the hint names; returns what was warned of then. */
function refusedThenForced(
  cwd: string,
  args: readonly string[],
  expected: { code: string; exit?: number; hint: RegExp; forced?: number },
): string {
  const { hint = "" } = regrainRefuses({ code: expected.code, exit: expected.exit ?? 4 }, args, { cwd });
  assert.match(hint, expected.hint);
  const flag = /--force/.exec(hint)?.[0];
  assert.equal(flag, "--force", `the hint names no flag: ${hint}`);
  return regrainExits(expected.forced ?? 0, [...args, flag], { cwd }).stderr;
}

function shortBase(): Files {
  const files = chainFiles();
  return { ...files, [BASE.flat]: files[BASE.flat]!.slice(0, 300 * 512 + 77) };
}

Deno.test("A6: a flat file shorter than its extent is refused by all that read it, and --force reads zeros", () =>
  withFiles(shortBase(), (cwd) => {
    regrainExits(0, ["repo", "init", "--repo", "r"], { cwd });
    const expected = {
      code: "TRUNCATED",
      hint: /^(regrain check .*; )?the copy may not be complete: copy the file again; --force/,
    };
    for (const image of [BASE.descriptor, BASE.flat, DELTA]) {
      assert.match(
        refusedThenForced(cwd, ["backup", image, ...REPO], expected),
        /taken by --force: .*153677 bytes/,
      );
    }
    const padded = new Uint8Array(CAPACITY * 512);
    padded.set(baseDisk(CAPACITY).subarray(0, 300 * 512 + 77));
    Deno.writeFileSync(join(cwd, "padded.img"), padded);
    refusedThenForced(cwd, ["compare", BASE.descriptor, "padded.img"], expected);
    refusedThenForced(cwd, ["map", BASE.descriptor], expected);
    refusedThenForced(cwd, ["map", "--chain", DELTA], expected);
    Deno.writeFileSync(join(cwd, "vm.img"), new Uint8Array(CAPACITY * 512).fill(0xee));
    refusedThenForced(cwd, ["apply", BASE.descriptor, DELTA, "vm.img"], expected);
    assertFileHolds(join(cwd, "vm.img"), overlay(padded, LINK));
  }));

Deno.test("A6: check says that a flat file is too short, at which byte it ends, and exits 1", () =>
  withFiles(shortBase(), (cwd) => {
    const { stdout } = regrainExits(1, ["check", BASE.descriptor], { cwd });
    assert.match(
      stdout,
      /doubt flat-short: disk-flat\.vmdk: the file has 153677 bytes, its extent line needs 1048576/,
    );
    assert.match(stdout, /not sound/);
    regrainExits(1, ["check", "--chain", DELTA], { cwd });
    assert.match(regrainExits(0, ["info", BASE.descriptor], { cwd }).stdout, /1 doubt: not sound/);
  }));

/** A delta in one file with its descriptor, the text in it changed, and the base. */
function childInOneFile(change: (text: string) => string): Files {
  const text = new TextDecoder().decode(buildDescriptor({
    createType: "monolithicSparse",
    cid: "5eed0002",
    parentCid: "5eed0001",
    parentFileNameHint: BASE.descriptor,
    extents: [{ sectors: CAPACITY, type: "SPARSE", file: DELTA }],
  }));
  const descriptor = new TextEncoder().encode(change(text));
  const { bytes } = buildHosted({ ...HOSTED_LINK, descriptor, descriptorSectors: 2 });
  return { ...baseFiles({ capacitySectors: CAPACITY }), [DELTA]: bytes };
}

const HOSTED_LINK = { capacitySectors: CAPACITY, grainSectors: 16, seed: 4, grains: dataGrains([2, 90]) };
const CUTS: [what: string, change: (text: string) => string, why: string][] = [
  ["cut inside its first key", (text) => text.slice(0, text.indexOf("ersion=")), "may have been cut"],
  ["cut before its extent", (text) => text.slice(0, text.indexOf("parentCID")), "names no extent"],
  ["without its first byte", (text) => text.slice(1), "does not begin like one"],
];

for (const [what, change, why] of CUTS) {
  Deno.test(`A15: a delta whose own descriptor is ${what} is never taken for a base`, () =>
    withFiles(childInOneFile(change), (cwd) => {
      regrainExits(0, ["repo", "init", "--repo", "r"], { cwd });
      const expected = { code: "DAMAGED", hint: /mend the descriptor, or copy the file again; --force/ };
      assert.match(
        regrainExits(1, ["check", DELTA], { cwd }).stdout,
        new RegExp(`doubt descriptor-odd: .*${why}`),
      );
      regrainRefuses({ code: "DAMAGED", exit: 4 }, ["backup", DELTA, ...REPO], { cwd });
      Deno.writeFileSync(join(cwd, "vm.img"), baseDisk(CAPACITY));
      refusedThenForced(cwd, ["apply", DELTA, "vm.img"], expected);
      assertFileHolds(join(cwd, "vm.img"), overlay(baseDisk(CAPACITY), HOSTED_LINK));
    }));
}

/** A descriptor with lines of its own. */
function withLines(...lines: string[]): (bytes: Uint8Array) => Uint8Array<ArrayBuffer> {
  return (bytes) => {
    const text = new TextDecoder().decode(bytes);
    return new TextEncoder().encode(text.replace("createType=", () => `${lines.join("\n")}\ncreateType=`));
  };
}

const KEYS = 'encryptionKeys="vmware:key/list/(pair/(fqid/<VMWARE-NULL>/kms/6f1d,HMAC-SHA-256,abcd))"';
const ENCRYPTED: [who: string, lines: string[], sign: RegExp][] = [
  [
    "vSphere",
    ["keyID=1", KEYS, 'ddb.iofilters = "vmwarevmcrypt"'],
    /keyID, encryptionKeys, ddb\.iofilters vmwarevmcrypt/,
  ],
  ["an older vSphere", ["keyID=1", KEYS], /keyID, encryptionKeys/],
  ["Workstation", [KEYS], /encryptionKeys/],
  ["a list of filters", ['ddb.iofilters = "vmwarelwd,vmwarevmcrypt"'], /ddb\.iofilters vmwarevmcrypt/],
];

for (const [who, lines, sign] of ENCRYPTED) {
  Deno.test(`A9: a disk encrypted by ${who} is said to be, and read by --force alone`, () =>
    withFiles(chainFiles(withLines(...lines)), (cwd) => {
      const expected = { code: "ENCRYPTED", hint: /decrypt the VM .*; --force takes the ciphertext/ };
      Deno.writeFileSync(join(cwd, "vm.img"), baseDisk(CAPACITY));
      const warned = refusedThenForced(cwd, ["apply", DELTA, "vm.img"], expected);
      assert.match(
        warned,
        /taken by --force: disk-000001\.vmdk: the disk is encrypted \(.*\): its bytes are ciphertext/,
      );
      assert.match(warned, sign);
      assertFileHolds(join(cwd, "vm.img"), overlay(baseDisk(CAPACITY), LINK));
      if (who !== "vSphere") return;
      regrainExits(0, ["repo", "init", "--repo", "r"], { cwd });
      refusedThenForced(cwd, ["backup", DELTA, ...REPO], expected);
      refusedThenForced(cwd, ["backup", "--delta", DELTA, ...REPO], expected);
      refusedThenForced(cwd, ["compare", DELTA, "vm.img"], expected);
      refusedThenForced(cwd, ["map", BASE.descriptor], expected);
      refusedThenForced(cwd, ["apply", DELTA, BASE.descriptor], expected);
      assert.match(regrainExits(0, ["info", DELTA], { cwd }).stdout, /doubt: .*the disk is encrypted/);
      assert.match(regrainExits(1, ["check", DELTA], { cwd }).stdout, /doubt encrypted: /);
    }));
}

Deno.test("A9: a plain delta is not applied onto an encrypted base, whose CID fits", () => {
  const plain = chainFiles();
  const files = { ...plain, [BASE.descriptor]: withLines("keyID=1", KEYS)(plain[BASE.descriptor]!) };
  return withFiles(files, (cwd) => {
    refusedThenForced(cwd, ["apply", DELTA, BASE.descriptor], { code: "ENCRYPTED", hint: /--force/ });
  });
});

Deno.test("A9: an I/O filter that does not encrypt is a note, and empty keys are nothing", () => {
  const lines = ['ddb.iofilters = "vmwarelwd"', "keyID=", 'encryptionKeys=""'];
  return withFiles(chainFiles(withLines(...lines)), (cwd) => {
    assert.match(regrainExits(0, ["check", DELTA], { cwd }).stdout, /note io-filters: .*vmwarelwd/);
  });
});

const GRAIN = 128;
const PIECE = { capacitySectors: 8 * GRAIN, grainSectors: GRAIN, seed: 7, grains: dataGrains([1, 6]) };
const PIECE_BELOW = pattern({ seed: 9, startSector: 0, sectors: PIECE.capacitySectors });

Deno.test("A5: a piece of a split disk without its descriptor is no disk: backup, compare and map refuse it", () =>
  withFiles({ "vm-s002.vmdk": buildHosted(PIECE).bytes, "zeros.img": new Uint8Array(512 * 1024) }, (cwd) => {
    regrainExits(0, ["repo", "init", "--repo", "r"], { cwd });
    const expected = {
      code: "NOT_A_DISK",
      hint: /descriptor \(the small \.vmdk text file\).*; --force takes this piece/,
    };
    const warned = refusedThenForced(cwd, ["backup", "vm-s002.vmdk", ...REPO], expected);
    assert.match(warned, /by its name it is piece 2 of a split disk, and no descriptor says where/);
    refusedThenForced(cwd, ["compare", "vm-s002.vmdk", "zeros.img"], { ...expected, forced: 1 });
    refusedThenForced(cwd, ["map", "--chain", "vm-s002.vmdk"], expected);
    assert.match(regrainExits(1, ["check", "vm-s002.vmdk"], { cwd }).stdout, /doubt piece: /);
  }));

Deno.test("A5: a flat piece without its descriptor is no disk either, not even the first", () =>
  withFiles({ "vm-f001.vmdk": PIECE_BELOW, "web-f003.vmdk": PIECE_BELOW }, (cwd) => {
    regrainExits(0, ["repo", "init", "--repo", "r"], { cwd });
    for (const image of ["vm-f001.vmdk", "web-f003.vmdk"]) {
      refusedThenForced(cwd, ["backup", image, ...REPO], { code: "NOT_A_DISK", hint: /descriptor/ });
    }
  }));

Deno.test("A5: apply refuses a piece that is not the first or is not alone, and warns of a first one", () => {
  const { bytes } = buildHosted(PIECE);
  const target = { "vm.img": PIECE_BELOW };
  const refused = async (files: Files, piece: string, message: RegExp) => {
    await withFiles({ ...files, ...target }, (cwd) => {
      const warned = refusedThenForced(cwd, ["apply", piece, "vm.img"], {
        code: "NOT_A_DISK",
        hint: /--force/,
      });
      assert.match(warned, message);
    });
  };
  return (async () => {
    await refused({ "vm-s002.vmdk": bytes }, "vm-s002.vmdk", /piece 2 of a split disk/);
    const both = { "vm-s001.vmdk": bytes, "vm-s002.vmdk": bytes };
    await refused(both, "vm-s001.vmdk", /the first piece of a split disk \(vm-s002\.vmdk beside it\)/);
    await withFiles({ "vm-s001.vmdk": bytes, ...target }, (cwd) => {
      const { stderr } = regrainExits(0, ["apply", "vm-s001.vmdk", "vm.img"], { cwd });
      assert.match(
        stderr,
        /warning: .*the first piece of a split disk, and no descriptor says whether there are more/,
      );
      assertFileHolds(join(cwd, "vm.img"), overlay(PIECE_BELOW, PIECE));
    });
  })();
});

Deno.test("A5: a sparse file with an empty descriptor is no base: nothing it lacks is zeroed or stored as zeros", () =>
  withFiles({
    "some.vmdk": buildHosted({ ...PIECE, descriptor: new Uint8Array(0) }).bytes,
    "vm.img": PIECE_BELOW,
  }, (cwd) => {
    const { stderr } = regrainExits(0, ["apply", "some.vmdk", "vm.img"], { cwd });
    assert.match(stderr, /does not say whether it has a parent: what it does not hold stays as it is/);
    assertFileHolds(join(cwd, "vm.img"), overlay(PIECE_BELOW, PIECE));
    regrainExits(0, ["repo", "init", "--repo", "r"], { cwd });
    const expected = { code: "NOT_A_DISK", hint: /--force takes it for a disk without a parent: zeros/ };
    refusedThenForced(cwd, ["backup", "some.vmdk", ...REPO], expected);
  }));

Deno.test("A5: a descriptor inside that names its own file outweighs the name: the VM is called srv-s002", () => {
  const own = buildDescriptor({
    createType: "monolithicSparse",
    extents: [{ sectors: PIECE.capacitySectors, type: "SPARSE", file: "srv-s002.vmdk" }],
  });
  const { bytes } = buildHosted({ ...PIECE, descriptor: own });
  return withFiles({ "srv-s002.vmdk": bytes, "other-s002.vmdk": bytes }, (cwd) => {
    regrainExits(0, ["repo", "init", "--repo", "r"], { cwd });
    regrainExits(0, ["backup", "srv-s002.vmdk", ...REPO], { cwd });
    regrainExits(0, ["check", "srv-s002.vmdk"], { cwd });
    regrainRefuses({ code: "NOT_A_DISK", exit: 4 }, ["backup", "other-s002.vmdk", ...REPO], { cwd });
  });
});

for (
  const [what, line] of [["NOACCESS", `NOACCESS ${CAPACITY} VMFSSPARSE "none.vmdk"`], [
    "ZERO",
    `RW ${CAPACITY} ZERO`,
  ]] as const
) {
  Deno.test(`A4: a delta whose extent line is ${what} overwrites nothing but with --force`, () => {
    const files: Files = {
      ...baseFiles({ capacitySectors: CAPACITY }),
      ...deltaFiles({ kind: "cowd", bytes: buildCowd(LINK).bytes, capacitySectors: CAPACITY }),
      "vm.img": baseDisk(CAPACITY),
    };
    const text = new TextDecoder().decode(files[DELTA]!).replace(/^RW .*$/m, line);
    return withFiles({ ...files, [DELTA]: new TextEncoder().encode(text) }, (cwd) => {
      for (const command of [["apply", DELTA, "vm.img"], ["apply", "--chain", DELTA, "vm.img"]]) {
        const { hint } = regrainRefuses({ code: "DESCRIPTOR_INVALID", exit: 4 }, command, { cwd });
        assert.match(hint!, /--force takes it as zeros, which overwrite that part of the disk/);
      }
      assertFileHolds(`${cwd}/vm.img`, baseDisk(CAPACITY));
      regrainExits(1, ["check", DELTA], { cwd });
      regrainExits(0, ["apply", "--force", DELTA, "vm.img"], { cwd });
      assertFileHolds(`${cwd}/vm.img`, new Uint8Array(CAPACITY * 512));
    });
  });
}
