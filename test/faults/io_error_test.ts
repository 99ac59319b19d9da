/** Media that fail: a loop device whose file lost its end, and one whose file can grow no further. */
import assert from "node:assert/strict";
import { writeBenchCase } from "../../fixtures/mod.ts";
import { sha256File } from "../helpers/bytes.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { run, testWithPeers, withLoop, withMount, withTempDir } from "../helpers/peers.ts";

const MIB = 1024 * 1024;
const DISK_BYTES = 64 * MIB;

function writeDelta(folder: string): string {
  const path = `${folder}/vm-000001.vmdk`;
  return writeBenchCase({ format: "cowd", pattern: "big", diskBytes: DISK_BYTES, path, seed: 6 }).deltaPath;
}

function emptyFile(path: string, sizeBytes: number): string {
  Deno.writeFileSync(path, new Uint8Array());
  Deno.truncateSync(path, sizeBytes);
  return path;
}

testWithPeers(
  "a delta that cannot be read is an error of reading, and the whole delta completes the target",
  [
    "root-loop",
  ],
  () =>
    withTempDir(async (folder) => {
      const delta = writeDelta(folder);
      const reference = emptyFile(`${folder}/reference.img`, DISK_BYTES);
      regrainExits(0, ["apply", delta, reference]);
      const target = emptyFile(`${folder}/vm.img`, DISK_BYTES);
      const medium = `${folder}/medium`;
      Deno.copyFileSync(delta, medium);
      await withLoop(medium, (device) => {
        // The device keeps its size; what its file lost cannot be read any more.
        Deno.truncateSync(medium, Math.floor(Deno.statSync(medium).size / 2 / 4096) * 4096);
        run("blockdev", ["--flushbufs", device]);
        const { message } = regrainRefuses({ code: "READ_FAILED", exit: 6 }, ["apply", device, target]);
        assert.match(message, /at byte \d+/);
      });
      regrainExits(0, ["apply", delta, target]);
      assert.equal(sha256File(target), sha256File(reference));
    }),
);

testWithPeers("a target that cannot be written is an error by the end, and never success", [
  "root-loop",
  "root-mount",
], () =>
  withTempDir(async (folder) => {
    const delta = writeDelta(folder);
    Deno.mkdirSync(`${folder}/small`);
    await withMount(`${folder}/small`, ["-t", "tmpfs", "-o", "size=4m", "none"], async () => {
      // A device of 64 MiB that has room for 4: what it cannot take comes to light when it is synced.
      const medium = emptyFile(`${folder}/small/medium`, DISK_BYTES);
      await withLoop(medium, (device) => {
        const { message, hint } = regrainRefuses({ code: "WRITE_FAILED", exit: 6 }, ["apply", delta, device]);
        assert.ok(message.startsWith(device), message);
        assert.match(hint!, /of \d+ bytes were applied/);
      });
    });
  }));
