/** The folder of a VM: what is in it, what stands on what, and that the commands it names move the disk. */
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  BASE,
  BASE_CID,
  baseDisk,
  baseFiles,
  buildCowd,
  buildDescriptor,
  buildHosted,
  dataGrains,
  DELTA,
  deltaFileName,
  deltaFiles,
  type Files,
  overlay,
} from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";
import { PROGRAM } from "../helpers/program.ts";

const CAPACITY = 2048;
const NEWER = "disk-000002.vmdk";
const FIRST = { capacitySectors: CAPACITY, grainSectors: 1, seed: 3, grains: dataGrains([5, 700]) };
const SECOND = { capacitySectors: CAPACITY, grainSectors: 1, seed: 4, grains: dataGrains([5, 900]) };

/** A VM with two snapshots, and the .vmx that says which link it runs on. */
function vmFiles(current: string): Files {
  const delta = (name: string, link: typeof FIRST, descriptor: Record<string, string>) =>
    deltaFiles({ kind: "cowd", bytes: buildCowd(link).bytes, capacitySectors: CAPACITY, name, descriptor });
  const vmx = [
    'displayName = "web01"',
    `scsi0:0.fileName = "${current}"`,
    'scsi0:1.fileName = "/etc/other.vmdk"',
  ];
  return {
    ...baseFiles({ capacitySectors: CAPACITY }),
    ...delta(DELTA, FIRST, { cid: "5eed0002", parentCid: BASE_CID }),
    ...delta(NEWER, SECOND, { cid: "5eed0003", parentCid: "5eed0002", parentFileNameHint: DELTA }),
    "vm.vmx": new TextEncoder().encode(vmx.join("\n")),
  };
}

function withVm(files: Files, run: (folder: string) => void): Promise<void> {
  return withTempDir((folder) => {
    for (const [name, bytes] of Object.entries(files)) Deno.writeFileSync(join(folder, name), bytes);
    run(folder);
  });
}

const FIRST_BYTES = overlay(baseDisk(CAPACITY), FIRST);
const ALL_BYTES = overlay(FIRST_BYTES, SECOND);

Deno.test("A18: apply of a delta that a newer one beside it stands on says so, and that of the newest does not", () =>
  withVm(vmFiles(NEWER), (cwd) => {
    Deno.copyFileSync(join(cwd, BASE.flat), join(cwd, "vm.img"));
    const { stderr } = regrainExits(0, ["apply", DELTA, "vm.img"], { cwd });
    assert.match(stderr, /warning: disk-000001\.vmdk: a newer delta stands beside it, .*: disk-000002\.vmdk/);
    assertFileHolds(join(cwd, "vm.img"), FIRST_BYTES);
    assert.doesNotMatch(regrainExits(0, ["apply", NEWER, "vm.img"], { cwd }).stderr, /newer/);
    assertFileHolds(join(cwd, "vm.img"), ALL_BYTES);
  }));

Deno.test("A18: backup of a delta, alone or with its chain, and info say that a newer one stands beside it", () =>
  withVm(vmFiles(NEWER), (cwd) => {
    const warning = /newer delta stands beside it, .*: disk-000002\.vmdk/;
    regrainExits(0, ["repo", "init", "--repo", "r"], { cwd });
    const into = ["--repo", "r", "--name", "vm/disk"];
    assert.doesNotMatch(regrainExits(0, ["backup", BASE.descriptor, ...into], { cwd }).stderr, /newer/);
    assert.match(regrainExits(0, ["backup", "--delta", DELTA, ...into], { cwd }).stderr, warning);
    assert.match(regrainExits(0, ["backup", DELTA, ...into], { cwd }).stderr, warning);
    assert.match(regrainExits(0, ["info", DELTA], { cwd }).stdout, warning);
    const json = JSON.parse(regrainExits(0, ["info", "--json", BASE.descriptor], { cwd }).stdout);
    assert.deepEqual(json.newer, [DELTA, NEWER]);
  }));

Deno.test("B15: info of a VM's folder names the line that backs it up, where all of the VM is there", () =>
  withVm(vmFiles(NEWER), (cwd) => {
    const backupOf = () => JSON.parse(regrainExits(0, ["info", "--json", "."], { cwd }).stdout).backup;
    assert.equal(backupOf(), null, "a disk that the .vmx names is not here");
    const vmx = (name: string, ...more: string[]) =>
      Deno.writeTextFileSync(
        join(cwd, "vm.vmx"),
        [`displayName = "${name}"`, `scsi0:0.fileName = "${NEWER}"`, ...more].join("\n"),
      );
    vmx("a@b/");
    assert.match(backupOf(), /^regrain backup --vm vm disk-0=/, "by the name of the .vmx");
    vmx("web 01");
    const [, line] = / {2}to back all of it up, .*:\n {4}(regrain .*)\n/.exec(
      regrainExits(0, ["info", "."], { cwd }).stdout,
    )!;
    assert.equal(line, backupOf());
    const words = [...line!.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
    regrainExits(0, ["repo", "init", "--repo", "r"], { cwd });
    regrainExits(0, [...words.slice(1), "--repo", "r"], { cwd });
    regrainExits(0, ["restore", "web 01@latest", "out/", "--repo", "r"], { cwd });
    assertFileHolds(join(cwd, "out/disk-0.img"), ALL_BYTES);
    assert.deepEqual([...Deno.readDirSync(join(cwd, "out"))].map(({ name }) => name).sort(), [
      "disk-0.img",
      "vm.vmx",
    ]);
    Deno.removeSync(join(cwd, DELTA));
    assert.equal(backupOf(), null, "the chain is not whole");
    const { hint } = regrainRefuses({ code: "NOT_A_DISK", exit: 4 }, [
      "backup",
      ".",
      "--name",
      "v/d",
      "--repo",
      "r",
    ], { cwd });
    assert.match(hint!, /^regrain info \. shows/);
  }));

Deno.test("A18: info of a folder lists the VM, its chain, which link is current, and what is not there", () =>
  withVm(vmFiles(NEWER), (cwd) => {
    const { stdout } = regrainExits(0, ["info", "."], { cwd });
    const lines = stdout.trimEnd().split("\n").map((line) => line.trim());
    assert.deepEqual(lines, [
      ".",
      "VM web01 (vm.vmx)",
      "disk scsi0:0",
      "base disk.vmdk: 1.0 MiB, vmfs, CID 5eed0001",
      "delta disk-000001.vmdk: 1.0 MiB, vmfsSparse, CID 5eed0002",
      "delta disk-000002.vmdk: 1.0 MiB, vmfsSparse, CID 5eed0003, current: the VM runs on it",
      "to move it:",
      "dd if=disk-flat.vmdk of=TARGET bs=4M",
      "regrain apply --chain disk-000002.vmdk TARGET",
      "disk scsi0:1: the .vmx names /etc/other.vmdk, which is not in this folder",
    ]);
  }));

Deno.test("A18: the commands that info names for a folder move the disk as the VM sees it", () =>
  withTempDir((folder) => {
    for (const [i, [current, expected]] of [[NEWER, ALL_BYTES], [DELTA, FIRST_BYTES]].entries()) {
      const vm = join(folder, `it's vm ${i}`);
      Deno.mkdirSync(vm);
      for (const [name, bytes] of Object.entries(vmFiles(current as string))) {
        Deno.writeFileSync(join(vm, name), bytes);
      }
      const { disks } = JSON.parse(regrainExits(0, ["info", "--json", vm], { cwd: folder }).stdout);
      assert.equal(disks.length, 1);
      const [disk] = disks;
      assert.equal(disk.current, join(vm, current as string));
      // What a volume held before must go, also where the disk has zeros.
      Deno.writeFileSync(join(folder, `target-${i}.img`), new Uint8Array(ALL_BYTES.length).fill(0xee));
      for (const command of disk.commands) {
        assert.ok(!command.includes("sparse"), command);
        run(command.replace("TARGET", `target-${i}.img`), folder);
      }
      assertFileHolds(join(folder, `target-${i}.img`), expected as Uint8Array);
    }
  }));

Deno.test("A18: a folder of damaged descriptors, or of none, is listed as far as it can be", () =>
  withVm({
    ...vmFiles(NEWER),
    "bad.vmdk": new TextEncoder().encode("# Disk DescriptorFile\nRW x"),
    [BASE.descriptor]: new TextEncoder().encode("nothing"),
  }, (cwd) => {
    const { stdout } = regrainExits(0, ["info", "."], { cwd });
    assert.match(stdout, /no command moves it as it is here/);
    assert.match(stdout, /not read: bad\.vmdk: /);
    Deno.mkdirSync(join(cwd, "empty"));
    assert.match(
      regrainExits(0, ["info", "empty"], { cwd }).stdout,
      /no \.vmx.*\n.*no disk with a descriptor/,
    );
  }));

/** Runs a command as a shell does, with `regrain` as this program. */
function run(command: string, cwd: string): void {
  const script = `regrain() { "${Deno.execPath()}" run -A "${PROGRAM}" "$@"; }\n${command}`;
  const { success, stderr } = new Deno.Command("sh", { args: ["-ec", script], cwd }).outputSync();
  assert.ok(success, `${command}: ${new TextDecoder().decode(stderr)}`);
}

Deno.test("A18: no command is printed for a chain whose files are missing, empty, cut or something else", async () => {
  const delta = deltaFileName(DELTA, "cowd");
  const spoils: [string, (files: Files) => void][] = [
    ["the extent .* is not there", (files) => delete files[delta]],
    ["the file is empty", (files) => files[delta] = new Uint8Array()],
    ["not a VMDK", (files) => files[delta] = new Uint8Array(4096)],
    ["past the end|ends", (files) => files[delta] = files[delta]!.slice(0, -1024)],
    ["the extent .* is not there", (files) => delete files[BASE.flat]],
    ["needs", (files) => files[BASE.flat] = files[BASE.flat]!.slice(0, 1000)],
  ];
  for (const [sentence, spoil] of spoils) {
    const files = vmFiles(DELTA);
    for (const name of Object.keys(files)) if (name.includes("000002")) delete files[name];
    spoil(files);
    await withVm(files, (cwd) => {
      const { stdout } = regrainExits(0, ["info", "."], { cwd });
      assert.match(stdout, new RegExp(`chain: .*(?:${sentence})`), stdout);
      assert.match(stdout, /no command moves it as it is here/);
      assert.doesNotMatch(stdout, /dd if=/);
    });
  }
});

Deno.test("A18: a delta that lost its descriptor is named, and is in the commands that move the disk", () =>
  withTempDir((folder) => {
    const files = vmFiles(NEWER);
    delete files[NEWER];
    for (const [name, bytes] of Object.entries(files)) Deno.writeFileSync(join(folder, name), bytes);
    const { disks } = JSON.parse(regrainExits(0, ["info", "--json", "."], { cwd: folder }).stdout);
    assert.deepEqual(disks[0].orphans, [deltaFileName(NEWER, "cowd")]);
    for (const command of disks[0].commands) run(command.replace("TARGET", "target.img"), folder);
    assertFileHolds(join(folder, "target.img"), ALL_BYTES);
    assert.match(regrainExits(0, ["info", "."], { cwd: folder }).stdout, /its parent cannot be checked/);
  }));

Deno.test("A18: a disk that was grown after its snapshot is moved by the commands that are printed", () =>
  withTempDir((folder) => {
    const link = { capacitySectors: 4096, grainSectors: 1, seed: 8, grains: dataGrains([5, 4000]) };
    const files = {
      ...baseFiles({ capacitySectors: 2048 }),
      ...deltaFiles({ kind: "cowd", bytes: buildCowd(link).bytes, capacitySectors: 4096 }),
    };
    for (const [name, bytes] of Object.entries(files)) Deno.writeFileSync(join(folder, name), bytes);
    const { disks } = JSON.parse(regrainExits(0, ["info", "--json", "."], { cwd: folder }).stdout);
    for (const command of disks[0].commands) run(command.replace("TARGET", "target.img"), folder);
    assertFileHolds(join(folder, "target.img"), overlay(baseDisk(2048), link));
  }));

Deno.test("A18: a disk on another datastore is not taken for one of the same name that is here", () =>
  withVm(
    { ...vmFiles(NEWER), "vm.vmx": vmxOf('scsi0:1.fileName = "/vmfs/volumes/ds2/vm/disk-000002.vmdk"') },
    (cwd) => {
      const { stdout } = regrainExits(0, ["info", "."], { cwd });
      assert.match(stdout, /disk scsi0:1: the \.vmx names \/vmfs\/.*, which is not in this folder; whether/);
      assert.match(stdout, /disk that no \.vmx names/);
      assert.doesNotMatch(stdout, /current/);
    },
  ));

function vmxOf(line: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`displayName = "web01"\n${line}\n`);
}

Deno.test("A18: the commands for a base of several files, or a sparse one, make the disk anew without --force", () =>
  withTempDir((folder) => {
    const sparse = { ...FIRST, grainSectors: 128, grains: dataGrains([1, 3]) };
    const half = CAPACITY / 2;
    const halves = [0, 1].map((i) => baseDisk(CAPACITY).slice(i * half * 512, (i + 1) * half * 512));
    const bases: Record<string, { files: Files; bytes: Uint8Array }> = {
      split: {
        files: {
          "disk-f001.vmdk": halves[0]!,
          "disk-f002.vmdk": halves[1]!,
          [BASE.descriptor]: buildDescriptor({
            createType: "twoGbMaxExtentFlat",
            cid: BASE_CID,
            extents: [1, 2].map((i) => ({
              sectors: half,
              type: "FLAT",
              file: `disk-f00${i}.vmdk`,
              offsetSectors: 0,
            })),
          }),
        },
        bytes: baseDisk(CAPACITY),
      },
      sparse: {
        files: {
          [BASE.descriptor]: buildHosted({
            ...sparse,
            descriptor: buildDescriptor({
              createType: "monolithicSparse",
              cid: BASE_CID,
              extents: [{ sectors: CAPACITY, type: "SPARSE", file: BASE.descriptor }],
            }),
          }).bytes,
        },
        bytes: overlay(new Uint8Array(CAPACITY * 512), sparse),
      },
    };
    for (const [kind, { files, bytes }] of Object.entries(bases)) {
      const cwd = join(folder, kind);
      Deno.mkdirSync(cwd);
      const { [BASE.flat]: _, ...others } = vmFiles(NEWER);
      for (const [name, content] of Object.entries({ ...others, ...files })) {
        Deno.writeFileSync(join(cwd, name), content);
      }
      const [disk] = JSON.parse(regrainExits(0, ["info", "--json", "."], { cwd }).stdout).disks;
      assert.deepEqual(disk.commands, [
        "regrain apply --create disk.vmdk TARGET",
        "regrain apply --chain disk-000002.vmdk TARGET",
      ]);
      for (const command of disk.commands) run(command.replace("TARGET", "vm.img"), cwd);
      assertFileHolds(join(cwd, "vm.img"), overlay(overlay(bytes, FIRST), SECOND));
    }
  }));

Deno.test("A19: commands that are printed repeat the flags that the links were found with", () =>
  withTempDir((cwd) => {
    for (const [name, bytes] of Object.entries(vmFiles(NEWER))) {
      const folder = name.startsWith("disk-00000") || name.endsWith(".vmx") ? "vm" : "base";
      Deno.mkdirSync(join(cwd, folder), { recursive: true });
      Deno.writeFileSync(join(cwd, folder, name), bytes);
    }
    const found = ["--search", "base", "--allow-outside"];
    const { disks: [disk] } = JSON.parse(regrainExits(0, ["info", "--json", ...found, "vm"], { cwd }).stdout);
    for (const command of disk.commands) run(command.replace("TARGET", "copy.img"), cwd);
    assertFileHolds(join(cwd, "copy.img"), ALL_BYTES);
    const leaf = join("vm", NEWER);
    const info = JSON.parse(regrainExits(0, ["info", "--json", ...found, join("vm", DELTA)], { cwd }).stdout);
    assert.equal(info.judgement.command, `regrain apply ${found.join(" ")} vm/${DELTA} base/disk.vmdk`);
    const checked = regrainExits(0, ["check", "--chain", ...found, leaf], { cwd }).stdout;
    run(/command: (regrain .*)/.exec(checked)![1]!, cwd);
    assertFileHolds(join(cwd, "base", BASE.flat), ALL_BYTES);
  }));

Deno.test("A18: deltas that an apply put into the base are not called newer, and only a copy is to do", () =>
  withVm(vmFiles(NEWER), (cwd) => {
    regrainExits(0, ["apply", DELTA, NEWER, BASE.descriptor], { cwd });
    assert.doesNotMatch(regrainExits(0, ["info", BASE.descriptor], { cwd }).stdout, /beside it/);
    const { stdout } = regrainExits(0, ["info", "."], { cwd });
    assert.doesNotMatch(stdout, /mismatch|no command moves it|regrain apply/);
    assert.equal(stdout.match(/the base holds it already/g)?.length, 2);
    assert.match(
      stdout,
      /to move it:\n +dd if=\.\/disk-flat\.vmdk|to move it:\n +dd if=\S+-flat\.vmdk of=TARGET/,
    );
  }));

Deno.test("A18: where the base holds the older delta alone, the newer one is what is left to apply", () =>
  withVm(vmFiles(NEWER), (cwd) => {
    regrainExits(0, ["apply", DELTA, BASE.descriptor], { cwd });
    const info = regrainExits(0, ["info", BASE.descriptor], { cwd }).stdout;
    assert.match(info, /a newer delta stands beside it, .*: disk-000002\.vmdk/);
    const { stdout } = regrainExits(0, ["info", "."], { cwd });
    const command = /regrain (apply .*) TARGET/.exec(stdout)![1]!;
    Deno.copyFileSync(join(cwd, BASE.flat), join(cwd, "vm.img"));
    regrainExits(0, [...command.split(" "), "vm.img"], { cwd });
    assertFileHolds(join(cwd, "vm.img"), ALL_BYTES);
  }));
