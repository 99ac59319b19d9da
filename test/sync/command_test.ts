/** `regrain sync` as a user runs it. */
import assert from "node:assert/strict";
import { caseNamed, writeCase } from "../../fixtures/mod.ts";
import { MIB } from "../../core-as/host/mod.ts";
import { regrain, regrainCommand, regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { run, testWithPeers, withLoop, withTempDir } from "../helpers/peers.ts";
import { diskOf, RepositoryFolder } from "../backup_cli/repository_folder.ts";

const lastOf = (stdout: string) => JSON.parse(stdout.trimEnd().split("\n").at(-1)!);

function imageOf(seed: number, sizeBytes = 3 * MIB): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at += 4096) {
    if (at / 4096 % 5 !== 0) bytes.fill((at / 4096 * 3 + seed) % 255 + 1, at, at + 4096);
  }
  return bytes;
}

Deno.test("sync makes a missing target, writes nothing where it is right, and only a block that differs", () =>
  withTempDir((cwd) => {
    const source = imageOf(1);
    Deno.writeFileSync(`${cwd}/a.img`, source);
    const looked = lastOf(regrainExits(0, ["sync", "--json", "-n", "a.img", "b.img"], { cwd }).stdout);
    assert.deepEqual([looked.status, looked.isNew], ["dry-run", true]);
    assert.deepEqual([...Deno.readDirSync(cwd)].map(({ name }) => name), ["a.img"]);
    const made = lastOf(regrainExits(0, ["sync", "--json", "a.img", "b.img"], { cwd }).stdout);
    assert.deepEqual(Deno.readFileSync(`${cwd}/b.img`), source);
    assert.deepEqual([made.isNew, made.diskBytes], [true, source.length]);
    source[1_000_000]! ^= 1;
    Deno.writeFileSync(`${cwd}/a.img`, source);
    const one = lastOf(regrainExits(0, ["sync", "--json", "--verify", "a.img", "b.img"], { cwd }).stdout);
    assert.deepEqual([one.writtenBytes, one.zeroedBytes], [4096, 0]);
    assert.ok(one.verified !== null);
    assert.deepEqual(Deno.readFileSync(`${cwd}/b.img`), source);
    const said = regrainExits(0, ["sync", "a.img", "b.img"], { cwd }).stderr;
    assert.match(said, /^b\.img: 0 bytes written \+ 0 zeroed \+ .* = 3,145,728; /m);
  }));

Deno.test("what sync overwrote is taken back by its undo file, and an interrupted one resumed", () =>
  withTempDir((cwd) => {
    const [source, before] = [imageOf(1), imageOf(2)];
    Deno.writeFileSync(`${cwd}/a.img`, source);
    Deno.writeFileSync(`${cwd}/b.img`, before);
    regrainExits(0, ["sync", "--undo", "u", "--journal", "j", "a.img", "b.img"], { cwd });
    assert.deepEqual(Deno.readFileSync(`${cwd}/b.img`), source);
    const back = regrainExits(0, ["apply", "u", "b.img"], { cwd });
    assert.match(back.stderr, /only what the sync overwrote/);
    assert.deepEqual(Deno.readFileSync(`${cwd}/b.img`), before);
  }));

Deno.test("a target of another size grows, is cut only when told to, and is not where that cannot be undone", () =>
  withTempDir((cwd) => {
    const source = imageOf(1);
    Deno.writeFileSync(`${cwd}/a.img`, source);
    Deno.writeFileSync(`${cwd}/b.img`, source.subarray(0, MIB));
    const { hint } = regrainRefuses({ code: "SIZE_MISMATCH", exit: 5 }, [
      "sync",
      "--undo",
      "u",
      "a.img",
      "b.img",
    ], { cwd });
    assert.match(hint!, /^truncate -s 3145728 b\.img first/);
    assert.equal(Deno.statSync(`${cwd}/b.img`).size, MIB);
    regrainExits(0, ["sync", "-n", "a.img", "b.img"], { cwd });
    assert.equal(Deno.statSync(`${cwd}/b.img`).size, MIB);
    regrainExits(0, ["sync", "--verify", "a.img", "b.img"], { cwd });
    assert.deepEqual(Deno.readFileSync(`${cwd}/b.img`), source);
    Deno.truncateSync(`${cwd}/b.img`, 4 * MIB);
    const long = regrainRefuses({ code: "SIZE_MISMATCH", exit: 5 }, ["sync", "a.img", "b.img"], { cwd });
    assert.match(long.hint!, /^--truncate cuts it/);
    regrainExits(0, ["sync", "--truncate", "a.img", "b.img"], { cwd });
    assert.deepEqual(Deno.readFileSync(`${cwd}/b.img`), source);
  }));

Deno.test("a VMDK chain, a snapshot, and a descriptor as target", () =>
  withTempDir(async (cwd) => {
    const fixture = caseNamed("sesparse-all-four-kinds");
    await writeCase(fixture, cwd);
    regrainExits(0, ["sync", fixture.leaf, "vm.img"], { cwd });
    regrainExits(0, ["compare", fixture.leaf, "vm.img"], { cwd });
    const repository = RepositoryFolder.create(cwd);
    repository.backUp("abcab", [], "web01/disk-0");
    repository.run(["sync", "repo:web01/disk-0@latest", `${cwd}/copy.img`]);
    assert.deepEqual(Deno.readFileSync(`${cwd}/copy.img`), diskOf("abcab"));
    Deno.writeFileSync(`${cwd}/copy.img`, diskOf("xbxab"));
    repository.run(["sync", "--undo", `${cwd}/u`, "repo:web01/disk-0@latest", `${cwd}/copy.img`]);
    assert.deepEqual(Deno.readFileSync(`${cwd}/copy.img`), diskOf("abcab"));
  }));

Deno.test("a stream is compared on its way: longer, shorter, failed and whole", () =>
  withTempDir(async (cwd) => {
    const source = imageOf(1);
    Deno.writeFileSync(`${cwd}/a.img`, source);
    Deno.writeFileSync(`${cwd}/b.img`, imageOf(2));
    const pipe = async (bytes: Uint8Array<ArrayBuffer>, args: readonly string[]) => {
      const child = new Deno.Command("sh", {
        args: ["-c", 'cat "$0" | "$@"', `${cwd}/in`, Deno.execPath(), "run", "-A", MAIN, ...args],
        cwd,
        stderr: "piped",
        stdout: "piped",
        env: { NO_COLOR: "1" },
      });
      Deno.writeFileSync(`${cwd}/in`, bytes);
      const { code, stderr } = await child.output();
      return { code, stderr: new TextDecoder().decode(stderr) };
    };
    const short = await pipe(source.subarray(0, MIB), ["sync", "-", "b.img"]);
    assert.deepEqual([short.code, /ended after 1048576 of 3145728 bytes.*TRUNCATED/.test(short.stderr)], [
      4,
      true,
    ]);
    const long = await pipe(new Uint8Array(4 * MIB), ["sync", "-", "b.img"]);
    assert.deepEqual([long.code, /SIZE_MISMATCH/.test(long.stderr)], [5, true]);
    const whole = await pipe(source, ["sync", "-", "b.img"]);
    assert.equal(whole.code, 0, whole.stderr);
    assert.deepEqual(Deno.readFileSync(`${cwd}/b.img`), source);
    const unknown = await pipe(source, ["sync", "-", "new.img"]);
    assert.deepEqual([unknown.code, /--size 40G/.test(unknown.stderr)], [2, true]);
    regrainExits(0, ["sync", "--from-command", "cat a.img", "new.img", "--size", "3M"], { cwd });
    assert.deepEqual(Deno.readFileSync(`${cwd}/new.img`), source);
    const failed = ["sync", "--from-command", "cat a.img; exit 3", "new.img"];
    regrainRefuses({ code: "READ_FAILED", exit: 6 }, failed, { cwd });
  }));

const MAIN = new URL("../../cli/main.ts", import.meta.url).pathname;

Deno.test("what is no target, or no pair, is refused, and nothing is written", () =>
  withTempDir((cwd) => {
    Deno.writeFileSync(`${cwd}/a.img`, imageOf(1));
    Deno.symlinkSync("a.img", `${cwd}/link.img`);
    Deno.linkSync(`${cwd}/a.img`, `${cwd}/hard.img`);
    for (const target of ["a.img", "link.img", "hard.img"]) {
      regrainRefuses({ code: "TARGET_IS_INPUT", exit: 2 }, ["sync", "a.img", target], { cwd });
    }
    for (
      const args of [
        ["a.img"],
        ["a.img", "b.img", "c.img"],
        ["a.img", "-"],
        ["host:a.img", "b.img"],
        [
          "a.img",
          "host:b.img",
        ],
        ["--size", "3M", "a.img", "b.img"],
        ["--block-size", "5000", "a.img", "b.img"],
        [
          "--resume",
          "a.img",
          "b.img",
        ],
        ["--verify", "a.img", "null:"],
      ]
    ) regrainRefuses({ code: "USAGE", exit: 2 }, ["sync", ...args], { cwd });
    assert.deepEqual(Deno.readFileSync(`${cwd}/a.img`), imageOf(1));
    assert.equal(regrain(["sync", "a.img", "null:"], { cwd }).code, 0);
  }));

testWithPeers("a device is a source and a target", ["root-loop"], () =>
  withTempDir(async (cwd) => {
    const source = imageOf(1, 4 * MIB);
    Deno.writeFileSync(`${cwd}/a.img`, source);
    Deno.writeFileSync(`${cwd}/backing`, imageOf(2, 4 * MIB));
    await withLoop(`${cwd}/backing`, (device) => {
      regrainExits(0, ["sync", "--verify", "a.img", device], { cwd });
      regrainExits(0, ["sync", device, "b.img"], { cwd });
    });
    assert.deepEqual(Deno.readFileSync(`${cwd}/b.img`), source);
    assert.deepEqual(Deno.readFileSync(`${cwd}/backing`), source);
  }));

testWithPeers(
  "a sync that is killed at any moment is completed by running it again",
  ["qemu-img"],
  () =>
    withTempDir(async (cwd) => {
      const source = imageOf(1, 48 * MIB);
      Deno.writeFileSync(`${cwd}/a.img`, source);
      for (const afterMs of [150, 220, 300, 400]) {
        Deno.writeFileSync(`${cwd}/b.img`, imageOf(2, 48 * MIB));
        const child = regrainCommand(["sync", "a.img", "b.img"], { cwd, stderr: "null", stdout: "null" })
          .spawn();
        await new Promise((resolve) => setTimeout(resolve, afterMs));
        try {
          child.kill("SIGKILL");
        } catch (error) {
          // It was done before.
          if (!(error instanceof TypeError)) throw error;
        }
        await child.status;
        regrainExits(0, ["sync", "a.img", "b.img"], { cwd });
        run("qemu-img", ["compare", "-f", "raw", "-F", "raw", `${cwd}/a.img`, `${cwd}/b.img`]);
      }
    }),
);
