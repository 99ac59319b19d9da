/** What is shipped: one file that runs anywhere, and a binary with nothing in it that does not belong there. */
import assert from "node:assert/strict";
import { MIB, SECTOR_SIZE } from "../core-as/host/units.ts";
import {
  buildCowd,
  caseNamed,
  dataGrains,
  deltaFiles,
  pattern,
  Rng,
  sequence,
  writeCase,
} from "../fixtures/mod.ts";
import { assertFileHolds, sameBytes } from "./helpers/bytes.ts";
import { type Ran, withTempDir } from "./helpers/peers.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const { tasks } = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`)) as {
  tasks: Record<string, { command: string; dependencies?: string[] }>;
};
const COMPILE_TASKS = Object.keys(tasks).filter((name) => name.startsWith("compile"));

/** Runs a task's own command, with `dist/` elsewhere. */
function runTask(
  name: string,
  at: { dist: string; env?: Record<string, string> },
): Ran {
  const [program, ...args] = tasks[name]!.command.replaceAll("dist/", `${at.dist}/`).split(" ");
  assert.equal(program, "deno");
  return deno(args, { cwd: ROOT, env: at.env ?? {} });
}

function deno(args: readonly string[], at: { cwd: string; env: Record<string, string> }): Ran {
  const output = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: at.cwd,
    env: { NO_COLOR: "1", ...at.env },
    stdin: "null",
  }).outputSync();
  const decoder = new TextDecoder();
  return {
    code: output.code,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
  };
}

function bundle(dist: string): void {
  const { code, stderr } = runTask("bundle", { dist });
  assert.equal(code, 0, stderr);
}

/** The one file, alone in a folder, with nothing cached and no way to fetch anything. */
async function withLoneBundle(
  fn: (regrain: (args: readonly string[]) => Ran, folder: string) => Promise<void>,
) {
  await withTempDir(async (folder) => {
    for (const name of ["dist", "alone", "cache", "work"]) await Deno.mkdir(`${folder}/${name}`);
    bundle(`${folder}/dist`);
    await Deno.copyFile(`${folder}/dist/regrain.js`, `${folder}/alone/regrain.js`);
    await Deno.remove(`${folder}/dist`, { recursive: true });
    const flags = ["run", "--cached-only", "--no-remote", "--no-npm", "--no-prompt", "-A"];
    await fn(
      (args) =>
        deno([...flags, "../alone/regrain.js", ...args], {
          cwd: `${folder}/work`,
          env: { DENO_DIR: `${folder}/cache` },
        }),
      `${folder}/work`,
    );
  });
}

/** A delta that says what every byte of a disk of 64 MiB is, the disk before it, and what is to come of both. */
function writeLargeDelta(folder: string): Uint8Array {
  const sectors = 64 * MIB / SECTOR_SIZE;
  const seed = 12;
  const grains = dataGrains(sequence({ from: 0, count: sectors / 8 }));
  const { bytes } = buildCowd({ capacitySectors: sectors, grainSectors: 8, seed, grains });
  const files = deltaFiles({ kind: "cowd", bytes, capacitySectors: sectors });
  for (const [name, content] of Object.entries(files)) Deno.writeFileSync(`${folder}/${name}`, content);
  using target = Deno.createSync(`${folder}/large.img`);
  target.truncateSync(64 * MIB);
  return pattern({ seed, startSector: 0, sectors });
}

/** Threads help where there are processors for them, and on Linux, where files are read by libc. */
const hasLanes = Deno.build.os === "linux" && navigator.hardwareConcurrency > 1;

Deno.test("the bundle alone, without network and cache, applies deltas and prints everything it can", async (t) => {
  await withLoneBundle(async (regrain, folder) => {
    await t.step("a delta onto an image", async () => {
      const fixture = caseNamed("sesparse-all-four-kinds");
      await writeCase(fixture, folder);
      const { code, stderr } = regrain(["apply", "disk-000001-sesparse.vmdk", "disk-flat.vmdk"]);
      assert.equal(code, 0, stderr);
      assertFileHolds(`${folder}/disk-flat.vmdk`, fixture.expected!());
    });
    await t.step("compressed grains, by the zlib that Deno has", async () => {
      const fixture = caseNamed("stream-footer");
      await writeCase(fixture, folder);
      const { code, stderr } = regrain(["apply", "--create", "disk.vmdk", "new.img"]);
      assert.equal(code, 0, stderr);
      assertFileHolds(`${folder}/new.img`, fixture.expected!());
    });
    await t.step("a delta of 64 MiB, by two lanes: the second is a thread that starts as the file", () => {
      const bytes = writeLargeDelta(folder);
      const { code, stderr } = regrain([
        "apply",
        "--verify",
        "-v",
        "--force",
        "disk-000001.vmdk",
        "large.img",
      ]);
      assert.equal(code, 0, stderr);
      assert.equal(stderr.match(/two lanes/g)?.length, hasLanes ? 2 : undefined, stderr);
      assert.ok(sameBytes(Deno.readFileSync(`${folder}/large.img`), bytes));
    });
    await t.step("a backup and its restore, by threads that start as the file", () => {
      const bytes = new Rng(5).bytes(3 * MIB + 512);
      Deno.writeFileSync(`${folder}/vm.img`, bytes);
      for (
        const args of [
          ["repo", "init", "--unencrypted"],
          ["backup", "--name", "vm/disk", "vm.img"],
          ["restore", "vm/disk", "back.img"],
        ]
      ) {
        const { code, stderr } = regrain([...args, "--repo", "repo"]);
        assert.equal(code, 0, stderr);
      }
      assertFileHolds(`${folder}/back.img`, bytes);
    });
    await t.step("what is loaded on demand is in the file too", () => {
      assert.doesNotMatch(Deno.readTextFileSync(`${folder}/../alone/regrain.js`), /\bimport\(\s*["'`][./]/);
    });
    await t.step("the manual and the completions", () => {
      assert.match(regrain(["man"]).stdout, /^\.TH REGRAIN 1 /m);
      for (const shell of ["bash", "zsh", "fish"]) {
        const { code, stdout } = regrain(["completion", shell]);
        assert.equal(code, 0);
        assert.match(stdout, /apply/);
      }
    });
  });
});

Deno.test("the binary holds the bundle, and no tool that only builds or tests", async () => {
  await withTempDir((dist) => {
    bundle(dist);
    // The runtime that `deno compile` puts in front comes from the network; any program of the right kind takes its
    // place here. The result does not run as regrain does, but what is put into it is listed all the same.
    const { code, stdout, stderr } = runTask("compile", { dist, env: { DENORT_BIN: Deno.execPath() } });
    const said = stdout + stderr;
    assert.equal(code, 0, said);
    const list = said.slice(said.indexOf("Embedded Files"));
    assert.match(list, /regrain\.js \(\d+(\.\d+)?MB\)/);
    assert.doesNotMatch(list, /assemblyscript|binaryen|fast-check|typescript|node_modules|npm/i);
    // Of it 1.6 MB are the S3 client, and 0.4 MB the two inspector pages.
    const [, megabytes] = /^Files: (\d+(?:\.\d+)?)MB$/m.exec(list) ?? [];
    assert.ok(Number(megabytes) < 3.5, list);
    assert.ok(Deno.statSync(`${dist}/regrain`).size > 10_000_000);
  });
});

Deno.test("there is a task for every system, and each compiles the bundle", () => {
  assert.deepEqual(COMPILE_TASKS.map((name) => name.replace("compile:", "")), [
    "compile",
    "linux-x64",
    "linux-arm64",
    "macos-x64",
    "macos-arm64",
    "windows-x64",
  ]);
  for (const name of COMPILE_TASKS) {
    assert.match(tasks[name]!.command, /^deno compile .* dist\/regrain\.js$/);
    assert.deepEqual(tasks[name]!.dependencies, ["bundle"]);
  }
});
