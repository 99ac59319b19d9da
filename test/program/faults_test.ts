/** What happens in the middle of an apply: no space, a kill, and what becomes of the space of zeros. */
import assert from "node:assert/strict";
import {
  type BenchDisk,
  buildHosted,
  dataGrains,
  deltaFiles,
  type Grain,
  sequence,
  writeBenchCase,
} from "../../fixtures/mod.ts";
import { assertFileHolds, sha256File } from "../helpers/bytes.ts";
import { regrainCommand, regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { run, testWithPeers, withLoop, withMount, withTempDir } from "../helpers/peers.ts";

const MIB = 1024 * 1024;

/** A file of nothing but a hole. */
function emptyFile(path: string, sizeBytes: number): string {
  Deno.writeFileSync(path, new Uint8Array());
  Deno.truncateSync(path, sizeBytes);
  return path;
}

testWithPeers("where the space ends the message says how far it came, and running it again completes it", [
  "root-mount",
], () =>
  withTempDir(async (folder) => {
    const disk = writeBenchCase({
      format: "cowd",
      pattern: "big",
      diskBytes: 128 * MIB,
      path: `${folder}/vm-000001.vmdk`,
      seed: 1,
    });
    const reference = emptyFile(`${folder}/reference.img`, disk.diskBytes);
    regrainExits(0, ["apply", disk.deltaPath, reference]);
    Deno.mkdirSync(`${folder}/small`);
    await withMount(`${folder}/small`, ["-t", "tmpfs", "-o", "size=8m", "none"], () => {
      const target = emptyFile(`${folder}/small/vm.img`, disk.diskBytes);
      const { message, hint } = regrainRefuses({ code: "NO_SPACE", exit: 6 }, [
        "apply",
        disk.deltaPath,
        target,
      ]);
      assert.ok(message.includes(target), message);
      const [, done, all] = /(\d+) of (\d+) bytes .*running the same command again completes it/.exec(hint!)!;
      assert.equal(Number(all), disk.dataBytes);
      assert.ok(Number(done) <= 8 * MIB, hint);
      run("mount", ["-o", "remount,size=64m", `${folder}/small`]);
      regrainExits(0, ["apply", disk.deltaPath, target]);
      assert.equal(sha256File(target), sha256File(reference));
    });
  }));

Deno.test("a run that was killed is completed by running it again", () =>
  withTempDir(async (folder) => {
    const disk = writeBenchCase({
      format: "sesparse",
      pattern: "big",
      diskBytes: 512 * MIB,
      path: `${folder}/vm-000001.vmdk`,
      seed: 2,
    });
    const reference = emptyFile(`${folder}/reference.img`, disk.diskBytes);
    regrainExits(0, ["apply", disk.deltaPath, reference]);
    const expected = sha256File(reference);
    const target = `${folder}/vm.img`;
    await killHalfway(disk, target, expected);
    regrainExits(0, ["apply", disk.deltaPath, target]);
    assert.equal(sha256File(target), expected);
  }));

/** Kills an apply when part of the work is done; a machine that was busy elsewhere gets another try. */
async function killHalfway(disk: BenchDisk, target: string, expected: string): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    emptyFile(target, disk.diskBytes);
    const signal = await killOnceWritten(["apply", disk.deltaPath, target], target);
    if (signal === "SIGKILL" && sha256File(target) !== expected) return;
  }
  assert.fail("the kill always came too late");
}

/** Starts `regrain` and kills it as soon as the target, a hole so far, has got some data. */
async function killOnceWritten(args: readonly string[], target: string): Promise<Deno.Signal | null> {
  const child = regrainCommand(args, { stdout: "null", stderr: "null" }).spawn();
  let ended = false;
  const status = child.status.finally(() => ended = true);
  while (!ended && Deno.statSync(target).blocks! * 512 < 4 * MIB) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  if (!ended) child.kill("SIGKILL");
  return (await status).signal;
}

/** A delta of 4 MiB: 2 MiB of zero grains, 1 MiB of data that is zero, the rest not there. */
function writeZeroingDelta(folder: string): string {
  const capacitySectors = 4 * MIB / 512;
  const grains: Grain[] = [
    ...sequence({ from: 0, count: 32 }).map((index): Grain => ({ index, kind: "zero" })),
    ...sequence({ from: 32, count: 16 }).map((index): Grain => ({
      index,
      kind: "data",
      data: new Uint8Array(65536),
    })),
    ...dataGrains([63]),
  ];
  const { bytes } = buildHosted({ capacitySectors, grainSectors: 128, seed: 310, version: 2, grains });
  const files = deltaFiles({ kind: "hosted", bytes, capacitySectors, name: "vm-000001.vmdk" });
  for (const [name, content] of Object.entries(files)) Deno.writeFileSync(`${folder}/${name}`, content);
  return `${folder}/vm-000001.vmdk`;
}

function denseFile(path: string): string {
  Deno.writeFileSync(path, new Uint8Array(4 * MIB).fill(0x5a));
  run("sync", [path]);
  return path;
}

function allocatedBytes(path: string): number {
  run("sync", [path]);
  return Deno.statSync(path).blocks! * 512;
}

Deno.test("zeros of a delta become holes of a file, those in its data too, and --sparse=never keeps the space", () =>
  withTempDir((folder) => {
    const delta = writeZeroingDelta(folder);
    const sparse = denseFile(`${folder}/sparse.img`);
    const full = denseFile(`${folder}/full.img`);
    const before = allocatedBytes(full);
    regrainExits(0, ["apply", delta, sparse]);
    regrainExits(0, ["apply", "--sparse=never", delta, full]);
    assertFileHolds(sparse, Deno.readFileSync(full));
    assert.ok(allocatedBytes(sparse) < before - 2.5 * MIB, `${allocatedBytes(sparse)} of ${before}`);
    assert.ok(allocatedBytes(full) >= 4 * MIB, `${allocatedBytes(full)}`);
  }));

Deno.test("a target that was made by --create holds no more space than its data, unless told otherwise", () =>
  withTempDir((folder) => {
    const delta = writeZeroingDelta(folder);
    regrainExits(0, ["apply", "--create", delta, `${folder}/new.img`]);
    assert.equal(Deno.statSync(`${folder}/new.img`).size, 4 * MIB);
    assert.ok(allocatedBytes(`${folder}/new.img`) <= 128 * 1024);
  }));

testWithPeers(
  "a device that another program holds exclusively is refused",
  ["root-loop", "python3"],
  () =>
    withTempDir(async (folder) => {
      const delta = writeZeroingDelta(folder);
      const image = denseFile(`${folder}/disk.img`);
      await withLoop(image, async (device) => {
        const script =
          "import os,sys; os.open(sys.argv[1], os.O_RDWR | os.O_EXCL); print('held', flush=True); sys.stdin.read()";
        const holder = new Deno.Command("python3", {
          args: ["-c", script, device],
          stdin: "piped",
          stdout: "piped",
        }).spawn();
        const reader = holder.stdout.getReader();
        try {
          await reader.read();
          regrainRefuses({ code: "TARGET_BUSY", exit: 2 }, ["apply", delta, device]);
        } finally {
          await holder.stdin.close();
          await reader.cancel();
          await holder.status;
        }
      });
      assertFileHolds(image, new Uint8Array(4 * MIB).fill(0x5a));
    }),
);
