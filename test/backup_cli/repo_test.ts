/** `regrain repo key`, `check`, `stats` and `copy`, and `regrain diff`. */
import assert from "node:assert/strict";
import { regrainExits, regrainRefuses } from "../helpers/cli.ts";
import { withTempDir } from "../helpers/peers.ts";
import { CHUNK, DISK, diskOf, type Line, RepositoryFolder, resigned } from "./repository_folder.ts";

const ENCRYPTED = ["--encrypt", "--chunk-size", "1M"];

function findings(repository: RepositoryFolder, code = 0, flags: readonly string[] = []): string[] {
  return repository.json(["repo", "check", ...flags], code).filter(({ type }) => type === "finding")
    .map(({ what, about }) => `${what} ${about}`).sort();
}

Deno.test("repo key adds, lists and removes passphrases, but never the last", async () => {
  await withTempDir((folder) => {
    const env = { REGRAIN_PASSPHRASE: "one", REGRAIN_NEW_PASSPHRASE: "two" };
    const repository = RepositoryFolder.create(folder, "repo", { env, flags: ENCRYPTED });
    const id = repository.backUp("ab");
    const [added] = repository.json(["repo", "key", "add", "--label", "escrow"]);
    assert.equal(added!.label, "escrow");
    const slots = repository.json(["repo", "key", "list"]).filter(({ type }) => type === "slot");
    assert.deepEqual(slots.map((slot) => slot.id), ["first", added!.id]);
    const second = new RepositoryFolder(folder, "repo", { env: { REGRAIN_PASSPHRASE: "two" } });
    second.assertHolds(id, "ab");
    second.refuses({ code: "REPO_KEY", exit: 12 }, ["repo", "key", "add"]);
    second.run(["repo", "key", "remove", "first"]);
    repository.refuses({ code: "REPO_KEY", exit: 12 }, ["snapshots"]);
    second.assertHolds(id, "ab");
    second.refuses({ code: "USAGE", exit: 2 }, ["repo", "key", "remove", added!.id as string]);
    second.refuses({ code: "USAGE", exit: 2 }, ["repo", "key", "remove", "first"]);
  });
});

Deno.test("repo init leaves nothing where something is already, and makes nothing below /dev", async () => {
  await withTempDir((folder) => {
    Deno.writeTextFileSync(`${folder}/mine`, "mine");
    regrainRefuses({ code: "REPO_EXISTS", exit: 2 }, ["repo", "init", "--repo", folder]);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["mine"]);
    const device = "/dev/regrain-no-such-device";
    const { hint } = regrainRefuses({ code: "USAGE", exit: 2 }, ["repo", "init", "--repo", device]);
    assert.match(hint!, /mount it, and name the folder/);
    assert.throws(() => Deno.lstatSync(device), Deno.errors.NotFound);
  });
});

Deno.test("repo key takes passphrases from files, and refuses a repository that is not encrypted", async () => {
  await withTempDir((folder) => {
    Deno.writeTextFileSync(`${folder}/new`, "from a file\n");
    const env = { REGRAIN_PASSPHRASE: "one" };
    const repository = RepositoryFolder.create(folder, "repo", { env, flags: ENCRYPTED });
    repository.run(["repo", "key", "add", "--new-passphrase-file", `${folder}/new`]);
    new RepositoryFolder(folder, "repo").run(["snapshots", "--passphrase-file", `${folder}/new`]);
    const plain = RepositoryFolder.create(folder, "plain");
    for (const args of [["add"], ["list"], ["remove", "first"]]) {
      plain.refuses({ code: "USAGE", exit: 2 }, ["repo", "key", ...args]);
    }
    new RepositoryFolder(folder, "nothing").refuses({ code: "REPO_MISSING", exit: 10 }, [
      "repo",
      "key",
      "list",
    ]);
  });
});

Deno.test("repo check names what has no place, and what cannot be used", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const id = repository.backUp("ab");
    repository.run(["verify", "--sample", "50%"]);
    repository.run(["hold", id]);
    assert.deepEqual(findings(repository), []);
    const manifest = repository.keys("snaps/")[0]!;
    const absent = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    repository.remove("README.txt");
    repository.write("chunks/zz/strange", "?");
    repository.write(`chunks/00/${"1".repeat(64)}.zst`, "in the folder of another");
    repository.write(`chunks/11/${"1".repeat(64)}.enc`, "of an encrypted repository");
    repository.write("photo.jpg", "?");
    repository.write(`holds/${absent}.json`, "{}");
    repository.write("keys/first.json", "{}");
    repository.refuses({ code: "REPO_UNENCRYPTED", exit: 12 }, ["repo", "check"]);
    assert.deepEqual(findings(repository, 0, ["--unencrypted"]), [
      "needless-keys keys/",
      `no-readme README.txt`,
      `no-snapshot holds/${absent}.json`,
      `stray chunks/00/${"1".repeat(64)}.zst`,
      `stray chunks/11/${"1".repeat(64)}.enc`,
      "stray chunks/zz/strange",
      "stray photo.jpg",
    ]);
    repository.write(`gc/${absent}.json`, "{");
    repository.flip(manifest);
    const bad = findings(repository, 1, ["--unencrypted"]);
    assert.ok(bad.includes(`manifest ${manifest}`));
    assert.ok(bad.some((each) => each.startsWith("unreadable-list ") && each.endsWith(`gc/${absent}.json`)));
    assert.match(
      repository.run(["repo", "check", "--unencrypted"], 1).stdout,
      /^damage: manifest: this snapshot cannot/m,
    );
  });
});

Deno.test("repo check knows a manifest under another disk, and one whose backup was taken for dead", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const id = repository.backUp("ab");
    const manifest = repository.keys("snaps/")[0]!;
    repository.write(`active/${id}/expired`, "{}");
    for (const key of repository.keys(`active/${id}/`)) if (!key.endsWith("expired")) repository.remove(key);
    assert.deepEqual(findings(repository), [`doubtful ${manifest}`]);
    const moved = manifest.replace("web01", "web02");
    repository.write(moved, repository.read(manifest));
    assert.ok(findings(repository, 1).includes(`manifest ${moved}`));
    // Whoever moves it with care is found out by the name in it.
    const [, key] = /^snaps\/(.+)\//.exec(manifest)!;
    const text = new TextDecoder().decode(repository.read(manifest));
    repository.write(
      moved,
      resigned(text.replace(`"key":"${key}"`, `"key":"${key!.replace("web01", "web02")}"`)),
    );
    assert.ok(findings(repository, 1).includes(`wrong-source ${moved}`));
  });
});

Deno.test("repo stats counts what is shared, and what each snapshot holds alone", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    repository.backUp("abc.");
    repository.backUp("abd.");
    repository.backUp("ax..", [], "db/disk-1");
    const lines = repository.json(["repo", "stats"]);
    const disks = lines.filter(({ type }) => type === "disk") as (Line & {
      snapshots: { alone: { chunks: number } }[];
      needed: { chunks: number; plainBytes: number };
      alone: { chunks: number };
    })[];
    assert.deepEqual(disks.map(({ name }) => name), [DISK, "db/disk-1"]);
    assert.deepEqual(disks[0]!.snapshots.map(({ alone }) => alone.chunks), [1, 1]);
    assert.deepEqual([disks[0]!.needed.chunks, disks[0]!.alone.chunks], [4, 3]);
    assert.deepEqual([disks[1]!.needed.chunks, disks[1]!.alone.chunks], [2, 1]);
    const total = lines.at(-1)!.needed as { chunks: number; plainBytes: number; storedBytes: number };
    assert.equal(total.chunks, 5);
    assert.equal(total.plainBytes, 5 * CHUNK);
    const sizes = repository.keys("chunks/").map((key) => repository.read(key).length);
    assert.equal(total.storedBytes, sizes.reduce((sum, size) => sum + size, 0));
    assert.match(repository.run(["repo", "stats"]).stdout, /^total +3 +8\.0 MiB +5\.0 MiB/m);
  });
});

Deno.test("repo copy moves snapshots into a repository with other chunks and encryption, once", async () => {
  await withTempDir((folder) => {
    const from = RepositoryFolder.create(folder, "from");
    const ids = ["abcd.f", "abxd.f", "abxdyf"].map((chunks) => from.backUp(chunks, ["--tag", "kept"]));
    const env = { REGRAIN_PASSPHRASE: "secret" };
    const to = RepositoryFolder.create(folder, "to", { env, flags: ["--encrypt", "--chunk-size", "2M"] });
    const copy = (args: readonly string[] = []) =>
      regrainExits(0, [
        "repo",
        "copy",
        ...args,
        "--repo",
        from.path,
        "--to",
        to.path,
        "--json",
        "--progress",
        "none",
      ], {
        env: { REGRAIN_TO_PASSPHRASE: "secret" },
      }).stdout.trim().split("\n").map((line) => JSON.parse(line) as Line);
    assert.equal(copy([`${DISK}@${ids[0]}`]).at(-1)!.copied, 1);
    const lines = copy();
    assert.deepEqual([lines.at(-1)!.copied, lines.at(-1)!.there], [2, 1]);
    const second = lines[1]!.stats as { readBytes: number; newChunks: number };
    assert.deepEqual([second.readBytes, second.newChunks], [2 * CHUNK, 1], "only what differs is read");
    const copies = to.json(["snapshots"]).filter(({ type }) => type === "snapshot");
    assert.deepEqual(copies.map(({ id }) => (id as string).slice(0, 10)), ids.map((id) => id.slice(0, 10)));
    assert.deepEqual(copies.map(({ tags }) => tags), [["kept"], ["kept"], ["kept"]]);
    ["abcd.f", "abxd.f", "abxdyf"].forEach((chunks, i) => to.assertHolds(copies[i]!.id as string, chunks));
    to.run(["verify", "--restore-test"]);
    assert.equal(copy().at(-1)!.copied, 0);
    assert.equal(to.keys("snaps/").length, 3);
  });
});

Deno.test("repo copy refuses to copy into itself, and copies no damaged chunk", async () => {
  await withTempDir((folder) => {
    const from = RepositoryFolder.create(folder, "from");
    const to = RepositoryFolder.create(folder, "to");
    from.backUp("ab");
    const args = ["repo", "copy", "--repo", from.path, "--progress", "none", "--to"];
    regrainRefuses({ code: "USAGE", exit: 2 }, [...args, from.path]);
    regrainRefuses({ code: "REPO_MISSING", exit: 10 }, [...args, `${folder}/nothing`]);
    from.flip(from.keys("chunks/")[0]!);
    assert.match(regrainExits(3, [...args, to.path]).stderr, /chunk/);
    assert.deepEqual(to.keys("snaps/"), []);
  });
});

Deno.test("diff lists what changed, and its list serves backup --changed", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const first = repository.backUp("abcd.f");
    const second = repository.backUp("abx.ef");
    const { stdout } = repository.run(["diff", first, second]);
    assert.match(stdout, /^2097152 +1048576 +1\.0 MiB +data$/m);
    assert.match(stdout, /^3145728 +1048576 +1\.0 MiB +zero$/m);
    assert.match(stdout, /2\.0 MiB of other data, 1\.0 MiB became zeros/);
    assert.match(repository.run(["diff", first, first]).stdout, /^nothing differs$/m);
    const document = JSON.parse(repository.run(["diff", first, second, "--json"]).stdout);
    assert.equal(document.capacityBytes, diskOf("abcd.f").length);
    assert.equal(
      document.runs.reduce((end: number, run: { start: number; length: number }) => {
        assert.equal(run.start, end);
        return end + run.length;
      }, 0),
      document.capacityBytes,
    );
    // The list of what changed between the two is all that the next backup of another copy of the disk reads.
    const other = RepositoryFolder.create(folder, "other");
    other.backUp("abcd.f");
    Deno.writeTextFileSync(`${folder}/areas.json`, JSON.stringify(document));
    const id = other.backUp("abx.ef", ["--changed", `${folder}/areas.json`]);
    other.assertHolds(id, "abx.ef");
    const line = other.json(["snapshots"]).find((each) => each.id === id)!;
    assert.equal((line.change as { method: string }).method, "changed-areas");
    assert.equal((line.stats as { readBytes: number }).readBytes, 3 * CHUNK);
  });
});

Deno.test("diff tells a disk that grew or shrank", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const short = repository.backUp("abc");
    const long = repository.backUp("abcd.");
    const runs = JSON.parse(repository.run(["diff", short, long, "--json"]).stdout).runs;
    assert.deepEqual(runs.map(({ kind }: { kind: string }) => kind), ["hole", "data", "zero"]);
    assert.equal(runs[0].length, 2 * CHUNK, "the last chunk was half as long");
    assert.match(repository.run(["diff", long, short]).stderr, /had 4718592 bytes, and has 2621440 now/);
  });
});
