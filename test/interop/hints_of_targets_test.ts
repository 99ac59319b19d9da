/** Hints of hosts, targets and pipes, followed: see `hints_test.ts`. */
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
} from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import {
  BASE_FILES,
  CAPACITY,
  delta,
  DISK,
  FLAT,
  flatDescriptor,
  followHint,
  LINK,
  type Row,
} from "../helpers/followed_hints.ts";
import { type Ran, run, testWithPeers, withLoop, withMount, withTempDir } from "../helpers/peers.ts";

import { withQemuHolding } from "../helpers/qemu_holding.ts";
import { PROGRAM } from "../helpers/program.ts";

const BARE = "disk-000001-delta.vmdk";
const COPY = { "vm.img": FLAT };

/** The descriptor of a disk whose extent is no file. */
function onHost(type: string, file: string): Uint8Array<ArrayBuffer> {
  return buildDescriptor({ createType: "custom", cid: "1", extents: [{ sectors: CAPACITY, type, file }] });
}

/** What `vmkfstools -i` makes of it: a descriptor and a flat file. */
function clone(cwd: string): readonly string[] {
  Deno.writeFileSync(join(cwd, "disk.vmdk"), flatDescriptor("disk-flat.vmdk"));
  Deno.writeFileSync(join(cwd, "disk-flat.vmdk"), DISK);
  return ["compare", "disk.vmdk", "want.img"];
}

const HOSTS: Row[] = [
  ["VMFSRDM", "vm-rdm.vmdk"],
  ["VMFSPASSTHROUGHRAWDEVICEMAP", "vm-rdmp.vmdk"],
].map(([type, file]): Row => ({
  situation: `the disk is a LUN of its own, by a line ${type}`,
  files: { "disk.vmdk": onHost(type!, file!) },
  args: ["compare", "disk.vmdk", "want.img"],
  code: "UNSUPPORTED",
  hint: /^its data is the LUN itself: (copy that block device), and give the copy .*; or (clone the disk)/,
  follow(_, cwd) {
    Deno.writeFileSync(join(cwd, "lun.img"), DISK);
    regrainExits(0, ["compare", "lun.img", "want.img"], { cwd });
    return clone(cwd);
  },
}));

const VSAN: Row[] = ["VMFS", "VSANSPARSE", "VVOL"].map((type): Row => ({
  situation: `the disk is an object of another store, by a line ${type}`,
  files: { "disk.vmdk": onHost(type, "vsan://3e3ac35a-1111-2222-3333-000c29000001") },
  args: ["compare", "disk.vmdk", "want.img"],
  code: "UNSUPPORTED",
  hint:
    /^(clone) the disk on the host onto a VMFS or NFS datastore \(vmkfstools -i\), and copy the clone here$/,
  follow: (_, cwd) => clone(cwd),
}));

/** Runs the command of a hint, and looks at the target. */
function applied(command: string | undefined, cwd: string): readonly string[] {
  regrainExits(0, command!.split(" "), { cwd });
  return ["compare", "vm.img", "want.img"];
}

const TARGETS: Row[] = [
  {
    situation: "the base is given behind its delta, and neither is the target",
    files: { ...BASE_FILES, ...delta(), ...COPY },
    args: ["apply", DELTA, BASE.descriptor, "vm.img"],
    code: "CHAIN_BROKEN",
    exit: 5,
    hint: /^if vm\.img is a copy of disk\.vmdk: regrain (apply [^;]*); give the links oldest first/,
    follow: ([command], cwd) => applied(command, cwd),
  },
  {
    situation: "the base is given behind its delta, and the target is to be made",
    files: { ...BASE_FILES, ...delta() },
    args: ["apply", "--create", DELTA, BASE.descriptor, "vm.img"],
    code: "CHAIN_BROKEN",
    exit: 5,
    hint: /^as they were made: regrain (apply --create [^;]*); /,
    follow: ([command], cwd) => applied(command, cwd),
  },
  {
    situation: "the base is given before its delta, onto a copy of it",
    files: { ...BASE_FILES, ...delta(), ...COPY },
    args: ["apply", BASE.descriptor, DELTA, "vm.img"],
    code: "WRONG_BASE",
    exit: 5,
    hint: /^if vm\.img is a copy of disk\.vmdk: regrain (apply [^;]*); deltas come first/,
    follow: ([command], cwd) => applied(command, cwd),
  },
  {
    situation: "the base is given before its delta, and all of the target may be overwritten",
    files: { ...BASE_FILES, ...delta(), "vm.img": new Uint8Array(FLAT.length).fill(7) },
    args: ["apply", BASE.descriptor, DELTA, "vm.img"],
    code: "WRONG_BASE",
    exit: 5,
    hint: /; (--force) overwrites the target all the same/,
    follow([flag], cwd) {
      regrainExits(0, ["apply", flag!, BASE.descriptor, DELTA, "vm.img"], { cwd });
      return ["compare", "vm.img", "want.img"];
    },
  },
  {
    situation: "the target is one of the deltas",
    files: { ...delta(), ...COPY, "delta.bin": delta()[BARE]! },
    args: ["apply", "--format", "raw", "delta.bin", "delta.bin"],
    code: "TARGET_IS_INPUT",
    exit: 2,
    hint: /^the target comes last: regrain (apply) DELTA TARGET$/,
    follow: ([command], cwd) => applied(`${command} delta.bin vm.img`, cwd),
  },
  {
    situation: "the target is a delta by its descriptor",
    files: { ...BASE_FILES, ...delta(), ...COPY },
    args: ["apply", DELTA, DELTA],
    code: "TARGET_UNSUITABLE",
    exit: 2,
    hint: /^the target comes last, and is the base or (a raw copy) of it$/,
    follow: (_, cwd) => applied(`apply ${DELTA} vm.img`, cwd),
  },
  {
    situation: "the target is a text",
    files: { ...delta(), ...COPY, "notes.txt": new TextEncoder().encode("copy of the disk: vm.img\n") },
    args: ["apply", DELTA, "notes.txt"],
    code: "TARGET_UNSUITABLE",
    exit: 2,
    hint: /^give a (raw image), a block device, or the descriptor of a flat VMDK$/,
    follow: (_, cwd) => applied(`apply ${DELTA} vm.img`, cwd),
  },
  {
    situation: "the target is a descriptor by another name",
    files: { ...BASE_FILES, ...delta(), "disk.txt": BASE_FILES[BASE.descriptor]! },
    args: ["apply", DELTA, "disk.txt"],
    code: "TARGET_UNSUITABLE",
    exit: 2,
    hint: /^(--format vmdk) writes the flat file that it names/,
    follow([flags], cwd) {
      regrainExits(0, ["apply", ...flags!.split(" "), DELTA, "disk.txt"], { cwd });
      return ["compare", BASE.flat, "want.img"];
    },
  },
  {
    situation: "the target is a VMDK that is not flat",
    files: {
      ...delta(),
      ...COPY,
      "sparse.vmdk": onHost("VMFSSPARSE", BARE),
    },
    args: ["apply", "--force", DELTA, "sparse.vmdk"],
    code: "TARGET_UNSUITABLE",
    exit: 2,
    hint: /^apply onto a flat copy of the base, or onto a (raw image)$/,
    follow: (_, cwd) => applied(`apply ${DELTA} vm.img`, cwd),
  },
  {
    situation: "the disk is encrypted, and its ciphertext is wanted",
    files: {
      ...BASE_FILES,
      [BASE.descriptor]: new Uint8Array([
        ...BASE_FILES[BASE.descriptor]!,
        ...new TextEncoder().encode('ddb.iofilters = "vmwarevmcrypt"\n'),
      ]),
      "want.img": FLAT,
    },
    args: ["compare", BASE.descriptor, "want.img"],
    code: "ENCRYPTED",
    hint: /^decrypt the VM with VMware first; (--force) takes the ciphertext/,
    follow: ([flag]) => ["compare", BASE.descriptor, "want.img", flag!],
  },
];

for (const row of [...HOSTS, ...VSAN, ...TARGETS]) {
  Deno.test(`A17: the hint works when ${row.situation}`, () => followHint(row));
}

const APPLY = ["apply", DELTA, "vm.img"];

/** A folder with a delta and a copy of the base. */
function withCopy(fn: (cwd: string) => void | Promise<void>): Promise<void> {
  return withTempDir(async (cwd) => {
    for (const [name, bytes] of Object.entries({ ...delta(), ...COPY })) {
      Deno.writeFileSync(join(cwd, name), bytes);
    }
    await fn(cwd);
  });
}

testWithPeers(
  "A17: the hint works when a virtual machine runs on the target",
  ["qemu-io"],
  () =>
    withCopy(async (cwd) => {
      await withQemuHolding(`${cwd}/vm.img`, () => {
        const { hint } = regrainRefuses({ code: "TARGET_BUSY", exit: 2 }, APPLY, { cwd });
        assert.match(hint!, /^stop that program first, or write to the target all the same with --force$/);
        regrainExits(0, [...APPLY, "--force"], { cwd });
      });
      assertFileHolds(`${cwd}/vm.img`, DISK);
      Deno.writeFileSync(`${cwd}/vm.img`, baseDisk(CAPACITY));
      regrainExits(0, APPLY, { cwd });
      assertFileHolds(`${cwd}/vm.img`, DISK);
    }),
);

Deno.test("A17: the hint works when another run writes to the target", () =>
  withCopy(async (cwd) => {
    using holder = Deno.openSync(`${cwd}/vm.img`, { read: true, write: true });
    await holder.lock(true);
    for (const args of [APPLY, [...APPLY, "--force"]]) {
      const { hint } = regrainRefuses({ code: "TARGET_BUSY", exit: 2 }, args, { cwd });
      assert.match(
        hint!,
        /^wait for it to end, or stop it \(fuser -v vm\.img names it\); --force does not help/,
      );
    }
    assertFileHolds(`${cwd}/vm.img`, FLAT);
    await holder.unlock();
    regrainExits(0, APPLY, { cwd });
    assertFileHolds(`${cwd}/vm.img`, DISK);
  }));

testWithPeers(
  "A17: the hint works when the target is behind a loop device",
  ["root-loop"],
  () =>
    withCopy(async (cwd) => {
      await withLoop(`${cwd}/vm.img`, (device) => {
        const { hint } = regrainRefuses({ code: "TARGET_BUSY", exit: 2 }, APPLY, { cwd });
        assert.ok(
          hint!.startsWith(`write to ${device}, detach it with losetup --detach ${device}, or`),
          hint,
        );
        regrainExits(0, ["apply", DELTA, device], { cwd });
      });
      assertFileHolds(`${cwd}/vm.img`, DISK);
      regrainExits(0, APPLY, { cwd });
    }),
);

testWithPeers(
  "A17: the hint works when the target is mounted",
  ["root-loop", "root-mount", "mkfs.ext4"],
  () =>
    withCopy(async (cwd) => {
      run("mkfs.ext4", ["-q", "-F", `${cwd}/vm.img`]);
      Deno.mkdirSync(`${cwd}/mnt`);
      await withLoop(`${cwd}/vm.img`, async (device) => {
        const args = ["apply", DELTA, device];
        await withMount(`${cwd}/mnt`, [device], () => {
          const { hint } = regrainRefuses({ code: "TARGET_MOUNTED", exit: 2 }, args, { cwd });
          assert.match(hint!, /^unmount it first, or write to it all the same with --force$/);
        });
        regrainExits(0, args, { cwd });
      });
    }),
);

Deno.test("A17: the hint works when a pipe brings tables that contradict each other", () =>
  withCopy((cwd) => {
    const { bytes } = buildHosted({ ...LINK, grainSectors: 128, grains: dataGrains([1]) });
    const view = new DataView(bytes.buffer);
    const tableSector = view.getUint32(view.getUint32(56, true) * 512, true);
    // The first grain would lie on the header.
    view.setUint32(tableSector * 512, 1, true);
    view.setUint32(4, 1, true);
    Deno.writeFileSync(`${cwd}/sent.vmdk`, bytes);
    const { code, stderr } = shell(`cat sent.vmdk | regrain apply --json - vm.img`, cwd);
    assert.equal(code, 4, stderr);
    const { hint = "" } = JSON.parse(stderr.trim().split("\n").at(-1)!);
    const said = /^save the stream to a file first, with (cat > FILE): (regrain check FILE) says what is/
      .exec(hint);
    assert.ok(said, hint);
    const followed = said.slice(1).map((words) => words.replace("FILE", "kept.vmdk"));
    const checked = shell(`cat sent.vmdk | ${followed.join("; ")}`, cwd);
    assert.equal(checked.code, 1, checked.stderr);
    assert.match(checked.stdout, /^kept\.vmdk: .*not sound/);
    assertFileHolds(`${cwd}/vm.img`, FLAT);
  }));

/** Runs a line of a shell in which `regrain` is the program. */
function shell(line: string, cwd: string): Ran {
  const program = `regrain() { "${Deno.execPath()}" run --no-prompt -A "${PROGRAM}" "$@"; }`;
  const output = new Deno.Command("bash", {
    args: ["-c", `${program}; ${line}`],
    cwd,
    env: { NO_COLOR: "1" },
  })
    .outputSync();
  const decoder = new TextDecoder();
  return { code: output.code, stdout: decoder.decode(output.stdout), stderr: decoder.decode(output.stderr) };
}

Deno.test("A17: lines that are printed to be run quote the names in them, and none is taken for a flag", () =>
  withTempDir((folder) => {
    const base = baseFiles({ capacitySectors: 64 });
    const link = { capacitySectors: 64, grainSectors: 1, seed: 3, grains: dataGrains([5]) };
    const delta = deltaFiles({ kind: "cowd", bytes: buildCowd(link).bytes, capacitySectors: 64 });
    for (const [name, bytes] of Object.entries({ ...base, ...delta })) {
      Deno.writeFileSync(`${folder}/${name}`, bytes);
    }
    const odd = "t $(touch pwned).img";
    Deno.writeFileSync(`${folder}/${odd}`, base[BASE.flat]!.slice(0, -512));
    const { hint } = regrainRefuses({ code: "SIZE_MISMATCH", exit: 5 }, ["apply", DELTA, odd], {
      cwd: folder,
    });
    assert.ok(hint!.includes(`truncate -s 32768 '${odd}' `), hint);
    Deno.writeFileSync(`${folder}/-t.img`, base[BASE.flat]!);
    const args = ["apply", "--undo", "u", DELTA, "--", "-t.img"];
    assert.match(regrainExits(0, args, { cwd: folder }).stderr, /regrain apply u \.\/-t\.img takes back/);
    regrainExits(0, ["apply", "u", "./-t.img"], { cwd: folder });
    assertFileHolds(`${folder}/-t.img`, base[BASE.flat]!);
  }));
