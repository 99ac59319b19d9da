/** The unfinished disk of a restore: one run at a time writes it, and what somebody else puts there is not touched. */
import assert from "node:assert/strict";
import { assertFileHolds, sameBytes } from "../helpers/bytes.ts";
import { regrain, regrainCommand, regrainExits } from "../helpers/cli.ts";
import { run as runProgram, testWithPeers } from "../helpers/peers.ts";
import { VmFolder } from "../helpers/vm_folder.ts";
import { diskOf, MIB, type Place, summaryOf, withPlace } from "./place.ts";

const ONE = diskOf(2 * MIB, [{ at: 0, lengthBytes: MIB + 512 * 1024, seed: 1 }]);
const TWO = diskOf(2 * MIB, [{ at: 512 * 1024, lengthBytes: MIB + 512 * 1024, seed: 2 }]);
/** Each disk by the name that it has in the repository. */
const DISKS: Readonly<Record<string, Uint8Array<ArrayBuffer>>> = { "a/one": ONE, "b/two": TWO };

function withSnapshots(fn: (place: Place) => void | Promise<void>): Promise<void> {
  return withPlace(async (place) => {
    for (const [name, disk] of Object.entries(DISKS)) {
      Deno.writeFileSync(place.path("vm.img"), disk);
      place.run(["backup", place.path("vm.img"), "--name", name]);
    }
    await fn(place);
  });
}

/** Starts a restore, and stops it by a signal once it has written something to `written`. */
async function stopped(args: readonly string[], written: string): Promise<Deno.ChildProcess> {
  const before = changeOf(written);
  const child = regrainCommand([...args, "--rate-limit", "256K"], { stdout: "null", stderr: "null" }).spawn();
  while (changeOf(written) === before) await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill("SIGSTOP");
  return child;
}

/** Differs once something was written to a file. */
function changeOf(path: string): string {
  try {
    const { blocks, mtime } = Deno.statSync(path);
    return blocks === 0 ? "empty" : `${blocks} ${mtime?.getTime()}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "empty";
    throw error;
  }
}

Deno.test("B11: while one restore writes, another onto its target is refused, with --force too", () =>
  withSnapshots(async ({ repo, refused, run, path }) => {
    const out = path("out.img");
    const first = await stopped(["restore", "a/one", out, "--force", "--repo", repo], `${out}.part`);
    try {
      for (const name of Object.keys(DISKS)) {
        for (const flags of [["--force"], ["--force", "--io", "portable"]]) {
          const { hint } = refused("TARGET_BUSY", ["restore", name, out, ...flags]);
          assert.match(hint!, /wait for it to end/);
        }
      }
    } finally {
      first.kill("SIGCONT");
    }
    assert.equal((await first.status).code, 0);
    assertFileHolds(out, ONE);
    run(["restore", "b/two", out, "--force"]);
    assertFileHolds(out, TWO);
    assert.throws(() => Deno.statSync(`${out}.part`), Deno.errors.NotFound);
  }));

Deno.test("B11: while one restore changes a file in place, another is refused, with --force too", () =>
  withSnapshots(async ({ repo, refused, run, path }) => {
    const out = path("out.img");
    Deno.writeFileSync(out, new Uint8Array(ONE.length).fill(9));
    const first = await stopped(["restore", "a/one", out, "--delta", "--force", "--repo", repo], out);
    try {
      for (const flags of [["--delta", "--force"], ["--delta", "--force", "--io", "portable"]]) {
        refused("TARGET_BUSY", ["restore", "b/two", out, ...flags]);
      }
    } finally {
      first.kill("SIGCONT");
    }
    assert.equal((await first.status).code, 0);
    assertFileHolds(out, ONE);
    run(["restore", "b/two", out, "--delta", "--force"]);
    assertFileHolds(out, TWO);
  }));

Deno.test("B11: of restores that begin at once, what is there in the end is one that said it was done, whole", () =>
  withSnapshots(async ({ repo, run, path, folder }) => {
    const out = path("out.img");
    const names = [...Object.keys(DISKS), ...Object.keys(DISKS)];
    for (let round = 0; round < 3; round++) {
      const children = names.map((name) =>
        regrainCommand(["restore", name, out, "--force", "--json", "--repo", repo], {
          stdout: "null",
          stderr: "piped",
        }).output()
      );
      const ended = await Promise.all(children);
      const done = names.filter((_, i) => ended[i]!.code === 0);
      assert.ok(done.length > 0, "one has its way");
      for (const { code, stderr } of ended) {
        if (code !== 0) assert.match(new TextDecoder().decode(stderr), /"code":"TARGET_BUSY"/);
      }
      const found = Deno.readFileSync(out);
      assert.ok(done.some((name) => sameBytes(found, DISKS[name]!)), `of ${done.join(", ")} none is there`);
    }
    run(["restore", "b/two", out, "--force"]);
    assertFileHolds(out, TWO);
    const left = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.includes("out"));
    assert.deepEqual(left, ["out.img"]);
  }));

Deno.test("B11: of flat VMDKs that are written at once, the descriptor has the CID of the disk beside it", () =>
  withPlace(async ({ repo, run, path }) => {
    const cids = ["aaaa0001", "bbbb0002"];
    const disks = cids.map((cid, i) => {
      const vm = new VmFolder(path(`vm${i}`), { cids: [cid] });
      const disk = vm.base.slice().fill(i + 1, 0, 4096);
      Deno.writeFileSync(vm.extent(0), disk);
      run(["backup", vm.descriptor(0), "--name", `vm/${i}`]);
      return disk;
    });
    const out = path("out.vmdk");
    const args = ["--format", "vmdk-flat", "--force", "--json", "--repo", repo];
    for (let round = 0; round < 3; round++) {
      const ended = await Promise.all(
        [0, 1, 0, 1].map((i) =>
          regrainCommand(["restore", `vm/${i}`, out, ...args], { stdout: "null" }).output()
        ),
      );
      assert.ok(ended.some(({ code }) => code === 0));
      const found = Deno.readFileSync(path("out-flat.vmdk"));
      const which = disks.findIndex((disk) => sameBytes(found, disk));
      assert.match(Deno.readTextFileSync(out), new RegExp(`^CID=${cids[which]}$`, "m"));
    }
  }));

Deno.test("B11: a file that came to be there meanwhile is not overwritten without --force", () =>
  withSnapshots(async ({ repo, run, path }) => {
    const out = path("out.img");
    const first = await stopped(["restore", "a/one", out, "--repo", repo], `${out}.part`);
    Deno.writeTextFileSync(out, "somebody's");
    first.kill("SIGCONT");
    assert.equal((await first.status).code, 2);
    assert.equal(Deno.readTextFileSync(out), "somebody's");
    const { keptBytes } = summaryOf(run(["restore", "a/one", out, "--force", "--json"]));
    assert.equal(keptBytes, ONE.length);
    assertFileHolds(out, ONE);
  }));

for (const format of ["raw", "vmdk-flat", "qcow2"]) {
  testWithPeers(
    `E2: a link that somebody has put in the place of the unfinished disk is not followed (${format})`,
    ["qemu-img"],
    () =>
      withSnapshots(({ refused, run, path }) => {
        const out = path("out.vmdk");
        const data = format === "vmdk-flat" ? path("out-flat.vmdk") : out;
        const victim = path("victim");
        // As large as the disk: what was begun would be carried on with.
        const secret = new Uint8Array(ONE.length).fill(0x53);
        Deno.writeFileSync(victim, secret, { mode: 0o600 });
        const parts = new Set([`${data}.part`, `${out}.part`]);
        // Names that an earlier version wrote by.
        const others = [`${out}.raw`, `${out}.raw.part`];
        for (const planted of [...parts, ...others]) Deno.symlinkSync(victim, planted);
        const args = ["restore", "a/one", out, "--format", format, "--force"];
        for (const planted of parts) {
          const { hint } = refused("TARGET_UNSUITABLE", args);
          assert.match(hint!, /remove it \(of a link, the link alone\), and run this again/);
          Deno.removeSync(planted);
        }
        run(args);
        assertFileHolds(victim, secret);
      }),
  );
}

/** A folder with a qemu-img that writes down what it was called with, and is the real one otherwise. */
function recordingQemu(folder: string): { env: Record<string, string>; calls(): string[][] } {
  const real = runProgram("sh", ["-c", "command -v qemu-img"]).trim();
  const log = `${folder}/calls`;
  Deno.mkdirSync(`${folder}/bin`);
  Deno.writeTextFileSync(
    `${folder}/bin/qemu-img`,
    `#!/bin/sh\nfor each; do printf '%s\\0' "$each"; done >> ${log}\n` +
      `for each; do case $each in /*) stat -c '%a' "\${each%/*}" >> ${log}.modes;; esac; done\n` +
      `printf '\\n' >> ${log}\nexec ${real} "$@"\n`,
    { mode: 0o755 },
  );
  return {
    env: { PATH: `${folder}/bin:${Deno.env.get("PATH")}` },
    calls: () =>
      Deno.readTextFileSync(log).trimEnd().split("\n").map((line) =>
        line.split("\0").filter((each) => each !== "")
      ),
  };
}

testWithPeers(
  "E2: qemu-img gets absolute names in a folder of mode 0700, whatever the target is called",
  ["qemu-img"],
  () =>
    withSnapshots(({ repo, folder, path }) => {
      const { env, calls } = recordingQemu(folder);
      Deno.mkdirSync(path("out"));
      const names = ["-o.qcow2", "nbd:localhost:1.qcow2", "json:{}.qcow2", "fat:rw:x.qcow2", "a,b=c.qcow2"];
      const umask = Deno.umask(0);
      try {
        for (const name of names) {
          const args = ["restore", "a/one", "--format", "qcow2", "--repo", repo, "--", `./${name}`];
          regrainExits(0, args, { cwd: path("out"), env });
          assert.equal(Deno.statSync(path(`out/${name}`)).mode! & 0o777, 0o600);
          runProgram("qemu-img", [
            "convert",
            "-f",
            "qcow2",
            "-O",
            "raw",
            path(`out/${name}`),
            path("back.img"),
          ]);
          assertFileHolds(path("back.img"), ONE);
        }
      } finally {
        Deno.umask(umask);
      }
      const converts = calls().filter(([verb]) => verb === "convert");
      assert.equal(converts.length, names.length);
      for (const args of converts) {
        assert.equal(args.length, 7, args.join(" "));
        for (const name of args.slice(-2)) assert.ok(name.startsWith(path("out/")), name);
      }
      assert.match(Deno.readTextFileSync(`${folder}/calls.modes`), /^(700\n)+$/);
      const left = [...Deno.readDirSync(path("out"))].map(({ name }) => name);
      assert.deepEqual(left.sort(), names.sort());
    }),
);

testWithPeers(
  "E2: where qemu-img fails, the raw disk is left for the next run, and nothing else",
  ["qemu-img"],
  () =>
    withSnapshots(({ repo, folder, path, run }) => {
      Deno.mkdirSync(path("bin"));
      const fake = `#!/bin/sh\n[ "$1" = --version ] && exit 0\necho broken >&2\nexit 1\n`;
      Deno.writeTextFileSync(path("bin/qemu-img"), fake, { mode: 0o755 });
      Deno.mkdirSync(path("out"));
      const args = ["restore", "a/one", path("out/x.qcow2"), "--repo", repo, "--json"];
      const { code, stderr } = regrain(args, { env: { PATH: `${folder}/bin:${Deno.env.get("PATH")}` } });
      assert.equal(code, 6, stderr);
      const { hint } = JSON.parse(stderr.trim().split("\n").at(-1)!);
      assert.ok(hint.includes(`carries on with ${path("out/x.qcow2.part")}`), hint);
      assert.deepEqual([...Deno.readDirSync(path("out"))].map(({ name }) => name), ["x.qcow2.part"]);
      assert.equal(summaryOf(run(["restore", "a/one", path("out/x.qcow2"), "--json"])).keptBytes, ONE.length);
      assert.deepEqual([...Deno.readDirSync(path("out"))].map(({ name }) => name), ["x.qcow2"]);
    }),
);
