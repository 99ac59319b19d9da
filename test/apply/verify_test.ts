/** `apply --verify` and `--hash` on real media: what memory holds is out of the way, and what is wrong is found. */
import assert from "node:assert/strict";
import { Disk, MIB, openLink, RegrainError, type Target } from "../../core-as/host/mod.ts";
import { createContext } from "../../cli/context.ts";
import { intentOf, prepareDeltas } from "../../cli/apply/prepare.ts";
import { prepareTarget } from "../../cli/target/prepare.ts";
import { runPrepared } from "../../cli/apply/run.ts";
import { applyDisk } from "../../cli/apply/engine.ts";
import { verifyTarget } from "../../cli/apply/verify.ts";
import { type LocalTarget, pickIo } from "../../cli/io/mod.ts";
import {
  baseDisk,
  baseFiles,
  buildSeSparse,
  deltaFiles,
  type Grain,
  type LinkSpec,
  overlay,
} from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { run, testWithPeers, withLoop, withMount, withTempDir } from "../helpers/peers.ts";

const CAPACITY = 4 * MIB / 512;
/** Two of three grains: data, unmapped, and what stays. */
const LINK: LinkSpec = {
  capacitySectors: CAPACITY,
  grainSectors: 8,
  seed: 7,
  grains: Array.from({ length: CAPACITY / 8 }, (_, index): Grain[] => {
    return index % 3 === 2 ? [] : [{ index, kind: index % 3 === 0 ? "data" : "unmapped" }];
  }).flat(),
};
const VERIFIED_BYTES = LINK.grains.length * 4096;
const FIRST_DATA_BYTE = 0;
const FIRST_ZERO_BYTE = 4096;

/** A delta, its base as a VMDK, and a raw copy of that base. */
function writeFiles(folder: string): void {
  const { bytes } = buildSeSparse(LINK);
  const delta = deltaFiles({ kind: "sesparse", bytes, capacitySectors: CAPACITY });
  const files = { ...baseFiles({ capacitySectors: CAPACITY }), ...delta, "vm.img": baseDisk(CAPACITY) };
  for (const [name, content] of Object.entries(files)) Deno.writeFileSync(`${folder}/${name}`, content);
}

const expected = () => overlay(baseDisk(CAPACITY), LINK);

/** Applies in this process, calls `between` once all is durable, and verifies. */
async function applyThenVerify(
  paths: { delta: string; target: string },
  between: (target: LocalTarget) => void,
): Promise<Awaited<ReturnType<typeof verifyTarget>>> {
  const io = pickIo();
  const context = createContext(io, {});
  const disk = new Disk(context.core, [await openLink(paths.delta, context, "delta")]);
  const target = io.openTarget(paths.target, { force: false });
  try {
    await applyDisk(disk, target, { sparse: "auto" });
    await target.flush();
    between(target);
    return await verifyTarget(disk, target, { hash: false });
  } finally {
    target.close();
    disk.close();
  }
}

function overwrite(path: string, offsetBytes: number): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(offsetBytes, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array([0xee]));
}

async function assertFailsAt(offsetBytes: number, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof RegrainError, String(error));
    assert.deepEqual([error.code, error.exit, error.offsetBytes], ["VERIFY_FAILED", 6, offsetBytes]);
    return true;
  });
}

function summaryOf(stdout: string): Record<string, unknown> {
  return JSON.parse(stdout.trim().split("\n").at(-1)!);
}

Deno.test("apply --verify says in its summary what it found", () =>
  withTempDir((cwd) => {
    writeFiles(cwd);
    const args = ["apply", "--json", "--verify", "disk-000001.vmdk", "vm.img"];
    const { verified } = summaryOf(regrainExits(0, args, { cwd }).stdout) as {
      verified: Record<string, unknown>;
    };
    assert.equal(verified["verifiedBytes"], VERIFIED_BYTES);
    assert.equal(verified["fromMedium"], (verified["obstacles"] as unknown[]).length === 0);
    assert.ok(!("sha256OfTarget" in verified));
    assertFileHolds(`${cwd}/vm.img`, expected());
    const plain = summaryOf(regrainExits(0, args.filter((arg) => arg !== "--verify"), { cwd }).stdout);
    assert.equal(plain["verified"], null);
  }));

testWithPeers(
  "apply --hash prints the line of sha256sum, and verifies too",
  ["sha256sum"],
  () =>
    withTempDir((cwd) => {
      writeFiles(cwd);
      const { stdout, stderr } = regrainExits(0, ["apply", "--hash", "disk-000001.vmdk", "vm.img"], { cwd });
      const [sum] = run("sha256sum", [`${cwd}/vm.img`]).split(" ");
      assert.equal(stdout, `${sum}  vm.img\n`);
      assert.match(stderr, new RegExp(`${VERIFIED_BYTES.toLocaleString("en")} bytes read back as written`));
      assert.match(stderr, /SHA-256 of what was written: [0-9a-f]{64}\n/);
    }),
);

testWithPeers("apply --hash of a VMDK sums up the disk, and its line does not pass for a file's", [
  "sha256sum",
], () =>
  withTempDir((cwd) => {
    writeFiles(cwd);
    const { stdout } = regrainExits(0, ["apply", "--hash", "disk-000001.vmdk", "disk.vmdk"], { cwd });
    const [sum] = run("sha256sum", [`${cwd}/disk-flat.vmdk`]).split(" ");
    assert.equal(stdout, `${sum}  the disk of disk.vmdk\n`);
  }));

Deno.test("apply --verify without FFI works, and says that memory may have answered", () =>
  withTempDir((cwd) => {
    writeFiles(cwd);
    const args = ["apply", "--verify", "--io", "portable", "disk-000001.vmdk", "vm.img"];
    const { stderr } = regrainExits(0, args, { cwd });
    assert.match(stderr, /warning: vm\.img: read back, perhaps from memory: .* cannot be dropped/);
  }));

Deno.test("apply --verify does not go with an undo file", () =>
  withTempDir((cwd) => {
    writeFiles(cwd);
    regrainExits(0, ["apply", "--undo", "vm.undo", "disk-000001.vmdk", "vm.img"], { cwd });
    regrainRefuses({ code: "USAGE", exit: 2 }, ["apply", "--verify", "vm.undo", "vm.img"], { cwd });
  }));

for (const [what, offsetBytes] of [["data", FIRST_DATA_BYTE], ["zeros", FIRST_ZERO_BYTE]] as const) {
  Deno.test(`a byte of ${what} changed in the file between write and verify is found`, () =>
    withTempDir(async (folder) => {
      writeFiles(folder);
      const paths = { delta: `${folder}/disk-000001.vmdk`, target: `${folder}/vm.img` };
      await assertFailsAt(
        offsetBytes,
        applyThenVerify(paths, () => overwrite(paths.target, offsetBytes)),
      );
    }));
}

testWithPeers("what was written to a device verifies, and that a loop device has a file below is said", [
  "root-loop",
], () =>
  withTempDir(async (folder) => {
    writeFiles(folder);
    await withLoop(`${folder}/vm.img`, async (target) => {
      const { verifiedBytes, obstacles } = await applyThenVerify(
        { delta: `${folder}/disk-000001.vmdk`, target },
        () => {},
      );
      assert.equal(verifiedBytes, VERIFIED_BYTES);
      assert.match(obstacles.join(), /^it is a loop device/);
    });
  }));

testWithPeers("a byte changed below a device is found: the cache of the device does not hide it", [
  "root-loop",
], () =>
  withTempDir(async (folder) => {
    writeFiles(folder);
    await withLoop(`${folder}/vm.img`, async (target) => {
      const paths = { delta: `${folder}/disk-000001.vmdk`, target };
      const offsetBytes = 3 * 4096 * 7;
      await assertFailsAt(
        offsetBytes,
        applyThenVerify(paths, () => overwrite(`${folder}/vm.img`, offsetBytes)),
      );
    });
  }));

testWithPeers(
  "dropCache() leaves nothing of a file in memory",
  ["fincore"],
  () =>
    withTempDir(async (folder) => {
      const path = `${folder}/vm.img`;
      Deno.writeFileSync(path, baseDisk(CAPACITY));
      const resident = () => Number(run("fincore", ["--bytes", "--noheadings", "--output", "RES", path]));
      const target = pickIo("linux").openTarget(path, { force: false });
      await target.flush();
      assert.ok(resident() > 0);
      const obstacle = target.dropCache!();
      target.close();
      if (obstacle === undefined) assert.equal(resident(), 0);
      else assert.match(obstacle, /is memory/);
    }),
);

testWithPeers(
  "on tmpfs there is no medium, and verifying says so",
  ["root-mount"],
  () =>
    withTempDir((folder) =>
      withMount(folder, ["-t", "tmpfs", "-o", "size=64m", "none"], () => {
        writeFiles(folder);
        const args = ["apply", "--json", "--verify", "disk-000001.vmdk", "vm.img"];
        const { verified } = summaryOf(regrainExits(0, args, { cwd: folder }).stdout);
        const { fromMedium, obstacles } = verified as { fromMedium: boolean; obstacles: string[] };
        assert.equal(fromMedium, false);
        assert.deepEqual(obstacles, ["its file system is memory: there is no medium to read from"]);
      })
    ),
);

/** Runs an apply with a VMDK as its target; `verify` gets the disk and the target. */
async function runWithVerify(
  folder: string,
  verify: (disk: Disk, target: Target) => Promise<void>,
): Promise<void> {
  const io = pickIo();
  const context = createContext(io, {});
  const request = {
    deltas: [`${folder}/disk-000001.vmdk`],
    target: `${folder}/disk.vmdk`,
    chain: false,
    create: false,
    force: false,
    dryRun: false,
  };
  const prepared = await prepareDeltas(request, context);
  const target = (await prepareTarget(request, intentOf(prepared.disk), { io, context }))!;
  try {
    await runPrepared({ prepared, target, io }, {
      sparse: "auto",
      resume: false,
      onProgress: () => {},
      verify: () => verify(prepared.disk, target.target),
    });
  } finally {
    target.target.close();
    prepared.disk.close();
  }
}

Deno.test("a base that did not verify keeps its CID: nothing says that it is done", () =>
  withTempDir(async (folder) => {
    writeFiles(folder);
    const descriptor = Deno.readFileSync(`${folder}/disk.vmdk`);
    const failing = runWithVerify(folder, async (disk, target) => {
      overwrite(`${folder}/disk-flat.vmdk`, FIRST_ZERO_BYTE + 4095);
      await verifyTarget(disk, target, { hash: false });
    });
    await assertFailsAt(FIRST_ZERO_BYTE + 4095, failing);
    assertFileHolds(`${folder}/disk.vmdk`, descriptor);
    await runWithVerify(folder, async (disk, target) => {
      await verifyTarget(disk, target, { hash: false });
    });
    assert.notDeepEqual(Deno.readFileSync(`${folder}/disk.vmdk`), descriptor);
  }));
