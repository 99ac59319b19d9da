/** What somebody meets who knows the program from its help alone: every refusal says what works, and that works. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { RegrainError } from "../../core-as/host/errors.ts";
import { withHint } from "../../cli/backup/restore/unfinished.ts";
import { caseNamed, writeCase } from "../../fixtures/mod.ts";
import { regrainCommand, regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";
import { DISK, diskOf, RepositoryFolder } from "./repository_folder.ts";

const USAGE = { code: "USAGE", exit: 2 };
const MAIN = new URL("../../cli/main.ts", import.meta.url).pathname;

Deno.test("a file is no repository, and that is said by every command", () =>
  withTempDir((folder) => {
    const file = `${folder}/vm.img`;
    Deno.writeFileSync(file, diskOf("a"));
    const backup = ["backup", file, "--name", DISK];
    for (const args of [["repo", "init"], ["snapshots"], ["repo", "repair"], backup]) {
      const { message, hint } = regrainRefuses(USAGE, [...args, "--repo", file]);
      assert.equal(message, `${file}: is a file, and a repository is in a folder or a bucket`);
      assert.match(hint!, /name a folder/);
    }
    regrainExits(0, ["repo", "init", "--repo", `${folder}/new/one`]);
  }));

Deno.test("B9: init tells a repository from one without repo.json, and from a place of something else", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    repository.backUp("a");
    const taken = { code: "REPO_EXISTS", exit: 2 };
    assert.match(repository.refuses(taken, ["repo", "init"]).hint!, /regrain repo info shows it/);
    assert.match(repository.run(["repo", "info"]).stdout, /created \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n/);
    Deno.removeSync(`${repository.path}/repo.json`);
    assert.match(repository.refuses(taken, ["repo", "init"]).hint!, /regrain repo repair/);
    repository.run(["repo", "repair"]);
    repository.run(["verify"]);
    Deno.mkdirSync(`${folder}/other`);
    Deno.writeTextFileSync(`${folder}/other/list`, "x");
    const other = ["repo", "init", "--repo", `${folder}/other`];
    assert.match(regrainRefuses(taken, other).hint!, /an empty folder or a new one/);
  }));

Deno.test("E1: an empty passphrase file, no passphrase and a wrong one are told apart", () =>
  withTempDir((folder) => {
    const files = { empty: "", right: "secret\n", wrong: "Secret\n" };
    for (const [name, text] of Object.entries(files)) {
      Deno.writeTextFileSync(`${folder}/${name}`, text, { mode: 0o600 });
    }
    const key = { code: "REPO_KEY", exit: 12 };
    const repo = ["--repo", `${folder}/repo`];
    const by = (name: string) => ["--passphrase-file", `${folder}/${name}`, ...repo];
    const init = ["repo", "init", "--encrypt"];
    assert.match(
      regrainRefuses(key, [...init, ...by("empty")]).message,
      /empty: is empty, and holds no passph/,
    );
    const none = regrainRefuses(key, [...init, ...repo]);
    assert.match(none.message, /^--encrypt is given/);
    assert.match(none.hint!, /--passphrase-file FILE, --passphrase-command CMD, or .* REGRAIN_PASSPHRASE/);
    regrainExits(0, [...init, ...by("right")]);
    assert.match(regrainRefuses(key, ["snapshots", ...by("wrong")]).hint!, /regrain repo key list/);
    regrainExits(0, ["repo", "key", "list", ...repo]);
  }));

Deno.test("B9: repo key export - writes to standard output what import takes, and makes no file of that name", () =>
  withTempDir((folder) => {
    const env = { REGRAIN_PASSPHRASE: "secret" };
    const repository = RepositoryFolder.create(folder, "repo", { env, flags: ["--encrypt"] });
    repository.backUp("a");
    const { stdout, stderr } = regrainExits(0, ["repo", "key", "export", "-", "--repo", repository.path], {
      cwd: folder,
    });
    assert.match(stderr, /repo\.json and 1 key slot of repository/);
    assert.deepEqual([...Deno.readDirSync(folder)].filter(({ name }) => name === "-"), []);
    repository.refuses(USAGE, ["repo", "key", "export", "-"]);
    const missing = { code: "TARGET_MISSING", exit: 2 };
    const { hint } = repository.refuses(missing, ["repo", "key", "export", `${folder}/a/b/keys.json`]);
    assert.equal(hint, `mkdir -p ${folder}/a/b, or name another file`);
    for (const lost of ["keys", "repo.json", "copies"]) {
      Deno.removeSync(`${repository.path}/${lost}`, { recursive: true });
    }
    Deno.writeTextFileSync(`${folder}/keys.json`, stdout);
    repository.run(["repo", "key", "import", `${folder}/keys.json`]);
    repository.run(["verify", "--deep"]);
  }));

/** What a run says that reads this from its standard input. */
async function feed(
  args: readonly string[],
  bytes: Uint8Array<ArrayBuffer>,
): Promise<{ code: number; stderr: string }> {
  const child = regrainCommand(
    [...args, "--progress", "none"],
    { stdin: "piped", stdout: "piped", stderr: "piped" } as Parameters<typeof regrainCommand>[1],
  ).spawn();
  const feeding = new Blob([bytes]).stream().pipeTo(child.stdin).catch(() => undefined);
  const [{ code, stderr }] = await Promise.all([child.output(), feeding]);
  return { code, stderr: new TextDecoder().decode(stderr) };
}

Deno.test("B22: a list from standard input has a name that works, and a line of one word is told so", () =>
  withTempDir(async (folder) => {
    const repository = RepositoryFolder.create(folder);
    Deno.writeFileSync(`${folder}/vm.img`, diskOf("a"));
    const { hint } = repository.refuses({ code: "NOT_FOUND", exit: 4 }, ["backup", "--list", "-"]);
    const [file] = /^\/dev\/stdin/.exec(hint!)!;
    const list = new TextEncoder().encode(`${DISK} ${folder}/vm.img\n`);
    assert.equal((await feed(["backup", "--list", file, "--repo", repository.path], list)).code, 0);
    Deno.writeTextFileSync(`${folder}/list`, `${DISK}\n`);
    assert.match(
      repository.refuses(USAGE, ["backup", "--list", `${folder}/list`]).message,
      /line 1: 1 word, /,
    );
  }));

Deno.test("B5: a stream that is not packed as --unpack says is refused before anything is read", () =>
  withTempDir(async (folder) => {
    const repository = RepositoryFolder.create(folder);
    const backup = ["backup", "-", "--name", DISK, "--repo", repository.path, "--unpack"];
    const plain = diskOf("ab");
    const packed = new Uint8Array(gzipSync(plain));
    for (
      const [bytes, hint] of [[plain, "without --unpack"], [packed, "--unpack gzip unpacks it"]] as const
    ) {
      const { code, stderr } = await feed([...backup, "zstd"], bytes);
      assert.equal(code, 4, stderr);
      assert.match(stderr, /does not begin as zstd does, at byte 0 \[NOT_A_DISK\]/);
      assert.ok(stderr.includes(hint), stderr);
    }
    assert.equal((await feed([...backup, "gzip"], packed)).code, 0);
  }));

Deno.test("B4: the time of a VM is shown as that of a disk, and restores that moment", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    Deno.writeFileSync(`${folder}/a.img`, diskOf("a"));
    repository.run(["backup", "--vm", "web01", `disk-0=${folder}/a.img`]);
    const { stdout } = repository.run(["snapshots", "web01"]);
    const [, time] = /^ {2}[0-9A-Z]{26} {2}(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) {2}disk-0$/m.exec(stdout)!;
    repository.run(["restore", `web01@${time}`, `${folder}/out/`]);
  }));

Deno.test("a sample that no chunk falls into finds no more than that everything is there", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    repository.backUp("a");
    const said = new Map<number, string>();
    for (let run = 0; run < 3 && said.size < 2; run++) {
      const { stdout, stderr } = repository.run(["verify", "--sample", "50%"]);
      said.set(Number(/; (\d) of them read/.exec(stderr)![1]), stdout.trim());
    }
    assert.equal(said.get(0), "everything that is needed is there");
    assert.equal(said.get(1), "no damage found");
  }));

Deno.test("B13: an https:// endpoint that speaks no TLS is told from one that cannot be reached", () =>
  withTempDir(async (folder) => {
    await using server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      () => new Response(),
    );
    const args = [
      "snapshots",
      "--repo",
      "s3://bucket/vms",
      "--endpoint",
      `https://127.0.0.1:${server.addr.port}`,
    ];
    const env = { AWS_ACCESS_KEY_ID: "x", AWS_SECRET_ACCESS_KEY: "y", HOME: folder };
    const child = regrainCommand(args, { env, stdout: "piped", stderr: "piped" });
    const { code, stderr } = await child.output();
    const said = new TextDecoder().decode(stderr);
    assert.equal(code, 7, said);
    assert.match(said, /no TLS connection comes about .*\nhint: .*--endpoint http:\/\/HOST:PORT/);
  }));

Deno.test("B14: the hint where the disk got full makes room first", () => {
  const full = new RegrainError("NO_SPACE", "writing failed");
  const { hint } = withHint(full, { part: "vm.img.part" }) as RegrainError;
  assert.equal(
    hint,
    "make room there; then the same command again carries on with vm.img.part, which was begun",
  );
});

Deno.test("a target that is a link to nothing is refused as that, with --create too, and the hint leads on", () =>
  withTempDir(async (cwd) => {
    await writeCase(caseNamed("cowd-plain"), cwd);
    Deno.symlinkSync("no-such.img", `${cwd}/link.img`);
    for (const flags of [[], ["--create"], ["--create", "--dry-run"]]) {
      const args = ["apply", ...flags, "disk-000001.vmdk", "link.img"];
      const { message, hint } = regrainRefuses({ code: "TARGET_MISSING", exit: 2 }, args, { cwd });
      assert.match(message, /it is a link, and what it leads to is not there/);
      assert.match(hint!, /^readlink -m link\.img says where it leads/);
    }
  }));

Deno.test("B14: apply --create into a folder that is not there names the line that makes it", () =>
  withTempDir(async (cwd) => {
    await writeCase(caseNamed("cowd-plain"), cwd);
    const args = ["apply", "--create", "disk-000001.vmdk", "no/dir/vm.img"];
    for (const flags of [[], ["--dry-run"]]) {
      const { hint } = regrainRefuses({ code: "TARGET_MISSING", exit: 2 }, [...args, ...flags], { cwd });
      assert.equal(hint, "mkdir -p no/dir, or name another target");
    }
    Deno.mkdirSync(`${cwd}/no/dir`, { recursive: true });
    regrainExits(0, args, { cwd });
  }));

Deno.test("a name that is not there is answered with those that are called alike", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    repository.backUp("a");
    const missing = { code: "SNAPSHOT_MISSING", exit: 4 };
    const [vm, disk] = DISK.split("/");
    const hints = (...names: string[]) =>
      names.map((name) => repository.refuses(missing, ["restore", name, `${folder}/x`]).hint!);
    for (const hint of hints(DISK.toUpperCase(), DISK.replace("-", ""), `${DISK}1`, `${disk}`)) {
      assert.ok(hint.startsWith(`is it ${DISK}? `), hint);
    }
    assert.ok(hints(`${vm}@latest`)[0]!.startsWith(`${DISK} is a disk below it; `));
    assert.equal(hints("something/else")[0], "regrain snapshots lists what there is");
    const { hint } = repository.refuses(missing, ["snapshots", `${DISK}@latest`]);
    assert.ok(hint!.startsWith(`the disk is ${DISK}, without`), hint);
    const forget = repository.refuses(missing, ["forget", `${DISK}@latest`]);
    assert.match(forget.message, /no snapshot of the id "/);
    assert.match(forget.hint!, new RegExp(`names are not taken here, .* regrain snapshots ${DISK} shows$`));
  }));

Deno.test("~ that no shell has replaced makes no folder of that name, wherever it is given", () =>
  withTempDir((folder) => {
    const env = { REGRAIN_REPO: "~/backups" };
    for (const args of [["--repo=~/backups"], ["--repo", "~root/backups"], ["--repo", "~"]]) {
      const { message, hint } = regrainRefuses(USAGE, ["repo", "init", ...args], { cwd: folder });
      assert.match(message, /is no address of a repository: ~ is for the shell/);
      assert.match(hint!, /\.\/~/);
    }
    assert.match(regrainRefuses(USAGE, ["repo", "init"], { cwd: folder, env }).hint!, /\$HOME\/backups/);
    for (
      const args of [["info", "~/a.vmdk"], ["apply", "a.vmdk", "~/a.img"], [
        "backup",
        "~/a.img",
        "--name",
        DISK,
      ]]
    ) {
      assert.match(regrainRefuses(USAGE, args, { cwd: folder }).hint!, /\$HOME\/a\./);
    }
    assert.deepEqual([...Deno.readDirSync(folder)], []);
    regrainExits(0, ["repo", "init", "--repo", "./~/backups"], { cwd: folder });
  }));

Deno.test("an undo file, QED and Parallels are known by name and first bytes, and never written into", () =>
  withTempDir(async (folder) => {
    await writeCase(caseNamed("chain-two-cowd-links"), folder);
    const delta = `${folder}/disk-000001.vmdk`;
    const heads = {
      "a.undo": ["rbd diff v1\n", /regrain apply .*a\.undo TARGET takes back/],
      "a.qed": ["QED\0", /qemu-img convert -f qed/],
      "a.hds": ["WithouFreSpacExt", /qemu-img convert -f parallels/],
    } as const;
    // Whatever its size and its name, what is known to make a disk of it comes first.
    Deno.writeTextFileSync(`${folder}/undo`, "rbd diff v1\n...");
    const odd = regrainRefuses({ code: "NOT_A_DISK", exit: 4 }, ["info", `${folder}/undo`]);
    assert.match(odd.hint!, /^regrain apply .*undo TARGET takes back what it holds; /);
    for (const [name, [head, hint]] of Object.entries(heads)) {
      const bytes = new Uint8Array(Deno.statSync(`${folder}/disk-flat.vmdk`).size);
      bytes.set(new TextEncoder().encode(head));
      Deno.writeFileSync(`${folder}/${name}`, bytes);
      const refused = regrainRefuses({ code: "NOT_A_DISK", exit: 4 }, ["info", `${folder}/${name}`]);
      assert.match(refused.hint!, hint);
      const target = { code: "TARGET_UNSUITABLE", exit: 2 };
      assert.match(regrainRefuses(target, ["apply", delta, `${folder}/${name}`]).message, /it looks like/);
      assert.deepEqual(Deno.readFileSync(`${folder}/${name}`), bytes);
    }
  }));

Deno.test("a chain whose base was written to is refused, without a line that only looks away from the base", () =>
  withTempDir(async (folder) => {
    await writeCase(caseNamed("chain-two-cowd-links"), folder);
    const base = `${folder}/disk.vmdk`;
    Deno.writeTextFileSync(base, Deno.readTextFileSync(base).replace(/^CID=.*$/m, "CID=deadbeef"));
    Deno.copyFileSync(`${folder}/disk-flat.vmdk`, `${folder}/copy.img`);
    const args = ["apply", "--chain", "disk-000002.vmdk", "copy.img"];
    const { message, hint } = regrainRefuses({ code: "CHAIN_BROKEN", exit: 5 }, args, { cwd: folder });
    assert.match(message, /not the parent's CID deadbeef/);
    assert.doesNotMatch(hint!, /regrain apply/);
  }));

Deno.test("lists of snapshots and of what disks hold fit into 80 columns, and -v shows the rest", () =>
  withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    repository.backUp("abc.d");
    repository.backUp("abc.e");
    for (const args of [["snapshots"], ["repo", "stats"]]) {
      const [short, long] = [repository.run(args).stdout, repository.run([...args, "-v"]).stdout];
      assert.deepEqual(short.split("\n").filter((line) => line.length > 80), []);
      assert.ok(long.length > short.length);
    }
  }));

Deno.test("a base that has the delta already is said to, and so is how an undo file is taken back", () =>
  withTempDir(async (folder) => {
    await writeCase(caseNamed("chain-two-cowd-links"), folder);
    const apply = ["apply", "disk-000001.vmdk", "disk.vmdk"];
    regrainExits(0, apply, { cwd: folder });
    const { message, hint } = regrainRefuses({ code: "WRONG_BASE", exit: 5 }, apply, { cwd: folder });
    assert.match(message, /has the CID of this delta itself, [0-9a-f]{8}: it was applied to it already/);
    assert.match(hint!, /^there is nothing left to do/);
    const back = regrainRefuses(USAGE, ["apply", "--undo", "vm.undo", "vm.img"], { cwd: folder });
    assert.equal(back.hint, "to take back what vm.undo holds: regrain apply vm.undo vm.img");
  }));

Deno.test("a pipe that ends before its tables says so, and names no sector that nobody asked for", () =>
  withTempDir(async (folder) => {
    await writeCase(caseNamed("chain-five-links-of-three-kinds"), folder);
    const delta = Deno.readFileSync(`${folder}/disk-000002-sesparse.vmdk`);
    Deno.copyFileSync(`${folder}/disk-flat.vmdk`, `${folder}/vm.img`);
    for (const lengthBytes of [0, 512, 4096, 8192, 65536]) {
      Deno.writeFileSync(`${folder}/cut`, delta.subarray(0, lengthBytes));
      const line = `exec "$@" < ${folder}/cut`;
      const [program, ...args] = [Deno.execPath(), "run", "-A", "-q", MAIN, "apply", "-", `${folder}/vm.img`];
      const { stderr, code } = new Deno.Command("sh", { args: ["-c", line, "sh", program!, ...args] })
        .outputSync();
      const text = new TextDecoder().decode(stderr);
      assert.equal(code, 4, text);
      assert.match(text, lengthBytes === 0 ? /the pipe is empty: / : /the pipe ended before .*\[TRUNCATED\]/);
      assert.doesNotMatch(text, /at byte 0 to 0/);
    }
  }));
