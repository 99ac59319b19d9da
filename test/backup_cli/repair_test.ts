/** What opens a repository, lost and damaged in every way, and put back from its second copy. */
import assert from "node:assert/strict";
import { removeSlotsAndCopies } from "../../cli/backup/second_copies.ts";
import { MemoryStore } from "../helpers/memory_store.ts";
import { withTempDir } from "../helpers/peers.ts";
import { RepositoryFolder } from "./repository_folder.ts";

const ENCRYPTED = { env: { REGRAIN_PASSPHRASE: "one" }, flags: ["--encrypt", "--chunk-size", "1M"] };

/** All that opens the repository, by key. */
function opening(repository: RepositoryFolder): Record<string, string> {
  const keys = repository.keys().filter((key) => /repo\.json$|keys\//.test(key));
  return Object.fromEntries(keys.map((key) => [key, new TextDecoder().decode(repository.read(key))]));
}

function changed(repository: RepositoryFolder, key: string, from: string | RegExp, to: string): void {
  const text = new TextDecoder().decode(repository.read(key));
  assert.notEqual(text.replace(from, to), text);
  repository.write(key, text.replace(from, to));
}

Deno.test("B9: a lost or damaged repo.json comes back by the command that the error names", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder);
    const id = repository.backUp("ab");
    const before = opening(repository);
    assert.deepEqual(Object.keys(before), ["copies/repo.json", "repo.json"]);
    assert.match(repository.run(["repo", "repair"]).stdout, /whole, and so are their copies/);
    repository.remove("repo.json");
    const { hint } = repository.refuses({ code: "REPO_MISSING", exit: 10 }, ["snapshots"]);
    const [, command] = /(regrain repo repair) puts it back/.exec(hint!)!;
    const words = command!.split(" ").slice(1);
    assert.match(
      repository.run([...words, "-n"]).stdout,
      /repo\.json: would be put back from copies\/repo\.json/,
    );
    assert.deepEqual(repository.keys("repo.json"), []);
    repository.run(words);
    assert.deepEqual(opening(repository), before);
    repository.assertHolds(id, "ab");
    repository.write("repo.json", "{");
    assert.match(
      repository.refuses({ code: "REPO_UNSUPPORTED", exit: 4 }, ["snapshots"]).hint!,
      /repo repair/,
    );
    repository.run(words);
    assert.deepEqual(opening(repository), before);
    // A description of a newer version is no damage, and two that differ are not judged by a guess.
    changed(repository, "repo.json", '"version": 1', '"version": 2');
    repository.refuses({ code: "REPO_UNSUPPORTED", exit: 4 }, words);
    repository.write("repo.json", before["repo.json"]!);
    changed(repository, "repo.json", "1048576", "2097152");
    repository.refuses({ code: "REPO_MIXED", exit: 5 }, words);
    repository.remove("repo.json");
    repository.run(words);
    assert.deepEqual(opening(repository), before);
  });
});

Deno.test("B9: in an encrypted repository the passphrase judges what is put back", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder, "repo", ENCRYPTED);
    const id = repository.backUp("ab");
    const before = opening(repository);
    const repair = (code = 0) => repository.json(["repo", "repair"], code).at(-1)!;
    repository.remove("repo.json");
    repository.remove("keys/first.json");
    const stranger = new RepositoryFolder(folder, "repo", { env: { REGRAIN_PASSPHRASE: "two" } });
    stranger.refuses({ code: "REPO_KEY", exit: 12 }, ["repo", "repair"]);
    assert.deepEqual(repair().putBack, ["keys/first.json", "repo.json"]);
    assert.deepEqual(opening(repository), before);
    // The MAC tells which of two descriptions is the right one; the cipher tells it of two slots.
    for (const key of ["repo.json", "copies/repo.json"]) {
      changed(repository, key, "1048576", "2097152");
      repair();
      assert.deepEqual(opening(repository), before, key);
    }
    changed(repository, "repo.json", "aes-256-gcm", "none");
    const told = repository.json(["repo", "repair", "--unencrypted"]).at(-1)!;
    assert.deepEqual([told.putBack, told.copied], [["repo.json"], []]);
    assert.deepEqual(opening(repository), before);
    changed(repository, "repo.json", "aes-256-gcm", "none");
    // On a host that remembers nothing, without the passphrase.
    const nobody = new RepositoryFolder(folder, "repo", { env: { XDG_STATE_HOME: `${folder}/elsewhere` } });
    nobody.refuses({ code: "REPO_UNENCRYPTED", exit: 12 }, ["repo", "repair"]);
    nobody.run(["repo", "repair", "--unencrypted"], 3);
    assert.equal(opening(repository)["copies/repo.json"], before["copies/repo.json"]);
    repair();
    assert.deepEqual(opening(repository), before);
    for (const key of ["keys/first.json", "copies/keys/first.json"]) {
      changed(repository, key, /"wrapped": "./, '"wrapped": "*');
      repair();
      assert.deepEqual(opening(repository), before, key);
      changed(repository, key, /"label": ".*"/, '"label": "other"');
      changed(repository, key, /("salt": ")(.{4})(.{4})/, "$1$3$2");
      repair();
      assert.deepEqual(opening(repository), before, key);
    }
    repository.assertHolds(id, "ab");
    // Both changed: nothing is put back by a guess.
    for (const key of ["repo.json", "copies/repo.json"]) changed(repository, key, "1048576", "2097152");
    repository.refuses({ code: "REPO_REPLACED", exit: 12 }, ["repo", "repair"]);
  });
});

Deno.test("B9: a removed or rotated passphrase is not given back by a copy; a slot is, by its name alone", async () => {
  await withTempDir((folder) => {
    const env = { REGRAIN_PASSPHRASE: "one", REGRAIN_NEW_PASSPHRASE: "two" };
    const repository = RepositoryFolder.create(folder, "repo", { ...ENCRYPTED, env });
    const added = repository.json(["repo", "key", "add"]).at(-1)!.id as string;
    assert.deepEqual(
      repository.keys("copies/keys/").sort(),
      [
        `copies/keys/${added}.json`,
        "copies/keys/first.json",
      ].sort(),
    );
    const two = new RepositoryFolder(folder, "repo", { env: { REGRAIN_PASSPHRASE: "two" } });
    // As a version that knows no copies removes a slot.
    repository.remove("keys/first.json");
    const { left } = two.json(["repo", "repair"], 3).at(-1)! as unknown as { left: { what: string }[] };
    assert.match(left[0]!.what, /repo repair --slot first puts it back.*repo key remove first/);
    repository.refuses({ code: "REPO_KEY", exit: 12 }, ["snapshots"]);
    repository.run(["repo", "repair", "--slot", "first"]);
    repository.run(["snapshots"]);
    repository.remove("keys/first.json");
    two.run(["repo", "key", "remove", "first"]);
    assert.deepEqual(two.keys("copies/keys/"), [`copies/keys/${added}.json`]);
    two.run(["repo", "repair"]);
    repository.refuses({ code: "REPO_KEY", exit: 12 }, ["snapshots"]);
    const three = { REGRAIN_PASSPHRASE: "two", REGRAIN_NEW_PASSPHRASE: "three" };
    const rotated = new RepositoryFolder(folder, "repo", { env: three }).json(["repo", "key", "rotate"]).at(
      -1,
    )!.id as string;
    assert.deepEqual(two.keys("copies/keys/"), [`copies/keys/${rotated}.json`]);
    assert.deepEqual(two.read("copies/repo.json"), two.read("repo.json"));
    assert.match(
      new RepositoryFolder(folder, "repo", { env: { REGRAIN_PASSPHRASE: "three" } }).run(["repo", "check"])
        .stdout,
      /everything has its place/,
    );
  });
});

Deno.test("B9: a removal that dies between its steps leaves the slot, and never its copy alone", async () => {
  const store = new MemoryStore();
  const bytes = new Uint8Array(1);
  for (const key of ["keys/a.json", "copies/keys/a.json"]) await store.put(key, bytes);
  const seen: string[][] = [];
  const remove = store.remove.bind(store);
  store.remove = async (keys) => {
    await remove(keys);
    seen.push([...store.objects.keys()]);
  };
  await removeSlotsAndCopies(store, ["a"]);
  assert.deepEqual(seen, [["keys/a.json"], []]);
});

Deno.test("B9: a repository of an older version gets its copies, and repo check misses them", async () => {
  await withTempDir((folder) => {
    const repository = RepositoryFolder.create(folder, "repo", ENCRYPTED);
    const id = repository.backUp("ab");
    const before = opening(repository);
    for (const key of repository.keys("copies/")) repository.remove(key);
    assert.match(
      repository.run(["repo", "check"]).stdout,
      /no copy: [^]*copies\/repo\.json\n.*copies\/keys\/first/,
    );
    repository.run(["repo", "repair"]);
    assert.deepEqual(opening(repository), before);
    assert.match(repository.run(["gc"]).stdout, /./);
    assert.deepEqual(opening(repository), before);
    assert.match(repository.run(["repo", "check"]).stdout, /everything has its place/);
    repository.assertHolds(id, "ab");
  });
});
