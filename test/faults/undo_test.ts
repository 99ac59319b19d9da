/** Undo files and journals through the program: round trips, full disks, kills, files that must not be overwritten. */
import assert from "node:assert/strict";
import { type BenchDisk, caseNamed, writeBase, writeBenchCase, writeCase } from "../../fixtures/mod.ts";
import { assertFileHolds, sha256File } from "../helpers/bytes.ts";
import { regrain, regrainCommand, regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { run, testWithPeers, withLoop, withMount, withTempDir } from "../helpers/peers.ts";

const MIB = 1024 * 1024;
const CHAIN = caseNamed("chain-five-links-of-three-kinds");

/** The five-link chain with a copy of its base to write on. */
async function writeChain(folder: string): Promise<{ leaf: string; image: string; before: string }> {
  await writeCase(CHAIN, folder);
  const image = `${folder}/vm.img`;
  Deno.copyFileSync(`${folder}/${CHAIN.base!.flat!}`, image);
  return { leaf: `${folder}/${CHAIN.leaf}`, image, before: sha256File(image) };
}

/** A disk of 64 MiB with a delta, on a base that is full. */
function writeDisk(folder: string): { disk: BenchDisk; image: string; before: string } {
  const path = `${folder}/vm-000001.vmdk`;
  const disk = writeBenchCase({ format: "cowd", pattern: "big", diskBytes: 64 * MIB, path, seed: 3 });
  writeBase({ path: `${folder}/base.vmdk`, diskBytes: disk.diskBytes });
  const image = `${folder}/base-flat.vmdk`;
  return { disk, image, before: sha256File(image) };
}

Deno.test("D5: an undo file takes a whole chain back, and the same apply again does not touch it or the target", () =>
  withTempDir(async (folder) => {
    const { leaf, image, before } = await writeChain(folder);
    const undo = `${folder}/vm.undo`;
    const args = ["apply", "--undo", undo, "--chain", leaf, image];
    regrainExits(0, args);
    const saved = sha256File(undo);
    const { message, hint } = regrainRefuses({ code: "TARGET_UNSUITABLE", exit: 2 }, args);
    assert.match(message, /the apply that it takes back is whole/);
    assert.match(hint!, /name another file with --undo/);
    assert.equal(sha256File(undo), saved);
    regrainExits(0, args.with(2, `${folder}/another.undo`));
    assertFileHolds(image, CHAIN.expected!());
    regrainExits(0, ["apply", "--dry-run", undo, image]);
    assertFileHolds(image, CHAIN.expected!());
    regrainExits(0, ["apply", undo, image]);
    assert.equal(sha256File(image), before);
  }));

Deno.test("an undo file in which a byte changed since is refused, and --force takes it with a warning", () =>
  withTempDir(async (folder) => {
    const { leaf, image } = await writeChain(folder);
    const undo = `${folder}/vm.undo`;
    regrainExits(0, ["apply", "--undo", undo, "--chain", leaf, image]);
    const [sound, applied] = [Deno.readFileSync(undo), Deno.readFileSync(image)];
    const end = new TextDecoder("latin1").decode(sound).indexOf("regrain-undo-trailer") - 2;
    // Data near the start, in the middle, and the last byte of the last record.
    for (const at of [Math.floor(sound.length / 3), Math.floor(end / 2), end]) {
      const damaged = sound.slice();
      damaged[at]! ^= 0x10;
      Deno.writeFileSync(undo, damaged);
      for (const flags of [[], ["--dry-run"]]) {
        const ran = regrain(["apply", "--json", ...flags, undo, image]);
        assert.equal(ran.code, 4, ran.stderr);
        assert.match(ran.stderr, /"code":"(DAMAGED|TRUNCATED)"/);
      }
      assert.deepEqual(Deno.readFileSync(image), applied, "nothing is written");
    }
    const { stderr } = regrainExits(0, ["apply", "--force", undo, image]);
    assert.match(stderr, /warning: .*it does not hold what was saved/);
  }));

Deno.test("taking back gives a VMDK base its content ids again", () =>
  withTempDir(async (folder) => {
    const { leaf } = await writeChain(folder);
    const base = `${folder}/${CHAIN.base!.descriptor!}`;
    const descriptor = Deno.readTextFileSync(base);
    regrainExits(0, ["apply", "--undo", `${folder}/vm.undo`, "--chain", leaf, base]);
    assert.notEqual(Deno.readTextFileSync(base), descriptor);
    regrainExits(0, ["apply", `${folder}/vm.undo`, base]);
    assert.equal(Deno.readTextFileSync(base), descriptor);
  }));

testWithPeers("a block device is taken back like a file", ["root-loop"], () =>
  withTempDir(async (folder) => {
    const { leaf, image, before } = await writeChain(folder);
    await withLoop(image, (device) => {
      regrainExits(0, ["apply", "--undo", `${folder}/vm.undo`, "--chain", leaf, device]);
      regrainExits(0, ["apply", `${folder}/vm.undo`, device]);
      run("blockdev", ["--flushbufs", device]);
    });
    assert.equal(sha256File(image), before);
  }));

Deno.test("an undo file for another target is refused, and --force takes it", () =>
  withTempDir(async (folder) => {
    const { leaf, image } = await writeChain(folder);
    const undo = `${folder}/vm.undo`;
    regrainExits(0, ["apply", "--undo", undo, "--chain", leaf, image]);
    const other = `${folder}/other.img`;
    Deno.writeFileSync(other, new Uint8Array(Deno.statSync(image).size).fill(1));
    const untouched = sha256File(other);
    const { hint } = regrainRefuses({ code: "WRONG_BASE", exit: 5 }, ["apply", undo, other]);
    assert.match(hint!, /--force/);
    assert.equal(sha256File(other), untouched);
    regrainExits(0, ["apply", "--force", undo, other]);
    Deno.writeFileSync(other, new Uint8Array(512));
    regrainRefuses({ code: "SIZE_MISMATCH", exit: 5 }, ["apply", undo, other]);
  }));

Deno.test("undo files and journals never overwrite another file, least of all a delta", () =>
  withTempDir(async (folder) => {
    const { leaf, image, before } = await writeChain(folder);
    const precious = `${folder}/precious.txt`;
    Deno.writeTextFileSync(precious, "something else");
    for (const file of [precious, `${folder}/disk-000001-delta.vmdk`, image]) {
      const content = sha256File(file);
      for (const flag of ["--undo", "--journal"]) {
        regrainRefuses({ code: "TARGET_UNSUITABLE", exit: 2 }, ["apply", flag, file, "--chain", leaf, image]);
      }
      assert.equal(sha256File(file), content);
    }
    assert.equal(sha256File(image), before);
    regrainRefuses({ code: "USAGE", exit: 2 }, ["apply", "--resume", "--chain", leaf, image]);
  }));

testWithPeers(
  "a full disk under the undo file stops before what it protects is overwritten",
  ["root-mount"],
  () =>
    withTempDir(async (folder) => {
      const { disk, image, before } = writeDisk(folder);
      Deno.mkdirSync(`${folder}/small`);
      await withMount(`${folder}/small`, ["-t", "tmpfs", "-o", "size=6m", "none"], () => {
        const undo = `${folder}/small/vm.undo`;
        regrainRefuses({ code: "NO_SPACE", exit: 6 }, ["apply", "--undo", undo, disk.deltaPath, image]);
        assert.notEqual(sha256File(image), before, "the test is too small: nothing was written");
        run("mount", ["-o", "remount,size=64m", `${folder}/small`]);
        regrainExits(0, ["apply", undo, image]);
        assert.equal(sha256File(image), before, "taken back from the part that was saved");
        const args = ["apply", "--undo", undo, disk.deltaPath, image];
        regrainRefuses({ code: "TARGET_UNSUITABLE", exit: 2 }, args);
        const other = `${folder}/small/again.undo`;
        regrainExits(0, args.with(2, other));
        regrainExits(0, ["apply", other, image]);
        assert.equal(sha256File(image), before);
      });
    }),
);

testWithPeers(
  "a full disk under the journal is reported, and a plain run completes the work",
  ["root-mount"],
  () =>
    withTempDir(async (folder) => {
      const { disk, image, before } = writeDisk(folder);
      const reference = `${folder}/reference.img`;
      Deno.copyFileSync(image, reference);
      regrainExits(0, ["apply", disk.deltaPath, reference]);
      Deno.mkdirSync(`${folder}/small`);
      await withMount(`${folder}/small`, ["-t", "tmpfs", "-o", "size=64k,nr_inodes=4", "none"], () => {
        Deno.writeFileSync(`${folder}/small/full`, new Uint8Array(64 * 1024));
        const journal = `${folder}/small/vm.journal`;
        regrainRefuses({ code: "NO_SPACE", exit: 6 }, ["apply", "--journal", journal, disk.deltaPath, image]);
      });
      assert.equal(sha256File(image), before, "the journal is tried before anything is written");
      regrainExits(0, ["apply", disk.deltaPath, image]);
      assert.equal(sha256File(image), sha256File(reference));
    }),
);

Deno.test("two applies onto one target at once: the second is refused", () =>
  withTempDir(async (folder) => {
    const { disk, image } = writeDisk(folder);
    const holder = new Deno.Command("flock", { args: [image, "sleep", "30"], stdout: "null" }).spawn();
    try {
      await untilLocked(image);
      regrainRefuses({ code: "TARGET_BUSY", exit: 2 }, ["apply", disk.deltaPath, image]);
    } finally {
      holder.kill();
      await holder.status;
    }
  }));

/** Waits until another process holds the lock. */
async function untilLocked(path: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    using file = Deno.openSync(path, { read: true, write: true });
    if (!file.tryLockSync(true)) return;
    file.unlockSync();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("nobody took the lock");
}

Deno.test("a killed run with undo file and journal is resumed, rerun, and taken back", () =>
  withTempDir(async (folder) => {
    const path = `${folder}/vm-000001.vmdk`;
    const disk = writeBenchCase({ format: "cowd", pattern: "big", diskBytes: 512 * MIB, path, seed: 4 });
    const image = `${folder}/vm.img`;
    const empty = () => {
      Deno.writeFileSync(image, new Uint8Array());
      Deno.truncateSync(image, disk.diskBytes);
    };
    empty();
    const before = sha256File(image);
    regrainExits(0, ["apply", disk.deltaPath, image]);
    const after = sha256File(image);
    const undo = `${folder}/vm.undo`;
    const journal = `${folder}/vm.journal`;
    empty();
    const args = ["apply", "--undo", undo, "--journal", journal, disk.deltaPath, image];
    await killOnceUndoGrows(args, undo);
    const killed = sha256File(image);
    assert.notEqual(killed, after, "the run was too quick to be killed");
    const hasJournal = exists(journal);
    regrainExits(0, hasJournal ? [...args, "--resume"] : args);
    assert.equal(sha256File(image), after);
    regrainExits(0, ["apply", undo, image]);
    assert.equal(sha256File(image), before);
  }));

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function killOnceUndoGrows(args: readonly string[], undo: string): Promise<void> {
  const child = regrainCommand(args, { stdout: "null", stderr: "null" }).spawn();
  for (let i = 0; i < 5000; i++) {
    if (exists(undo) && Deno.statSync(undo).size > 200) break;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  child.kill("SIGKILL");
  await child.status;
}

Deno.test("D6: two undo files in one are refused before anything is written, and the hint's way takes both back", () =>
  withTempDir(async (folder) => {
    const chain = caseNamed("chain-two-cowd-links");
    await writeCase(chain, folder);
    const image = `${folder}/vm.img`;
    Deno.copyFileSync(`${folder}/${chain.base!.flat!}`, image);
    const before = sha256File(image);
    const deltas = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
      /-\d{6}\.vmdk$/.test(name)
    );
    assert.equal(deltas.length, 2);
    for (const [i, name] of deltas.sort().entries()) {
      regrainExits(0, ["apply", "--undo", `${folder}/${i}.undo`, `${folder}/${name}`, image]);
    }
    assertFileHolds(image, chain.expected!());
    const both = `${folder}/both.undo`;
    const parts = [1, 0].map((i) => Deno.readFileSync(`${folder}/${i}.undo`));
    Deno.writeFileSync(both, Uint8Array.from(parts.flatMap((part) => [...part])));
    const { message, hint } = regrainRefuses({ code: "UNSUPPORTED", exit: 4 }, ["apply", both, image]);
    assert.match(message, new RegExp(`another stream follows .* byte ${parts[0]!.length}`));
    assertFileHolds(image, chain.expected!());
    followSplit(folder, hint!);
    for (const name of ["FIRST", "REST"]) regrainExits(0, ["apply", `${folder}/${name}`, image]);
    assert.equal(sha256File(image), before);
  }));

/** Runs the commands of a hint that cut a file in two. */
function followSplit(folder: string, hint: string): void {
  const commands = hint.match(/(head|tail) -c \S+ \S+ > \S+/g) ?? [];
  for (const command of commands) run("bash", ["-c", `cd ${folder} && ${command}`]);
}

Deno.test("D6: what follows the end of an rbd-diff is no part of it, and is refused unless it is zeros", () =>
  withTempDir((folder) => {
    const [path, image] = [`${folder}/two.diff`, `${folder}/vm.img`];
    const write = (offsetBytes: number, byte: number) => {
      const bytes = new Uint8Array(12 + 9 + 17 + 512 + 1).fill(byte);
      const view = new DataView(bytes.buffer);
      bytes.set(new TextEncoder().encode("rbd diff v1\ns"));
      view.setBigUint64(13, BigInt(MIB), true);
      view.setUint8(21, 0x77);
      view.setBigUint64(22, BigInt(offsetBytes), true);
      view.setBigUint64(30, 512n, true);
      view.setUint8(550, 0x65);
      return [...bytes];
    };
    const wanted = new Uint8Array(MIB);
    Deno.writeFileSync(image, wanted);
    const make = (...parts: number[][]) => Deno.writeFileSync(path, Uint8Array.from(parts.flat()));
    const args = ["apply", path, image];
    make(write(0, 1), write(4096, 2));
    followSplit(folder, regrainRefuses({ code: "UNSUPPORTED", exit: 4 }, args).hint!);
    assertFileHolds(image, wanted);
    for (const name of ["FIRST", "REST"]) regrainExits(0, ["apply", `${folder}/${name}`, image]);
    wanted.fill(1, 0, 512).fill(2, 4096, 4608);
    assertFileHolds(image, wanted);
    make(write(8192, 3), [1, 2, 3]);
    followSplit(folder, regrainRefuses({ code: "DAMAGED", exit: 4 }, args).hint!);
    regrainExits(0, ["apply", `${folder}/FIRST`, image]);
    make(write(16384, 4), [0, 0, 0]);
    regrainExits(0, args);
    assertFileHolds(image, wanted.fill(3, 8192, 8704).fill(4, 16384, 16896));
  }));
