/** `null:` as a target: all is read, nothing is kept, and the counts are those of a file. */
import assert from "node:assert/strict";
import { buildCowd, caseNamed, dataGrains, deltaFiles, sequence, writeCase } from "../../fixtures/mod.ts";
import { openPlaceTarget } from "../../cli/places/registry.ts";
import { Batch, MIB, SECTOR_SIZE } from "../../core-as/host/mod.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";
import { diskOf, RepositoryFolder } from "../backup_cli/repository_folder.ts";
import { PROGRAM } from "../helpers/program.ts";

const CASES = ["sesparse-all-four-kinds", "cowd-data-grains-full-of-zeros"];
const USAGE = { code: "USAGE", exit: 2 };

const lastOf = (stdout: string) => JSON.parse(stdout.trimEnd().split("\n").at(-1)!);
const namesIn = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

/** What is counted, and not when. */
function countsOf(stdout: string) {
  const { writtenBytes, sparedBytes, zeroedBytes, skippedBytes, diskBytes, status } = lastOf(stdout);
  return { writtenBytes, sparedBytes, zeroedBytes, skippedBytes, diskBytes, status };
}

Deno.test("apply onto null: counts what an apply onto a file counts, and leaves the folder as it was", async () => {
  await withTempDir(async (cwd) => {
    for (const name of CASES) {
      const fixture = caseNamed(name);
      await writeCase(fixture, cwd);
      const there = namesIn(cwd);
      const dropped = regrainExits(0, ["apply", "--json", fixture.leaf, "null:"], { cwd });
      const { kept, target } = lastOf(dropped.stdout);
      assert.deepEqual([kept, target], [false, "null:"]);
      const said = regrainExits(0, ["apply", fixture.leaf, "null:"], { cwd }).stderr;
      assert.match(said, /null: keeps nothing: this is the time that all but writing takes/);
      assert.match(said, /left out = /);
      assert.doesNotMatch(said, /warning|null: is new/);
      regrainExits(0, ["apply", "--dry-run", fixture.leaf, "null:"], { cwd });
      assert.deepEqual(namesIn(cwd), there);
      const made = regrainExits(0, ["apply", "--json", "--create", fixture.leaf, `${name}.img`], { cwd });
      assert.deepEqual(countsOf(dropped.stdout), countsOf(made.stdout));
    }
  });
});

Deno.test("a whole disk goes to null: without --force, since nothing is overwritten", async () => {
  await withTempDir(async (cwd) => {
    const fixture = caseNamed("sesparse-all-four-kinds");
    await writeCase(fixture, cwd);
    const { diskBytes } = lastOf(
      regrainExits(0, ["apply", "--json", fixture.base!.descriptor!, "null:"], { cwd }).stdout,
    );
    assert.equal(diskBytes, Deno.statSync(`${cwd}/${fixture.base!.flat}`).size);
  });
});

Deno.test("a delta from a pipe goes to null:", async () => {
  await withTempDir(async (cwd) => {
    const fixture = caseNamed("cowd-data-grains-full-of-zeros");
    await writeCase(fixture, cwd);
    const extent = namesIn(cwd).find((name) => name.endsWith("-delta.vmdk"))!;
    const child = new Deno.Command("sh", {
      args: ["-c", `exec "$0" run -A "$1" apply --json - null: < "$2"`, Deno.execPath(), PROGRAM, extent],
      cwd,
    });
    const { code, stdout, stderr } = await child.output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const whole = regrainExits(0, ["apply", "--json", extent, "null:"], { cwd });
    assert.deepEqual(countsOf(new TextDecoder().decode(stdout)), countsOf(whole.stdout));
  });
});

Deno.test("what asks for the content of a target is refused with null:, and the hint works", async () => {
  await withTempDir(async (cwd) => {
    const fixture = caseNamed("sesparse-all-four-kinds");
    await writeCase(fixture, cwd);
    const flags = { "--undo": ["u"], "--journal": ["j"], "--verify": [], "--hash": [], "--format vmdk": [] };
    for (const [flag, value] of Object.entries(flags)) {
      const line = ["apply", ...flag.split(" "), ...value, fixture.leaf, "null:"];
      const { message, hint } = regrainRefuses(USAGE, line, { cwd });
      assert.equal(message, `${flag} is about what a target holds, and null: keeps nothing`);
      assert.ok(hint!.startsWith(`leave ${flag} out to measure without it; `), hint);
    }
    assert.deepEqual(namesIn(cwd).filter((name) => name === "u" || name === "j"), []);
    Deno.copyFileSync(`${cwd}/${fixture.base!.flat}`, `${cwd}/vm.img`);
    regrainExits(0, ["apply", "--undo", "vm.undo", fixture.leaf, "vm.img"], { cwd });
    regrainRefuses(USAGE, ["apply", "vm.undo", "null:"], { cwd });
    assert.match(
      regrainRefuses(USAGE, ["apply", fixture.leaf, "null:x"], { cwd }).message,
      /not written as null:/,
    );
    assert.match(regrainRefuses(USAGE, ["apply", fixture.leaf, "NULL:"], { cwd }).hint!, /^null:; /);
  });
});

Deno.test("./null: is a file like any other", async () => {
  await withTempDir(async (cwd) => {
    const fixture = caseNamed("sesparse-all-four-kinds");
    await writeCase(fixture, cwd);
    regrainExits(0, ["apply", "--create", fixture.leaf, "./null:"], { cwd });
    regrainExits(0, ["apply", "--create", fixture.leaf, "vm.img"], { cwd });
    regrainExits(0, ["compare", "./null:", "vm.img"], { cwd });
    assert.ok(Deno.statSync(`${cwd}/null:`).isFile);
  });
});

Deno.test("both lanes of a large apply write to null:", async () => {
  // Smaller deltas are applied in one lane.
  await withTempDir((cwd) => {
    const capacitySectors = 72 * MIB / SECTOR_SIZE;
    const grains = dataGrains(sequence({ from: 0, count: 68 * MIB / 4096 }));
    const { bytes } = buildCowd({ capacitySectors, grainSectors: 8, seed: 11, grains });
    const files = deltaFiles({ kind: "cowd", bytes, capacitySectors });
    for (const [name, content] of Object.entries(files)) Deno.writeFileSync(`${cwd}/${name}`, content);
    const said = regrainExits(0, ["apply", "-v", "disk-000001.vmdk", "null:"], { cwd }).stderr;
    assert.match(said, navigator.hardwareConcurrency > 1 ? /two lanes/ : /keeps nothing/);
    assert.match(said, /null:: 71,303,168 bytes written \+ 0 zeroed/);
  });
});

Deno.test("null: is as large as the disk, and reads as zeros whatever is written", () => {
  const target = openPlaceTarget("null:", { sizeBytes: 8192 })!;
  assert.equal(target.sizeBytes, 8192);
  const buffer = new Uint8Array(1024).fill(7);
  const batch = new Batch();
  batch.add({ offsetBytes: 0, lengthBytes: 512, at: 256 });
  target.write(batch, buffer);
  target.read(batch, buffer);
  assert.ok(buffer.subarray(256, 768).every((byte) => byte === 0));
  assert.ok(
    buffer.subarray(0, 256).every((byte) => byte === 7) && buffer.subarray(768).every((byte) => byte === 7),
  );
  assert.equal(openPlaceTarget("vm.img", { sizeBytes: 8192 }), undefined);
  assert.equal(openPlaceTarget("repo:x", { sizeBytes: 8192 }), undefined);
});

Deno.test("restore onto null: fetches and counts what a restore into a file does, and makes nothing", async () => {
  await withTempDir((cwd) => {
    const repository = RepositoryFolder.create(cwd, "repo", { cwd });
    Deno.writeFileSync(`${cwd}/vm.img`, diskOf("ab.cc."));
    repository.run(["backup", "vm.img", "--name", "web01/disk-0"]);
    const there = namesIn(cwd);
    const restored = (target: string, ...flags: string[]) => {
      const { stdout } = repository.run(["restore", "web01/disk-0@latest", target, "--json", ...flags]);
      const { elapsedMs: _, kept, target: __, ...rest } = lastOf(stdout);
      return { kept, rest };
    };
    const dropped = restored("null:");
    assert.equal(dropped.kept, false);
    assert.deepEqual(namesIn(cwd), there);
    const made = restored("new.img");
    assert.deepEqual([made.kept, made.rest], [undefined, dropped.rest]);
    assert.match(
      repository.run(["restore", "web01/disk-0@latest", "null:"]).stderr,
      /null: keeps nothing: this is the time that all but writing takes/,
    );
    for (const flags of [["--delta"], ["--format", "qcow2"], ["--mode", "640"]]) {
      const line = ["restore", "web01/disk-0@latest", "null:", ...flags, "--repo", repository.path];
      const { message } = regrainRefuses(USAGE, line, { cwd });
      assert.ok(message.startsWith(`${flags[0]} is about what a target holds`), message);
    }
    assert.deepEqual(namesIn(cwd), [...there, "new.img"].sort());
  });
});
