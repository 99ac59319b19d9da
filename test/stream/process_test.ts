/** `regrain apply -` as a user runs it: a shell, a pipe, a target. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { SECTOR_SIZE } from "../../core-as/host/mod.ts";
import { buildCowd } from "../../fixtures/cowd.ts";
import { caseNamed, dataGrains, type FixtureCase, putInteger } from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { type Ran, withTempDir } from "../helpers/peers.ts";
import { PROGRAM } from "../helpers/program.ts";

const DELTA = "disk-000001-delta.vmdk";

/** Writes the files of a case into a folder. */
function writeCase(folder: string, fixture: FixtureCase): void {
  for (const [name, bytes] of Object.entries(fixture.make())) Deno.writeFileSync(`${folder}/${name}`, bytes);
}

/** Runs a shell line in which `regrain` is the program. */
function shell(folder: string, line: string): Ran {
  const output = new Deno.Command("bash", {
    args: [
      "-c",
      `regrain() { "${Deno.execPath()}" run --no-prompt -A "${PROGRAM}" "$@"; }; set -o pipefail; ${line}`,
    ],
    cwd: folder,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).outputSync();
  const decoder = new TextDecoder();
  return { code: output.code, stdout: decoder.decode(output.stdout), stderr: decoder.decode(output.stderr) };
}

function exits(code: number, folder: string, line: string): Ran {
  const ran = shell(folder, line);
  assert.equal(ran.code, code, `${line}: exit ${ran.code}\n${ran.stderr}${ran.stdout}`);
  return ran;
}

function errorOf({ stderr }: Ran): { code: string; message: string; hint?: string } {
  return JSON.parse(stderr.trim().split("\n").at(-1)!);
}

function withCowd(fn: (folder: string, fixture: FixtureCase) => void): Promise<void> {
  return withTempDir((folder) => {
    const fixture = caseNamed("cowd-plain");
    writeCase(folder, fixture);
    Deno.copyFileSync(`${folder}/disk-flat.vmdk`, `${folder}/vm.img`);
    fn(folder, fixture);
  });
}

Deno.test("cat delta | regrain apply - target writes what regrain apply delta target does", () =>
  withCowd((folder, fixture) => {
    Deno.copyFileSync(`${folder}/vm.img`, `${folder}/other.img`);
    const piped = exits(0, folder, `cat ${DELTA} | regrain apply --json - vm.img`);
    const named = exits(0, folder, `regrain apply --json ${DELTA} other.img`);
    assertFileHolds(`${folder}/vm.img`, fixture.expected!());
    const summary = ({ stdout }: Ran) => {
      const { writtenBytes, sparedBytes, zeroedBytes, skippedBytes, diskBytes, status } = JSON.parse(
        stdout.trim().split("\n").at(-1)!,
      );
      return { writtenBytes, sparedBytes, zeroedBytes, skippedBytes, diskBytes, status };
    };
    assert.deepEqual(summary(piped), summary(named));
    assert.match(piped.stderr, /cannot be checked/);
  }));

Deno.test("gzip -c delta | regrain apply - target unpacks on the way, and a file may be standard input too", () =>
  withCowd((folder, fixture) => {
    exits(0, folder, `gzip -c ${DELTA} | regrain apply - vm.img`);
    assertFileHolds(`${folder}/vm.img`, fixture.expected!());
    exits(0, folder, `regrain apply - vm.img < ${DELTA}`);
    assertFileHolds(`${folder}/vm.img`, fixture.expected!());
  }));

Deno.test("D1: two deltas in one pipe end with exit 4 and the line that works, packed or not, in a dry run too", () =>
  withCowd((folder, fixture) => {
    const before = Deno.readFileSync(`${folder}/vm.img`);
    for (const line of [`cat ${DELTA} ${DELTA}`, `gzip -c ${DELTA} ${DELTA}`]) {
      for (const dry of ["--dry-run", ""]) {
        Deno.writeFileSync(`${folder}/vm.img`, before);
        const error = errorOf(exits(4, folder, `${line} | regrain apply ${dry} --json - vm.img`));
        assert.match(error.message, /another disk follows the first, and was not applied/);
        assert.match(error.hint!, /cat DELTA \| regrain apply - vm\.img, oldest first/);
      }
    }
    assertFileHolds(`${folder}/vm.img`, fixture.expected!());
    exits(0, folder, `cat ${DELTA} | regrain apply - vm.img`);
  }));

Deno.test("a pipe cut short ends with exit 4 and says how far it came; the whole delta completes it", () =>
  withCowd((folder, fixture) => {
    const error = errorOf(exits(4, folder, `head -c 400000 ${DELTA} | regrain apply --json - vm.img`));
    assert.equal(error.code, "TRUNCATED");
    assert.match(error.message, /at byte 400000$/);
    assert.match(error.hint!, /^\d+ bytes were applied before that/);
    exits(0, folder, `cat ${DELTA} | regrain apply - vm.img`);
    assertFileHolds(`${folder}/vm.img`, fixture.expected!());
  }));

Deno.test("a dry run reads the pipe to its end and writes nothing", () =>
  withCowd((folder) => {
    const before = Deno.readFileSync(`${folder}/vm.img`);
    const { stderr } = exits(0, folder, `cat ${DELTA} | regrain apply --dry-run - vm.img`);
    assert.match(stderr, /^plan: .* to write and 0 B to zero/m);
    assertFileHolds(`${folder}/vm.img`, before);
    exits(4, folder, `head -c 400000 ${DELTA} | regrain apply --dry-run - vm.img`);
  }));

Deno.test("a pipe is refused where it cannot work", () =>
  withCowd((folder) => {
    const before = Deno.readFileSync(`${folder}/vm.img`);
    const refused: [string, number, string][] = [
      [`cat ${DELTA} | regrain apply --json --chain - vm.img`, 2, "USAGE"],
      [`cat ${DELTA} | regrain apply --json - ${DELTA} vm.img`, 2, "USAGE"],
      [`cat ${DELTA} | regrain apply --json --journal vm.journal - vm.img`, 2, "USAGE"],
      [`cat ${DELTA} | regrain apply --json --spill-limit much - vm.img`, 2, "USAGE"],
      [`cat ${DELTA} | regrain apply --json - absent.img`, 2, "TARGET_MISSING"],
      [`cat ${DELTA} | regrain apply --json - disk.vmdk`, 5, "WRONG_BASE"],
      [`true | regrain apply --json - vm.img`, 4, "NOT_A_DISK"],
      [`cat disk-000001.vmdk | regrain apply --json - vm.img`, 4, "NOT_A_DISK"],
      [`cat disk-flat.vmdk 2>&- | regrain apply --json - vm.img`, 4, "NOT_A_DISK"],
      [`truncate -s 1M vm2.img; cat ${DELTA} | regrain apply --json - vm2.img`, 5, "SIZE_MISMATCH"],
    ];
    for (const [line, exit, code] of refused) {
      // What is refused at once leaves the pipe, and that is no fault of its writer.
      const ran = exits(exit, folder, `set +o pipefail; ${line}`);
      assert.equal(errorOf(ran).code, code, line);
    }
    assertFileHolds(`${folder}/vm.img`, before);
  }));

Deno.test("the target cannot be standard input itself", () =>
  withTempDir((folder) => {
    const image = buildCowd({ capacitySectors: 64, grainSectors: 1, seed: 1, grains: dataGrains([3]) });
    Deno.writeFileSync(`${folder}/x.vmdk`, image.bytes);
    const ran = exits(2, folder, "regrain apply --json --force - x.vmdk < x.vmdk");
    assert.equal(errorOf(ran).code, "TARGET_IS_INPUT");
    assertFileHolds(`${folder}/x.vmdk`, image.bytes);
  }));

Deno.test("a delta that carries its descriptor is checked against the base, and the base takes its content id", () =>
  withTempDir((folder) => {
    const fixture = caseNamed("hosted-child-in-one-file");
    writeCase(folder, fixture);
    const { stderr } = exits(0, folder, `cat ${fixture.leaf} | regrain apply - disk.vmdk`);
    assert.match(stderr, /CID is [0-9a-f]{8} now/);
    assertFileHolds(`${folder}/disk-flat.vmdk`, fixture.expected!());
    const again = exits(5, folder, `set +o pipefail; cat ${fixture.leaf} | regrain apply --json - disk.vmdk`);
    assert.equal(errorOf(again).code, "WRONG_BASE");
  }));

Deno.test("what must be kept is kept in the folder that is named, which is empty afterwards", () =>
  withTempDir((folder) => {
    const grains = dataGrains([0, 1, 2, 3]);
    const image = buildCowd({ capacitySectors: 4096, grainSectors: 1, seed: 2, grains });
    const table = image.layout.tables.get(0)!;
    const bytes = new Uint8Array(image.bytes.length + 4096 * 4);
    bytes.set(image.bytes);
    bytes.copyWithin(image.bytes.length, table, table + 4096 * 4);
    putInteger(bytes, { at: image.layout.directory, size: 4, value: image.bytes.length / SECTOR_SIZE });
    Deno.writeFileSync(`${folder}/late-delta.vmdk`, bytes);
    Deno.mkdirSync(`${folder}/room`);
    const { stderr } = exits(0, folder, "cat late-delta.vmdk | regrain apply --create --spill room - vm.img");
    assert.match(stderr, /^warning: .* temporary file in room, at most 8\.0 GiB$/m);
    assert.deepEqual([...Deno.readDirSync(`${folder}/room`)], []);
    const refused = exits(4, folder, "cat late-delta.vmdk | regrain apply --json --no-spill - vm.img");
    assert.equal(errorOf(refused).code, "UNSUPPORTED");
    const missing = exits(6, folder, "cat late-delta.vmdk | regrain apply --json --spill nowhere - vm.img");
    assert.equal(errorOf(missing).code, "WRITE_FAILED");
  }));

Deno.test("a pipe that stalls does not keep a signal away", () =>
  withTempDir(async (folder) => {
    writeCase(folder, caseNamed("cowd-plain"));
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "-A", PROGRAM, "apply", "-", "disk-flat.vmdk"],
      cwd: folder,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(Deno.readFileSync(`${folder}/${DELTA}`).subarray(0, 300_000));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    child.kill("SIGTERM");
    const { code } = await child.status;
    assert.equal(code, 143);
    await writer.close();
  }));

Deno.test("D12: a signal ends at once what waits for a stalled pipe, and says how far it came", () =>
  withTempDir(async (folder) => {
    // More than the window holds, so that some of it is written before the rest has come.
    const grains = dataGrains(Array.from({ length: 14_000 }, (_, i) => i));
    const { bytes } = buildCowd({ capacitySectors: 16_384, grainSectors: 1, seed: 2, grains });
    for (const packing of ["plain", "gzip"]) {
      const target = `${folder}/vm-${packing}.img`;
      Deno.writeFileSync(target, new Uint8Array(16_384 * SECTOR_SIZE));
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-prompt", "-A", PROGRAM, "apply", "-", target],
        env: { NO_COLOR: "1" },
        stdin: "piped",
        stdout: "null",
        stderr: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      const stream = packing === "gzip" ? gzipSync(bytes) : bytes;
      void writer.write(stream.slice(0, Math.floor(stream.length * 0.9))).catch(() => {});
      // Whatever comes first in the target says that the work has begun.
      for (let looks = 0; !Deno.readFileSync(target).some((byte) => byte !== 0); looks++) {
        assert.ok(looks < 3000, "nothing was written");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      child.kill("SIGTERM");
      const tooLate = setTimeout(() => child.kill("SIGKILL"), 300_000);
      const stderr = await new Response(child.stderr).text();
      assert.equal((await child.status).code, 143);
      clearTimeout(tooLate);
      assert.match(stderr, /^hint: .*\d+ bytes were applied before that/m);
      // The pipe is broken by now, and says so.
      await writer.close().catch(() => {});
    }
  }));

Deno.test("what came through a pipe is taken back by its undo file", () =>
  withTempDir((folder) => {
    for (const name of ["cowd-interleaved-first-touch", "sesparse-all-four-kinds"]) {
      const fixture = caseNamed(name);
      writeCase(folder, fixture);
      const image = `${folder}/vm.img`;
      Deno.copyFileSync(`${folder}/disk-flat.vmdk`, image);
      const before = Deno.readFileSync(image);
      const suffix = name.startsWith("cowd") ? "delta" : "sesparse";
      const line = `gzip < disk-000001-${suffix}.vmdk | regrain apply --undo ${name}.undo - vm.img`;
      exits(0, folder, line);
      assertFileHolds(image, fixture.expected!());
      assert.equal(errorOf(exits(2, folder, `${line} --json`)).code, "TARGET_UNSUITABLE");
      exits(0, folder, `regrain apply ${name}.undo vm.img`);
      assertFileHolds(image, before);
    }
  }));
