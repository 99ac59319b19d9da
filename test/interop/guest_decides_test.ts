/** The first bytes of a raw disk belong to its guest, and decide nothing: every command, every place. */
import assert from "node:assert/strict";
import { joinTarget } from "../../cli/target/prepare.ts";
import { createContext } from "../../cli/context.ts";
import { pickIo } from "../../cli/io/mod.ts";
import { caseNamed, writeCase } from "../../fixtures/mod.ts";
import { assertFileHolds, sameBytes } from "../helpers/bytes.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { testWithPeers, withLoop, withTempDir } from "../helpers/peers.ts";
import { noise, OTHER, plantedDisk, plantedDisks } from "../helpers/planted.ts";

const guest = plantedDisk("hosted").disk;
const other = noise(99);

/** A folder with the guest's disk and that of another machine. */
async function withGuest(work: (cwd: string) => void | Promise<void>): Promise<void> {
  await withTempDir(async (cwd) => {
    Deno.writeFileSync(`${cwd}/guest.img`, guest);
    Deno.writeFileSync(`${cwd}/${OTHER}`, other);
    await work(cwd);
  });
}

/** Exactly one line warns, and it names the file and the flag. */
function assertWarnsOnce(stderr: string, name = "guest.img"): void {
  const warnings = stderr.split("\n").filter((line) => /^(?:warning:|\{"type":"warning")/.test(line));
  assert.equal(warnings.length, 1, stderr);
  assert.ok(warnings[0]!.includes(name) && warnings[0]!.includes("--format"), warnings[0]);
}

Deno.test("A0: info, map and check take a raw disk for what it is, and warn once", () =>
  withGuest((cwd) => {
    for (const command of ["info", "map", "check"]) {
      const { stdout, stderr } = regrainExits(0, [command, "guest.img", "--json"], { cwd });
      assert.ok(!stdout.includes(OTHER), `${command}: ${stdout}`);
      assertWarnsOnce(stderr);
      const said = regrainExits(0, [command, "guest.img", "--format", "raw"], { cwd });
      assert.ok(!said.stderr.includes("warning:"), said.stderr);
    }
    const { extents } = JSON.parse(regrainExits(0, ["info", "guest.img", "--json"], { cwd }).stdout);
    assert.deepEqual(extents.map(({ path, format }: { path: string; format: string }) => [path, format]), [[
      "guest.img",
      "flat",
    ]]);
    const asked = regrainExits(0, ["info", "guest.img", "--format", "vmdk", "--json"], { cwd });
    assert.ok(asked.stdout.includes(OTHER));
  }));

Deno.test("A0: compare reads both disks as what they are; --format and --format-b say otherwise", () =>
  withGuest((cwd) => {
    assertWarnsOnce(regrainExits(1, ["compare", "guest.img", OTHER], { cwd }).stderr);
    regrainExits(0, ["compare", "guest.img", OTHER, "--format", "vmdk", "--format-b", "raw"], { cwd });
    Deno.copyFileSync(`${cwd}/guest.img`, `${cwd}/guest.vmdk`);
    regrainExits(0, ["compare", "guest.vmdk", "guest.img", "--format", "raw"], { cwd });
  }));

Deno.test("A0: backup stores the guest's own disk, and compare reads the snapshot as a disk", () =>
  withGuest((cwd) => {
    const repo = ["--repo", "repo"];
    regrainExits(0, ["repo", "init", ...repo], { cwd });
    assertWarnsOnce(regrainExits(0, ["backup", "guest.img", "--name", "g/d", ...repo], { cwd }).stderr);
    regrainExits(0, ["restore", "g/d@latest", "back.img", ...repo], { cwd });
    assertFileHolds(`${cwd}/back.img`, guest);
    regrainExits(0, ["compare", "repo:g/d@latest", "guest.img", "--format", "raw", ...repo], { cwd });
  }));

testWithPeers(
  "A0: a loop device with a planted header is a raw disk to every command",
  ["root-loop"],
  () =>
    withGuest(async (cwd) => {
      await withLoop(`${cwd}/guest.img`, (device) => {
        const { stdout, stderr } = regrainExits(0, ["info", device, "--json"], { cwd });
        assert.ok(!stdout.includes(OTHER), stdout);
        assertWarnsOnce(stderr, device);
        regrainExits(0, ["compare", device, "guest.img", "--format", "raw"], { cwd });
      });
    }),
);

/** A delta over a disk of the size of the planted ones. */
async function writeDelta(cwd: string): Promise<{ delta: string; sizeBytes: number }> {
  const fixture = caseNamed("cowd-plain");
  await writeCase(fixture, cwd);
  return { delta: `${cwd}/disk-000001-delta.vmdk`, sizeBytes: fixture.capacitySectors * 512 };
}

/** Every byte is that of the delta or the one before; where the delta differs from its own base it is the delta's. */
function requireApplied(now: Uint8Array, before: Uint8Array): void {
  const fixture = caseNamed("cowd-plain");
  const base = fixture.make()["disk-flat.vmdk"]!;
  const expected = fixture.expected!();
  const wrong = now.findIndex((byte, i) =>
    byte !== expected[i] && (byte !== before[i] || base[i] !== expected[i])
  );
  assert.equal(wrong, -1);
}

for (const { name, looks, disk } of plantedDisks()) {
  Deno.test(`A0: a target with a planted ${name} is refused, and both flags that the hint names go through`, () =>
    withTempDir(async (cwd) => {
      const { delta, sizeBytes } = await writeDelta(cwd);
      Deno.removeSync(`${cwd}/disk-000001.vmdk`);
      const target = new Uint8Array(sizeBytes);
      target.set(disk.subarray(0, Math.min(disk.length, sizeBytes)));
      for (const flag of [["--format", "raw"], ["--force"]]) {
        Deno.writeFileSync(`${cwd}/vm.img`, target);
        const refused = regrainRefuses({ code: "TARGET_UNSUITABLE", exit: 2 }, ["apply", delta, "vm.img"], {
          cwd,
        });
        assert.match(refused.message, looks);
        assert.match(refused.hint!, /--format raw \(or --force\); if it is not, it is lost then/);
        assertFileHolds(`${cwd}/vm.img`, target);
        regrainExits(0, ["apply", ...flag, delta, "vm.img"], { cwd });
        requireApplied(Deno.readFileSync(`${cwd}/vm.img`), target);
      }
    }));
}

Deno.test("A0: a second lane writes a target that begins like a descriptor as the first does", () =>
  withTempDir(async (cwd) => {
    const io = pickIo();
    const path = `${cwd}/vm.img`;
    const { disk } = plantedDisk("descriptor");
    Deno.writeFileSync(path, disk);
    const tools = { io, context: createContext(io, { format: "raw" }) };
    const target = await joinTarget(path, tools, { sizeBytes: disk.length });
    try {
      assert.equal(target.sizeBytes, disk.length);
      assert.equal(target.path, path);
    } finally {
      target.close();
    }
  }));

Deno.test("A0: --create makes no raw file by a name that says VMDK", () =>
  withTempDir(async (cwd) => {
    const { delta } = await writeDelta(cwd);
    const { hint } = regrainRefuses(
      { code: "TARGET_UNSUITABLE", exit: 2 },
      ["apply", "--create", "--force", delta, "new.vmdk"],
      { cwd },
    );
    assert.match(hint!, /new\.img.*--format raw/);
  }));

Deno.test("A13: a text as TARGET is never advised to be made larger, whatever is said", () =>
  withTempDir(async (cwd) => {
    const { delta } = await writeDelta(cwd);
    const texts: [string, string][] = [
      ["plain.txt", "version=1\nCID=12345678\nRW 12 VMFS nowhere\n"],
      ["odd.vmdk", "; a comment of another program\nnothing that is known\n"],
      ["named.img", '# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\nRW 8 FLAT "x" 0\n'],
    ];
    for (const [name, text] of texts) {
      Deno.writeTextFileSync(`${cwd}/${name}`, text);
      for (const flags of [[], ["--force"], ["--format", "raw"]]) {
        const { message, hint } = regrainRefuses(
          { code: "TARGET_UNSUITABLE", exit: 2 },
          ["apply", ...flags, delta, name],
          { cwd },
        );
        assert.match(message, /it is (?:a text file|a VMDK descriptor) of \d+ bytes, and no disk/);
        assert.ok(!/truncate/.test(message + hint), hint);
      }
      assert.equal(Deno.readTextFileSync(`${cwd}/${name}`), text);
    }
  }));

Deno.test("C9: of a disk in a delta's place it is said that deltas come first and the target last", () =>
  withTempDir(async (cwd) => {
    await writeCase(caseNamed("cowd-plain"), cwd);
    Deno.copyFileSync(`${cwd}/disk-flat.vmdk`, `${cwd}/copy.img`);
    const args = ["apply", "copy.img", "disk-000001.vmdk"];
    const { hint } = regrainRefuses({ code: "NOT_A_DISK", exit: 4 }, args, { cwd });
    assert.match(hint!, /needed here; regrain apply takes the target last: regrain apply DELTA\.\.\. TARGET/);
    regrainExits(0, ["apply", "disk-000001.vmdk", "copy.img"], { cwd });
    assertFileHolds(`${cwd}/copy.img`, caseNamed("cowd-plain").expected!());
  }));

Deno.test("C9: a glob that names one delta twice is told so, with the command that works", () =>
  withTempDir(async (cwd) => {
    await writeDelta(cwd);
    Deno.copyFileSync(`${cwd}/disk-flat.vmdk`, `${cwd}/vm.img`);
    const names = ["disk-000001-delta.vmdk", "disk-000001.vmdk"];
    const { message, hint } = regrainRefuses(
      { code: "CHAIN_BROKEN", exit: 5 },
      ["apply", ...names, "vm.img"],
      {
        cwd,
      },
    );
    assert.match(message, /disk-000001\.vmdk: this delta is given more than once/);
    assert.ok(!/--force|another disk/.test(message + hint), hint);
    const [, command] = /regrain (apply \S+ vm\.img)/.exec(hint!)!;
    regrainExits(0, command!.split(" "), { cwd });
    assert.ok(sameBytes(Deno.readFileSync(`${cwd}/vm.img`), caseNamed("cowd-plain").expected!()));
  }));

Deno.test("D14: the same delta three times in one list is refused", () =>
  withTempDir(async (cwd) => {
    await writeDelta(cwd);
    Deno.copyFileSync(`${cwd}/disk-flat.vmdk`, `${cwd}/vm.img`);
    const delta = "./disk-000001.vmdk";
    const { message, hint } = regrainRefuses(
      { code: "CHAIN_BROKEN", exit: 5 },
      ["apply", delta, delta, delta, "vm.img"],
      { cwd },
    );
    assert.match(message, /given more than once/);
    assert.match(hint!, /regrain apply \S*disk-000001\.vmdk vm\.img/);
  }));
