/** Disks that come as a stream: cut, empty, packed, or out of a command that fails. */
import assert from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { buildCowd } from "../../fixtures/mod.ts";
import { assertFileHolds } from "../helpers/bytes.ts";
import { regrainCommand, regrainExits } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";
import { DISK, diskOf, type Line, RepositoryFolder } from "./repository_folder.ts";

const WHOLE = diskOf("ab.c");

/** `backup -` of these bytes: its exit status and the last line of JSON that it wrote. */
async function pipe(
  { path }: RepositoryFolder,
  bytes: Uint8Array<ArrayBuffer>,
  ...flags: readonly string[]
): Promise<Line & { code: string; exit: number; hint: string }> {
  const args = ["backup", "-", "--name", DISK, "--repo", path, "--progress", "none", "--json", ...flags];
  const child = regrainCommand(
    args,
    { stdin: "piped", stdout: "piped", stderr: "piped" } as Parameters<typeof regrainCommand>[1],
  ).spawn();
  // A refusal may come before everything is taken.
  const feeding = new Blob([bytes]).stream().pipeTo(child.stdin).catch(() => undefined);
  const [{ code, stdout, stderr }] = await Promise.all([child.output(), feeding]);
  const text = new TextDecoder().decode(code === 0 ? stdout : stderr);
  return { ...JSON.parse(text.trim().split("\n").at(-1)!), exit: code };
}

function withRepository(fn: (repository: RepositoryFolder) => void | Promise<void>): Promise<void> {
  return withTempDir(async (folder) => await fn(RepositoryFolder.create(folder)));
}

function countSnapshots(repository: RepositoryFolder): number {
  return repository.keys("snaps/").length;
}

Deno.test("B5: an empty stream, and one a byte shorter than the snapshot before, are stored with --force only", () =>
  withRepository(async (repository) => {
    const empty = await pipe(repository, new Uint8Array(0));
    assert.deepEqual([empty.code, empty.exit], ["TRUNCATED", 4]);
    assert.match(empty.hint, /--force/);
    assert.equal((await pipe(repository, WHOLE)).exit, 0);
    for (const cut of [1, WHOLE.length / 2]) {
      const { code, exit, hint } = await pipe(repository, WHOLE.slice(0, -cut));
      assert.deepEqual([code, exit], ["SIZE_MISMATCH", 5]);
      assert.match(hint, /--force/);
    }
    assert.equal((await pipe(repository, new Uint8Array(0))).code, "TRUNCATED");
    assert.equal(countSnapshots(repository), 1, "nothing of them is visible");
    const forced = await pipe(repository, WHOLE.slice(0, -1), "--force");
    assert.equal(forced.exit, 0);
    const { stderr } = repository.run(["prune", "--dry-run", "--keep-last", "1"]);
    assert.match(stderr, /warning: the newest snapshot of web01\/disk-0, .* did the disk become smaller/);
    repository.run(["restore", `${DISK}@${forced.id}`, `${repository.folder}/cut`]);
    assertFileHolds(`${repository.folder}/cut`, WHOLE.slice(0, -1));
  }));

Deno.test("B5: a stream that ends in the middle of a sector is refused until its size or format is said", () =>
  withRepository(async (repository) => {
    const cut = WHOLE.slice(0, 1_000_003);
    const { code, exit, hint } = await pipe(repository, cut);
    assert.deepEqual([code, exit, countSnapshots(repository)], ["TRUNCATED", 4, 0]);
    const flags = /(--size \d+) or (--format raw) stores it/.exec(hint)!.slice(1);
    for (const flag of [...flags, "--force"]) {
      const { id } = await pipe(repository, cut, ...flag.split(" "));
      const out = `${repository.folder}/out${flag}`;
      repository.run(["restore", `${DISK}@${id}`, out]);
      assertFileHolds(out, cut);
    }
  }));

Deno.test("B5: the hint of a command that wrote nothing leads out, and a command of no words is refused", () =>
  withRepository((repository) => {
    const backup = ["backup", "--name", DISK, "--from-command"];
    const { hint } = repository.refuses({ code: "TRUNCATED", exit: 4 }, [...backup, "true"]);
    assert.match(hint!, /^run the command by itself/);
    assert.doesNotMatch(hint!, /--from-command/);
    for (const none of ["", " "]) repository.refuses({ code: "USAGE", exit: 2 }, [...backup, none]);
    assert.equal(countSnapshots(repository), 0);
    repository.run([...backup, "true", "--force"]);
    assert.equal(countSnapshots(repository), 1);
  }));

Deno.test("B5: what begins as a packed stream or an image is refused until the user says what it is", () =>
  withRepository(async (repository) => {
    const target = `${repository.folder}/out`;
    const restores = (id: unknown, bytes: Uint8Array) => {
      repository.run(["restore", `${DISK}@${id}`, target]);
      assertFileHolds(target, bytes);
      Deno.removeSync(target);
    };
    const packed = { gzip: new Uint8Array(gzipSync(WHOLE)), zstd: new Uint8Array(zstdCompressSync(WHOLE)) };
    const qcow2 = new Uint8Array(WHOLE);
    qcow2.set([0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3]);
    const { bytes: cowd } = buildCowd({ capacitySectors: 8192, grainSectors: 1, seed: 3, grains: [] });
    const descriptor = new Uint8Array(WHOLE);
    descriptor.set(new TextEncoder().encode("# Disk DescriptorFile\nversion=1\nCID=00000001\n"));
    for (const bytes of [packed.gzip, packed.zstd, qcow2, new Uint8Array(cowd), descriptor]) {
      const { code, exit, hint } = await pipe(repository, bytes);
      assert.deepEqual([code, exit], ["NOT_A_DISK", 4]);
      assert.match(hint, /--format raw/);
    }
    assert.match((await pipe(repository, packed.gzip)).hint, /--unpack gzip/);
    assert.equal(countSnapshots(repository), 0);
    restores((await pipe(repository, qcow2.slice(0, 4096), "--format", "raw")).id, qcow2.slice(0, 4096));
    for (const packing of ["gzip", "zstd"] as const) {
      restores((await pipe(repository, packed[packing], "--unpack", packing)).id, WHOLE);
      const cut = await pipe(repository, packed[packing].slice(0, -5), "--unpack", packing, "--force");
      assert.equal(cut.exit, 4, "a packed stream that ends in the middle");
    }
    const twice = await pipe(repository, new Uint8Array(gzipSync(qcow2)), "--unpack", "gzip");
    assert.equal(twice.code, "NOT_A_DISK", "what is packed may be an image itself");
  }));

Deno.test("B5: a command that fails, and a stream of another size than --size, leave nothing visible", () =>
  withRepository(async (repository) => {
    const { folder } = repository;
    Deno.writeFileSync(`${folder}/disk`, WHOLE);
    const backup = ["backup", "--name", DISK, "--progress", "none"];
    const failing = repository.refuses({ code: "READ_FAILED", exit: 6 }, [
      ...backup,
      "--from-command",
      `cat ${folder}/disk; exit 3`,
    ]);
    assert.match(failing.message, /ended with exit status 3/);
    repository.refuses({ code: "TRUNCATED", exit: 4 }, [...backup, "--from-command", "true"]);
    assert.equal((await pipe(repository, WHOLE, "--size", String(WHOLE.length + 1))).code, "TRUNCATED");
    assert.equal((await pipe(repository, WHOLE, "--size", String(WHOLE.length - 1))).code, "SIZE_MISMATCH");
    assert.equal(countSnapshots(repository), 0);
    const env = { REGRAIN_PASSPHRASE: "secret" };
    const command = `test -z "$REGRAIN_PASSPHRASE" && cat ${folder}/disk`;
    const args = [
      ...backup,
      "--from-command",
      command,
      "--size",
      String(WHOLE.length),
      "--unencrypted",
      "--repo",
      repository.path,
    ];
    regrainExits(0, args, { env });
    repository.run(["restore", DISK, `${folder}/out`]);
    assertFileHolds(`${folder}/out`, WHOLE);
    for (
      const wrong of [
        ["backup", `${folder}/disk`, "--size", "1M"],
        ["backup", "-", "--from-command", "true"],
        ["backup", "-", "--format", "vmdk"],
        ["backup", "-", "--size", "much"],
      ]
    ) repository.refuses({ code: "USAGE", exit: 2 }, [...wrong, "--name", DISK]);
  }));
